"""Recall and precision of near-duplicate search: planted pairs, known duplicates, and the theoretical S-curve.

The same as `python -m bench dedup_quality`, smaller.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.dedup_quality import hits, joined_falsely
from bench.known import articles, bbc
from bench.near import ours, together
from bench.planted import expected_missed, hit_probability, jaccard, pairs, strangers

real = pytest.mark.skipif("CORPORA" not in os.environ, reason="set CORPORA to the folder of corpora")


@real
@pytest.mark.parametrize("size", [100, 1000, 2500])
def test_planted_plagiarised_articles(tmp_path: Path, size: int):
    """Every planted pair is found; what else is found is alike too."""
    known = articles(size)
    found = together(ours(known.texts, tmp_path))
    assert known.pairs <= found
    unplanted = found - known.pairs
    assert unplanted <= known.similarity.keys()
    assert len(unplanted) <= size // 100


@real
def test_bbc_duplicates(tmp_path: Path):
    """All of BBC's exact duplicates, nearly all pairs that are very alike, and few pairs that are not alike."""
    known = bbc()
    assert len(known.pairs) > 80
    assert together(ours(known.texts, tmp_path, column="exact_cluster")) == known.pairs
    found = together(ours(known.texts, tmp_path))
    assert known.pairs <= found
    assert len(found & known.similarity.keys()) >= 0.97 * len(found)
    very = {pair: value for pair, value in known.similarity.items() if value >= 0.8}
    expected, _, most = expected_missed(np.array(list(very.values())), 14, 8)
    assert len(very.keys() - found) <= most + 1, expected


@real
def test_verified_pairs_are_alike(tmp_path: Path):
    """With a bound every pair that is linked is alike; only a chain puts less alike documents into one cluster."""
    known = bbc()
    found = together(ours(known.texts, tmp_path, min_similarity=0.8))
    alike = {pair for pair, value in known.similarity.items() if value >= 0.8}
    assert known.pairs <= found
    assert len(found - alike) <= 0.02 * len(found)


@pytest.mark.parametrize("bands", [(14, 8), (26, 11)])
def test_candidates_follow_the_s_curve(tmp_path: Path, bands: tuple[int, int]):
    """In every range of similarity as many pairs are found as theory says, within four standard deviations."""
    planted = pairs(3000, seed=7, words=(60, 240), edits=(1, 9))
    found = hits(ours(planted.texts, tmp_path, bands=bands[0], rows=bands[1]), 3000)
    theory = hit_probability(planted.similarity, *bands)
    for low, high in ((0.3, 0.5), (0.5, 0.65), (0.65, 0.75), (0.75, 0.85), (0.85, 1.0)):
        chosen = (planted.similarity >= low) & (planted.similarity < high)
        assert chosen.sum() > 100
        spread = np.sqrt((theory[chosen] * (1 - theory[chosen])).sum())
        assert abs(found[chosen].sum() - theory[chosen].sum()) <= 4 * spread + 1, (low, high)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_planted_similarity_is_what_it_says(seed: int, count: int):
    """The truth of the evaluation itself: of the texts as they are, and 1 only for equal ones."""
    planted = pairs(count, seed, words=(6, 30), edits=(1, 3))
    for at, value in enumerate(planted.similarity):
        one, other = planted.texts[2 * at].split(), planted.texts[2 * at + 1].split()
        assert value == jaccard(one, other)
        assert len(one) == len(other)
        assert 1 <= sum(a != b for a, b in zip(one, other, strict=True)) <= 3 or value == 1


def test_false_joins_are_counted():
    """Pairs (0, 1) and (2, 3) are planted; 4 and 5 are strangers."""
    assert joined_falsely(np.array([7, 7, 9, 9, -1, -1]), 2) == 0
    assert joined_falsely(np.array([7, 7, 7, 7, -1, -1]), 2) == 1
    assert joined_falsely(np.array([7, 7, -1, -1, 3, 3]), 2) == 1
    assert hits(np.array([7, 7, -1, -1, 3, 3]), 2).tolist() == [True, False]


def test_no_more_planted_copies_missed_than_theory_says(tmp_path: Path):
    """2,000 near-copies among 20,000 documents."""
    planted = pairs(2000, seed=11)
    labels = ours(planted.texts + strangers(16_000, seed=12, words=40), tmp_path)
    assert (2000 - hits(labels, 2000).sum()) <= expected_missed(planted.similarity, 14, 8)[2]
    assert joined_falsely(labels, 2000) == 0


@pytest.mark.slow
def test_no_more_planted_copies_missed_than_theory_says_at_200000(tmp_path: Path):
    """20,000 near-copies of known similarity among 200,000 documents."""
    planted = pairs(20_000, seed=1)
    labels = ours(planted.texts + strangers(160_000, seed=2), tmp_path)
    assert (20_000 - hits(labels, 20_000).sum()) <= expected_missed(planted.similarity, 14, 8)[2]
    assert joined_falsely(labels, 20_000) == 0
