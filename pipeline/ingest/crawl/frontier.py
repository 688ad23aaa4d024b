"""The frontier: what is left of each host after a round, and how the budget of the next one is shared out.

JSON lines, so that an address can be taken out of them. Pages that were queued are known by digests of 8 bytes.
"""

import json
from dataclasses import asdict, dataclass, field

from pipeline.core.store import Store
from pipeline.ingest.crawl.host import Budget, Host, Item, Rest
from pipeline.ingest.crawl.settings import CrawlPlan
from pipeline.ingest.crawl.urls import host_name


def order(item: Item) -> tuple[int, str, int]:
    """The order of pages that other hosts named: it must not depend on which task those hosts were on."""
    return item.depth, item.url, item.hops


@dataclass
class State:
    """What one task leaves: the hosts it had, the pages of other hosts, and sums over all of its rounds."""

    hosts: dict[str, Rest] = field(default_factory=dict)
    out: list[Item] = field(default_factory=list)
    pages: int = 0
    body_bytes: int = 0
    began: str = ""

    @classmethod
    def seeded(cls, plan: CrawlPlan) -> "State":
        """The state before the first round."""
        return cls(out=list(map(Item, plan.starts)))

    def to_lines(self) -> bytes:
        """One line for the sums, one a host, one an address."""
        lines = [{"pages": self.pages, "body_bytes": self.body_bytes, "began": self.began}]
        for name, rest in self.hosts.items():
            lines.append({"host": name, "fetched": rest.pages, "seen": sorted(rest.seen)})
            lines += [asdict(item) | {"of": name} for item in rest.queue]
        lines += [asdict(item) for item in sorted(set(self.out), key=order)]
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()

    @classmethod
    def read(cls, store: Store, path: str) -> "State":
        """The inverse of `to_lines`."""
        first, *lines = map(json.loads, store.read(path).splitlines())
        state = cls(**first)
        for line in lines:
            if "host" in line:
                state.hosts[line["host"]] = Rest(line["fetched"], set(line["seen"]), [])
            elif "of" in line:
                state.hosts[line.pop("of")].queue.append(Item(**line))
            else:
                state.out.append(Item(**line))
        return state


def pending(plan: CrawlPlan, states: list[State], began: str) -> dict[str, Host]:
    """Every host met so far, by name in order, with its share of what is left of the budget: none for those that are done.

    Hosts that ask for more than their share get what others leave in the next round.
    """
    hosts: dict[str, Host] = {}

    def host_of(name: str) -> Host:
        if name not in hosts:
            hosts[name] = Host(name, plan, int(began[:4]), Budget(0, 0))
        return hosts[name]

    for state in states:
        for name, rest in state.hosts.items():
            host_of(name).take_up(rest)
    is_first = not hosts
    arrived = [item for state in states for item in state.out]
    for item in arrived if is_first else sorted(arrived, key=order):
        host_of(host_name(item.url)).add(item, found=not is_first and item.hops == 0)
    pages = plan.max_pages - sum(state.pages for state in states)
    size = plan.max_bytes - sum(state.body_bytes for state in states)
    waiting = sorted(name for name, host in hosts.items() if host.queue and host.pages < plan.max_pages_per_host)
    for name in waiting[: max(pages, 0)]:
        share = min(max(1, pages // len(waiting)), plan.max_pages_per_host - hosts[name].pages)
        hosts[name].budget = Budget(share, size // min(len(waiting), pages))
    return dict(sorted(hosts.items()))


def is_more(plan: CrawlPlan, states: list[State]) -> bool:
    """Whether another round has anything to fetch."""
    hosts = pending(plan, states, states[0].began)
    return any(host.budget.pages > 0 and host.budget.body_bytes > 0 for host in hosts.values())
