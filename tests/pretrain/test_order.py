"""The order of samples: exact shares at every step, permutations, a pure function of (seed, k)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.handoff.order import BLOCK, SHARE_UNIT, Turns, integer_shares, keys, permute


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=8), st.integers(0, 3 * BLOCK))
@settings(max_examples=30, deadline=None)
def test_every_source_has_its_share_to_within_one_sample(parts, k):
    total = sum(parts)
    turns = Turns([p / total for p in parts])
    for at in (k, k % 1000):
        counts = turns.counts(at)
        assert sum(counts) == at
        shares = integer_shares([p / total for p in parts]) / SHARE_UNIT
        assert np.all(np.abs(shares * at - counts) < 1)


def test_every_step_of_a_run_holds_the_mix():
    weights = [0.51 * 0.7, 0.51 * 0.3, 0.49 * 0.5, 0.49 * 0.25, 0.49 * 0.25]
    turns = Turns(weights)
    counts = np.zeros(len(weights))
    for k in range(5000):
        source, ordinal = turns(k)
        assert ordinal == counts[source]
        counts[source] += 1
        worst = np.abs(counts - np.array(weights) * (k + 1)).max()
        assert worst < 1  # one sample; and so 0.1 points from the thousandth sample on


def test_any_order_of_asking_gives_the_same_samples():
    weights = [0.51, 0.3, 0.19]
    forward = [Turns(weights)(k) for k in range(0, 2 * BLOCK + 5, 977)]
    turns = Turns(weights)
    backward = [turns(k) for k in reversed(range(0, 2 * BLOCK + 5, 977))]
    assert forward == backward[::-1]


@given(st.integers(1, 3000), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_permutation_is_one(size, seed):
    seen = [permute(i, size, keys(seed)) for i in range(size)]
    assert sorted(seen) == list(range(size))


def test_permutation_mixes_and_changes_with_the_epoch():
    size = 100_003
    first = np.array([permute(i, size, keys(7, "wiki", 0)) for i in range(size)])
    second = np.array([permute(i, size, keys(7, "wiki", 1)) for i in range(size)])
    assert abs(np.corrcoef(np.arange(size), first)[0, 1]) < 0.02
    assert (first == second).mean() < 0.001


def test_zero_weight_is_never_drawn():
    turns = Turns([0.5, 0.0, 0.5])
    assert turns.counts(1001)[1] == 0


@pytest.mark.parametrize("weights", [[1.0], [1e-9, 1 - 1e-9], [1 / 3] * 3])
def test_shares_are_exact(weights):
    assert integer_shares(weights).sum() == SHARE_UNIT
