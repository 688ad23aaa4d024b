"""A polite crawl into WARC, in rounds: hosts are spread over tasks, each host is on one task and has one connection.

In a round every host is crawled breadth first within its share of the budget, and what it links to on other hosts waits for
the next round. So what is fetched from a host depends on its own answers alone, not on how many workers there are or which
host was faster. What a crawl finds depends on the day; so it is frozen first, and everything after reads the frozen files.
"""

import heapq
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import urljoin

from pipeline.core.execute import Assignment, Produced
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.client import REDIRECTS, UNREACHABLE, Client, Response
from pipeline.ingest.crawl.earlier import Earlier
from pipeline.ingest.crawl.frontier import State, pending
from pipeline.ingest.crawl.host import Ask, Host
from pipeline.ingest.crawl.journal import Entry, Exchanges, Journal, Span, log_path
from pipeline.ingest.crawl.netguard import RefusedError
from pipeline.ingest.crawl.settings import CrawlPlan
from pipeline.ingest.crawl.urls import host_name
from pipeline.ingest.step import FRONTIER

CRAWL_VERSION = 3
_CONNECTIONS = 64
"""Requests in flight in one task: a thread each."""


@dataclass
class CrawlCounts:
    """What became of the addresses met in a round, for the commit record."""

    pages: int = 0
    body_bytes: int = 0
    requests: int = 0
    repeated: int = 0
    """Requests that were in flight when an earlier try was killed: sent again."""
    outcomes: dict[str, int] = field(default_factory=dict)


def crawl_round(store: Store, assigned: Assignment) -> Produced:
    """Crawl the hosts of one task in one round, or go on where an earlier try was killed: the frozen files and the frontier."""
    settings = assigned.settings
    plan = CrawlPlan.model_validate(settings["crawl"])
    states = [State.read(store, path) for path in settings["after"]] or [State.seeded(plan)]
    journal = Journal(store, log_path(assigned.name, assigned.fingerprint), states[0].began)
    entries = journal.entries()
    first = next(entries, None)  # it says when the crawl began
    hosts = pending(plan, states, journal.began)
    own = {name: host for n, (name, host) in enumerate(hosts.items()) if n % settings["tasks"] == settings["task"]}
    fetched, task = sum(host.pages for host in own.values()), _Task(plan, own, journal)
    task.replay(chain([first] if first else [], entries))
    task.run()
    folder = assigned.path("raw", suffix="")
    frozen = f"{folder}/crawl-{settings['round']:02d}-{settings['task']:03d}"
    files = journal.freeze(frozen, plan.user_agent, list(task.spans.values()))
    task.counts.pages = sum(host.pages for host in own.values()) - fetched
    task.counts.outcomes = dict(sum((host.outcomes for host in own.values()), Counter()))
    before = states[settings["task"]] if settings["after"] else State()
    state = State(
        {name: host.rest() for name, host in own.items()},
        [item for host in own.values() for item in host.out],
        before.pages + task.counts.pages,
        before.body_bytes + task.counts.body_bytes,
        journal.began,
    )
    files[FRONTIER] = store.put(f"{folder}/{FRONTIER}", state.to_lines())
    journal.close()
    return Produced(files, task.counts)


class _Task:
    """The hosts of one task: threads take whichever is due, ask it one thing, and give it back with its next time."""

    def __init__(self, plan: CrawlPlan, hosts: dict[str, Host], journal: Journal) -> None:
        self.counts = CrawlCounts()
        self.spans: dict[str, list[Span]] = {name: [] for name in hosts}
        self._plan, self._hosts, self._journal = plan, hosts, journal
        self._client = Client(plan.user_agent, plan.allow_hosts, plan.timeout_s, plan.languages)
        self._earlier = Earlier(plan.previous)
        self._due: list[tuple[float, int, Host]] = []
        self._in_flight = 0
        self._watched = math.inf
        """The time at which a thread wakes by itself."""
        self._change = threading.Condition()
        self._error: BaseException | None = None

    def replay(self, entries: Iterable[Entry]) -> None:
        """Take in what an earlier try logged, and note where each record lies."""
        exchanges = Exchanges()
        for request, entry in exchanges.pairs(entries, lambda entry: host_name(entry.asked)):
            host = self._hosts[host_name(entry.asked)]
            ask = host.next()
            if ask is None or ask.url != entry.asked:
                raise InfrastructureError(
                    f"the log of the crawl asks for {entry.asked} where {ask and ask.url} comes next"
                )
            host.took(ask, entry.response, entry.failure)
            self._count(host, entry.response)
            self.spans[host.name] += [(entry.start, entry.end), (request.start, request.end)]
        self.counts.repeated += exchanges.repeated

    def run(self) -> None:
        """Crawl until no host has anything left. Raises what a thread raised that no host is to blame for."""
        for number, host in enumerate(self._hosts.values()):
            self._due.append((0.0, number, host))
        threads = [threading.Thread(target=self._work) for _ in range(min(_CONNECTIONS, len(self._hosts)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._client.close()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while (taken := self._take()) is not None:
                due = self._step(taken[1])
                with self._change:
                    self._in_flight -= 1
                    if due is not None:
                        heapq.heappush(self._due, (due, *taken))
                    self._change.notify()
        except BaseException as error:  # noqa: BLE001 - raised again by run()
            with self._change:
                self._error = error
                self._change.notify_all()

    def _take(self) -> tuple[int, Host] | None:
        """The host that has been due longest, when it is due. One thread watches the clock, the others sleep."""
        with self._change:
            while self._error is None:
                due = self._due[0][0] if self._due else None
                if due is not None and due <= time.monotonic():
                    self._in_flight += 1
                    _, number, host = heapq.heappop(self._due)
                    if self._due and self._due[0][0] < self._watched:
                        self._change.notify()
                    return number, host
                if due is None and not self._in_flight:
                    self._change.notify_all()
                    return None
                if due is None or due >= self._watched:
                    self._change.wait()
                    continue
                self._watched = due
                self._change.wait(due - time.monotonic())
                if self._watched == due:
                    self._watched = math.inf
            return None

    def _step(self, host: Host) -> float | None:
        """One request of a host; when the next may follow, or None when there is none."""
        ask = host.next()
        if ask is None:
            return None
        began = time.monotonic()
        fields = self._earlier.conditions(ask.url) if ask.kind == "page" else {}
        request = self._journal.request(ask.url, self._client.head(ask.url, fields))
        response, failure = self._answer(ask, fields)
        took = time.monotonic() - began
        host.answer_s = took if not host.answer_s else 0.7 * host.answer_s + 0.3 * took
        is_document = host.took(ask, response, failure)
        if response is None:
            answer = self._journal.failure(ask.url, failure)
        else:
            answer = self._journal.response(ask.url, response, is_document)
        self.spans[host.name] += [answer, request]
        with self._change:
            self._count(host, response)
        delay = 0.0 if ask.kind == "robots" else host.delay_s()  # as before a host's first page
        return max(began + delay, time.monotonic() + host.pause_s)

    def _answer(self, ask: Ask, fields: dict[str, str]) -> tuple[Response | None, str]:
        """What a host answers, or why there is no answer. A robots.txt is asked for through at most five redirects."""
        url = ask.url
        try:
            for _ in range(6 if ask.kind == "robots" else 1):
                types = self._plan.types if ask.kind == "page" else ()
                response = self._client.fetch(url, ask.limit, fields, tuple(types))
                if ask.kind != "robots" or response.status not in REDIRECTS:
                    break
                url = urljoin(url, response.header("location"))
            else:
                response = Response(ask.url, 404, "", [])
            earlier = self._earlier.page(ask.url) if response.status == 304 else None
            return earlier or response, ""
        except RefusedError:
            return None, "refused_address"
        except UNREACHABLE:
            return None, "unreachable"

    def _count(self, host: Host, response: Response | None) -> None:
        self.counts.requests += 1
        self.counts.body_bytes += len(response.body) if response else 0
