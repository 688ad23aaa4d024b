"""Exact and near-duplicate clusters over all shards, with flat memory and labels that do not depend on the layout.

`band_pairs` finds documents with equal keys, band by band; `partition` joins all pairs over dense ids (a document's
position in the given shards), 8 bytes a document. In a run both are tasks: one for every few bands, whose pairs lie on
disk, then one over all pairs (`pipeline.cluster.step`). `cluster` does the same in one process: band keys go to one file
a band, at most about 75 bytes a document are in memory at any time, and 8 bytes a document and band on disk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.verify import Texts, union_alike
from pipeline.kernels.dedup.union_find import equal_pairs, flatten, least_by_root, union
from pipeline.kernels.rows import column_rows
from pipeline.measure.judges.minhash import MinHashSettings

CLUSTERS = pa.schema([("exact_cluster", pa.int64()), ("near_cluster", pa.int64()), ("cluster_size", pa.int64())])
"""Row-aligned with a shard's documents. A label is null for a document that has no other in its cluster;
`cluster_size` is the size of the near cluster, 1 for a document alone, null for a quarantined one."""

HAS_TEXT, HAS_BANDS, HAS_URL = 1, 2, 4
_NONE = np.empty(0, np.uint64)
_LAST = np.uint64(2**62)  # the key of a document without text, which only its URL can put into a cluster


@dataclass(frozen=True)
class SignalShard:
    """One shard's signals, read when needed.

    `read` yields batches with the columns that the settings ask for: `text_hash` (16 bytes), `bands` (8 bytes a band),
    `url_hash`. In the order of the shard's documents, `num_rows` in total; quarantined documents are null rows. `texts`
    yields the texts in the same order, for verification by true Jaccard similarity.
    """

    name: str
    num_rows: int
    read: Callable[[], Iterator[pa.RecordBatch]]
    texts: Texts | None = None


class Keys(Protocol):
    """What `partition` needs to know of the keys of n documents."""

    @property
    def num_bands(self) -> int:
        """How many bands there are."""
        ...

    def pairs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """`(left, right)` int64: star pairs of documents with equal keys (`text`, `url`, `band_00` …)."""
        ...

    def labels(self, exact: bool) -> np.ndarray:
        """uint64[n] below 2**63, the same for the same text: of its hash, or of its first band key if not `exact`."""
        ...


@dataclass(frozen=True)
class KeyFiles:
    """Keys of all documents, a file a kind; `flags` (uint8[n]) says which keys a document has."""

    folder: Path
    num_bands: int
    flags: np.ndarray

    def keys(self, name: str) -> np.ndarray:
        """uint64[n] (`band_00` …) or uint64[n, 2] (`text`, `url`), read whole."""
        found = np.fromfile(self.folder / f"{name}.u64", np.uint64)
        return found if name.startswith("band_") else found.reshape(-1, 2)

    def pairs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """See `Keys`."""
        flag = {"text": HAS_TEXT, "url": HAS_URL}.get(name, HAS_BANDS)
        return band_pairs(self.keys(name), self.flags & flag > 0)

    def labels(self, exact: bool) -> np.ndarray:
        """See `Keys`."""
        if exact:
            return text_labels(self.keys("text"), self.flags & HAS_TEXT > 0)
        keys = self.keys(band_name(0)) if self.num_bands else np.zeros(len(self.flags), np.uint64)
        return key_labels(keys, self.flags & HAS_BANDS > 0)


def write_keys(shards: Sequence[SignalShard], settings: ClusterSettings, folder: Path) -> KeyFiles:
    """Transpose the signals of all shards into key files under `folder`, in one pass and one batch at a time.

    Raises ValueError when shards disagree on the number of bands or hold another number of rows than they said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flags = np.zeros(sum(shard.num_rows for shard in shards), np.uint8)
    num_bands = _num_bands(shards) if settings.near else 0
    wide = [name for name, wanted in (("text", settings.exact), ("url", settings.url)) if wanted]
    files = {name: (folder / f"{name}.u64").open("wb") for name in [*wide, *map(band_name, range(num_bands))]}
    try:
        at = 0
        for shard in shards:
            start = at
            for batch in shard.read():
                rows = slice(at, at + batch.num_rows)
                at += batch.num_rows
                if at > start + shard.num_rows:
                    break
                for name, flag in (("text", HAS_TEXT), ("url", HAS_URL)):
                    if name in wide:
                        values, valid = column_rows(batch[f"{name}_hash"], np.uint64)
                        values.tofile(files[name])
                        flags[rows] |= valid.astype(np.uint8) * np.uint8(flag)
                if num_bands:
                    keys, valid = column_rows(batch["bands"], np.uint64)
                    if valid.any() and keys.shape[1] != num_bands:
                        raise ValueError(f"shard {shard.name} has {keys.shape[1]} bands, others {num_bands}")
                    flags[rows] |= valid.astype(np.uint8) * np.uint8(HAS_BANDS)
                    keys = keys if valid.any() else np.zeros((batch.num_rows, num_bands), np.uint64)
                    for band, column in enumerate(keys.T):
                        np.ascontiguousarray(column).tofile(files[band_name(band)])
            if at != start + shard.num_rows:
                raise ValueError(f"shard {shard.name} said {shard.num_rows} rows and has {at - start}")
    finally:
        for file in files.values():
            file.close()
    return KeyFiles(folder, num_bands, flags)


def band_name(band: int) -> str:
    return f"band_{band:02d}"


def _num_bands(shards: Sequence[SignalShard]) -> int:
    """Bands of the first document that has any."""
    for shard in shards:
        for batch in shard.read():
            keys, valid = column_rows(batch["bands"], np.uint64)
            if valid.any():
                return keys.shape[1]
    return 0


def band_pairs(keys: np.ndarray, valid: np.ndarray, first_id: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of ids with equal keys (see `equal_pairs`): `keys` is uint64[n] for a band, [n, 2] for a 128-bit hash."""
    if keys.ndim == 2:
        return equal_pairs(keys[:, 0], keys[:, 1], valid, first_id)
    return equal_pairs(keys, _NONE, valid, first_id)


def label(parent: np.ndarray, text_keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(labels int64[n], sizes int64[n])` of the partition in `parent`; -1 for a document alone.

    A cluster's label is the least of its members' text keys (uint64[n], below 2**63): it depends on nothing but the
    members' texts. Should two clusters meet in one key, the later is moved to the next free number. Flattens `parent`.
    """
    flatten(parent)
    least, sizes = least_by_root(parent, text_keys)
    labels = least.view(np.int64)
    labels[sizes < 2] = -1
    ordered = np.sort(labels[sizes > 1])
    if np.any(ordered[1:] == ordered[:-1]):
        roots = np.flatnonzero(sizes > 1)
        roots = roots[np.argsort(labels[roots], kind="stable")]
        steps = np.arange(len(roots))
        labels[roots] = np.maximum.accumulate(labels[roots] - steps) + steps  # the next free number
    return labels[parent], sizes[parent]


def cluster(
    shards: Sequence[SignalShard],
    settings: ClusterSettings,
    work_dir: str | Path,
    minhash: MinHashSettings | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Cluster all documents of all shards; yields `(shard name, CLUSTERS table)` in the order given.

    The partition and the labels are the same for every order and layout of the shards. Key files stay in `work_dir`
    until the last shard is taken. `minhash` says what a shingle is, for verification.
    """
    if settings.verify_jaccard is not None and shards and all(shard.texts is None for shard in shards):
        raise ValueError("verify_jaccard is set and no shard has texts to verify with")
    files = write_keys(shards, settings, Path(work_dir))
    texts = [(shard.num_rows, shard.texts) for shard in shards]
    found = partition(files, settings, texts, minhash, files.folder / "shingles.u32")
    yield from tables([(shard.name, shard.num_rows) for shard in shards], found, files.flags > 0)
    for path in sorted(files.folder.glob("*.u64")):
        path.unlink()


def text_labels(keys: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The labels of `Keys.labels` from text hashes (uint64[n, 2], spent)."""
    keys[:, 0] += keys[:, 1] * np.uint64(0x9E3779B97F4A7C15)
    return key_labels(keys[:, 0].copy(), valid)


def key_labels(keys: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The labels of `Keys.labels` from one key a document (uint64[n], spent)."""
    keys >>= np.uint64(1)
    keys[~valid] = _LAST
    return keys


def partition(
    keys: Keys,
    settings: ClusterSettings,
    texts: Sequence[tuple[int, Texts | None]],
    minhash: MinHashSettings | None = None,
    shingles: Path | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(exact labels, near labels, near sizes)`, int64[n] each.

    `texts` holds the number of rows of each shard and, for verification, its texts, whose shingle sets go to the file
    `shingles`.
    """

    def near_pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for band in range(keys.num_bands):
            yield keys.pairs(band_name(band))

    parent = np.arange(sum(rows for rows, _ in texts), dtype=np.int64)
    if settings.exact:
        union(parent, *keys.pairs("text"))
    labels = keys.labels(settings.exact)
    exact = label(parent, labels)[0]
    if settings.near and settings.verify_jaccard is not None and shingles is not None:
        bound, limit = settings.verify_jaccard, settings.verify_limit
        union_alike(parent, near_pairs, texts, minhash or MinHashSettings(), bound, limit, shingles)
    elif settings.near:
        for left, right in near_pairs():
            union(parent, left, right)
    if settings.url:
        union(parent, *keys.pairs("url"))
    near, sizes = label(parent, labels)
    return exact, near, sizes


def tables(
    shards: Sequence[tuple[str, int]], found: tuple[np.ndarray, np.ndarray, np.ndarray], documents: np.ndarray
) -> Iterator[tuple[str, pa.Table]]:
    """`(name, CLUSTERS table)` of each shard (name, rows), from `partition`'s arrays; `documents` is false for no document."""
    exact, near, sizes = found
    at = 0
    for name, num_rows in shards:
        rows = slice(at, at + num_rows)
        at += num_rows
        columns = [
            pa.array(exact[rows], mask=exact[rows] < 0),
            pa.array(near[rows], mask=near[rows] < 0),
            pa.array(sizes[rows], mask=~documents[rows]),
        ]
        yield name, pa.Table.from_arrays(columns, schema=CLUSTERS)
