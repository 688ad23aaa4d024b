"""Clusters against brute force, and the laws: layout, order, idempotence, monotony."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cluster_step import cluster_shards, commit_shard
from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.clusters import label
from pipeline.core.store import Store
from pipeline.kernels.rows import bytes_column
from tests.decide.test_survivors import pick

BANDS = 3
CHAINS = ClusterSettings(min_similarity=None)
"""Every chain of shared band keys is a cluster: keys without texts."""


def batches(text: np.ndarray, bands: np.ndarray, valid: np.ndarray, rows: int = 3) -> list[pa.RecordBatch]:
    batch = pa.record_batch(
        {
            "text_hash": bytes_column(text, valid, fixed=True),
            "bands": bytes_column(bands, valid & (bands[:, 0] % 5 != 0)),  # some documents have no shingle
        }
    )
    return [batch.slice(start, rows) for start in range(0, len(text), rows)]


def run(parts: list[tuple], folder: Path, config: ClusterSettings | None = None) -> pa.Table:
    """Cluster shards given as (name, text, bands, valid) and concatenate the result."""
    store = Store(str(folder))
    shards = {name: commit_shard(store, name, batches(*keys)) for name, *keys in parts}
    tables = cluster_shards(store, shards, config or CHAINS, BANDS)
    assert list(tables) == [part[0] for part in parts]
    return pa.concat_tables(tables.values())


def brute_force(text: np.ndarray, bands: np.ndarray, valid: np.ndarray, near: bool) -> list[frozenset[int]]:
    """Connected components by comparing every pair; the component of every document."""
    groups = [{i} for i in range(len(text))]
    for i in range(len(text)):
        for j in range(i):
            same = valid[i] and valid[j] and (text[i] == text[j]).all()
            has_bands = valid[i] and valid[j] and bands[i, 0] % 5 and bands[j, 0] % 5
            same |= bool(near and has_bands and (bands[i] == bands[j]).any())
            if same and groups[i] is not groups[j]:
                groups[i] |= groups[j]
                for member in groups[j]:
                    groups[member] = groups[i]
    return [frozenset(group) for group in groups]


def components(labels: list[int | None]) -> list[frozenset[int]]:
    by_label: dict[object, list[int]] = {}
    for i, found in enumerate(labels):
        by_label.setdefault(("alone", i) if found is None else found, []).append(i)
    return [frozenset(by_label[("alone", i) if found is None else found]) for i, found in enumerate(labels)]


@st.composite
def corpora(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys of up to 30 documents drawn from so few values that clusters form and chain; some share only a half hash."""
    count = draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = np.random.default_rng(7).integers(0, 2**64, 64, dtype=np.uint64)
    text = spread[rng.integers(0, max(2 * count, 1), (count, 2)) % 64]
    text[:, 1] = spread[rng.integers(0, 2, count)]
    bands = spread[rng.integers(0, max(3 * count, 1), (count, BANDS)) % 64] + np.arange(BANDS, dtype=np.uint64)
    return text, bands, rng.random(count) > 0.1


@settings(deadline=None, max_examples=25)
@given(corpora())
def test_partition_equals_brute_force(tmp_path_factory: pytest.TempPathFactory, corpus: tuple):
    text, bands, valid = corpus
    found = run([("a", text, bands, valid)], tmp_path_factory.mktemp("w"))
    near = brute_force(text, bands, valid, near=True)
    assert components(found["near_cluster"].to_pylist()) == near
    assert components(found["exact_cluster"].to_pylist()) == brute_force(text, bands, valid, near=False)
    sizes = [len(group) if ok else None for group, ok in zip(near, valid, strict=True)]
    assert found["cluster_size"].to_pylist() == sizes


@settings(deadline=None, max_examples=15)
@given(corpora(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_labels_do_not_depend_on_layout_or_order(tmp_path_factory, corpus: tuple, random, pieces: int):
    text, bands, valid = corpus
    whole = run([("a", text, bands, valid)], tmp_path_factory.mktemp("w"))
    order = list(range(len(text)))
    random.shuffle(order)
    parts = [
        (f"s{i}", text[rows], bands[rows], valid[rows])
        for i, rows in enumerate(np.array_split(np.array(order, np.int64), pieces))
    ]
    split = run(parts, tmp_path_factory.mktemp("w"))
    back = split.combine_chunks().take(pa.array(np.argsort(order)))
    assert back.drop_columns("node").equals(whole.drop_columns("node").combine_chunks())


def test_one_key_shared_by_all_and_one_chain(tmp_path: Path):
    count = 200_000
    rng = np.random.default_rng(1)
    text = rng.integers(0, 2**64, (count, 2), dtype=np.uint64)
    bands = rng.integers(0, 2**64, (count, BANDS), dtype=np.uint64) // np.uint64(5) * np.uint64(5) + np.uint64(1)
    bands[:, 1] = 12345
    found = run([("a", text, bands, np.ones(count, bool), count)], tmp_path)
    assert found["cluster_size"].unique().to_pylist() == [count]
    bands[:, 1] = bands[:, 0]
    bands[1:, 0] = bands[:-1, 1]  # every document meets only its neighbour
    bands[:, 1], bands[:, 2] = np.roll(bands[:, 0], -1), rng.permutation(count).astype(np.uint64) * np.uint64(5)
    bands[:, 0] = np.repeat(bands[: count // 2, 0], 2)
    bands[:, 1] = np.roll(np.repeat(bands[: count // 2, 1], 2), 1)
    assert run([("a", text, bands, np.ones(count, bool), count)], tmp_path)["cluster_size"][0].as_py() == count


def test_clusters_of_one_key_keep_their_own_labels():
    parent = np.array([0, 0, 2, 2, 4, 4, 6])
    labels, sizes = label(parent, np.array([5, 9, 5, 7, 6, 6, 1], np.uint64))
    assert labels.tolist() == [5, 5, 6, 6, 7, 7, -1]
    assert sizes.tolist() == [2, 2, 2, 2, 2, 2, 1]


def test_url_edges_only_on_request(tmp_path: Path):
    hashes = np.arange(8, dtype=np.uint64).reshape(4, 2)
    urls = np.array([[1, 1], [2, 2], [1, 1], [3, 3]], np.uint64)
    batch = pa.record_batch(
        {
            "text_hash": bytes_column(hashes, np.ones(4, bool), fixed=True),
            "url_hash": bytes_column(urls, np.array([True, True, True, False]), fixed=True),
        }
    )
    store = Store(str(tmp_path))
    shards = {"a": commit_shard(store, "a", [batch])}
    without, joined = [
        cluster_shards(store, shards, ClusterSettings(near=False, url=url), 0)["a"] for url in (False, True)
    ]
    assert without["cluster_size"].to_pylist() == [1, 1, 1, 1]
    assert joined["cluster_size"].to_pylist() == [2, 1, 2, 1]
    assert joined["exact_cluster"].to_pylist() == [None] * 4


@settings(deadline=None, max_examples=15)
@given(corpora(), st.integers(0, 2**32))
def test_adding_a_document_never_brings_a_removed_one_back(tmp_path_factory, corpus: tuple, seed: int):
    """From keys to survivors: whoever lost to a better document still loses when one more arrives."""
    text, bands, valid = corpus
    rng = np.random.default_rng(seed)
    quality, passing = rng.integers(0, 3, len(text)).astype(float), valid & (rng.random(len(text)) > 0.2)

    def removed(count: int) -> set[int]:
        table = run([("a", text[:count], bands[:count], valid[:count])], tmp_path_factory.mktemp("w"))
        labels = table["near_cluster"].fill_null(-1).to_pylist()
        found = pick(
            [
                {"node": label, "passing": bool(fine), "quality": score}
                for label, fine, score in zip(labels, passing, quality.tolist(), strict=False)
            ]
        )
        return {i for i, survivor in enumerate(found) if survivor >= 0 and survivor != i}

    if len(text):
        assert removed(len(text) - 1) <= removed(len(text))


@settings(deadline=None, max_examples=15)
@given(corpora())
def test_a_second_pass_finds_no_cluster(tmp_path_factory, corpus: tuple):
    text, bands, valid = corpus
    labels = run([("a", text, bands, valid)], tmp_path_factory.mktemp("w"))["near_cluster"].to_pylist()
    first = [i for i, label in enumerate(labels) if label is None or labels.index(label) == i]
    again = run([("a", text[first], bands[first], valid[first])], tmp_path_factory.mktemp("w"))
    assert again["near_cluster"].null_count == len(first)


@pytest.mark.slow
def test_a_cluster_of_a_million_members_and_a_key_shared_by_all_stay_within_80_bytes_a_document(tmp_path: Path):
    """What NumPy holds beyond a tenth of the documents; the steps of both cases are counted in test_bounds.py."""
    peaks = []
    for count in (100_000, 1_000_000):
        rng = np.random.default_rng(1)
        text = rng.integers(0, 2**64, (count, 2), dtype=np.uint64)
        bands = rng.integers(0, 2**64, (count, BANDS), dtype=np.uint64) // np.uint64(5) * np.uint64(5) + np.uint64(1)
        bands[:, 1] = 12345
        store = Store(str(tmp_path / str(count)))
        shards = {"a": commit_shard(store, "a", batches(text, bands, np.ones(count, bool), 50_000))}
        del text, bands
        tracemalloc.start()
        table = cluster_shards(store, shards, CHAINS, BANDS)["a"]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert table["cluster_size"].unique().to_pylist() == [count]
    assert (peaks[1] - peaks[0]) / 900_000 < 80
