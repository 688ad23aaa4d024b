"""Cluster, as two steps: pairs of documents with equal keys, by tasks of a few bands each; then one union over all.

A task of pairs holds the keys of its bands alone, or, of many documents, those of one band in a range of keys. The union holds
6 bytes a document, and about 75 a document that has a key in common with another. Documents are numbered by their place in the
shards given; labels depend on texts alone, so neither tasks nor layout show in them.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
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

PAIRS_VERSION = 3
VERSION = 7
JUDGES = {"text_hash": "exact", "url_hash": "exact", "bands": "minhash", "sketch": "minhash", "anchors": "minhash"}
"""Where clustering finds its columns; a judge that the recipe leaves out joins nothing."""
KEYS_AT_ONCE = 1 << 23
"""Keys that a task of pairs holds."""
PAIRS_AT_ONCE = 1 << 27
"""Pairs of documents with an anchor in common that the union counts at once, at 8 bytes each."""
ShardFiles = dict[str, FileInfo]
"""The files of a shard: signals by their judge, and `documents` where its texts are needed; all have a row a document."""
ANCHORS_A_DOCUMENT = 32
"""Of a document of 500 words; by it the anchors are divided among tasks."""
COMMON_ANCHOR = 16
"""An anchor of more documents than this says nothing about any two of them."""
EDGES_FILE = "edges"
"""The file of near-copies, among those of the shards by their names, which end in a number."""
NODE_EDGES = EDGES.append(pa.field("near_cluster", pa.int64()))
"""Near-copies among nodes, and the cluster that both are in."""
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

    def keys(self, name: str, words: slice, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """`(keys uint64[m, words], documents int64[m])`: some words of the keys, by column, of the documents whose first one is
        in one of so many equal ranges."""
        found, documents = [np.empty((0, words.stop - words.start), np.uint64)], [np.empty(0, np.int64)]
        for at, column in self.column(name):
            keys, known = column_rows(column, np.uint64)
            rows = np.flatnonzero(known)
            if len(rows):
                rows = rows[_part_of(keys[rows, words.start], parts) == part]
                found.append(keys[rows, words])
                documents.append(rows + at)
        keys = np.empty((sum(map(len, found)), words.stop - words.start), np.uint64, order="F")
        return np.concatenate(found, out=keys), np.concatenate(documents)

    def anchors(self, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """`(keys uint64[m], documents int64[m])`: the anchors of one of so many equal ranges of keys."""
        keys, documents = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for at, column in self.column("anchors"):
            lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy() // 8
            found = np.frombuffer(b"".join(column.drop_null().to_pylist()), np.uint64)
            inside = _part_of(found, parts) == part
            keys.append(found[inside])
            documents.append(np.repeat(np.arange(at, at + len(column)), lengths)[inside])
        return np.concatenate(keys), np.concatenate(documents)


def _part_of(keys: np.ndarray, parts: int) -> np.ndarray:
    """uint64[n]: in which of so many equal ranges each key is."""
    return ((keys >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)


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
        table = _anchor_pairs(*signals.anchors(*settings["part"]))
        info = store.put_table(assigned.path("pairs"), [table], PAIRS)
        return [Produced({assigned.name: info}, PairCounts({assigned.name: info.rows or 0}))]
    words = range(settings["first"], settings["last"])
    values, documents = signals.keys(settings["column"], slice(words.start, words.stop), *settings["part"])
    one_key, valid = settings["column"] != "bands", np.ones(len(documents), bool)
    ending = "" if settings["part"][1] == 1 else f"_{settings['part'][0]:05d}"
    files = {}
    for number, name in enumerate([assigned.name] if one_key else [band_name(word) + ending for word in words]):
        left, right = band_pairs(values if one_key else values[:, number], valid)
        table = pa.table([documents[left], documents[right]], schema=PAIRS)
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


class CommittedPairs:
    """Pairs that tasks have found, as `partition` wants them: documents in no pair are left out, the others numbered anew.

    `members` are the numbers of these documents, int64[m] in order.
    """

    def __init__(self, signals: Signals, files: dict[str, FileInfo], num_bands: int) -> None:
        self.signals, self._files, self._num_bands = signals, files, num_bands
        count = signals.num_rows
        member = np.zeros(count, bool)
        self._anchors = self._shared_anchors()
        for name in files:
            for both in self._read(name) if not name.startswith("anchors") else self._anchors:
                member[both] = True
        self.members = np.flatnonzero(member)
        self._number = np.cumsum(member, dtype=np.int32 if count < 2**31 else np.int64)
        self._number -= 1

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        table = self.signals.store.read_table(self._files[name].path)
        return table["left"].to_numpy(), table["right"].to_numpy()

    def _shared_anchors(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of documents that share two anchors or more, a range of the lower numbers at a time."""
        names = sorted(name for name in self._files if name.startswith("anchors"))
        count = max(self.signals.num_rows, 1)
        passes = 1 + sum(self._files[name].rows or 0 for name in names) // PAIRS_AT_ONCE
        found = [np.empty(0, np.int64)]
        for low, high in pairwise(np.linspace(0, count, passes + 1).astype(np.int64)):
            codes = [np.empty(0, np.int64)]
            for left, right in map(self._read, names):
                inside = (left >= low) & (left < high)
                codes.append(left[inside] * count + right[inside])
            ordered = np.sort(np.concatenate(codes))
            found.append(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
        return np.divmod(np.concatenate(found), count)

    def _numbered(self, pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        left, right = pairs
        return self._number[left].astype(np.int64), self._number[right].astype(np.int64)

    def pairs(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """See `Keys`."""
        for file in sorted(self._files):
            if file == name or file.startswith(f"{name}_"):
                yield self._numbered(self._read(file))

    def band_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """See `Candidates`."""
        for band in range(self._num_bands):
            yield from self.pairs(band_name(band))

    def anchor_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        return self._numbered(self._anchors)

    def within(self, first: int, rows: int) -> tuple[slice, np.ndarray]:
        """Which members are among so many documents from the first on, and their places there."""
        own = slice(*np.searchsorted(self.members, [first, first + rows]))
        return own, self.members[own] - first

    def sketches(self, wanted: np.ndarray) -> np.ndarray:
        """See `Candidates`."""
        found = np.zeros((int(wanted.sum()), 0), np.uint8)
        number = np.cumsum(wanted) - 1
        for at, column in self.signals.column("sketch"):
            own, places = self.within(at, len(column))
            rows, known = column_rows(column, np.uint8)
            chosen = np.flatnonzero(known[places] & wanted[own])
            if not len(chosen):
                continue
            if not found.shape[1]:
                found = np.zeros((len(found), rows.shape[1]), np.uint8)
            found[number[own][chosen]] = rows[places[chosen]]
        return found

    def labels(self, exact: bool) -> np.ndarray:
        """See `Keys`."""
        keys, valid = np.zeros((len(self.members), 2 if exact else 1), np.uint64), np.zeros(len(self.members), bool)
        for at, column in self.signals.column("text_hash" if exact else "bands"):
            own, places = self.within(at, len(column))
            found, known = column_rows(column, np.uint64)
            valid[own] = known[places]
            if known.any():
                keys[own] = found[places, : keys.shape[1]]
        return text_labels(keys, valid) if exact else key_labels(keys[:, 0].copy(), valid)

    def texts(self, files: ShardFiles, first: int) -> tuple[int, Texts | None]:
        """How many members a shard has, and a reader of their texts."""
        own, _ = self.within(first, _rows(files))

        def read() -> Iterator[pa.Array]:
            at, parquet = first, self.signals.store.open_table(files["documents"].path)
            for group in range(parquet.num_row_groups):
                column = parquet.read_row_group(group, columns=["text"], use_threads=False)["text"].combine_chunks()
                yield column.take(pa.array(self.within(at, len(column))[1]))
                at += len(column)

        return own.stop - own.start, read if "documents" in files else None

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
        files[EDGES_FILE] = store.put_table(assigned.path("clusters", EDGES_FILE), [], NODE_EDGES)
        return [Produced(files, counts)]
    keys = CommittedPairs(signals, assigned.reads["pairs"], assigned.settings["bands"])
    starts = np.cumsum([0, *(rows for _, rows in signals.names)]).tolist()
    texts = [keys.texts(shard, at) for shard, at in zip(signals.shards.values(), starts, strict=False)]
    texts.append((len(keys.members) - sum(count for count, _ in texts), None))  # those of earlier runs
    with tempfile.TemporaryDirectory(prefix="clusters-") as folder:
        found = partition(keys, settings, texts, minhash, Path(folder, "shingles.u32"))
    counts.in_clusters, documents = int((found.near >= 0).sum()), keys.documents(_columns(settings))
    for (name, rows), first in zip(signals.names, starts, strict=False):
        own = tables(first, first + rows, found, keys.members, documents)
        files[name] = store.put_table(assigned.path("clusters", name), own, CLUSTERS)
    clusters = pa.array(found.near[found.edges["document"].to_numpy()], pa.int64())
    columns = {name: found.edges[name] for name in EDGES.names} | {"near_cluster": clusters}
    columns |= {name: pa.array(keys.members[found.edges[name].to_numpy()]) for name in ("document", "by")}
    edges = pa.table(columns, schema=NODE_EDGES)
    files[EDGES_FILE] = store.put_table(assigned.path("clusters", EDGES_FILE), [edges], NODE_EDGES)
    return [Produced(files, counts)]


def _pair_units(settings: ClusterSettings, bands: int, rows: int, reads: Reads) -> list[Unit]:
    """A unit for equal texts, for equal addresses, for every few bands and for anchors, or for ranges of their keys: the more
    documents there are, the more units."""
    wanted = [
        (name, f"{name}_hash", 0, 2, rows) for name, asked in (("text", settings.exact), ("url", settings.url)) if asked
    ]
    step = max(1, KEYS_AT_ONCE // max(rows, 1))
    for first in range(0, bands, step):
        last = min(first + step, bands)
        wanted.append((f"bands_{first:02d}_{last - 1:02d}", "bands", first, last, rows))
    if bands and settings.min_similarity is not None and settings.contained:
        wanted.append(("anchors", "anchors", 0, 1, rows * ANCHORS_A_DOCUMENT))
    units = []
    for name, column, first, last, keys in wanted:
        parts = 1 + keys // KEYS_AT_ONCE
        for part in range(parts):
            own = {"column": column, "first": first, "last": last, "part": [part, parts]}
            units.append(Unit(name if parts == 1 else f"{name}_{part:05d}", reads, own, PAIRS_VERSION))
    return units


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
