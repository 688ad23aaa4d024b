"""The worst cases stay linear, by counters of work and not by clocks: one key in all documents, one cluster of a million."""

import numpy as np
import pyarrow as pa
import pytest
from numba import njit

from bench.signatures import BANDS, ONE_CHAIN, ONE_KEY, SHARD, keys
from pipeline.cluster.clusters import band_pairs
from pipeline.decide.survivors import CANDIDATES, best_members
from pipeline.kernels.dedup.jaccard import union_verified
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


def test_a_key_of_all_is_not_verified_pair_by_pair():
    """Above the limit a group joins without a comparison: sets that have nothing in common are together all the same."""
    count = 200_000
    left, right = equal_pairs(np.full(count, 7, np.uint64), NONE, np.ones(count, bool), 0)
    standing, values = np.arange(count), np.arange(count, dtype=np.uint32)
    starts = np.arange(count + 1)
    parent = np.arange(count)
    assert union_verified(parent, left, right, standing, starts, values, 0.5, 64) == count - 1
    few = np.arange(64)
    assert union_verified(few, left[:63], right[:63], standing, starts, values, 0.5, 64) == 0, (
        "up to it, all are compared"
    )


def test_one_survivor_of_a_million():
    """Ten shards, all in one cluster: each gives one candidate, so the table over all shards stays small."""
    rng, rows = np.random.default_rng(5), MILLION // 10
    best = []
    for shard in range(10):
        fixed = {"cluster": 7, "indexed": False, "priority": 0, "length": 1, "date": "", "shard": str(shard)}
        columns = {name: pa.repeat(value, rows) for name, value in fixed.items()}
        columns |= {"quality": pa.array(rng.random(rows)), "row": pa.array(np.arange(rows))}
        columns["id"] = columns["row"].cast(pa.string())
        missing = {name: pa.nulls(rows) for name in CANDIDATES.names if name not in columns}
        table = pa.table(columns | missing).select(CANDIDATES.names).cast(CANDIDATES)
        best.append((best_members(table), np.max(columns["quality"].to_numpy())))
    assert [len(found) for found, _ in best] == [1] * 10
    (survivor,) = best_members(pa.concat_tables([found for found, _ in best])).to_pylist()
    assert survivor["quality"] == max(value for _, value in best)
