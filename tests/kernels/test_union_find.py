"""Pairs of equal keys and their unions against dictionaries."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.dedup.union_find import equal_pairs, flatten, least_by_root, union

NONE = np.empty(0, np.uint64)
keys_of = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=40)


@settings(deadline=None)
@given(keys_of, st.booleans(), st.integers(0, 2**32), st.integers(0, 1000))
def test_every_record_is_paired_with_the_first_of_its_key(keys: list[int], wide: bool, seed: int, first_id: int):
    rng = np.random.default_rng(seed)
    high = rng.integers(0, 2, len(keys), dtype=np.uint64) if wide else NONE
    valid = rng.random(len(keys)) > 0.2
    left, right = equal_pairs(np.array(keys, np.uint64), high, valid, first_id)
    first: dict[tuple, int] = {}
    expected = set()
    for i, key in enumerate(keys):
        if valid[i]:
            whole = (key, int(high[i]) if wide else 0)
            if whole in first:
                expected.add((first[whole], first_id + i))
            first.setdefault(whole, first_id + i)
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == expected
    assert len(left) == len(expected)


def test_pairs_of_many_records_with_few_and_with_many_keys():
    rng = np.random.default_rng(0)
    for distinct in (1, 1000, 10**6):
        keys = rng.integers(0, 2**64, distinct, dtype=np.uint64)[rng.integers(0, distinct, 300_000)]
        left, right = equal_pairs(keys, NONE, np.ones(len(keys), bool), 0)
        assert len(left) == len(keys) - len(np.unique(keys))
        assert (keys[left] == keys[right]).all()
        assert (left < right).all()


@settings(deadline=None)
@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_union_is_the_partition_whatever_the_order(count: int, edges: list[tuple[int, int]], random):
    edges = [(a % count, b % count) for a, b in edges]
    groups = [{i} for i in range(count)]
    for a, b in edges:
        if groups[a] is not groups[b]:
            groups[a] |= groups[b]
            for member in groups[b]:
                groups[member] = groups[a]
    for _ in range(2):
        random.shuffle(edges)
        parent = np.arange(count)
        joined = union(parent, np.array([a for a, _ in edges], np.int64), np.array([b for _, b in edges], np.int64))
        flatten(parent)
        assert parent.tolist() == [min(group) for group in groups]
        assert joined == count - len({id(group) for group in groups})
        keys = np.array([(7 * i + 3) % 31 for i in range(count)], np.uint64)
        least, sizes = least_by_root(parent, keys)
        assert least[parent].tolist() == [min(int(keys[m]) for m in group) for group in groups]
        assert sizes[parent].tolist() == [len(group) for group in groups]
