"""The rounds of a crawl as units of work: the next one is planned from the frontier that the last one left."""

from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.run_folder import Commits
from pipeline.core.store import Store
from pipeline.ingest.crawl.crawler import CRAWL_VERSION, crawl_round
from pipeline.ingest.crawl.frontier import State, is_more
from pipeline.ingest.crawl.journal import discard
from pipeline.ingest.source import Source
from pipeline.ingest.step import FRONTIER

_MORE_ROUNDS = 10
"""Beyond those that links and redirects between hosts can take: for shares of the budget that other hosts left."""


def planned(store: Store, source: Source, done: Commits) -> list[Unit]:
    """The units of every round that is done, and of the next one when anything is left to fetch."""
    plan = source.crawl
    assert plan is not None
    units: list[Unit] = []
    after: list[str] = []
    while True:
        number = len(units) // plan.tasks
        settings = {"crawl": plan.model_dump(mode="json"), "round": number, "tasks": plan.tasks, "after": after}
        for task in range(plan.tasks):
            own = {"fetch": "crawl", "task": task, **settings}
            units.append(Unit(f"{source.name}/{number}.{task}", {}, own, CRAWL_VERSION, libraries("protego")))
        finished = [done[unit.name] for unit in units[-plan.tasks :] if unit.name in done]
        if len(finished) < plan.tasks:
            return units
        for commit in finished:
            discard(store, commit)
        after = [commit.files[FRONTIER].path for commit in finished]
        if f"{source.name}/{number + 1}.0" in done:
            continue  # what this round left was looked at when the next one was planned
        if number > plan.max_depth + plan.max_redirects + _MORE_ROUNDS or not is_more(
            plan, [State.read(store, path) for path in after]
        ):
            return units


def work(store: Store, assigned: Assignment) -> Produced:
    """One task of one round."""
    return crawl_round(store, assigned)


def estimate(source: Source) -> str:
    """What a crawl would fetch at most; nothing is asked."""
    plan = source.crawl
    assert plan is not None
    hosts = len(plan.start_hosts)
    hours = min(plan.max_pages / hosts, plan.max_pages_per_host) * plan.delay_s / 3600
    pages = f"at most {plan.max_pages:,} pages and {plan.max_bytes / 1e6:,.0f} MB"
    return f"{pages} from {hosts:,} hosts on ({', '.join(sorted(plan.start_hosts)[:3])}), about {hours:.2f} hours"
