"""Export: the files of a finished run under the names that a user opens, and nothing else beside them, all on record.

Steps write into `work/` under names that hold their fingerprint. Here each file gets a second name on top of the run folder: a
hard link on a local disk, a copy made by the storage elsewhere. What an earlier run left there goes last, so that a reader who
comes by a glob finds the rows of the last finished run, and a crash in between is healed by the next run's export.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from pipeline.core import execute
from pipeline.core.execute import Unit
from pipeline.core.ledger import Ledger
from pipeline.core.run_folder import RECIPE, RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.extract import tombstones

VERSION = 1
RESULT = f"{WORK}/result.json"
FORGOTTEN = "forgotten.json"
MODEL_CARD, LINEAGE, GRAPH = "cards/model-card.md", "cards/lineage.svg", "cards/lineage.json"
LOOSE = (
    "report.html",
    "report.json",
    "cards/terms.json",
    MODEL_CARD,
    LINEAGE,
    GRAPH,
    tombstones.FILE,
    FORGOTTEN,
    RECIPE,
    RESULT,
)
"""What a run leaves beside the files of its steps."""
FOLDERS = {"corpus": "corpus", "shards": "handoff/shards", "uses": "handoff/uses"}
"""Folder inside `work/`, and where its files are exported to."""


def exported(path: str) -> str:
    """Where a file of `work/` is exported to.

    >>> exported("work/shards/train/web/00000-0123.ds")
    'handoff/shards/train/web/00000-0123.ds'
    """
    folder, _, rest = path.removeprefix(f"{WORK}/").partition("/")
    return f"{FOLDERS[folder]}/{rest}"


def export(run: RunFolder, files: Iterable[FileInfo]) -> list[FileInfo]:
    """Give files of `work/` their second name."""
    return [run.store.copy(info, exported(info.path)) for info in files]


def sweep(run: RunFolder, folder: str, keep: Iterable[str]) -> None:
    """Take out of a folder on top whatever is not among the paths to keep."""
    kept = set(keep)
    for path in run.store.list(folder):
        if path not in kept:
            run.store.delete(path)


def record(run: RunFolder, files: list[FileInfo]) -> None:
    """Note what was exported, so that `verify` reads it too."""
    named = {info.path: info for info in sorted(files, key=lambda info: info.path)}
    execute.record(run.store, Step.EXPORT, Unit("all", named, version=VERSION), named, {})


@dataclass
class LooseCounts:
    """The steps that the finished run has a record of, so that `verify` misses one that is gone."""

    steps: list[str]


def record_loose(store: Store, steps: Iterable[str]) -> None:
    """Note the files beside those of the steps, as they are now, and which steps there are. The last thing that a command
    which changes a run folder does."""
    named = {path: FileInfo(path, *store.digest(path)) for path in LOOSE if store.exists(path)}
    recorded = [step for step in steps if step != Step.REPORT and store.exists(Ledger.step_path(step))]
    execute.record(store, Step.REPORT, Unit("all", named, version=VERSION), named, asdict(LooseCounts(recorded)))
