"""Answers that are no good HTTP, each from a host of its own: what becomes of the page, and the same from the log alone."""

import shutil
import socket
import threading

import pytest

from pipeline.ingest.crawl import rounds
from pipeline.ingest.crawl.settings import CrawlPlan

from .crawling import crawl, read

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
FINE, CUT, NONE = "fine", "cut", "none"
CASES = {
    "too many headers": (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n<p>x", NONE),
    "a line that is no header": (PAGE + b"nonsense\r\n\r\n<p>body", FINE),
    "NUL in a header": (PAGE + b"X: a\0b\r\nContent-Length: 4\r\n\r\n<p>b", FINE),
    "a status of words": (b"HTTP/1.1 OK\r\n\r\n", NONE),
    "no HTTP": (b"<html>old</html>", NONE),
    "nothing": (b"", NONE),
    "no reason": (b"HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n<p>fine", FINE),
    "a negative length": (PAGE + b"Content-Length: -5\r\n\r\n<p>neg", FINE),
    "two lengths": (PAGE + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n<p>two lengths", FINE),
    "too few bytes": (PAGE + b"Content-Length: 500\r\n\r\n<p>short", CUT),
    "chunks that are none": (PAGE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n<p>x\r\n0\r\n\r\n", CUT),
    "gzip that is none": (PAGE + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08junk", CUT),
    "text called gzip": (PAGE + b"Content-Encoding: gzip\r\n\r\n<p>plain", FINE),
    "no type": (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<p>type", FINE),
    "a picture": (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 7\r\n\r\n<p>type", NONE),
    "switching protocols": (b"HTTP/1.1 101 Switch\r\n\r\n", NONE),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n<p>lines", FINE),
    "bytes in a header": (PAGE + b"X-T: \xc3\xbc\xff\x85 b\r\n\r\n<p>bytes", FINE),
    "a folded header": (PAGE + b"X: a\r\n  folded: b\r\n\r\n<p>folded", FINE),
    "a header without a name": (PAGE + b": v\r\n\r\n<p>unnamed", FINE),
    "a record inside": (
        PAGE + b"X-Crawl-Kind: failure\r\n\r\n<p>w\r\n\r\nWARC/1.1\r\nWARC-Type: response\r\n\r\n",
        FINE,
    ),
    "an empty location": (b"HTTP/1.1 302 F\r\nLocation: \r\nContent-Length: 0\r\n\r\n", NONE),
    "a location with spaces": (b"HTTP/1.1 302 F\r\nLocation: /a b \xc3\xbc?x y\r\nContent-Length: 0\r\n\r\n", NONE),
    "a location with line ends": (b"HTTP/1.1 302 F\r\nLocation: /x%0d%0aHost: evil\r\nContent-Length: 0\r\n\r\n", NONE),
    "a file": (b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", NONE),
    "later, in the year 9999": (
        b"HTTP/1.1 503 B\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
        NONE,
    ),
    "later, in years": (b"HTTP/1.1 429 B\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n", NONE),
    "a reason without end": (b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n<p>x", NONE),
}


@pytest.fixture
def hosts():
    listener = socket.create_server(("0.0.0.0", 0))
    names = list(CASES)

    def answer(connection):
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked and (chunk := connection.recv(9999)):
                asked += chunk
            number = int(connection.getsockname()[0].rpartition(".")[2]) - 1
            terms = b"/robots.txt" in asked or b"tdmrep" in asked
            connection.sendall(b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n" if terms else CASES[names[number]][0])

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield {f"127.0.9.{number + 1}:{listener.getsockname()[1]}": name for number, name in enumerate(names)}, listener
    listener.close()


def test_each_answer_costs_its_page_alone_and_the_log_says_it_all(hosts, tmp_path, monkeypatch):
    names, listener = hosts
    monkeypatch.setattr(rounds, "discard", lambda *_: None)
    agent, seeds = "domain-corpus-tests/1.0 (+https://bot.example/)", [f"http://{host}/p" for host in names]
    plan = CrawlPlan(user_agent=agent, seeds=seeds, allow_hosts=list(names), delay_s=0, timeout_s=2, tasks=1)
    report = crawl(plan, tmp_path)
    rows = read(report)
    found = {names[row["url"].split("/")[2]]: CUT if row["reason"] else FINE for row in rows}
    assert {name: found.get(name, NONE) for name in CASES} == {name: wanted for name, (_, wanted) in CASES.items()}
    assert report.outcomes["busy"] == 2
    assert report.outcomes["content_type"] == 1
    listener.close()
    shutil.rmtree(tmp_path / "work/ledger")
    again = crawl(plan, tmp_path)
    assert (again.outcomes, again.pages, again.requests) == (report.outcomes, report.pages, report.requests)
    assert [row["id"] for row in read(again)] == [row["id"] for row in rows]
