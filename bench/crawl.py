"""A crawl of fifty hosts on loopback addresses, side by side with Scrapy under the same politeness, one core each.

The server runs on another core and waits 50 ms before it answers with a page of 12 kB and 30 links. Both sides obey
robots.txt, have one request a host in flight and follow every link once; ours also writes requests and answers to WARC through
its log, Scrapy keeps nothing. Seconds begin when a side has been loaded, processor time when its process
starts. The ideal without a delay is 1,000 pages a second (50 hosts, 50 ms), with a delay of one second 50.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[1]))  # the peers' interpreter runs this file as a script

from bench import child

ROUNDS = 3
HOSTS, ANSWER_S = 50, 0.05
ADDRESSES = [f"127.0.8.{number}" for number in range(1, HOSTS + 1)]
AGENT = "domain-corpus-bench/1.0 (+https://bot.example/)"
FAST, SLOW = (100, 0.0), (60, 1.0)
"""Pages of each host, and the delay in seconds."""


async def _talk(pages: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    filler = "<p>" + "The bank raised its guidance after a strong quarter. " * 200
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            await asyncio.sleep(ANSWER_S)
            status, kind, body = "404 Not Found", "text/plain", b""
            if path[:2] == "/p":
                number = int(path[2:])
                links = [f"<a href='/p{(number * 7 + step) % pages}'>n</a>" for step in range(1, 31)]
                status, kind, body = "200 OK", "text/html", f"<html><body>{number}{''.join(links)}{filler}".encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
    writer.close()


def serve(pages: int) -> None:
    """The site, until its process is ended; prints its port."""

    async def forever() -> None:
        server = await asyncio.start_server(lambda *ends: _talk(pages, *ends), "0.0.0.0", 0, backlog=256)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    asyncio.run(forever())


def _ours(port: int, delay_s: float, tasks: int) -> tuple[int, float]:
    """Pages and seconds of one crawl by so many processes at once."""
    from pipeline.core.execute import Assignment
    from pipeline.core.store import Store
    from pipeline.ingest.crawl.rounds import planned, work
    from pipeline.ingest.crawl.settings import CrawlPlan
    from pipeline.ingest.source import Source

    names = [f"{address}:{port}" for address in ADDRESSES]
    limits: dict[str, Any] = {
        "max_pages": 10**6,
        "max_depth": 100,
        "delay_s": delay_s,
        "tasks": tasks,
        "allow_hosts": names,
    }
    plan = CrawlPlan(user_agent=AGENT, seeds=[f"http://{name}/p0" for name in names], **limits)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        units = planned(store, Source(name="bench", kind="crawl", crawl=plan), {})
        pages = multiprocessing.Array("i", tasks)

        def one(number: int) -> None:
            unit = units[number]
            assigned = Assignment("ingest", unit.name, f"{number}" * 64, {"settings": unit.settings}, {})
            pages[number] = work(store, assigned).counts.pages

        processes = [multiprocessing.Process(target=one, args=(number,)) for number in range(tasks)]
        start = time.perf_counter()
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return sum(pages[number] for number in range(tasks)), time.perf_counter() - start


def _scrapy(port: int, delay_s: float, _tasks: int) -> tuple[int, float]:
    from scrapy import Spider  # pyright: ignore[reportMissingImports]
    from scrapy.crawler import CrawlerProcess  # pyright: ignore[reportMissingImports]

    pages = []

    class Site(Spider):
        name = "site"
        start_urls: ClassVar[list[str]] = [f"http://{address}:{port}/p0" for address in ADDRESSES]

        def parse(self, response: Any) -> Any:
            pages.append(len(response.body))
            yield from response.follow_all(css="a")

    polite = {"ROBOTSTXT_OBEY": True, "DOWNLOAD_DELAY": delay_s, "RANDOMIZE_DOWNLOAD_DELAY": False, "USER_AGENT": AGENT}
    many = {
        "CONCURRENT_REQUESTS": 64,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "LOG_LEVEL": "ERROR",
        "RETRY_ENABLED": False,
    }
    process = CrawlerProcess(polite | many)
    process.crawl(Site)
    start = time.perf_counter()
    process.start()
    return len(pages), time.perf_counter() - start


def side(name: str, port: str, delay_s: str, tasks: str) -> None:
    """One side in a process of its own: pages, seconds, processor seconds."""
    pages, seconds = {"ours": _ours, "scrapy": _scrapy}[name](int(port), float(delay_s), int(tasks))
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in spent)
    print(json.dumps({"pages": pages, "seconds": seconds, "cpu": cpu}))


def measured(name: str, pages: int, delay_s: float, tasks: int = 1) -> dict[str, float] | None:
    """One run of a side against a server of its own."""
    server = subprocess.Popen([sys.executable, __file__, "serve", str(pages)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        return child.call(__file__, name, port, str(delay_s), str(tasks), own=name == "ours")
    finally:
        server.kill()
        server.wait()


def _median(runs: list[dict[str, float] | None], of: str) -> float | None:
    rates = [run["pages"] / run[of] for run in runs if run]
    return statistics.median(rates) if rates else None


def run() -> dict[str, Any]:
    """Pages a second without a delay, and beside it those with one, and processor time with two workers."""
    ours, twice, peer = [], [], []
    for _ in range(ROUNDS):
        ours.append(measured("ours", *FAST))
        peer.append(measured("scrapy", *FAST))
        twice.append(measured("ours", *FAST, tasks=2))
    slow = {name: measured(name, *SLOW) for name in ("ours", "scrapy")}
    ideal = SLOW[0] + 1  # every page and tdmrep.json, a second apart
    rate, other = _median(ours, "seconds"), _median(peer, "seconds")
    one, two = _median(ours, "cpu"), _median(twice, "cpu")
    return {
        "unit": "pages/s",
        "ours": rate,
        "peer": other,
        "peer_name": "Scrapy",
        "ratio": rate / other if rate and other else None,
        "input": f"{HOSTS} hosts of {FAST[0]} pages, 50 ms an answer, no delay",
        "rounds": ROUNDS,
        "versions": {},
        "ms of processor a page": {"one worker": 1e3 / one if one else None, "two workers": 1e3 / two if two else None,
                                   "Scrapy": 1e3 / (_median(peer, "cpu") or 1)},
        "a second's delay": {name: f"{found['pages']} pages in {found['seconds']:.1f} s, ideal {ideal - 1}"
                             for name, found in slow.items() if found},
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        side(*sys.argv[1:])
