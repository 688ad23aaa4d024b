"""Verification by true Jaccard similarity: what it lets join, and its laws."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.clusters import SignalShard, cluster
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.jaccard import jaccard, shingle_sets
from pipeline.kernels.dedup.minhash import word_table
from pipeline.measure.judges.exact import ExactSettings, exact
from pipeline.measure.judges.minhash import MinHashSettings, minhash

LOOSE = MinHashSettings(ngram=1, bands=30, rows=1)
"""So loose that almost every pair is a candidate: verification does all the work."""


def shard(name: str, texts: list[str]) -> SignalShard:
    column = pa.array(texts, pa.large_string())
    batch = pa.record_batch({"text": column, "url": pa.nulls(len(texts), pa.string())})
    parts = [exact.run(batch, ExactSettings()), minhash.run(batch, LOOSE)]
    signals = pa.record_batch({name: part[name] for part in parts for name in part.schema.names})
    return SignalShard(name, len(texts), lambda: iter([signals]), lambda: iter([column.slice(0, 3), column.slice(3)]))


def run(shards: list[SignalShard], work: Path, **config: float) -> list[frozenset[int]]:
    tables = list(cluster(shards, ClusterSettings.model_validate(config), work, LOOSE))
    labels = pa.concat_tables([table for _, table in tables])["near_cluster"].to_pylist()
    assert not list(work.glob("*"))
    alone = [f"alone {i}" if label is None else label for i, label in enumerate(labels)]
    return [frozenset(j for j, other in enumerate(alone) if other == label) for label in alone]


def by_hand(texts: list[str], bound: float) -> list[frozenset[int]]:
    sets = [set(text.split()) for text in texts]
    groups = [{i} for i in range(len(texts))]
    for i in range(len(texts)):
        for j in range(i):
            both = sets[i] | sets[j]
            same = " ".join(texts[i].split()) == " ".join(texts[j].split()) and bool(both)
            alike = bool(sets[i] and sets[j]) and len(sets[i] & sets[j]) / len(both) >= bound
            if (same or alike) and groups[i] is not groups[j]:
                groups[i] |= groups[j]
                for member in groups[j]:
                    groups[member] = groups[i]
    return [frozenset(group) for group in groups]


words = st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(words, max_size=9), st.sampled_from([0.5, 0.75, 1.0]), st.integers(0, 9))
def test_candidates_join_when_alike_enough(tmp_path_factory, texts: list[str], bound: float, cut: int):
    """Sets this alike share one of 30 single rows but once in 10**9, so candidates are no limit here."""
    shards = [shard("a", texts[:cut]), shard("b", texts[cut:])]
    assert run(shards, tmp_path_factory.mktemp("w"), verify_jaccard=bound) == by_hand(texts, bound)


def test_groups_above_the_limit_join_as_they_are(tmp_path: Path):
    texts = [f"shared {' '.join(f'w{i}n{j}' for j in range(5))}" for i in range(40)]
    strict = run([shard("a", texts)], tmp_path, verify_jaccard=0.9)
    assert {len(group) for group in strict} == {1}
    limited = run([shard("a", texts)], tmp_path, verify_jaccard=0.9, verify_limit=2)
    assert max(len(group) for group in limited) > 10


def test_a_shard_without_texts_joins_unverified(tmp_path: Path):
    first, second = shard("a", ["a b c d"]), shard("b", ["a b c e"])
    known = run([first, second], tmp_path, verify_jaccard=0.9)
    assert known == [{0}, {1}]
    unknown = SignalShard("a", 1, first.read)
    assert run([unknown, second], tmp_path, verify_jaccard=0.9) == [{0, 1}, {0, 1}]


@settings(deadline=None)
@given(words, words)
def test_jaccard_kernel(one: str, other: str):
    offsets, data = text_buffers(pa.array([one, other], pa.large_string()))
    sizes, values = shingle_sets(offsets, data, np.ones(2, bool), word_table(), False, 1, 1)
    a, b = set(one.split()), set(other.split())
    assert sizes.tolist() == [len(a), len(b)]
    expected = len(a & b) / len(a | b) if a | b else 0.0
    assert jaccard(values[: sizes[0]], values[sizes[0] :]) == pytest.approx(expected)
