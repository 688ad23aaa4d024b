"""A finished run's hashes and band keys, so that the next run is deduplicated against it too.

A run writes one file of `INDEX` rows for each of its shards. The next one takes them as further shards: every document of
the earlier run takes part in the clusters, and where one that was kept is in a cluster, it is the survivor, whatever the
new documents are like. A document that the earlier run removed only links: it keeps nothing out by itself. Keys of other
settings would never meet, so a different setting is refused instead of finding nothing.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.ledger import Ledger
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import UsageError

_GROUP_ROWS = 1 << 16

INDEX = pa.schema(
    [
        ("id", pa.string()),
        ("kept", pa.bool_()),  # whether the run published it
        ("text_hash", pa.binary(16)),
        ("url_hash", pa.binary(16)),
        ("bands", pa.binary()),
        ("sketch", pa.binary()),
    ]
)
"""One row per extracted document of the run, quarantined ones left out."""


def index_batches(verdicts: pa.Table, exact: pa.Table, minhash: pa.Table | None) -> Iterator[pa.Table]:
    """The index of one document shard, from its final verdicts and its hash signals, in groups of rows."""
    rows = verdicts.num_rows
    table = pa.table(
        {
            "id": verdicts["id"],
            "kept": pc.equal(verdicts["verdict"], "kept"),
            "text_hash": exact["text_hash"],
            "url_hash": exact["url_hash"],
            "bands": pa.nulls(rows, pa.binary()) if minhash is None else minhash["bands"],
            "sketch": pa.nulls(rows, pa.binary()) if minhash is None else minhash["sketch"],
        }
    ).cast(INDEX)
    table = table.filter(pc.not_equal(verdicts["verdict"], "quarantined"))
    for start in range(0, table.num_rows, _GROUP_ROWS):
        yield table.slice(start, _GROUP_ROWS)


@dataclass(frozen=True)
class IndexFile:
    """One index file of an earlier run, and the name under which its documents take part in this one."""

    name: str
    root: str
    path: str
    rows: int
    sha256: str

    def identity(self) -> list[Any]:
        """See `pipeline.core.reads.Readable`."""
        return [self.name, self.rows, self.sha256]

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The chosen columns, a row group at a time, in the file's order."""
        with contextlib.closing(Store(self.root).open_table(self.path)) as file:
            yield from file.iter_batches(batch_size=_GROUP_ROWS, columns=columns, use_threads=False)

    def read(self, columns: list[str]) -> pa.Table:
        """The chosen columns, whole."""
        return Store(self.root).read_table(self.path, columns)


def find_indexes(folders: Sequence[str], settings: dict[str, Any], own: str) -> list[IndexFile]:
    """The index files of these run folders and of the runs that those were deduplicated against, each once.

    Raises UsageError when a folder has no index, or one made with other settings, or is `own`, the folder of this run.
    """
    found: dict[str, IndexFile] = {}
    waiting, seen = list(folders), set()
    while waiting:
        folder = waiting.pop(0)
        store = Store(folder)
        place = store.locate("")
        if place == Store(own).locate(""):
            raise UsageError(f"cluster.index: {folder} is the folder of this run; an index is of an earlier one")
        if place in seen:
            continue
        seen.add(place)
        commits = Ledger(store).last(Step.INDEX, must_be_whole=True)
        if not commits and not Ledger(store).last(Step.EXTRACT, must_be_whole=True):
            raise UsageError(f"cluster.index: {folder} holds no run; name the folder (`--out`) of an earlier one")
        if not commits:
            raise UsageError(f"cluster.index: {folder} has no index; only a run that finished with `exact` has one")
        for unit, commit in commits.items():
            if commit.parts["settings"]["keys"] != settings:
                raise UsageError(f"cluster.index: {folder}: {difference(commit.parts['settings']['keys'], settings)}")
            info = commit.files["table"]
            if not store.present(info):
                raise UsageError(f"cluster.index: {folder}/{info.path} is gone or damaged; run that recipe again")
            name = f"index/{info.sha256[:12]}-{unit}"
            found.setdefault(info.sha256, IndexFile(name, folder, info.path, info.rows or 0, info.sha256))
            waiting += [other for other in commit.counts["against"] if other not in waiting]
    return list(found.values())


def difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """One phrase for the first setting in which an index differs from this run."""
    for judge in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(judge, {}), ours.get(judge, {})
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                here, there = other.get(name), one.get(name)
                return f"made with {judge} {name} {there}, this run has {here}: keys would not meet"
    return "made with the same settings"


def key_settings(judges: Sequence[tuple[str, int, dict[str, Any]]]) -> dict[str, Any]:
    """What keys are made with: of each of `exact` and `minhash`, the version and measured settings given."""
    return {
        name: {"version": version} | {key: value for key, value in settings.items() if key != "preset"}
        for name, version, settings in judges
        if name in ("exact", "minhash")
    }
