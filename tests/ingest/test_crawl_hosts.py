"""Fifty hosts at once: shares, rounds, hosts that hold or mislead, and a crawl killed again and again."""

import os
import random
import signal
import socket
import threading
import time

import pytest

from pipeline.core.store import Store
from pipeline.ingest.crawl.journal import REQUEST, Journal
from pipeline.ingest.crawl.settings import CrawlPlan

from .crawling import crawl, read
from .hosts import GOOD, ODD, PAGES, Hosts

AGENT = "domain-corpus-tests/1.0 (+https://bot.example/)"


@pytest.fixture
def canary():
    """A listener inside that nothing may ask: the number of connections it had."""
    listener = socket.create_server(("127.0.0.1", 0))
    count = []

    def accept():
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            count.append(1)

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", count
    listener.close()


@pytest.fixture
def hosts(canary):
    served = Hosts(canary=canary[0])
    yield served
    served.close()


def plan(hosts, addresses, **settings):
    names = [hosts.name(address) for address in addresses]
    defaults = {
        "delay_s": 0,
        "max_depth": 20,
        "max_pages": 10_000,
        "timeout_s": 0.4,
        "max_wait_s": 5,
        "user_agent": AGENT,
    }
    seeds = [f"http://{name}/p0" for name in names]
    every = [hosts.name(address) for address in [*GOOD, *ODD.values()]]
    return CrawlPlan(seeds=seeds, allow_hosts=every, **(defaults | settings))


def test_no_host_holds_the_crawl_and_nothing_inside_is_asked(hosts, canary, tmp_path):
    report = crawl(plan(hosts, [*GOOD, *ODD.values()], follow="any", max_page_bytes=100_000, max_pages=3000), tmp_path)
    pages = {row["url"] for row in read(report)}
    for address in GOOD:
        assert {f"http://{hosts.name(address)}/p{number}" for number in range(PAGES)} <= pages
        assert [hosts.asked[address, f"/p{number}"] for number in range(PAGES)] == [1] * PAGES
        assert hosts.asked[address, "/private/x"] == 0
        assert hosts.most[address] == 1, "one connection a host"
    assert canary[1] == []
    for outcome in ("crawl_delay", "unreachable", "redirect_to_known", "bad_location", "trap_calendar", "trap_many_queries",
                    "trap_repeated_path", "refused_address", "robots_unreachable", "asked_again"):  # fmt: skip
        assert report.outcomes[outcome] > 0, outcome
    assert hosts.asked[ODD["delay"], "/p0"] == hosts.asked[ODD["rate"], "/p0"] == 0
    assert hosts.asked[ODD["busy"], "/p1"] == 2


def test_terms_that_come_packed_late_or_cut_hold_and_a_sitemap_that_moved_is_read(hosts, tmp_path):
    asked = ("robots_packed", "robots_busy", "robots_cut", "map_moved")
    report = crawl(plan(hosts, [ODD[kind] for kind in asked], max_depth=0), tmp_path)
    paths = {kind: [path for (address, path), _ in hosts.asked.items() if address == ODD[kind]] for kind in asked}
    assert "/p0" not in paths["robots_packed"], "the rules were compressed"
    assert "/p0" in paths["robots_busy"]
    assert hosts.asked[ODD["robots_busy"], "/robots.txt"] == 3
    assert paths["robots_cut"] == ["/robots.txt"], "what is forbidden may have stood in the rest"
    assert "/old" in paths["map_moved"]
    assert report.outcomes["asked_again"] == 2


def test_what_is_fetched_does_not_depend_on_the_number_of_tasks(hosts, tmp_path):
    found = []
    for tasks in (1, 3):
        few = plan(hosts, GOOD[:3], tasks=tasks, follow="any", max_pages=70)
        report = crawl(few, tmp_path / str(tasks))
        found.append(sorted((row["url"], row["id"]) for row in read(report)))
        assert report.pages == 70
        assert report.rounds > 2
    assert found[0] == [(url, found[1][n][1]) for n, (url, _) in enumerate(found[1])]


@pytest.mark.parametrize("seed", range(3))
def test_a_crawl_that_is_killed_goes_on_where_it_was(tmp_path, seed):
    dice, hosts = random.Random(seed), Hosts(answer_s=0.005)
    wanted = plan(hosts, GOOD[:12], timeout_s=5, tasks=2)
    whole = sorted((row["url"], row["id"], row["date"] is None) for row in read(crawl(wanted, tmp_path / "whole")))
    hosts.asked.clear()
    for _ in range(8):
        child = os.fork()
        if child == 0:
            crawl(wanted, tmp_path / "killed")
            os._exit(0)
        time.sleep(dice.uniform(0.05, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    report = crawl(wanted, tmp_path / "killed")
    assert sorted((row["url"], row["id"], row["date"] is None) for row in read(report)) == whole
    again = {place: count - 1 for place, count in hosts.asked.items() if count > 1}
    hosts.close()
    assert len(whole) == 12 * PAGES
    assert all(count <= 8 for count in again.values()), "one request in flight a host and death"
    assert sum(again.values()) <= report.repeated <= 8 * 12, "what is asked again is counted"


def test_a_log_that_was_cut_loses_its_last_record_alone(tmp_path):
    store = Store(str(tmp_path))
    journal = Journal(store, "j", "2026-01-01T00:00:00Z")
    for number in range(5):
        journal.request(f"http://a.example/{number}", b"GET / HTTP/1.1\r\n\r\n")
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    for cut in random.Random(1).sample(range(len(whole)), 40):
        (tmp_path / "j").write_bytes(whole[:cut])
        journal = Journal(store, "j")
        entries = list(journal.entries())
        assert [entry.asked for entry in entries] == [f"http://a.example/{number}" for number in range(len(entries))]
        assert len(entries) == sum(entry.end <= cut for entry in entries)
        journal.request("http://a.example/new", b"GET / HTTP/1.1\r\n\r\n")
        journal.close()
        again = list(Journal(store, "j").entries())
        assert [entry.kind for entry in again] == [REQUEST] * (len(entries) + 1)


def test_a_second_visit_asks_whether_pages_have_changed(hosts, tmp_path):
    first = crawl(plan(hosts, GOOD[:2], sitemaps=False, max_pages=24), tmp_path / "first")
    second = crawl(
        plan(hosts, GOOD[:2], sitemaps=False, max_pages=24, previous=str(tmp_path / "first")), tmp_path / "second"
    )
    assert second.outcomes["not_modified"] == first.outcomes["http_2xx"] == 24
    key = {row["url"]: (row["id"], row["payload"]) for row in read(first)}
    assert {row["url"]: (row["id"], row["payload"]) for row in read(second)} == key
    third = crawl(
        plan(hosts, GOOD[:2], sitemaps=False, max_pages=24, previous=str(tmp_path / "second")), tmp_path / "third"
    )
    assert third.outcomes["not_modified"] == 24


def test_sitemaps_give_pages_and_their_dates_count(hosts, tmp_path):
    def asked(**settings):
        hosts.asked.clear()
        crawl(plan(hosts, GOOD[:1], max_depth=0, **settings), tmp_path / str(len(settings)))
        return {path for _, path in hosts.asked}

    assert {"/map.xml", "/part.xml.gz", "/old"} <= asked()
    assert "/old" not in asked(since="2020-01-01")
    assert "/map.xml" not in asked(sitemaps=False, since="2020-01-01")
