"""Verification by true Jaccard similarity: what it lets join, and its laws."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cluster_step import cluster_shards, commit_shard, labels_of, signals_of
from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.index_file import INDEX, IndexFile
from pipeline.core.store import Store
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.jaccard import jaccard, shingle_sets
from pipeline.kernels.dedup.minhash import word_table
from pipeline.measure.judges.minhash import MinHashSettings

LOOSE = MinHashSettings(ngram=1, bands=30, rows=1)
"""So loose that almost every pair is a candidate: verification does all the work."""


def run(
    parts: dict[str, list[str]], folder: Path, indexes: Sequence[IndexFile] = (), **config: float
) -> list[frozenset[int]]:
    """The cluster of every document of the shards given as name -> texts, then of the indexes."""
    store, shards = Store(str(folder)), {}
    for name, texts in parts.items():
        column = pa.array(texts, pa.large_string())
        shards[name] = commit_shard(store, name, [signals_of(column, LOOSE)], column)
    chosen = ClusterSettings.model_validate(config)
    labels = labels_of(cluster_shards(store, shards, chosen, LOOSE.bands, LOOSE, indexes)).tolist()
    alone = [f"alone {i}" if label < 0 else label for i, label in enumerate(labels)]
    return [frozenset(j for j, other in enumerate(alone) if other == label) for label in alone]


def index_of(texts: list[str], folder: Path) -> IndexFile:
    """An earlier run's index of these texts: hashes and band keys, no text."""
    signals, nulls = signals_of(pa.array(texts, pa.large_string()), LOOSE), pa.nulls(len(texts))
    columns = [signals[f.name] if f.name in signals.schema.names else nulls for f in INDEX]
    table = pa.table([column.cast(f.type) for column, f in zip(columns, INDEX, strict=True)], schema=INDEX)
    info = Store(str(folder)).put_table("index/a.parquet", [table], INDEX)
    return IndexFile("index/a", str(folder), info.path, len(texts), info.sha256)


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
    shards = {"a": texts[:cut], "b": texts[cut:]}
    assert run(shards, tmp_path_factory.mktemp("w"), verify_jaccard=bound) == by_hand(texts, bound)


def test_groups_above_the_limit_join_as_they_are(tmp_path: Path):
    texts = [f"shared {' '.join(f'w{i}n{j}' for j in range(5))}" for i in range(40)]
    strict = run({"a": texts}, tmp_path, verify_jaccard=0.9)
    assert {len(group) for group in strict} == {1}
    limited = run({"a": texts}, tmp_path, verify_jaccard=0.9, verify_limit=2)
    assert max(len(group) for group in limited) > 10


def test_a_document_of_an_index_joins_unverified(tmp_path: Path):
    """Its text is in another run's folder and may be gone, so a shared key is enough."""
    first, second = ["a b c d"], ["a b c e"]
    assert run({"b": second, "a": first}, tmp_path, verify_jaccard=0.9) == [{0}, {1}]
    index = index_of(first, tmp_path / "earlier")
    assert run({"b": second}, tmp_path, [index], verify_jaccard=0.9) == [{0, 1}, {0, 1}]


@settings(deadline=None)
@given(words, words)
def test_jaccard_kernel(one: str, other: str):
    offsets, data = text_buffers(pa.array([one, other], pa.large_string()))
    sizes, values = shingle_sets(offsets, data, np.ones(2, bool), word_table(), False, 1, 1)
    a, b = set(one.split()), set(other.split())
    assert sizes.tolist() == [len(a), len(b)]
    expected = len(a & b) / len(a | b) if a | b else 0.0
    assert jaccard(values[: sizes[0]], values[sizes[0] :]) == pytest.approx(expected)
