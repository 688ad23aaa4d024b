"""Which document of a cluster stays, and how alike a removed document is to it.

Survivors are chosen from a small table: the best candidate of every cluster, first within a shard, then of all shards. The
order is total and looks at one document at a time, so shards may be ranked apart, and a document removed for a better one
stays removed whatever is added later.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.cluster.cluster_settings import RankBy, SurvivorSettings
from pipeline.kernels.rows import column_rows

__all__ = ["CANDIDATES", "SurvivorSettings", "best_members", "estimate_similarity", "similarity_to", "survivors_of"]

CANDIDATES = pa.schema(
    [
        ("cluster", pa.int64()),
        ("indexed", pa.bool_()),  # kept by an earlier run: wins over every new document
        ("priority", pa.int64()),  # the higher wins
        ("quality", pa.float64()),  # the higher wins; null or NaN is lowest
        ("length", pa.int64()),  # the longer wins
        ("date", pa.string()),  # ISO 8601; the earlier wins, empty is last
        ("id", pa.string()),  # the smaller wins
        ("shard", pa.string()),  # with `row`: where the document is
        ("row", pa.int64()),
        ("exact_cluster", pa.int64()),
        ("sketch", pa.binary()),
    ]
)
"""Documents that may stand for their cluster: those that no other rule removes, and those an earlier run kept."""


def _place(candidates: pa.Table, order: Sequence[RankBy]) -> np.ndarray:
    """Candidates by cluster, the best of each first."""

    def numbers(name: str) -> np.ndarray:
        return candidates[name].to_numpy().astype(np.float64)

    dates = np.array(candidates["date"].fill_null("").to_pylist(), np.str_)
    codes = np.unique(dates, return_inverse=True)[1]  # strings cannot be negated, their ranks can
    ids = np.array(candidates["id"].to_pylist(), np.bytes_)
    keys = [candidates["row"].to_numpy(), np.array(candidates["shard"].to_pylist(), np.str_), ids]
    for name in reversed(order):
        if name == "date":
            keys += [codes, dates == ""]
        elif name == "newest":
            keys.append(-codes)
        else:
            keys.append(-np.nan_to_num(numbers(name), nan=-np.inf))
    keys += [~candidates["indexed"].to_numpy(), candidates["cluster"].to_numpy()]
    return np.lexsort(keys)


def best_members(candidates: pa.Table, order: Sequence[RankBy] = ("priority", "quality", "length", "date")) -> pa.Table:
    """The best candidate of every cluster, in the order of clusters.

    >>> rows = [{"cluster": 7, "indexed": False, "priority": p, "id": i, "shard": "s", "row": p} for p, i in ((0, "a"), (1, "b"))]
    >>> best_members(pa.Table.from_pylist(rows, schema=CANDIDATES))["id"].to_pylist()
    ['b']
    """
    ranked = candidates.take(pa.array(_place(candidates, order)))
    labels = ranked["cluster"].to_numpy()
    first = np.ones(len(labels), bool)
    first[1:] = labels[1:] != labels[:-1]
    return ranked.filter(pa.array(first)).combine_chunks()


def survivors_of(cluster: np.ndarray, best: pa.Table) -> np.ndarray:
    """int64[n]: the row of `best` that stands for each document's cluster; -1 for none. `cluster` is negative for none."""
    known = best["cluster"].to_numpy()
    if not len(known):
        return np.full(len(cluster), -1, np.int64)
    place = np.minimum(np.searchsorted(known, cluster), len(known) - 1)
    return np.where((cluster >= 0) & (known[place] == cluster), place, -1)


def similarity_to(sketches: pa.ChunkedArray, best: pa.Table, places: np.ndarray) -> np.ndarray:
    """float32[n]: estimated similarity of each document to the candidate at `places` (-1: none); NaN without sketches."""
    found = np.full(len(places), np.nan, np.float32)
    own, known = column_rows(sketches, np.uint8)
    rows = np.flatnonzero((places >= 0) & known)
    if not len(rows):
        return found
    others, there = column_rows(best["sketch"].take(pa.array(places[rows])), np.uint8)
    if others.shape[1] == own.shape[1]:
        found[rows[there]] = estimate_similarity(own[rows[there]], others[there])
    return found


def estimate_similarity(sketch_a: np.ndarray, sketch_b: np.ndarray) -> np.ndarray:
    """float64[n]: Jaccard similarity estimated from two uint8[n, permutations] sketches, row by row.

    Bytes of different minima agree by chance once in 256; the estimate takes that out and is cut at 0. Its standard
    error is `sqrt(s * (1 - s) / permutations)`: 0.04 at 0.8 with 112 permutations.
    """
    equal = (sketch_a == sketch_b).mean(axis=1)
    return np.clip((equal - 1 / 256) / (1 - 1 / 256), 0.0, 1.0)
