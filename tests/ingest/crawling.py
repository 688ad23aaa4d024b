"""A crawl as a run does it, without the run: every round, in this process, into a folder."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.ingest.crawl.rounds import planned
from pipeline.ingest.crawl.settings import CrawlPlan
from pipeline.ingest.source import Source
from pipeline.ingest.step import freeze, frozen_files

from .conftest import rows_of


@dataclass
class Report:
    pages: int = 0
    requests: int = 0
    repeated: int = 0
    rounds: int = 0
    outcomes: Counter = field(default_factory=Counter)
    files: list[Path] = field(default_factory=list)


def crawl(plan: CrawlPlan, folder: Path) -> Report:
    """Crawl, or go on, into `folder`; the frozen files stand in it under their names, too."""
    store, source, report = Store(str(folder)), Source(name="c", kind="crawl", crawl=plan), Report()
    units, commits, runner = [], {}, Runner(store, InProcess())
    while len(known := planned(store, source, commits)) > len(units):
        units, commits = known, runner.execute(Step.INGEST, known, freeze)
    for commit in commits.values():
        report.pages += commit.counts["pages"]
        report.requests += commit.counts["requests"]
        report.repeated += commit.counts["repeated"]
        report.outcomes.update(commit.counts["outcomes"])
    report.rounds = len(units) // plan.tasks
    report.files = [Path(store.locate(info.path)) for info in frozen_files(commits, "c").values()]
    return report


def warc(report: Report) -> bytes:
    """The frozen files, one after the other, compressed."""
    return b"".join(file.read_bytes() for file in report.files)


def read(report: Report, tally=None) -> list[dict]:
    """The rows of the frozen files."""
    rows = []
    for file in report.files:
        rows += rows_of(Source(name="c", kind="warc", path=str(file)), tally)
    return rows
