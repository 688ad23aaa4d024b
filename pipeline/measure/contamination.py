"""Benchmark items in training text: removed or cut, and listed with what they matched.

Every text field of the given files is an item. Its word n-grams are weighted by rarity (one over the number of items that
hold them), so that the frame "which of the following" counts for nothing. A document holds an item when one window of it,
at most twice as long as the item, holds enough of the item's weight: exact, reformatted and lightly edited copies do.
"""

import csv
import functools
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.errors import UsageError
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.overlap import best_windows, gram_hashes, look_up
from pipeline.kernels.terms import WORD_LOWER


class Contamination(JudgeSettings):
    """Overlap with benchmark items, by word n-grams weighted by rarity."""

    files: list[str] = Field(default=[], description="JSONL, JSON, CSV, TSV or text files of benchmark items")
    ngram: int = Field(default=5, ge=3, le=20, description="words of an n-gram")
    min_words: int = Field(default=13, ge=3, description="shorter fields are no items: they occur by chance")
    min_overlap: float = Field(default=0.4, gt=0, le=1, description="share of an item's weight that makes a span")
    max_score: Threshold = Field(default=None, description="remove when an item's share is higher")


MAX_ITEMS = 20
"""An n-gram of more items than this is a frame of the benchmark and says nothing."""


@dataclass(frozen=True)
class Index:
    """Sorted gram hashes, their items (CSR), and each item's name, words and weight."""

    grams: np.ndarray
    filled: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    gram_weights: np.ndarray
    item_weights: np.ndarray
    item_words: np.ndarray
    names: list[str]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _strings(entry)


def read_items(path: str) -> list[str]:
    """Text fields of a benchmark file, by its ending. Raises UsageError when it cannot be read."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"benchmark file {path}: {error.strerror}") from error
    text, ending = raw.decode("utf-8", "replace"), Path(path).suffix.lower()
    try:
        if ending in (".jsonl", ".ndjson"):
            return [field for line in text.splitlines() if line.strip() for field in _strings(json.loads(line))]
        if ending == ".json":
            return list(_strings(json.loads(text)))
    except json.JSONDecodeError as error:
        raise UsageError(f"benchmark file {path}: {error}") from error
    if ending in (".csv", ".tsv"):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if ending == ".tsv" else ",")
        return [cell for row in rows for cell in row]
    return text.splitlines()


@functools.lru_cache(maxsize=4)
def build_index(files: tuple[str, ...], ngram: int, min_words: int) -> Index:
    """The index of the items of some files; the same item in two places is one."""
    items: dict[str, str] = {}
    for path in files:
        for at, text in enumerate(read_items(path)):
            items.setdefault(" ".join(text.split()), f"{Path(path).name}#{at}")
    offsets, data = text_buffers(pa.array(list(items), pa.large_string()))
    hashes, rows, words = gram_hashes(offsets, data, WORD_LOWER, ngram)
    long = words[rows] >= max(min_words, ngram)
    hashes, rows = hashes[long], rows[long]
    order = np.lexsort((rows, hashes))
    hashes, rows = hashes[order], rows[order]
    first = np.append(True, (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1]))[: len(hashes)]
    hashes, rows = hashes[first], rows[first]
    _, place, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rare = counts[place] <= MAX_ITEMS
    hashes, owners = hashes[rare], rows[rare]
    grams, starts, counts = np.unique(hashes, return_index=True, return_counts=True)
    size = 1 << max(10, int(4 * len(grams)).bit_length())
    filled = np.zeros(size, np.bool_)
    filled[(grams & np.uint64(size - 1)).astype(np.int64)] = True
    gram_weights = 1.0 / counts
    item_weights = np.bincount(owners, weights=np.repeat(gram_weights, counts), minlength=len(items))
    return Index(
        grams, filled, np.append(starts, len(owners)), owners, gram_weights, item_weights, words, list(items.values())
    )


def files_sha256(settings: Contamination) -> str | None:
    """One hash over the benchmark files' bytes: a changed benchmark is measured again."""
    if not settings.files:
        return None
    joined = "".join(hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in settings.files)
    return hashlib.sha256(joined.encode()).hexdigest()


def overlaps(
    text: pa.Array, index: Index, ngram: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row, item, share of the item's weight, first and last byte, for every document and item that touch."""
    offsets, data = text_buffers(text)
    rows, places, which, firsts, lasts = look_up(offsets, data, WORD_LOWER, ngram, index.grams, index.filled)
    counts = np.diff(index.starts)[which]
    match = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(match)) - np.repeat(np.cumsum(counts) - counts, counts)
    item = index.items[index.starts[which[match]] + within]
    order = np.lexsort((places[match], item, rows[match]))
    match, item = match[order], item[order]
    group = rows[match] * max(len(index.names), 1) + item
    weight = index.gram_weights[which[match]]
    best, begin, end = best_windows(group, places[match], weight, 2 * index.item_words[item])
    share = np.minimum(best / index.item_weights[item[begin]], 1.0)
    return rows[match[begin]], item[begin], share, firsts[match[begin]], lasts[match[end]]


@judge(
    "contamination",
    version=1,
    settings=Contamination,
    reads=["text"],
    adds={"score": pa.float32(), "items": pa.list_(pa.string()), "spans": SPANS},
    weights=files_sha256,
    cuts={"spans": "cut"},
)
def contamination(batch: pa.RecordBatch, settings: Contamination) -> Columns:
    """`score`: the largest share of any item; `items`: names of those above `min_overlap`; `spans`: where they stand."""
    count = batch.num_rows
    score = np.zeros(count, np.float32)
    items: list[list[str]] = [[] for _ in range(count)]
    spans: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    if settings.files:
        index = build_index(tuple(settings.files), settings.ngram, settings.min_words)
        rows, item, share, starts, ends = overlaps(batch["text"], index, settings.ngram)
        np.maximum.at(score, rows, share.astype(np.float32))
        over = np.flatnonzero(share >= settings.min_overlap)
        for at in over[np.lexsort((ends[over], starts[over], rows[over]))]:
            row = int(rows[at])
            items[row].append(index.names[item[at]])
            start, end = int(starts[at]), int(ends[at])
            if spans[row] and start <= spans[row][-1]["end"]:
                spans[row][-1]["end"] = max(spans[row][-1]["end"], end)
            else:
                spans[row].append({"start": start, "end": end, "kind": "contamination"})
    return {
        "score": pa.array(np.round(score, 4)),
        "items": pa.array(items, pa.list_(pa.string())),
        "spans": pa.array(spans, SPANS),
    }
