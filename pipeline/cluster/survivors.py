"""Which document of a cluster stays, and how alike a removed document is to it."""

from collections.abc import Sequence

import numpy as np

from pipeline.cluster.settings import RankBy, SurvivorSettings

__all__ = ["SurvivorSettings", "estimate_similarity", "pick_survivors"]


def pick_survivors(
    cluster: np.ndarray,
    passing: np.ndarray,
    *,
    priority: np.ndarray,
    quality: np.ndarray,
    length: np.ndarray,
    date: np.ndarray,
    ids: np.ndarray,
    order: Sequence[RankBy] = ("priority", "quality", "length", "date"),
    indexed: np.ndarray | None = None,
) -> np.ndarray:
    """int64[n]: the index of the document that stands for each document, itself if it stays, -1 where none passes.

    `cluster` is int64[n] (negative: in no cluster), `passing` bool[n] (no other rule removes it), `priority`,
    `quality`, `length` numbers (higher wins; NaN is lowest), `date` fixed-width ISO 8601 strings (empty: unknown,
    last), `ids` any sortable array without repeats. `indexed` (bool[n]) marks what an earlier run kept: it wins.

    The order is total and looks at one document at a time, so a document removed for a better one stays removed
    whatever is added later.

    >>> pick_survivors(np.array([7, 7, -1]), np.array([True, True, False]), priority=np.array([0, 1, 0]),
    ...     quality=np.zeros(3), length=np.ones(3), date=np.array(["", "", ""]), ids=np.array(["a", "b", "c"])).tolist()
    [1, 1, -1]
    """
    out = np.where(passing, np.arange(len(cluster)), -1)
    kept_before = np.zeros(len(cluster), bool) if indexed is None else indexed
    members = np.flatnonzero((cluster >= 0) & (passing | kept_before))
    columns: dict[str, np.ndarray] = {"priority": priority, "quality": quality, "length": length}
    keys = [ids[members]]
    for name in reversed(order):
        if name in columns:
            keys.append(-np.nan_to_num(columns[name][members].astype(np.float64), nan=-np.inf))
        elif name == "date":
            keys += [date[members], date[members] == ""]
        else:
            codes = np.unique(date[members], return_inverse=True)[1]  # strings cannot be negated, their ranks can
            keys.append(-codes)
    keys += [~kept_before[members], cluster[members]]
    ranked = members[np.lexsort(keys)]
    labels = cluster[ranked]
    first = np.ones(len(ranked), bool)
    first[1:] = labels[1:] != labels[:-1]
    best, survivors = labels[first], ranked[first]
    clustered = np.flatnonzero(cluster >= 0)
    if len(best) == 0:
        out[clustered] = -1
        return out
    place = np.minimum(np.searchsorted(best, cluster[clustered]), len(best) - 1)
    out[clustered] = np.where(best[place] == cluster[clustered], survivors[place], -1)
    return out


def estimate_similarity(sketch_a: np.ndarray, sketch_b: np.ndarray) -> np.ndarray:
    """float64[n]: Jaccard similarity estimated from two uint8[n, permutations] sketches, row by row.

    Bytes of different minima agree by chance once in 256; the estimate takes that out and is cut at 0. Its standard
    error is `sqrt(s * (1 - s) / permutations)`: 0.04 at 0.8 with 112 permutations.
    """
    equal = (sketch_a == sketch_b).mean(axis=1)
    return np.clip((equal - 1 / 256) / (1 - 1 / 256), 0.0, 1.0)
