"""The worst cases stay linear, by counters of work and not by clocks: one key in all documents, one cluster of a million."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from numba import njit

from bench.signatures import BANDS, ONE_CHAIN, ONE_KEY, SHARD, keys
from pipeline.cluster.clusters import band_pairs
from pipeline.decide.survivors import CANDIDATES, best_members
from pipeline.kernels.dedup.jaccard import group_pairs
from pipeline.kernels.dedup.survivors import choose
from pipeline.kernels.dedup.union_find import equal_pairs, flatten, union

NONE = np.empty(0, np.uint64)
MILLION = 1_000_000


@njit
def steps_of_union(parent: np.ndarray, left: np.ndarray, right: np.ndarray) -> int:
    """`union_find.union` again, counting how often a parent is followed."""
    steps = 0
    for i in range(len(left)):
        a, b = left[i], right[i]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
            steps += 1
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
            steps += 1
        parent[max(a, b)] = min(a, b)
    return steps


def all_keys(shape: str, count: int = MILLION) -> np.ndarray:
    return np.concatenate([keys(count, shard, shape) for shard in range(-(-count // SHARD))])


@pytest.mark.parametrize("shape", [ONE_KEY, ONE_CHAIN])
def test_a_million_in_one_cluster(shape: str):
    """As many pairs as documents, never their square; and a few steps a pair, whatever the order of the pairs."""
    found, valid = all_keys(shape), np.ones(MILLION, bool)
    pairs = [band_pairs(np.ascontiguousarray(found[:, band]), valid) for band in range(BANDS)]
    assert sum(len(left) for left, _ in pairs) == MILLION - 1
    parent, twin = np.arange(MILLION), np.arange(MILLION)
    steps = sum(steps_of_union(twin, *pair) for pair in pairs)
    assert sum(union(parent, *pair) for pair in pairs) == MILLION - 1
    assert (parent == twin).all(), "what is counted is what runs"
    assert steps <= 4 * MILLION
    flatten(parent)
    assert not parent.any()


@pytest.mark.parametrize("order", ["rising", "falling", "halves", "shuffled"])
def test_steps_of_a_path(order: str):
    """A path through all documents, joined edge by edge: the order that makes a tree deep costs a logarithm at most."""
    count = 200_000
    edges = np.arange(count - 1)
    if order == "falling":
        edges = edges[::-1].copy()
    elif order == "halves":  # whole neighbours first: trees of equal size meet
        edges = edges[np.argsort([(at + 1) & -(at + 1) for at in edges.tolist()], kind="stable")]
    elif order == "shuffled":
        edges = np.random.default_rng(3).permutation(edges)
    parent = np.arange(count)
    assert steps_of_union(parent, edges, edges + 1) <= count * np.log2(count)
    flatten(parent)
    assert not parent.any()


def test_a_key_of_all_is_not_compared_pair_by_pair():
    """Above the limit the documents meet the longest few; up to it, every two."""
    count = 200_000
    left, right = equal_pairs(np.full(count, 7, np.uint64), NONE, np.ones(count, bool), 0)
    sizes = np.random.default_rng(2).integers(0, 1 << 20, count)
    first, second = group_pairs(left, right, 64, 8, sizes)
    assert len(first) == sum(count - 1 - hub for hub in range(8))
    longest = set(np.argsort(-sizes, kind="stable")[:8].tolist())
    assert all(a in longest or b in longest for a, b in zip(first[::997].tolist(), second[::997].tolist(), strict=True))
    first, second = group_pairs(left[:63], right[:63], 64, 8, sizes)
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == list(combinations(range(64), 2))


def test_a_million_copies_of_one_document_have_one_survivor():
    """A star of near-copies: a step an edge, and none of the copies stays."""
    starts = np.append(0, np.arange(MILLION))
    near = np.full(MILLION - 1, 0.1, np.float32)
    stays, edge, _ = choose(np.arange(MILLION), starts, np.zeros(MILLION - 1, np.int64), near, 0.3)
    assert not stays.any()
    assert edge.tolist()[:3] == [-1, 0, 1]


def test_one_survivor_of_a_million():
    """Ten shards, all in one cluster: each gives one candidate, so the table over all shards stays small."""
    rng, rows = np.random.default_rng(5), MILLION // 10
    best = []
    for shard in range(10):
        fixed = {"node": 7, "indexed": False, "priority": 0, "length": 1, "date": "", "shard": str(shard)}
        columns = {name: pa.repeat(value, rows) for name, value in fixed.items()}
        columns |= {"quality": pa.array(rng.random(rows)), "row": pa.array(np.arange(rows))}
        columns["id"] = columns["row"].cast(pa.string())
        missing = {name: pa.nulls(rows) for name in CANDIDATES.names if name not in columns}
        table = pa.table(columns | missing).select(CANDIDATES.names).cast(CANDIDATES)
        best.append((best_members(table), np.max(columns["quality"].to_numpy())))
    assert [len(found) for found, _ in best] == [1] * 10
    (survivor,) = best_members(pa.concat_tables([found for found, _ in best])).to_pylist()
    assert survivor["quality"] == max(value for _, value in best)
