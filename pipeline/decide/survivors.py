"""Which documents of a cluster stay, and how alike a removed document is to the one that stays instead.

A node is the documents that count as one: equal texts, and whatever else the recipe joins. Its best candidate is found first.
Then the best of the nodes are taken in their order: each stays, unless it is a near-copy of one
that stays already. So every removed document is a near-copy of the survivor that is named, and no chain of others leads to it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cluster.cluster_settings import RankBy
from pipeline.cluster.verify import estimate_similarity
from pipeline.kernels.dedup.survivors import choose
from pipeline.kernels.rows import column_rows

CANDIDATES = pa.schema(
    [
        ("near_cluster", pa.int64()),
        ("node", pa.int64()),
        ("passing", pa.bool_()),  # extracted, and removed by no other rule: may stay
        ("indexed", pa.bool_()),  # kept by an earlier run: wins over every new document
        ("chosen", pa.bool_()),  # kept by hand: wins over every other one of this run
        ("priority", pa.int64()),  # the higher wins
        ("quality", pa.float64()),  # the higher wins; null or NaN is lowest
        ("length", pa.int64()),  # the longer wins
        ("date", pa.string()),  # ISO 8601; the earlier wins, empty is last
        ("id", pa.string()),  # the smaller wins
        ("row", pa.int64()),  # its number; decides among equal ids
        ("exact_cluster", pa.int64()),
        ("sketch", pa.binary()),
    ]
)
"""Documents in clusters, and those of them that an earlier run kept."""


def _place(candidates: pa.Table, order: Sequence[RankBy]) -> pa.Array:
    """The order of candidates, the best first."""
    dates = candidates["date"]
    quality = pc.if_else(pc.is_nan(candidates["quality"]), pa.scalar(None, pa.float64()), candidates["quality"])
    columns = {
        "date": pc.if_else(pc.equal(dates, ""), pa.scalar(None, pa.string()), dates),
        "quality": quality,
        **{name: candidates[name] for name in ("priority", "length", "id", "row")},
        **{name: pc.cast(candidates[name], pa.int8()) for name in ("indexed", "chosen")},
    }
    ways = {"date": ("date", "ascending"), "newest": ("date", "descending")}
    keys = [ways.get(name, (name, "descending")) for name in ("indexed", "chosen", *order)]
    keys += [("id", "ascending"), ("row", "ascending")]
    return pc.sort_indices(pa.table(columns), sort_keys=keys)  # nulls come last


def best_members(candidates: pa.Table, order: Sequence[RankBy] = ("priority", "quality", "length", "date")) -> pa.Table:
    """The best candidate of every node, the best of all first.

    >>> rows = [{"node": 7, "indexed": False, "priority": p, "id": i, "row": p} for p, i in ((0, "a"), (1, "b"))]
    >>> best_members(pa.Table.from_pylist(rows, schema=CANDIDATES))["id"].to_pylist()
    ['b']
    """
    ranked = candidates.take(_place(candidates, order))
    first = np.sort(np.unique(ranked["node"].to_numpy(), return_index=True)[1])
    return ranked.take(pa.array(first)).combine_chunks()


class Survivors:
    """Who stays, of the best candidates of all nodes (as of `best_members`) and the near-copies among nodes (`EDGES`), which
    have at least the similarity `bound`."""

    def __init__(self, best: pa.Table, edges: pa.Table, bound: float | None) -> None:
        self.best = best
        nodes = best["node"].to_numpy()
        self._nodes = np.unique(np.concatenate([nodes, edges["document"].to_numpy(), edges["by"].to_numpy()]))
        ranked = np.searchsorted(self._nodes, nodes)  # numbers of the nodes with a candidate, the best first
        document, by = (np.searchsorted(self._nodes, edges[name].to_numpy()) for name in ("document", "by"))
        starts = np.searchsorted(document, np.arange(len(self._nodes) + 1))
        self._similar = np.column_stack([edges["similarity"].to_numpy(), edges["plain_similarity"].to_numpy()])
        distance = np.where(np.asarray(edges["is_part"]), 2, 1 - self._similar.min(axis=1, initial=1)).astype(
            np.float32
        )
        self._stays, self._edge, self._between = choose(ranked, starts, by, distance, 1 - (bound or 1))
        self._row = np.full(len(self._nodes), -1)
        self._row[ranked] = np.arange(len(ranked))

    def of(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of documents by their nodes (int64[n], negative for none) the row of `best` that stays for them, -1 for none, and
        float32[n, 2] the similarities of their node to it (at least so much, where the two were not compared), NaN where it
        is their own node's."""
        rows, similar = np.full(len(nodes), -1), np.full((len(nodes), 2), np.nan, np.float32)
        if not len(self._nodes):
            return rows, similar
        place = np.minimum(np.searchsorted(self._nodes, nodes), len(self._nodes) - 1)
        known = (nodes >= 0) & (self._nodes[place] == nodes)
        stays, edge = self._stays[place], self._edge[place]
        rows[known] = np.where(stays[known] >= 0, self._row[stays[known]], -1)
        other = known & (edge >= 0)
        similar[other] = self._similar[edge[other]]
        chained = known & ~np.isnan(self._between[place])
        similar[chained] = 1 - self._between[place[chained], None]
        return rows, similar


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
