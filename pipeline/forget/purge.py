"""Removing what no current commit names: files of earlier settings may hold a forgotten text, and so may their records."""

from pipeline.core.ledger import LEDGER, Commit, Ledger
from pipeline.core.run_folder import RunFolder
from pipeline.core.store import WORK
from pipeline.flow import steps

EMPTY = "empty.parquet"
"""The file of a split without a document; no record names it, and it holds no text."""


def purge(run: RunFolder) -> int:
    """Delete files of `work/` and unit records that the steps as they stand do not name; returns the number of files.

    A run with other settings in the same folder makes its own again. Run it last: until then everything stands twice.
    """
    store = run.store
    commits = [commit for step in steps() for commit in run.commits(step).values()]
    named = {info.path for commit in commits for info in commit.files.values()}
    records: dict[str, list[Commit]] = {}
    for commit in commits:
        records.setdefault(Ledger.unit_path(commit), []).append(commit)
    for shared in records.values():
        if len(shared[0].record.split("-")) > len(shared):
            Ledger(store).put(shared)  # without units that the step no longer has
    named |= records.keys()
    listed = [path for path in store.list(WORK) if path.count("/") > 1 and path.rpartition("/")[2] != EMPTY]
    gone = [path for path in listed if path not in named and path.rpartition("/")[0] != LEDGER]
    for path in gone:
        store.delete(path)
    return len(gone)
