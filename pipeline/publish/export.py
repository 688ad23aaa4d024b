"""Export: the files of a finished run under the names that a user opens, and nothing else beside them.

Steps write into `work/` under names that hold their fingerprint. Here each file gets a second name on top of the run folder: a
hard link on a local disk, a copy made by the storage elsewhere. What an earlier run left there goes last, so that a reader who
comes by a glob finds the rows of the last finished run, and a crash in between is healed by the next run's export.
"""

from collections.abc import Iterable

from pipeline.core import execute
from pipeline.core.execute import Unit
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import WORK, FileInfo

VERSION = 1
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
