"""A polite crawl into WARC: seeds first, breadth first, one request at a time.

What a crawl finds depends on the day. So it is frozen into a file first, and everything after reads that file.
"""

import http.client
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from resiliparse.parse.html import HTMLTree

from pipeline.ingest.crawl.netguard import RefusedError, connect
from pipeline.ingest.crawl.robots import MAX_BYTES, Robots, origin_of
from pipeline.ingest.formats.warc_writer import Writer, write_record
from pipeline.ingest.rights.snapshots import TDMREP
from pipeline.ingest.source import CrawlPlan

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 2**16
_PATIENCE = 10
"""A body may take this many times the timeout in all, so that a host that drips bytes does not hold the crawl."""
_MAX_URL = 2048
_UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
"""What a request raises when a host fails or answers nonsense."""


@dataclass(slots=True)
class CrawlReport:
    """What became of the addresses met."""

    pages: int = 0
    body_bytes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Response:
    """One answer of a host, at most `max_page_bytes` of its body."""

    url: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    is_cut: bool
    request: bytes

    def header(self, name: str) -> str:
        """The first field of this name, or ""."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def crawl(plan: CrawlPlan, out: Writer) -> CrawlReport:
    """Fetch pages from the seeds on and write requests and responses to `out`, a gzipped WARC file.

    Hosts that fail, refuse or resolve to inside addresses are counted, not raised.
    """
    return _Crawl(plan, out).run()


class _Crawl:
    """The state of one crawl."""

    def __init__(self, plan: CrawlPlan, out: Writer) -> None:
        self._plan = plan
        self._out = out
        self._report = CrawlReport()
        self._robots = Robots(plan.user_agent, self._fetch_robots)
        self._asked: set[str] = set()
        self._last: dict[str, float] = {}
        self._seen: set[str] = set()
        self._queue: deque[tuple[str, int]] = deque()
        self._hosts = {urlsplit(seed).netloc.lower() for seed in plan.seeds}

    def run(self) -> CrawlReport:
        info = f"software: {self._plan.user_agent}\r\nformat: WARC File Format 1.1\r\nrobots: obey\r\n"
        write_record(self._out, "warcinfo", info.encode(), _now())
        for seed in self._plan.seeds:
            self._enqueue(seed, 0)
        while self._queue and not self._is_over():
            url, depth = self._queue.popleft()
            for link in self._visit(url, depth):
                self._enqueue(link, depth + 1)
        return self._report

    def _is_over(self) -> bool:
        return self._report.pages >= self._plan.max_pages or self._report.body_bytes >= self._plan.max_bytes

    def _enqueue(self, url: str, depth: int) -> None:
        url = urldefrag(url)[0]
        if len(url) <= _MAX_URL and url not in self._seen:
            self._seen.add(url)
            self._queue.append((url, depth))

    def _visit(self, url: str, depth: int) -> Iterator[str]:
        """Fetch one page through its redirects; the links to follow from it."""
        for _ in range(self._plan.max_redirects + 1):
            response = self._fetch_politely(url)
            if response is None:
                return
            self._write(response)
            if response.status not in _REDIRECTS or not response.header("location"):
                break
            url = urldefrag(urljoin(url, response.header("location")))[0]
            if url in self._seen and url != response.url:
                self._report.outcomes["redirect_to_known"] += 1
                return
            self._seen.add(url)
        else:
            self._report.outcomes["too_many_redirects"] += 1
            return
        self._report.pages += 1
        self._report.outcomes[f"http_{response.status // 100}xx"] += 1
        if depth < self._plan.max_depth and self._plan.follow != "none" and response.status == 200:
            yield from (link for link in links_of(response) if self._follows(link, url))

    def _follows(self, link: str, page: str) -> bool:
        host = urlsplit(link).netloc.lower()
        if self._plan.follow == "host":
            return host == urlsplit(page).netloc.lower()
        return self._plan.follow == "any" or host in self._hosts

    def _fetch_politely(self, url: str) -> Response | None:
        """The answer, or None with the outcome counted."""
        try:
            if not self._robots.allows(url):
                self._report.outcomes["robots"] += 1
                return None
            self._ask_terms(url)
            self._wait_for(url)
            return self._fetch(url, self._plan.max_page_bytes)
        except RefusedError:
            self._report.outcomes["refused_address"] += 1
        except _UNREACHABLE:
            self._report.outcomes["unreachable"] += 1
        return None

    def _ask_terms(self, url: str) -> None:
        """Archive the host's tdmrep.json before its first page, once: the reader takes the reservations from there.

        It is asked for as politely as a page and at no other address: a redirect, like every answer but a file, leaves the
        reservation unknown. A host that gives none is no reason not to fetch its pages.
        """
        origin = origin_of(urlsplit(url))
        terms = f"{origin}{TDMREP}"
        if origin in self._asked:
            return
        self._asked.add(origin)
        if not self._robots.allows(terms):
            self._report.outcomes["tdmrep_json_robots"] += 1
            return
        self._wait_for(terms)
        try:
            self._write(self._fetch(terms, MAX_BYTES))
        except _UNREACHABLE:
            self._report.outcomes["tdmrep_json_unreachable"] += 1

    def _wait_for(self, url: str) -> None:
        """Sleep until the host's delay since its last request has passed."""
        host, delay_s = urlsplit(url).netloc.lower(), max(self._plan.delay_s, self._robots.delay_s(url))
        wait = self._last.get(host, -delay_s) + delay_s - time.monotonic()
        if host in self._last and wait > 0:
            time.sleep(wait)
        self._last[host] = time.monotonic()

    def _fetch_robots(self, url: str) -> tuple[int | None, bytes]:
        """Status and body of a robots.txt, through at most five redirects, every one checked like a page."""
        try:
            for _ in range(6):
                response = self._fetch(url, MAX_BYTES)
                if response.status not in _REDIRECTS:
                    self._write(response)  # the terms under which the host's pages were fetched
                    return response.status, response.body
                url = urljoin(url, response.header("location"))
            return 404, b""
        except RefusedError:
            raise
        except _UNREACHABLE:
            return None, b""

    def _fetch(self, url: str, limit: int) -> Response:
        parts = urlsplit(url)
        connection = connect(parts, self._plan.allow_hosts, self._plan.timeout_s)
        try:
            target = _target(parts)
            fields = {"Host": parts.netloc, "User-Agent": self._plan.user_agent, "Accept-Encoding": "identity"}
            fields |= {"Accept": "text/html,text/plain;q=0.8,*/*;q=0.1", "Connection": "close"}
            connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            body, is_cut = self._read_body(answer, limit)
            head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            return Response(
                url, answer.status, answer.reason, answer.getheaders(), body, is_cut, f"{head}\r\n".encode()
            )
        finally:
            connection.close()

    def _read_body(self, answer: http.client.HTTPResponse, limit: int) -> tuple[bytes, bool]:
        parts, size, deadline = [], 0, time.monotonic() + _PATIENCE * self._plan.timeout_s
        while size <= limit and time.monotonic() < deadline:
            try:
                chunk = answer.read1(_CHUNK)
            except (http.client.IncompleteRead, TimeoutError):
                return b"".join(parts)[:limit], True
            if not chunk:
                return b"".join(parts), bool(answer.length)
            parts.append(chunk)
            size += len(chunk)
        return b"".join(parts)[:limit], True

    def _write(self, response: Response) -> None:
        """One response record with its request. Framing headers are renamed: the body is stored unframed."""
        date = _now()
        head = [f"HTTP/1.1 {response.status} {response.reason}".rstrip()]
        for name, value in response.headers:
            framed = name.lower() in ("transfer-encoding", "content-length")
            head.append(f"{'X-Crawl-' if framed else ''}{name}: {' '.join(value.split())}")
        head.append(f"Content-Length: {len(response.body)}")
        block = "\r\n".join(head).encode("utf-8", "replace") + b"\r\n\r\n" + response.body
        extra = {"WARC-Truncated": "length"} if response.is_cut else None
        record = write_record(self._out, "response", block, date, response.url, extra)
        write_record(self._out, "request", response.request, date, response.url, {"WARC-Concurrent-To": record})
        self._report.body_bytes += len(response.body)


def links_of(response: Response) -> list[str]:
    """Web addresses a page links to, in its order; none when the page asks not to follow them."""
    if "html" not in response.header("content-type").lower() or "nofollow" in response.header("x-robots-tag").lower():
        return []
    try:
        document = HTMLTree.parse_from_bytes(response.body, "utf-8", "replace").document
    except (ValueError, RuntimeError):
        return []
    if document is None:
        return []
    for meta in document.query_selector_all("meta[name=robots]"):
        if "nofollow" in (meta.getattr("content") or "").lower():
            return []
    links = []
    for anchor in document.query_selector_all("a[href]"):
        if "nofollow" in (anchor.getattr("rel") or "").lower():
            continue
        try:
            link = urljoin(response.url, (anchor.getattr("href") or "").strip())
            if urlsplit(link).scheme in ("http", "https"):
                links.append(link)
        except ValueError:
            continue  # not an address; pages hold anything
    return links


def _target(url: SplitResult) -> str:
    """Path and query, percent-encoded where the page left other signs in them."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return "".join(sign if "!" <= sign <= "~" else "".join(f"%{byte:02X}" for byte in sign.encode()) for sign in target)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
