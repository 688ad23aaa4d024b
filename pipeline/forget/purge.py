"""Removing what no current commit names: files of earlier settings may hold a forgotten text, and so may their records."""

from pipeline.core.ledger import Commit, Ledger
from pipeline.core.store import Store

_KEPT = ("corpus/README.md", "corpus/removed/empty.parquet", "corpus/quarantined/empty.parquet")


def purge(store: Store, steps: dict[str, dict[str, Commit]]) -> int:
    """Delete files and unit records that the steps as they stand do not name; returns the number of files.

    A run with other settings in the same folder makes its own again. Only folders that a commit, current or not, put a
    file into are looked at. Run it last: until then everything stands twice.
    """
    commits = [commit for own in steps.values() for commit in own.values()]
    named = {info.path for commit in commits for info in commit.files.values()}
    current = {Ledger.unit_path(commit.step, commit.fingerprint) for commit in commits}
    records = [path for path in store.list("ledger") if path.count("/") > 1]
    stale = [path for path in records if path not in current and path not in named]
    folders = {_folder(path) for path in named}
    for path in stale:
        value = store.read_json(path) if path.endswith(".json") else {}
        folders |= {_folder(info["path"]) for info in value.get("files", {}).values()}
    gone = [
        path
        for folder in sorted(folders - {"", "ledger"})
        for path in store.list(folder)
        if path not in named and path not in _KEPT
    ]
    gone += stale  # last: what they name is found through them, also after a crash
    for path in gone:
        store.delete(path)
    return len(gone)


def _folder(path: str) -> str:
    return path.rpartition("/")[0] and path.partition("/")[0]
