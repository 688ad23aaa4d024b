"""The explorer's server: loopback, one token, no network.

Every answer needs the token that is printed at the start; a browser keeps it in a cookie, so that it leaves the address bar.
A request must name this server as its host (a page elsewhere that resolves to loopback does not), and what writes must come
from a page of this server with the token in the form. The content policy lets a page load only from here, so that nothing of a
document can run.
"""

import hmac
import json
import secrets
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.errors import InfrastructureError, PipelineError, UsageError
from pipeline.explore.page import Download, Explorer, Page
from pipeline.explore.pages import PAGES
from pipeline.explore.render import error_page, html, style
from pipeline.explore.review import add

POLICY = ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'")
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, forms of our own pages would come without an origin
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_FORM_BYTES = 1 << 20


class Guard:
    """Lets a request through that names this server and has its token; answers 403 or 401 to every other one."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token, self.cookie = app, token, f"explore-{port}"
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        response = self.refusal(request)
        if response is None and (token := request.query_params.get("token")) and request.method == "GET":
            rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
            response = RedirectResponse(f"/{request.url.path.lstrip('/')}?{urlencode(rest)}", 303)
            response.set_cookie(self.cookie, token, httponly=True, samesite="strict")
        if response is not None:
            response.headers.update(HEADERS)
            await response(scope, receive, send)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        await self.app(scope, receive, with_headers)

    def refusal(self, request: Request) -> Response | None:
        """Why a request is not answered; None when it is."""
        host = request.headers.get("host", "")
        if host not in self.hosts:
            return PlainTextResponse("403: this address is not the explorer's", 403)
        given = request.query_params.get("token") or request.cookies.get(self.cookie) or ""
        given = request.headers.get("x-token") or given
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return PlainTextResponse("401: open the address with the token that the explorer printed", 401)
        if request.method not in ("GET", "HEAD") and request.headers.get("origin") != f"http://{host}":
            return PlainTextResponse("403: this request comes from another page", 403)
        return None


def answer(explorer: Explorer, token: str, page: Callable[[Explorer, QueryParams], Page | Download]) -> Any:
    """The endpoint of a page: HTML, or the same as JSON where the path ends in .json or the reader asks for it."""

    async def endpoint(request: Request) -> Response:
        accepted = request.headers.get("accept", "")
        as_json = request.url.path.endswith(".json") or accepted.partition(",")[0].strip() == "application/json"
        asked = QueryParams([*request.query_params.multi_items(), *request.path_params.items()])
        try:
            made = await run_in_threadpool(page, explorer, asked)
        except PipelineError as error:
            status = 503 if isinstance(error, InfrastructureError) else 400
            said = JSONResponse({"error": str(error)}, status)
            return said if as_json else HTMLResponse(error_page(explorer, str(error)), status)
        if isinstance(made, Download):
            return StreamingResponse(
                made.parts(),
                media_type=made.kind,
                headers={"Content-Disposition": f'attachment; filename="{made.name}"'},
            )
        if as_json:
            return Response(
                json.dumps(made.data, ensure_ascii=False, default=str).encode("utf-8", "replace"),
                200,
                media_type="application/json",
            )
        return HTMLResponse(
            (await run_in_threadpool(html, explorer, made, token, request.url.path, asked)).encode("utf-8", "replace")
        )

    return endpoint


def application(explorer: Explorer, token: str, port: int) -> ASGIApp:
    """The explorer of a run as an ASGI application, behind its guard."""

    async def review(request: Request) -> Response:
        if int(request.headers.get("content-length") or MOST_FORM_BYTES + 1) > MOST_FORM_BYTES:
            return PlainTextResponse("413: too much", 413)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        if not hmac.compare_digest(form.get("token", "").encode(), token.encode()):
            return PlainTextResponse("401: the form has no token", 401)
        try:
            own = await run_in_threadpool(
                add, explorer, form.get("id", ""), form.get("review", ""), form.get("why", "")
            )
        except PipelineError as error:
            return HTMLResponse(error_page(explorer, str(error)), 400)
        return RedirectResponse(f"/document/{own}#review", 303)

    async def asset(request: Request) -> Response:
        if request.url.path.endswith(".css"):
            return Response(style(), media_type="text/css")
        script = (files("pipeline.explore") / "templates" / "explore.js").read_text()
        return Response(script, media_type="text/javascript")

    routes = [Route("/review", review, methods=["POST"])]
    routes += [Route(f"/static/explore.{ending}", asset) for ending in ("css", "js")]
    routes.append(Route("/favicon.ico", lambda request: Response(status_code=204)))
    for path, page in PAGES.items():
        routes += [Route(f"{path}.json" if path != "/" else "/index.json", answer(explorer, token, page))]
        routes += [Route(path, answer(explorer, token, page))]
    return Guard(Starlette(routes=routes), token, port)


def listen(port: int) -> tuple[socket.socket, int]:
    """A socket on loopback, and its port; 0 takes a free one. Raises InfrastructureError for one that is taken."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port {port}: expected a number from 0 to 65535")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise InfrastructureError(f"--port {port}: {error.strerror or error}") from error
    return listening, listening.getsockname()[1]


def serve(explorer: Explorer, port: int, say: Callable[[str], None]) -> None:
    """Say the address, and serve until interrupted."""
    listening, bound = listen(port)
    with listening:
        token = secrets.token_urlsafe(24)
        say(f"http://127.0.0.1:{bound}/?token={token}")
        config = uvicorn.Config(
            application(explorer, token, bound), log_level="warning", access_log=False, server_header=False
        )
        uvicorn.Server(config).run(sockets=[listening])
