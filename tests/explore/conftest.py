"""Two tiny runs with what the explorer is asked about, one server over them, and one browser, for all tests of this folder."""

import http.client
import json
import shutil
import threading
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

import pipeline
from tests.faults.tiny import text, write_recipe

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

TOKEN = "a-token-of-the-tests"
HOSTILE = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'></pre></section>{{ 7*7 }} \u202egnp.exe \x1b[31mred\x1b[0m "
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def write_inputs(folder):
    """The tiny recipe with addresses, documents short of the bound on one host, a telephone number, and a hostile document."""
    recipe = write_recipe(folder)
    short = [" ".join(text(900 + n).split()[:60]) for n in range(6)]
    rows = [{"id": f"s{n}", "text": short[n], "url": f"https://short.example/{n}"} for n in range(6)]
    rows += [
        {"id": "call", "text": text(60) + " Call (212) 555-0187 today.", "url": "https://desk.example/call"},
        {
            "id": "needle",
            "text": text(61) + " The heron waited by the frozen weir.",
            "url": "https://desk.example/needle",
        },
        {"id": "copy2", "text": text(100), "url": "https://mirror.example/copy"},
        {
            "id": "bad",
            "text": HOSTILE + text(62),
            "title": "<b onmouseover=alert(1)>t</b>\u202e",
            "url": "javascript:window.hacked=3",
        },
    ]
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = f"    - {{name: more, kind: jsonl, path: {folder}/more.jsonl, role: domain, licence: CC0-1.0}}\ncurate:"
    recipe.write_text(recipe.read_text().replace("curate:", more).replace("min_num_words: 20", "min_num_words: 100"))
    return recipe


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Folders `now` and `before`, which has another bound."""
    folder = tmp_path_factory.mktemp("explored")
    recipe = write_inputs(folder)
    pipeline.run_recipe(str(recipe), out=str(folder / "now"), ray="none")
    before = {"curate.gopher.min_num_words": 20}
    pipeline.run_recipe(str(recipe), set=before, out=str(folder / "before"), to="apply", ray="none")
    return SimpleNamespace(now=str(folder / "now"), before=str(folder / "before"))


@pytest.fixture(scope="session")
def server(runs):
    """The explorer over `now`: `port`, `ask(path, …)` and `explorer`."""
    from pipeline.explore.page import Explorer
    from pipeline.explore.server import application, listen

    explorer = Explorer(runs.now, [runs.before])
    listening, port = listen(0)
    own = uvicorn.Server(uvicorn.Config(application(explorer, TOKEN, port), log_level="warning"))
    thread = threading.Thread(target=own.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()

    def ask(path, token=TOKEN, method="GET", form=None, **headers):
        """(status, headers, body) of a raw request: the path is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Cookie": f"explore-{port}={token}"} if token else {}
        body = urlencode(form) if form else None
        sent |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())

    yield SimpleNamespace(port=port, ask=ask, explorer=explorer, url=f"http://127.0.0.1:{port}")
    own.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="session")
def browser():
    """Chromium of this machine."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as found:
        opened = found.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, server):
    """A page that came in by the printed address; what the browser complains of fails the test."""
    context = browser.new_context()
    opened, complaints = context.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith(server.url) else None)
    opened.goto(f"{server.url}/?token={TOKEN}")
    yield opened
    context.close()
    assert complaints == []
