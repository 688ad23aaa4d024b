"""The one HTTP client of all fetchers: guarded, bounded in time and bytes, polite when it is told to wait.

A host may send what it likes: one deadline and one count of bytes hold over the whole exchange, from the handshake to the last
trailer, so dripped headers, endless `100 Continue` and chunk extensions end like a time-out. Connections are kept between
two requests that follow soon; at most `_IDLE` of them. HTTP/1.1 is parsed by `http.client`, which costs about 0.2 ms an answer.
"""

import contextlib
import http.client
import random
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.netguard import RefusedError, resolve

REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 503)
ABSENT = (404, 416)
UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
"""What a request raises when a host fails or answers nonsense."""
_CHUNK = 2**16
_PATIENCE = 3
"""The whole exchange may take this many times the time-out for one read."""
_HEAD_BYTES = 2**15
"""Status lines and headers, those of interim answers included."""
_IDLE, _IDLE_S = 128, 4.0
"""Connections kept open in all, and for how long: servers close idle ones after five seconds and more."""
_TRIES, _LONGEST_WAIT_S = 6, 120.0


@dataclass(slots=True)
class Response:
    """One answer of a host, at most the asked number of bytes of its body."""

    url: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    is_cut: bool = False
    _by_name: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """The first field of this name (lower case), or ""."""
        if not self._by_name:
            for key, value in reversed(self.headers):
                self._by_name[key.lower()] = value
        return self._by_name.get(name, "")

    @property
    def mime(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()


class _Bounded:
    """Mixed into sockets: reading ends at a point in time and after a number of bytes, however slowly they drip."""

    pause_s, until, left = 20.0, 0.0, 0

    def start(self, pause_s: float, left: int) -> None:
        """Allow one exchange: at most `pause_s` for a read, a few times that for all, and `left` bytes."""
        self.pause_s, self.until, self.left = pause_s, time.monotonic() + _PATIENCE * pause_s, left

    def recv_into(self, *arguments: int) -> int:
        """See `socket.recv_into`. Raises TimeoutError after the deadline, HTTPException after the last byte allowed."""
        rest = self.until - time.monotonic()
        if rest <= 0:
            raise TimeoutError("the exchange took too long")
        if self.left <= 0:
            raise http.client.HTTPException("more bytes than the answer may have")
        self.settimeout(min(self.pause_s, rest))  # pyright: ignore[reportAttributeAccessIssue]
        count = super().recv_into(*arguments)  # pyright: ignore[reportAttributeAccessIssue]
        self.left -= count
        return count


class _Plain(_Bounded, socket.socket):
    pass


class _Secure(_Bounded, ssl.SSLSocket):
    pass


class Client:
    """Fetches over connections to checked addresses. May be used by many threads at once."""

    def __init__(
        self,
        user_agent: str,
        allow_hosts: list[str],
        timeout_s: float,
        languages: list[str] | None = None,
        gap_s: float = 0.0,
    ) -> None:
        self._gap_s, self._next = gap_s, 0.0
        self._allow_hosts, self._timeout_s = allow_hosts, timeout_s
        self._fields = {"User-Agent": user_agent, "Accept": "text/html,application/xhtml+xml,*/*;q=0.5"}
        if languages:
            self._fields["Accept-Language"] = ", ".join([*languages, "*;q=0.1"])
        self._tls = ssl.create_default_context()
        self._tls.sslsocket_class = _Secure
        self._idle: OrderedDict[str, tuple[_Plain | _Secure, float]] = OrderedDict()
        self._lock = threading.Lock()

    def head(self, url: str, fields: Mapping[str, str] | None = None) -> bytes:
        """The request for an address, as it is sent."""
        parts = urlsplit(url)
        lines = {"Host": parts.netloc, **self._fields, "Accept-Encoding": "gzip", **(fields or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"GET {target_of(parts)} HTTP/1.1\r\n{head}\r\n".encode()

    def fetch(
        self, url: str, limit: int, fields: Mapping[str, str] | None = None, types: tuple[str, ...] = ()
    ) -> Response:
        """One exchange. The body of an answer whose media type begins with none of `types`, where there are any, is not read:
        it is marked as cut.

        Raises RefusedError for an address that must not be connected to, and `UNREACHABLE`.
        """
        request, origin = self.head(url, fields), origin_of(urlsplit(url))
        with self._lock:
            kept, since = self._idle.pop(origin, (None, 0.0))
        if kept is not None:
            if time.monotonic() - since < _IDLE_S:
                with contextlib.suppress(ConnectionError, http.client.BadStatusLine):  # closed while it was idle
                    return self._exchange(kept, url, request, limit, types)
            kept.close()
        return self._exchange(self._connect(urlsplit(url)), url, request, limit, types)

    def fetch_patiently(self, url: str, limit: int, fields: Mapping[str, str] | None = None) -> Response:
        """One exchange with a service that must answer: tried again, ever later, when it fails or says that it is busy. Two
        requests of all threads begin at least `gap_s` apart.

        Raises InfrastructureError when it answers neither 2xx nor that there is nothing of the kind (404, 416) in the end.
        """
        said = ""
        for number in range(_TRIES):
            self._wait()
            wait = 0.5 * 2**number * random.uniform(0.75, 1.25)
            try:
                response = self.fetch(url, limit, fields)
                is_long = len(response.body) >= limit
                if (response.status < 300 and (is_long or not response.is_cut)) or response.status in ABSENT:
                    return response
                said = f"answered {response.status} {response.reason}{' and was cut' if response.is_cut else ''}"
                if 300 <= response.status < 500 and response.status not in BUSY:
                    break
                wait = max(wait, retry_after_s(response) or 0.0)
            except UNREACHABLE as error:
                said = f"failed: {error}"
            except RefusedError as error:
                said = f"is refused: {error}"
                break
            if number + 1 < _TRIES:
                time.sleep(min(wait, _LONGEST_WAIT_S))
        raise InfrastructureError(f"{url} {said}; run the same command again to go on")

    def _wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(self._next, now)
            self._next = start + self._gap_s
        time.sleep(start - now)

    def close(self) -> None:
        """Let go of idle connections."""
        while self._idle:
            self._idle.popitem()[1][0].close()

    def _connect(self, url: SplitResult) -> "_Plain | _Secure":
        """A connection to the checked address; certificates are verified against the URL's host name."""
        address, port = resolve(url, self._allow_hosts)
        plain = _Plain(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.settimeout(self._timeout_s)
            plain.connect((address, port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if url.scheme == "http":
                return plain
            secure = self._tls.wrap_socket(plain, server_hostname=url.hostname)
            assert isinstance(secure, _Secure)
            return secure
        except BaseException:
            plain.close()
            raise

    def _exchange(
        self, connection: "_Plain | _Secure", url: str, request: bytes, limit: int, types: tuple[str, ...]
    ) -> Response:
        keep = False
        try:
            connection.start(self._timeout_s, _HEAD_BYTES)
            connection.settimeout(self._timeout_s)
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection, method="GET")
            answer.begin()
            headers = [(name.strip(), " ".join(value.split())) for name, value in answer.getheaders() if name.strip()]
            if not any(name.lower() == "date" and value for name, value in headers):
                # RFC 9110, section 6.6.1; a Retry-After must mean the same when the log is read
                headers.append(("Date", formatdate(usegmt=True)))
            response = Response(url, answer.status, answer.reason, headers)
            if types and response.status == 200 and response.mime and not response.mime.startswith(types):
                response.is_cut = True
                return response
            connection.left = 4 * limit + _HEAD_BYTES  # chunks of a few bytes are mostly frame
            response.body, response.is_cut = _read_body(answer, limit)
            keep = answer.isclosed() and not answer.will_close and not response.is_cut
            return response
        finally:
            if keep:
                self._keep(origin_of(urlsplit(url)), connection)
            else:
                connection.close()

    def _keep(self, origin: str, connection: "_Plain | _Secure") -> None:
        with self._lock:
            dropped = [self._idle.pop(origin, None)]
            self._idle[origin] = connection, time.monotonic()
            if len(self._idle) > _IDLE:
                dropped.append(self._idle.popitem(last=False)[1])
        for one in dropped:
            if one is not None:
                one[0].close()


def _read_body(answer: http.client.HTTPResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether the host sent, or promised, more."""
    parts, size = [], 0
    while size <= limit:
        try:
            chunk = answer.read1(min(_CHUNK, limit + 1 - size))
        except UNREACHABLE:
            return b"".join(parts)[:limit], True
        if not chunk:
            if not answer.length:
                answer.close()  # whole: the connection may be used again
            return b"".join(parts), bool(answer.length)
        parts.append(chunk)
        size += len(chunk)
        if answer.length == 0:
            answer.close()
            return b"".join(parts)[:limit], size > limit
    return b"".join(parts)[:limit], True


def retry_after_s(response: Response) -> float | None:
    """Seconds of Retry-After (RFC 9110, section 10.2.3), whether written as a number or as a date, which counts from the answer's
    own; None when there are none.

    >>> retry_after_s(Response("", 429, "", [("Retry-After", "7")])), retry_after_s(Response("", 429, "", []))
    (7.0, None)
    """
    value = response.header("retry-after").strip()
    if value.isdecimal() and len(value) < 10:
        return float(value)
    try:
        now = parsedate_to_datetime(response.header("date")).timestamp() if response.header("date") else time.time()
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def origin_of(url: SplitResult) -> str:
    """`https://host:port` of an address."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2].lower()}"


def target_of(url: SplitResult) -> str:
    """Path and query, percent-encoded where the page left other signs in them."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if target.isascii() and target.isprintable() and " " not in target:
        return target
    return "".join(sign if "!" <= sign <= "~" else "".join(f"%{byte:02X}" for byte in sign.encode()) for sign in target)
