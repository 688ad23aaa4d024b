"""Ingest: sources that must be made first (the embedded sample, whatever is fetched) are frozen into files, once."""

import importlib
from collections.abc import Mapping
from types import ModuleType

from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.ledger import Commit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.ingest.source import SamplePlan, Source
from pipeline.sample import SAMPLE_VERSION, generate

FETCHERS = {
    "crawl": "pipeline.ingest.crawl.rounds",
    "edgar": "pipeline.ingest.crawl.edgar",
    "commoncrawl": "pipeline.ingest.crawl.commoncrawl",
}
"""The module of each kind of fetch: `planned` gives its units as far as they are known, `work` does one, `estimate` says what
there is to fetch. Network clients are only loaded where something is fetched."""
FRONTIER = "frontier.jsonl"
"""The file of a round of a crawl that the next one goes on from."""


def freeze(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Write what a made source gives as files of the run folder."""
    return [
        _sample(store, one) if "sample" in one.settings else _fetcher(one.settings["fetch"]).work(store, one)
        for one in assignments
    ]


def _fetcher(kind: str) -> ModuleType:
    return importlib.import_module(FETCHERS[kind])


def _sample(store: Store, assigned: Assignment) -> Produced:
    plan, folder = SamplePlan.model_validate(assigned.settings["sample"]), assigned.path("raw", suffix="")
    pages = generate(assigned.settings["domain"], plan.seed, plan.pages)
    return Produced({name: store.put(f"{folder}/{name}", data) for name, data in pages})


def ingest(run: Run) -> Commits:
    """Freeze every made source. What is fetched is fetched once per settings: the frozen files are the input from then on.

    A fetch may take several rounds, each planned from what the one before it found.
    """
    units: list[Unit] = []
    commits: Commits = {}
    while True:
        known = [unit for source in run.recipe.chosen for unit in _planned(run, source, commits)]
        if commits and len(known) == len(units):
            return commits
        units, commits = known, run.execute(Step.INGEST, known, freeze)
        if not units:
            return commits


def estimate(source: Source) -> str:
    """What a source would fetch: pages, bytes and hours, as far as its index says. Raises InfrastructureError when that cannot
    be asked."""
    return _fetcher(source.fetcher or "").estimate(source)


def _planned(run: Run, source: Source, commits: Commits) -> list[Unit]:
    if source.kind == "sample":
        plan = (source.sample or SamplePlan()).model_dump(mode="json")
        settings = {"sample": plan, "domain": run.recipe.domain}
        return [Unit(source.name, {}, settings, SAMPLE_VERSION, libraries("fastwarc"))]
    if source.fetcher is None:
        return []
    return _fetcher(source.fetcher).planned(run.store, source, commits)


def frozen_files(commits: Mapping[str, Commit], source: str) -> dict[str, FileInfo]:
    """The WARC files in which a source was frozen, by name; empty when it was not."""
    own = [commit for unit, commit in commits.items() if unit.partition("/")[0] == source]
    files = {name: info for commit in own for name, info in commit.files.items()}
    return {name: info for name, info in sorted(files.items()) if name.endswith(".warc.gz")}
