"""Removing what no current commit names: files of earlier settings may hold a forgotten text, and so may their records."""

from pipeline.core.ledger import Commit, Ledger
from pipeline.core.store import Store

FOLDERS = (
    "raw", "documents", "signals", "pairs", "clusters", "decisions", "repeats", "texts", "verdicts", "pretokens",
    "shards", "token_counts", "corpus", "index",
)  # fmt: skip
_KEPT = ("corpus/README.md", "corpus/removed/empty.parquet", "corpus/quarantined/empty.parquet")


def purge(store: Store, steps: dict[str, dict[str, Commit]]) -> int:
    """Delete files and unit records that the steps as they stand do not name; returns the number of files.

    A run with other settings in the same folder makes its own again. Run it last: until then everything stands twice.
    """
    named = {info.path for commits in steps.values() for commit in commits.values() for info in commit.files.values()}
    current = {Ledger.unit_path(step, c.fingerprint) for step, commits in steps.items() for c in commits.values()}
    gone = [path for path in store.list("ledger") if path.count("/") > 1 and path not in current and path not in named]
    gone += [path for folder in FOLDERS for path in store.list(folder) if path not in named and path not in _KEPT]
    for path in gone:
        store.delete(path)
    return len(gone)
