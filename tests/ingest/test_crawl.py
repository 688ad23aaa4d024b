"""The crawl, on a loopback site: polite, bounded, never inside."""

import gzip
import http.server
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.netguard import RefusedError, check_address, resolve
from pipeline.ingest.crawl.robots import MAX_BYTES, Rules
from pipeline.ingest.crawl.settings import CrawlPlan
from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source

from .conftest import rows_of
from .crawling import crawl, read, warc

HTML = {"Content-Type": "text/html"}
AGENT = "domain-corpus-tests/1.0 (+https://bot.example/)"
PAGES = {
    "/robots.txt": (200, {}, b"User-agent: *\nDisallow: /private\nCrawl-delay: 0.05\n"),
    "/": (200, HTML, b"<a href='/a'>a</a><a href='/private/x'>p</a><a href='/r'>r</a><a href='/evil'>e</a>"
                     b"<a href='http://other.invalid/'>o</a><a href='/loop'>l</a><a href='/no' rel='nofollow'>n</a>"
                     b"<a href='mailto:x@y'>m</a><a href='http://[bad'>b</a><a href='/a#x'>again</a><a href='/big'>g</a>"),
    "/a": (200, HTML, b"<p>page a<a href='/deep'>d</a>"),
    "/deep": (200, HTML, b"<p>too deep"),
    "/r": (302, {"Location": "/target"}, b""),
    "/target": (200, HTML, b"<p>target"),
    "/evil": (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/big": (200, HTML, b"<p>" + b"x" * 5000),
    "/gone": (404, HTML, b"<p>gone"),
    "/utf": (200, {"Content-Type": "text/html; charset=utf-8"}, "<p>ü".encode()),
}  # fmt: skip


class Asked(list):
    """Paths in the order of their requests, and when each came."""

    def __init__(self):
        super().__init__()
        self.times = []


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]

    def log_message(self, *_args):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        self.asked.times.append((self.path, time.monotonic()))
        answer = PAGES.get(self.path, (404, HTML, b""))
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.path == "/utf":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site():
    handler = type("Here", (Site,), {"asked": Asked()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", handler.asked
    server.shutdown()
    server.server_close()
    thread.join()


def plan(host, path="/", **settings):
    defaults = {"delay_s": 0, "max_depth": 1, "allow_hosts": [host], "timeout_s": 5, "max_page_bytes": 1000}
    return CrawlPlan(seeds=[f"http://{host}{path}"], user_agent=AGENT, **(defaults | settings))


def test_a_crawl_becomes_rows(site, tmp_path):
    host, asked = site
    report = crawl(plan(host), tmp_path)
    rows = read(report)
    paths = {urlsplit(row["url"]).path: row["payload"] for row in rows}
    assert paths == {"/": PAGES["/"][2], "/a": PAGES["/a"][2], "/target": b"<p>target", "/big": PAGES["/big"][2][:1000]}
    assert report.outcomes["robots"] == 1
    assert report.outcomes["refused_address"] == 1
    visited = asked
    assert "/private/x" not in visited
    assert "/deep" not in visited
    assert "/no" not in visited
    assert visited.count("/a") == 1
    text = gzip.decompress(warc(report))
    failed = text.count(b"X-Crawl-Kind: failure")
    assert text.count(b"WARC-Type: request") == text.count(b"WARC-Type: response") + failed
    assert b"WARC-Truncated: length" in text


def test_the_delay_a_host_asks_for_is_kept(site, tmp_path):
    host, asked = site
    crawl(plan(host, delay_s=0.01), tmp_path)
    times = [when for path, when in asked.times if path != "/robots.txt"]
    assert len(times) >= 5
    # The host sees a request when its thread runs, which may be late: so of all, not of any two.
    assert times[-1] - times[0] > 0.9 * 0.05 * (len(times) - 1)


TDMREP = "/.well-known/tdmrep.json"
RULES = b'[{"location": "/a", "tdm-reservation": 1, "tdm-policy": "https://x.example/terms"}]'


def crawled(host, tmp_path, **settings):
    """The report of a crawl, its rows' columns on reservations by path, and how records that are no documents are counted."""
    tally, report = Tally(), crawl(plan(host, **settings), tmp_path)
    rows = read(report, tally)
    return report, {urlsplit(row["url"]).path: (row["tdm"], row["terms"], row["rights"]) for row in rows}, tally


def test_a_hosts_tdmrep_json_is_asked_for_once_and_holds_for_its_pages(site, tmp_path, monkeypatch):
    host, asked = site
    monkeypatch.setitem(PAGES, TDMREP, (200, {"Content-Type": "application/json"}, RULES))
    report, said, tally = crawled(host, tmp_path)
    terms = "https://x.example/terms"
    assert said["/a"] == (
        "reserved",
        terms,
        f"tdmrep.json tdm-reservation: 1; tdmrep.json tdm-policy: {terms}",
    )
    assert said["/target"] == ("unknown", None, None)
    assert asked[:3] == ["/robots.txt", TDMREP, "/"]
    assert asked.count(TDMREP) == 1
    assert tally.skipped["tdmrep_json"] == 1, "it is no document"
    assert report.pages == len([path for path in asked if path not in ("/robots.txt", TDMREP, "/r", "/loop", "/evil")])


@pytest.mark.parametrize(
    "answer",
    [
        (404, HTML, b"<p>no such page"),
        (500, {}, RULES),
        (302, {"Location": "/terms-elsewhere"}, b""),
        (200, HTML, b"<p>welcome"),
        (200, {}, b"[" + RULES[1:-1] + b"," + b" " * MAX_BYTES + b"]"),
    ],
    ids=["missing", "error", "redirect", "a page", "too long"],
)
def test_any_other_answer_leaves_the_reservation_unknown(site, tmp_path, monkeypatch, answer):
    host, asked = site
    monkeypatch.setitem(PAGES, TDMREP, answer)
    monkeypatch.setitem(PAGES, "/terms-elsewhere", (200, {}, RULES))
    _, said, _ = crawled(host, tmp_path)
    assert set(said) == {"/", "/a", "/target", "/big"}
    assert {tdm for tdm, _, _ in said.values()} == {"unknown"}
    assert "/terms-elsewhere" not in asked


def test_a_host_that_hangs_up_or_forbids_it_keeps_its_pages(site, tmp_path, monkeypatch):
    host, asked = site
    monkeypatch.setitem(PAGES, TDMREP, None)
    report, said, _ = crawled(host, tmp_path)
    assert report.outcomes["tdmrep_json_unreachable"] == 1
    assert {tdm for tdm, _, _ in said.values()} == {"unknown"}
    asked.clear()
    monkeypatch.setitem(PAGES, "/robots.txt", (200, {}, b"User-agent: *\nDisallow: /.well-known/\n"))
    report, said, _ = crawled(host, tmp_path / "again")
    assert report.outcomes["tdmrep_json_robots"] == 1
    assert TDMREP not in asked
    assert "/a" in said


def test_limits_end_the_crawl(site, tmp_path):
    host, _ = site
    assert crawl(plan(host, max_pages=2), tmp_path).pages == 2
    assert crawl(plan(host, max_bytes=10), tmp_path).pages == 1
    assert crawl(plan(host, follow="none"), tmp_path).pages == 1
    assert crawl(plan(host, max_pages_per_host=3), tmp_path).pages == 3


def test_chunked_answers_are_stored_unframed(site, tmp_path):
    host, _ = site
    (row,) = read(crawl(plan(host, "/utf"), tmp_path))
    assert (row["payload"], row["charset"]) == ("<p>ü".encode(), "utf-8")


def test_private_hosts_are_refused_unless_allowed(site, tmp_path):
    host, asked = site
    report = crawl(plan(host, allow_hosts=[]), tmp_path)
    assert report.outcomes == {"refused_address": 1}
    assert asked == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.5.5", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::"],
)  # fmt: skip
def test_inside_addresses_are_refused(address):
    with pytest.raises(RefusedError):
        check_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_outside_addresses_pass(address):
    check_address(address)


def test_one_inside_address_among_several_refuses_the_host(monkeypatch):
    answers = [(0, 0, 0, "", ("8.8.8.8", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers)
    with pytest.raises(RefusedError, match=r"10\.0\.0\.1"):
        resolve(urlsplit("http://two.example/"), [])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers[:1])
    assert resolve(urlsplit("http://two.example/"), []) == ("8.8.8.8", 80)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://a.example:22/", "http://u:p@a.example/", "http:///x", "http://a:x/"]
)
def test_addresses_that_are_no_pages_are_refused(url):
    with pytest.raises(RefusedError):
        resolve(urlsplit(url), [])


@pytest.mark.parametrize(
    ("status", "body", "allowed"),
    [
        (200, b"User-agent: me\nDisallow: /", False),
        (200, b"User-agent: other\nDisallow: /", True),
        (404, b"User-agent: *\nDisallow: /", True),
        (503, b"", False),
        (None, b"", False),
        (200, b"\xff\xfe\x00 not a robots file", True),
    ],
)
def test_robots_as_the_rfc_says(status, body, allowed):
    assert Rules("me/1.0 (+https://other.example)", status, body).allows("https://a.example/x") is allowed


def test_a_hub_source_without_a_network_says_so(monkeypatch):
    datasets = pytest.importorskip("datasets")

    def unreachable(*_args, **_kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    source = Source(name="h", kind="hub", hub={"dataset": "a/b", "revision": "0123abc"})
    with pytest.raises(InfrastructureError, match="source h: the Hub cannot be reached for a/b at 0123abc"):
        rows_of(source)


def test_a_hub_source_reads_rows(monkeypatch):
    datasets = pytest.importorskip("datasets")
    seen = {}

    def load(name, config, **settings):
        seen.update(settings, name=name, config=config)
        return iter([{"text": "one", "id": 1}, {"text": None, "id": 2}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    rows = rows_of(Source(name="h", kind="hub", hub={"dataset": "a/b", "revision": "0123abc"}))
    assert next((row["payload"], row["reason"]) for row in rows) == (b"one", None)
    assert rows[1]["reason"] == "ingest.no_text"
    assert seen == {"name": "a/b", "config": None, "split": "train", "revision": "0123abc", "streaming": True}
