"""Cluster, as two steps: pairs of documents with equal keys, by tasks of a few bands each; then one union over all.

A task holds the keys of its bands alone, 8 bytes a document and band; the union at most about 75 bytes a document. Documents
are numbered by their place in the shards given; labels depend on texts alone, so neither tasks nor layout show in them.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.clusters import CLUSTERS, band_name, band_pairs, key_labels, partition, tables, text_labels
from pipeline.cluster.index_file import INDEX, IndexFile
from pipeline.cluster.verify import EDGES, Texts
from pipeline.core.execute import Assignment, Produced, Unit, Work
from pipeline.core.reads import Reads
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.kernels.dedup.jaccard import group_pairs
from pipeline.kernels.rows import column_rows
from pipeline.measure.judges.minhash import MinHashSettings

PAIRS_VERSION = 2
VERSION = 4
JUDGES = {"text_hash": "exact", "url_hash": "exact", "bands": "minhash", "sketch": "minhash", "anchors": "minhash"}
"""Where clustering finds its columns; a judge that the recipe leaves out joins nothing."""
KEYS_AT_ONCE = 1 << 23
"""Keys that a task of pairs holds, unless one band alone has more."""
ShardFiles = dict[str, FileInfo]
"""The files of a shard: signals by their judge, and `documents` where its texts are needed; all have a row a document."""
ANCHORS_A_DOCUMENT = 32
"""Of a document of 500 words; by it the anchors are divided among tasks."""
COMMON_ANCHOR = 16
"""An anchor of more documents than this says nothing about any two of them."""
EDGES_FILE = "edges"
"""The file of near-copies, among those of the shards by their names, which end in a number."""
PAIRS = pa.schema([("left", pa.int64()), ("right", pa.int64())])


@dataclass(frozen=True)
class Signals:
    """The hash signals of every shard and of every index file, read a column at a time."""

    store: Store
    shards: dict[str, ShardFiles]
    """Files of each shard: the signals of judges by their names, and `documents`; all have a row a document."""
    indexes: list[IndexFile]

    @classmethod
    def given(cls, store: Store, reads: Reads) -> "Signals":
        """From what a unit reads."""
        return cls(store, reads["shards"], reads["indexes"])

    @property
    def names(self) -> list[tuple[str, int]]:
        """(name, rows) of each shard, those of the index last."""
        return [(n, _rows(files)) for n, files in self.shards.items()] + [(f.name, f.rows) for f in self.indexes]

    @property
    def num_rows(self) -> int:
        """Documents in all."""
        return sum(rows for _, rows in self.names)

    def column(self, name: str) -> Iterator[tuple[int, pa.Array]]:
        """(first document, values) of each row group."""
        at = 0
        for files in self.shards.values():
            signals = files.get(JUDGES[name])
            if signals is not None:
                parquet, start = self.store.open_table(signals.path), at
                for group in range(parquet.num_row_groups):
                    found = parquet.read_row_group(group, columns=[name], use_threads=False)[name].combine_chunks()
                    yield start, found
                    start += len(found)
            at += _rows(files)
        for index in self.indexes if name in INDEX.names else ():
            start = at
            for batch in index.batches([name]):
                yield start, batch[name]
                start += batch.num_rows
            at += index.rows

    def keys(self, name: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """`(values uint64[n, last - first], valid bool[n])`: words `first` to `last` of each document's keys, by column."""
        values = np.zeros((self.num_rows, last - first), np.uint64, order="F")
        valid = np.zeros(self.num_rows, bool)
        for at, column in self.column(name):
            words, known = column_rows(column, np.uint64)
            valid[at : at + len(column)] = known
            if known.any():
                values[at : at + len(column)] = words[:, first:last]
        return values, valid

    def anchors(self, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """`(keys uint64[m], documents int64[m])`: the anchors of one of so many equal ranges of keys."""
        keys, documents = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for at, column in self.column("anchors"):
            lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy() // 8
            found = np.frombuffer(b"".join(column.drop_null().to_pylist()), np.uint64)
            inside = ((found >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32) == part
            keys.append(found[inside])
            documents.append(np.repeat(np.arange(at, at + len(column)), lengths)[inside])
        return np.concatenate(keys), np.concatenate(documents)


def _rows(files: dict[str, FileInfo]) -> int:
    """Documents of a shard."""
    return next(iter(files.values())).rows or 0


@dataclass
class PairCounts:
    """Pairs of equal keys found, by the file they are in."""

    pairs: dict[str, int] = field(default_factory=dict)


@dataclass
class ClusterCounts:
    """Documents in any near cluster, and the index files of earlier runs that took part."""

    in_clusters: int = 0
    indexes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def index_files(self) -> list[IndexFile]:
        """The index files."""
        return [IndexFile(**found) for found in self.indexes]


def find_pairs(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The pairs of one kind of key, or of a few bands: a file for each."""
    (assigned,) = assignments
    signals, settings = Signals.given(store, assigned.reads), assigned.settings
    if settings["column"] == "anchors":
        table = _anchor_pairs(*signals.anchors(settings["first"], settings["last"]))
        info = store.put_table(assigned.path("pairs"), [table], PAIRS)
        return [Produced({assigned.name: info}, PairCounts({assigned.name: info.rows or 0}))]
    values, valid = signals.keys(settings["column"], settings["first"], settings["last"])
    one_key = settings["column"] != "bands"
    names = [assigned.name] if one_key else [band_name(n) for n in range(settings["first"], settings["last"])]
    files = {}
    for number, name in enumerate(names):
        left, right = band_pairs(values if one_key else values[:, number], valid)
        table = pa.table([left, right], schema=PAIRS)
        files[name] = store.put_table(assigned.path("pairs", name), [table], PAIRS)
    return [Produced(files, PairCounts({name: info.rows or 0 for name, info in files.items()}))]


def _anchor_pairs(keys: np.ndarray, documents: np.ndarray) -> pa.Table:
    """Every two documents with one anchor, once for each that they share; common anchors are left out."""
    left, right = band_pairs(keys, np.ones(len(keys), bool))
    order = np.argsort(left, kind="stable")
    left, right = left[order], right[order]
    _, group, sizes = np.unique(left, return_inverse=True, return_counts=True)
    few = sizes[group] < COMMON_ANCHOR
    first, second = group_pairs(left[few], right[few], COMMON_ANCHOR, 1, np.zeros(1, np.int64))
    first, second = documents[first], documents[second]
    other = first != second
    columns = [np.minimum(first, second)[other], np.maximum(first, second)[other]]
    return pa.table([pa.array(column) for column in columns], schema=PAIRS)


@dataclass(frozen=True)
class CommittedPairs:
    """Pairs that tasks have found, as `partition` wants them."""

    signals: Signals
    files: dict[str, FileInfo]
    num_bands: int

    def pairs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """See `Keys`."""
        table = self.signals.store.read_table(self.files[name].path)
        return table["left"].to_numpy(), table["right"].to_numpy()

    def band_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """See `Candidates`."""
        for band in range(self.num_bands):
            yield self.pairs(band_name(band))

    def anchor_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        found = [self.pairs(name) for name in sorted(self.files) if name.startswith("anchors")]
        codes = np.sort(
            np.concatenate([np.empty(0, np.int64), *(left * self.signals.num_rows + right for left, right in found)])
        )
        twice = np.unique(codes[1:][codes[1:] == codes[:-1]])
        return np.divmod(twice, max(self.signals.num_rows, 1))

    def sketches(self, wanted: np.ndarray) -> np.ndarray:
        """See `Candidates`."""
        found = np.zeros((int(wanted.sum()), 0), np.uint8)
        number = np.cumsum(wanted) - 1
        for at, column in self.signals.column("sketch"):
            rows, known = column_rows(column, np.uint8)
            chosen = np.flatnonzero(known & wanted[at : at + len(column)])
            if not len(chosen):
                continue
            if not found.shape[1]:
                found = np.zeros((len(found), rows.shape[1]), np.uint8)
            found[number[at + chosen]] = rows[chosen]
        return found

    def labels(self, exact: bool) -> np.ndarray:
        """See `Keys`."""
        if exact:
            return text_labels(*self.signals.keys("text_hash", 0, 2))
        values, valid = self.signals.keys("bands", 0, 1)
        return key_labels(values[:, 0], valid)

    def documents(self, columns: list[str]) -> np.ndarray:
        """bool[n]: documents with any of these keys."""
        found = np.zeros(self.signals.num_rows, bool)
        for name in columns:
            for at, column in self.signals.column(name):
                found[at : at + len(column)] |= np.asarray(column.is_valid())
        return found


def _columns(settings: ClusterSettings) -> list[str]:
    """The columns that say whether a document takes part."""
    asked = {"text_hash": settings.exact, "url_hash": settings.url, "bands": settings.near and not settings.exact}
    return [name for name, wanted in asked.items() if wanted]


def _texts(store: Store, path: str) -> Iterator[pa.Array]:
    parquet = store.open_table(path)
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, columns=["text"], use_threads=False)["text"].combine_chunks()


def cluster_all(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Clusters of all documents; a table per shard, aligned with its documents."""
    (assigned,) = assignments
    settings = ClusterSettings.model_validate(assigned.settings["cluster"])
    minhash = MinHashSettings.model_validate(assigned.settings["minhash"])
    signals = Signals.given(store, assigned.reads)
    counts = ClusterCounts(indexes=[vars(index) for index in signals.indexes])
    files = {}
    if not settings.exact and not settings.near and not settings.url:
        for name, rows in signals.names:
            empty = pa.table([pa.nulls(rows, pa.int64())] * len(CLUSTERS), schema=CLUSTERS)
            files[name] = store.put_table(assigned.path("clusters", name), [empty], CLUSTERS)
        files[EDGES_FILE] = store.put_table(assigned.path("clusters", EDGES_FILE), [], EDGES)
        return [Produced(files, counts)]
    keys = CommittedPairs(signals, assigned.reads["pairs"], assigned.settings["bands"])
    readers: list[Texts | None] = [
        (lambda path=files["documents"].path: _texts(store, path)) if "documents" in files else None
        for files in signals.shards.values()
    ]
    readers += [None] * len(signals.indexes)
    texts = [(rows, read) for (_, rows), read in zip(signals.names, readers, strict=True)]
    with tempfile.TemporaryDirectory(prefix="clusters-") as folder:
        found = partition(keys, settings, texts, minhash, Path(folder, "shingles.u32"))
    for name, table in tables(signals.names, found, keys.documents(_columns(settings))):
        counts.in_clusters += table.num_rows - table["near_cluster"].null_count
        files[name] = store.put_table(assigned.path("clusters", name), [table], CLUSTERS)
    files[EDGES_FILE] = store.put_table(assigned.path("clusters", EDGES_FILE), [found.edges], EDGES)
    return [Produced(files, counts)]


def _pair_units(settings: ClusterSettings, bands: int, rows: int, reads: Reads) -> list[Unit]:
    """A unit for equal texts, for equal addresses, for every few bands and for a range of anchors: the more documents there
    are, the more units."""
    wanted = [
        (name, f"{name}_hash", 0, 2) for name, asked in (("text", settings.exact), ("url", settings.url)) if asked
    ]
    step = max(1, KEYS_AT_ONCE // max(rows, 1))
    for first in range(0, bands, step):
        last = min(first + step, bands)
        wanted.append((f"bands_{first:02d}_{last - 1:02d}", "bands", first, last))
    if bands and settings.min_similarity is not None and settings.contained:
        parts = 1 + rows * ANCHORS_A_DOCUMENT // KEYS_AT_ONCE
        wanted += [(f"anchors_{part:03d}", "anchors", part, parts) for part in range(parts)]
    return [
        Unit(name, reads, {"column": column, "first": first, "last": last}, PAIRS_VERSION)
        for name, column, first, last in wanted
    ]


def cluster(run: Run) -> Commits:
    """Keyed by the digests of the hash signals, and of the texts where pairs are verified: thresholds do not reach it."""
    chosen = {name: settings for name, settings in run.recipe.judges if name in JUDGES.values()}
    asked = run.recipe.cluster
    near = asked.near and "minhash" in chosen
    settings = asked.model_copy(
        update={
            "exact": asked.exact and "exact" in chosen,
            "url": asked.url and "exact" in chosen,
            "near": near,
            "min_similarity": asked.min_similarity if near else None,
        }
    )
    shards: dict[str, ShardFiles] = {}
    for shard in run.shards:
        shards[shard] = {name: run.signal_file(name, shard) for name in sorted(chosen)}
        if settings.min_similarity is not None or not chosen:
            shards[shard]["documents"] = run.file(Step.EXTRACT, shard)
    bands = getattr(chosen["minhash"], "bands") if near else 0  # noqa: B009 - the recipe's models are made at run time
    minhash = chosen["minhash"].measured() if near else {}
    return cluster_shards(run.execute, shards, run.indexes, settings, bands, minhash)


def cluster_shards(
    execute: Callable[[Step, list[Unit], Work], Commits],
    shards: dict[str, ShardFiles],
    indexes: list[IndexFile],
    settings: ClusterSettings,
    bands: int,
    minhash: dict[str, Any],
) -> Commits:
    """Pairs, then clusters, of shards whose files are given. `minhash` are the measured settings of that judge: what a shingle
    is, where pairs are verified."""
    verified = settings.min_similarity is not None
    signals = {
        shard: {name: info for name, info in files.items() if name != "documents" or len(files) == 1}
        for shard, files in shards.items()
    }
    rows = sum(_rows(files) for files in shards.values()) + sum(index.rows for index in indexes)
    pairs = execute(Step.PAIRS, _pair_units(settings, bands, rows, {"shards": signals, "indexes": indexes}), find_pairs)
    unit = Unit(
        name="all",
        reads={
            "shards": shards,
            "indexes": indexes,
            "pairs": {name: info for commit in pairs.values() for name, info in commit.files.items()},
        },
        settings={
            "cluster": settings.model_dump(mode="json", exclude={"index"}),
            "bands": bands,
            "minhash": minhash if verified else {},
        },
        version=VERSION,
    )
    return execute(Step.CLUSTER, [unit], cluster_all)
