"""What a crawl knows of one host, and what it asks next: a function of what the host answered, in the order of its requests.

Nothing here waits or fetches, and nothing of another host enters but what a round begins with. So reading the log again gives
the same state as the crawl had, on however many workers it ran.
"""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipeline.ingest.crawl.client import BUSY, REDIRECTS, Response, origin_of, retry_after_s
from pipeline.ingest.crawl.links import MAX_LIST, body_of, joined, links_of, listed_in
from pipeline.ingest.crawl.robots import MAX_BYTES, Rules
from pipeline.ingest.crawl.settings import CrawlPlan
from pipeline.ingest.crawl.urls import Traps, host_name
from pipeline.ingest.rights.snapshots import ROBOTS, TDMREP

_RETRIES = 2
"""A busy host is asked this often again for one page."""
_FAILURES = 4
"""A host that fails so often in a row is given up, with what was to be asked of it."""
_SITEMAPS = 100
NOT_MODIFIED = "X-Crawl-Not-Modified"
"""Marks a page whose host said 304: the answer is that of the earlier crawl."""
_NOT_TEXT = (
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".ico", ".bmp", ".tif", ".tiff", ".mp3", ".mp4", ".m4a", ".avi", ".mov",
    ".webm", ".mkv", ".wav", ".ogg", ".css", ".js", ".mjs", ".woff", ".woff2", ".ttf", ".exe", ".dmg", ".iso", ".apk", ".msi",
    ".deb", ".rpm", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A page to fetch: its address, the links from a seed to it, and the redirects that led to it."""

    url: str
    depth: int = 0
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send: `kind` is robots, tdmrep, sitemap or page."""

    kind: str
    url: str
    limit: int
    item: Item | None = None


@dataclass(slots=True)
class Budget:
    """What one host may use in one round."""

    pages: int
    body_bytes: int


@dataclass(slots=True)
class Rest:
    """What a round leaves of a host: pages fetched in all, digests of what was ever queued, and what still is."""

    pages: int
    seen: set[str]
    queue: list[Item]


@dataclass
class Host:
    """One host (name and port) of a crawl."""

    name: str
    plan: CrawlPlan
    year: int
    budget: Budget
    queue: deque[Item] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    """Digests of the addresses that were queued at any time."""
    pages: int = 0
    """Pages of all rounds."""
    outcomes: Counter[str] = field(default_factory=Counter)
    out: list[Item] = field(default_factory=list)
    """Pages of other hosts that this one links or redirects to."""
    pause_s: float = 0.0
    """The pause that the last answer asks for."""
    answer_s: float = 0.0
    """Mean time of an answer; only delays depend on it."""
    _rules: dict[str, Rules] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _sitemaps: deque[str] = field(default_factory=deque)
    _traps: Traps = field(default_factory=Traps)
    _tries: int = 0
    _failures: int = 0

    def add(self, item: Item, found: bool = True) -> None:
        """Queue a page of this host unless it was queued before; a `found` one must be worth a request."""
        digest = hashlib.blake2b(item.url.encode(), digest_size=8).hexdigest()
        if digest in self.seen:
            return
        if found and urlsplit(item.url).path.lower().endswith(_NOT_TEXT):
            return
        if found and (trap := self._traps.holds(item.url, self.year)):
            self.outcomes[f"trap_{trap}"] += 1
            return
        self.seen.add(digest)
        self.queue.append(item)

    def next(self) -> Ask | None:
        """What to ask now; None when nothing is left, or nothing may be."""
        while (self.queue or self._sitemaps) and self.budget.pages > 0 and self.budget.body_bytes > 0:
            listing = bool(self._sitemaps) and len(self.queue) < self.budget.pages
            if not listing and not self.queue:
                return None
            url = self._sitemaps[0] if listing else self.queue[0].url
            origin = origin_of(urlsplit(url))
            rules = self._rules.get(origin)
            if rules is None:
                return Ask("robots", f"{origin}{ROBOTS}", MAX_BYTES)
            if rules.delay_s() > self.plan.max_wait_s:
                return self._give_up("crawl_delay")
            if origin not in self._asked:
                if rules.allows(f"{origin}{TDMREP}"):
                    return Ask("tdmrep", f"{origin}{TDMREP}", MAX_BYTES)
                self.outcomes["tdmrep_json_robots"] += 1
                self._asked.add(origin)
            if rules.allows(url):
                if listing:
                    return Ask("sitemap", url, MAX_LIST)
                return Ask("page", url, self.plan.max_page_bytes, self.queue[0])
            self.outcomes["robots"] += 1
            (self._sitemaps if listing else self.queue).popleft()
        return None

    def delay_s(self) -> float:
        """Seconds from the last request to the next: the recipe's, what the host asks for, and a pause as long as its answers
        take, so that it is busy with us at most half of the time. A delay of 0 is for one's own hosts and means none of that.
        """
        asked = max((rules.delay_s() for rules in self._rules.values()), default=0.0)
        adaptive = min(2 * self.answer_s, self.plan.max_wait_s) if self.plan.delay_s else 0.0
        return max(self.plan.delay_s, min(asked, self.plan.max_wait_s), adaptive)

    def took(self, ask: Ask, response: Response | None, failure: str) -> bool:
        """Take in what became of a request. Returns whether the answer is a document, or the terms of some."""
        self.pause_s = 0.0
        if ask.kind != "tdmrep" and response is not None and response.status in BUSY and self._tries < _RETRIES:
            self._is_busy(response)
            return True
        if ask.kind == "robots":
            self._tries = 0
            status = response.status if response else None
            if response and response.is_cut and len(response.body) < MAX_BYTES:
                status = None  # what it forbids may have stood in the rest
            rules = Rules(self.plan.user_agent, status, body_of(response, MAX_BYTES) if response else b"")
            self._rules[origin_of(urlsplit(ask.url))] = rules
            if failure == "refused_address":
                self._give_up(failure)
            elif response is None:
                self.outcomes["robots_unreachable"] += 1
            self._find_sitemaps(rules, ask.url)
            return True
        if ask.kind == "tdmrep":
            self._asked.add(origin_of(urlsplit(ask.url)))
            if response is None:
                self.outcomes["tdmrep_json_unreachable"] += 1
            return True
        return self._took_page(ask, response, failure)

    def _is_busy(self, response: Response) -> None:
        """Wait as long as the host asks for, or leave it when that is too long."""
        wait = retry_after_s(response)
        self.pause_s = (self.plan.delay_s or 1.0) * 2 ** (self._tries + 1) if wait is None else wait
        if self.pause_s > self.plan.max_wait_s:
            self.pause_s = 0.0
            self._give_up("busy")
        else:
            self._tries += 1
            self.outcomes["asked_again"] += 1

    def _took_page(self, ask: Ask, response: Response | None, failure: str) -> bool:
        self._tries = 0
        (self._sitemaps if ask.kind == "sitemap" else self.queue).popleft()
        self._failures = self._failures + 1 if response is None or response.status in BUSY else 0
        if self._failures >= _FAILURES:
            self._give_up("host_down")
        if response is None:
            self.outcomes[failure] += 1
            return True
        self.budget.body_bytes -= len(response.body)
        listed = listed_in(response, self.plan.since) if response.status == 200 else None
        if listed:
            for url in listed.sitemaps:
                self._add_sitemap(url)
        if ask.item is None:
            if response.status in REDIRECTS:
                self._add_sitemap(joined(response.url, response.header("location")))
            else:
                self.outcomes["sitemaps" if listed else "sitemap_not_read"] += 1
            for url in listed.pages if listed else ():
                self._follow(url, 0, ask.url)
            return listed is None
        return self._took_item(ask.item, response, listed.pages if listed else None)

    def _took_item(self, item: Item, response: Response, listed: list[str] | None) -> bool:
        if response.status in REDIRECTS and response.header("location"):
            self._redirect(item, response)
            return True
        self.budget.pages -= 1
        self.pages += 1
        unchanged = response.header(NOT_MODIFIED.lower())
        self.outcomes["not_modified" if unchanged else f"http_{response.status // 100}xx"] += 1
        if self._is_foreign(response.header("content-language")):
            self.outcomes["language"] += 1
            return False
        if response.status == 200 and response.mime and not response.mime.startswith(tuple(self.plan.types)):
            self.outcomes["content_type"] += 1
            return False
        if response.status == 200 and item.depth < self.plan.max_depth and self.plan.follow != "none":
            for url in links_of(response, self.plan.max_page_bytes) if listed is None else listed:
                self._follow(url, item.depth + 1, item.url)
        return listed is None

    def _is_foreign(self, declared: str) -> bool:
        """Whether a page is declared to be in other languages than the plan's."""
        tongues = {tag.split("-")[0].strip().lower() for tag in declared.split(",") if tag.strip()}
        return bool(self.plan.languages and tongues) and not tongues & set(self.plan.languages)

    def _redirect(self, item: Item, response: Response) -> None:
        target = joined(response.url, response.header("location"))
        if target is None:
            self.outcomes["bad_location"] += 1
        elif item.hops >= self.plan.max_redirects or target == item.url:
            self.outcomes["too_many_redirects"] += 1
        else:
            before, hop = len(self.seen), Item(target, item.depth, item.hops + 1)
            if host_name(target) != self.name:
                self.out.append(hop)
            else:
                self.add(hop, found=False)
                if len(self.seen) == before:
                    self.outcomes["redirect_to_known"] += 1
                else:
                    self.queue.rotate(1)  # the page that was asked for, before any other

    def _follow(self, url: str, depth: int, page: str) -> None:
        host = host_name(url)
        if host == self.name:
            if self.plan.follow != "seeds" or host in self.plan.start_hosts:
                self.add(Item(url, depth))
        elif self.plan.follow == "any" or (self.plan.follow == "seeds" and host in self.plan.start_hosts):
            self.out.append(Item(url, depth))

    def _find_sitemaps(self, rules: Rules, base: str) -> None:
        if self.plan.sitemaps and not self._sitemaps:
            urls = rules.sitemaps
            if not urls and self.name.removeprefix("www.") in self.plan.domain_hosts:
                urls = ["/sitemap.xml"]
            for url in urls:
                self._add_sitemap(joined(base, url))

    def _add_sitemap(self, url: str | None) -> None:
        """Queue a sitemap of this host, once; those on other hosts are counted."""
        digest = f"sitemap {url}"
        if url is None or host_name(url) != self.name:
            self.outcomes["sitemap_elsewhere"] += 1
        elif digest not in self._asked and len(self._asked) <= _SITEMAPS:
            self._asked.add(digest)
            self._sitemaps.append(url)

    def _give_up(self, why: str) -> None:
        """Leave the rest of the host's pages, counted."""
        self.outcomes[why] += len(self.queue) or 1
        self.queue.clear()
        self._sitemaps.clear()

    def take_up(self, rest: Rest) -> None:
        """Go on from an earlier round."""
        self.pages, self.seen = rest.pages, rest.seen
        self.queue.extend(rest.queue)

    def rest(self) -> Rest:
        """What the next round goes on from."""
        return Rest(self.pages, self.seen, list(self.queue))
