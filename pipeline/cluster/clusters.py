"""Exact and near-duplicate clusters over all shards, with flat memory and labels that do not depend on the layout.

`band_pairs` finds documents with equal keys, band by band; `partition` joins all pairs over dense ids (a document's
position among those that are in any pair), at most about 75 bytes a document. Both are tasks of a run
(`pipeline.cluster.step`): one for every few bands, whose pairs lie on disk at 16 bytes a pair before compression, then one over
all pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.verify import EDGES, Candidates, Texts, near_copies
from pipeline.kernels.dedup.union_find import equal_pairs, flatten, least_by_root, union
from pipeline.measure.judges.minhash import MinHashSettings

CLUSTERS = pa.schema(
    [
        ("exact_cluster", pa.int64()),  # label of the documents with the same text
        ("near_cluster", pa.int64()),  # label of the documents that near-copies link
        ("cluster_size", pa.int64()),  # documents of the near cluster, 1 for a document alone
        # the document that stands for this one among `EDGES`: the first of those that count as one
        ("node", pa.int64()),
    ]
)
"""Row-aligned with a shard's documents. Labels and node are null for a document without another; `cluster_size` is null
for a quarantined one."""

_NONE = np.empty(0, np.uint64)
_ROWS_AT_ONCE = 1 << 17
_LAST = np.uint64(2**62)  # the key of a document without text, which only its URL can put into a cluster


class Keys(Candidates, Protocol):
    """What `partition` needs to know of the keys of n documents."""

    def pairs(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(left, right)` int64: star pairs of documents with equal keys (`text`, `url`, `band_00` …), some at a time."""
        ...

    def labels(self, exact: bool) -> np.ndarray:
        """uint64[n] below 2**63, the same for the same text: of its hash, or of its first band key if not `exact`."""
        ...


def band_name(band: int) -> str:
    """Under which name a band's pairs lie."""
    return f"band_{band:02d}"


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


def text_labels(keys: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The labels of `Keys.labels` from text hashes (uint64[n, 2], spent)."""
    keys[:, 0] += keys[:, 1] * np.uint64(0x9E3779B97F4A7C15)
    return key_labels(keys[:, 0].copy(), valid)


def key_labels(keys: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The labels of `Keys.labels` from one key a document (uint64[n], spent)."""
    keys >>= np.uint64(1)
    keys[~valid] = _LAST
    return keys


@dataclass(frozen=True)
class Partition:
    """Labels int64[n], -1 for a document alone; sizes of the near clusters; the node of each document; `EDGES` of nodes."""

    exact: np.ndarray
    near: np.ndarray
    sizes: np.ndarray
    nodes: np.ndarray
    edges: pa.Table


def partition(
    keys: Keys,
    settings: ClusterSettings,
    texts: Sequence[tuple[int, Texts | None]],
    minhash: MinHashSettings | None = None,
    shingles: Path | None = None,
) -> Partition:
    """Equal texts, then near-copies: verified ones as edges between nodes, or every chain of shared band keys as one node.

    `texts` holds the number of rows of each shard and, for verification, its texts, whose n-grams go to the file `shingles`.
    """
    parent = np.arange(sum(rows for rows, _ in texts), dtype=np.int64)
    if settings.exact:
        for pairs in keys.pairs("text"):
            union(parent, *pairs)
    labels = keys.labels(settings.exact)
    exact = label(parent, labels)[0]
    edges = EDGES.empty_table()
    if settings.near and settings.min_similarity is not None and shingles is not None:
        edges = near_copies(parent.copy(), keys, texts, minhash or MinHashSettings(), settings, shingles)
    elif settings.near:
        for pairs in keys.band_pairs():
            union(parent, *pairs)
    if settings.url:
        for pairs in keys.pairs("url"):
            union(parent, *pairs)
    flatten(parent)
    nodes = parent.copy()
    edges = _between(nodes, edges)
    union(parent, edges["document"].to_numpy(), edges["by"].to_numpy())
    near, sizes = label(parent, labels)
    return Partition(exact, near, sizes, nodes, edges)


def _between(nodes: np.ndarray, edges: pa.Table) -> pa.Table:
    """The edges between nodes; of several between the same two the most similar."""
    columns = {name: np.asarray(edges[name]) for name in EDGES.names}
    document, by = nodes[columns["document"]], nodes[columns["by"]]
    order = np.lexsort((-columns["similarity"], by, document))
    document, by = document[order], by[order]
    first = document != by
    first[1:] &= (document[1:] != document[:-1]) | (by[1:] != by[:-1])
    kept = order[first]
    arrays = [document[first], by[first], *(columns[name][kept] for name in EDGES.names[2:])]
    return pa.table([pa.array(array) for array in arrays], schema=EDGES)


def tables(first: int, last: int, found: Partition, members: np.ndarray, documents: np.ndarray) -> Iterator[pa.Table]:
    """`CLUSTERS` of the documents from `first` up to `last`, some at a time; `documents` is false for no document.

    `found` is of the documents that `members` numbers, int64[m] in order; the others are alone.
    """
    for at in range(first, last, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, last - at)
        own = slice(*np.searchsorted(members, [at, at + count]))
        places = members[own] - at
        exact, near, nodes, sizes = (np.full(count, value) for value in (-1, -1, -1, 1))
        exact[places], near[places], sizes[places] = found.exact[own], found.near[own], found.sizes[own]
        nodes[places] = members[found.nodes[own]]
        columns = [
            pa.array(exact, mask=exact < 0),
            pa.array(near, mask=near < 0),
            pa.array(sizes, mask=~documents[at : at + count]),
            pa.array(nodes, mask=near < 0),
        ]
        yield pa.Table.from_arrays(columns, schema=CLUSTERS)
