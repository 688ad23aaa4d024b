"""Recall and precision of near-duplicate search: planted pairs, known duplicates, and the theoretical S-curve."""

import io
import json
import os
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from pipeline.cluster.clusters import SignalShard, cluster
from pipeline.cluster.settings import ClusterSettings
from pipeline.kernels.rows import column_rows
from pipeline.measure.exact import ExactSettings, exact
from pipeline.measure.minhash import MinHashSettings, minhash

real = pytest.mark.skipif("CORPORA" not in os.environ, reason="set CORPORA to the folder of corpora")


def unpack(name: str) -> io.BufferedIOBase:
    path = Path(os.environ["CORPORA"]) / name
    return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb"))


def signals(texts: list[str]) -> pa.RecordBatch:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "url": pa.nulls(len(texts), pa.string())})
    columns = [exact.run(batch, ExactSettings()), minhash.run(batch, MinHashSettings())]
    return pa.record_batch({name: part[name] for part in columns for name in part.schema.names})


def near_pairs(texts: list[str], work: Path, column: str = "near_cluster") -> set[tuple[int, int]]:
    """All pairs of documents in one cluster."""
    batch = signals(texts)
    shard = SignalShard("all", len(texts), lambda: iter([batch]))
    ((_, table),) = cluster([shard], ClusterSettings(), work)
    members = defaultdict(list)
    for row, label in enumerate(table[column].to_pylist()):
        if label is not None:
            members[label].append(row)
    return {(a, b) for group in members.values() for i, a in enumerate(group) for b in group[i + 1 :]}


def jaccard(one: str, other: str) -> float:
    """Of the sets of word 5-grams."""
    a, b = (
        {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
        for words in ("".join(c if c.isalnum() else " " for c in text.lower()).split() for text in (one, other))
    )
    return len(a & b) / max(len(a | b), 1)


@real
@pytest.mark.parametrize("size", [100, 1000, 2500])
def test_planted_plagiarised_articles(tmp_path: Path, size: int):
    """Every planted pair is found; what else is found is alike too."""
    files = {}
    with tarfile.open(fileobj=unpack("filters/neardup_articles_truth.tar.zst"), mode="r|") as archive:
        for entry in archive:
            handle = archive.extractfile(entry)
            files[entry.name.rpartition("/")[2]] = handle.read().decode() if handle else ""
    rows = [line.partition(" ")[::2] for line in files[f"articles_{size}.train"].splitlines()]
    place = {name: row for row, (name, _) in enumerate(rows)}
    truth = {
        tuple(sorted(place[name] for name in line.split())) for line in files[f"articles_{size}.truth"].splitlines()
    }
    found = near_pairs([text for _, text in rows], tmp_path)
    assert truth <= found
    unplanted = found - truth
    assert all(jaccard(rows[a][1], rows[b][1]) > 0.5 for a, b in unplanted)
    assert len(unplanted) <= size // 100


@real
def test_bbc_duplicates(tmp_path: Path):
    """All of BBC's exact duplicates, and no pair that is not alike."""
    texts = [json.loads(line)["text"] for line in unpack("general/bbc_news.jsonl.zst").read().splitlines()]
    same = defaultdict(list)
    for row, text in enumerate(texts):
        same[" ".join(text.split())].append(row)
    expected = {(a, b) for rows in same.values() for i, a in enumerate(rows) for b in rows[i + 1 :]}
    assert len(expected) > 80
    assert near_pairs(texts, tmp_path, "exact_cluster") == expected
    found = near_pairs(texts, tmp_path)
    assert expected <= found
    assert sum(jaccard(texts[a], texts[b]) > 0.5 for a, b in found) >= 0.97 * len(found)


def planted(similarity: float, pairs: int, seed: int) -> list[str]:
    """Pairs of 300 words of which the 5-grams have about this Jaccard similarity: words replaced at the end."""
    rng = np.random.default_rng(seed)
    shared = round(300 * 2 * similarity / (1 + similarity))
    texts = []
    for pair in range(pairs):
        words = [f"w{word}" for word in rng.integers(0, 10**6, 304)]
        other = words[: shared + 4] + [f"x{pair}y{i}" for i in range(300 - shared)]
        texts += [" ".join(words), " ".join(other)]
    return texts


@pytest.mark.parametrize("similarity", [0.5, 0.65, 0.75, 0.8, 0.9])
def test_candidates_follow_the_s_curve(similarity: float):
    texts = planted(similarity, 1500, int(similarity * 100))
    keys, _ = column_rows(signals(texts)["bands"], np.uint64)
    hit = (keys[::2] == keys[1::2]).any(axis=1).mean()
    actual = jaccard(texts[0], texts[1])
    theory = 1 - (1 - actual**8) ** 14
    assert abs(actual - similarity) < 0.01
    assert abs(hit - theory) < 4 * np.sqrt(theory * (1 - theory) / 1500) + 0.002


@pytest.mark.slow
def test_no_more_planted_copies_missed_than_theory_says_at_200000(tmp_path: Path):
    """20,000 near-copies of known similarity among 200,000 documents."""
    texts, expected = [], 0.0
    for step, similarity in enumerate(np.linspace(0.75, 0.98, 20)):
        found = planted(float(similarity), 1000, step)
        texts += found
        expected += 1000 * (1 - jaccard(found[0], found[1]) ** 8) ** 14
    rng = np.random.default_rng(99)
    texts += [" ".join(f"w{word}" for word in rng.integers(0, 10**6, 60)) for _ in range(200_000 - len(texts))]
    found = near_pairs(texts, tmp_path)
    planted_pairs = {(i, i + 1) for i in range(0, 40_000, 2)}
    missed = len(planted_pairs - found)
    assert missed <= expected + 3 * np.sqrt(expected)
    assert found <= planted_pairs
