"""The index that `contamination` looks in: n-grams of few items, words with their weights, names and answers."""

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.tensors import pack, unpack
from pipeline.ingest.benchmarks import Item, read_items
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.overlap import build_table, grams_of, words_of
from pipeline.kernels.text.term_trie import WORD_LOWER, hash_word

MAX_ITEMS = 20
"""An n-gram of more items than this is a frame of the benchmark and nominates nothing."""
NEEDED_SHARE = 1 / 8
"""Of an item's n-grams, those that must match in one place to nominate it."""
_FEW = 3
_FIGURE = re.compile(r"[^\W_]*\d[^\W_]*")
QUESTION, EVIDENCE, TEXT = range(3)
_KINDS = {"question": QUESTION, "evidence": EVIDENCE, "text": TEXT}
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PARTS = {"tables": 3, "postings": 3, "items": 5, "units": 3}
"""Fields of an index that are arrays, and how many of them."""
_STRINGS = ("names", "answers", "texts")


@dataclass(frozen=True)
class Index:
    """What `find_items` reads of pieces, and of items their names and answers."""

    tables: tuple[np.ndarray, np.ndarray, np.ndarray]
    postings: tuple[np.ndarray, np.ndarray, np.ndarray]
    items: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    units: tuple[np.ndarray, np.ndarray, np.ndarray]
    """int32: the item of each piece; kind and number of pieces of each item."""
    names: pa.StringArray
    answers: pa.StringArray
    texts: pa.StringArray
    """Of each piece."""

    def to_bytes(self) -> bytes:
        """As one file that workers map: the same items give the same bytes."""
        found = {f"{part}.{number}": array for part in _PARTS for number, array in enumerate(getattr(self, part))}
        for field in _STRINGS:
            strings = getattr(self, field)
            _, offsets, data = strings.buffers()
            borders = np.frombuffer(offsets, np.int32)[: len(strings) + 1]
            found |= {f"{field}.0": borders, f"{field}.1": np.frombuffer(data or b"", np.uint8)[: borders[-1]]}
        return pack(found)

    @classmethod
    def mapped(cls, data: np.ndarray) -> "Index":
        """Of a file's bytes, uint8[n], without copying them. Raises InfrastructureError when they are something else."""
        found = unpack(data)
        parts: dict[str, Any] = {
            part: tuple(found[f"{part}.{number}"] for number in range(count)) for part, count in _PARTS.items()
        }
        for field in _STRINGS:
            borders, text = (pa.py_buffer(found[f"{field}.{number}"]) for number in range(2))
            parts[field] = pa.StringArray.from_buffers(len(found[f"{field}.0"]) - 1, borders, text)
        return cls(**parts)


@functools.lru_cache(maxsize=4)
def build_index(files: tuple[str, ...], ngram: int, min_words: int) -> Index:
    """The index of the items of some files; the same item in two places is one."""
    items: dict[tuple[str, ...], Item] = {}
    for path in files:
        for item in read_items(path, min_words):
            items.setdefault(item.pieces, item)
    return index_of(list(items.values()), ngram)


def index_of(items: list[Item], ngram: int) -> Index:
    """The index of items."""
    texts = [THOUSANDS.sub("", piece) for item in items for piece in item.pieces]
    words, borders = words_of(*text_buffers(pa.array(texts, pa.large_string())), WORD_LOWER)
    sides = zip(grams_of(words, borders, ngram, 0), grams_of(words, borders, ngram, 1), strict=True)
    hashes, rows, places = (np.concatenate(pair) for pair in sides)
    kept = _rare(hashes, rows, len(texts))
    order = np.lexsort((places[kept], rows[kept], hashes[kept]))
    hashes, rows, places = hashes[kept][order], rows[kept][order], places[kept][order]
    grams, starts = np.unique(hashes, return_index=True)
    lengths = np.diff(borders)
    owner = np.repeat(np.arange(len(texts)), lengths)
    weights = _weights(words, owner, texts)
    totals = np.bincount(owner, weights=weights, minlength=len(texts))
    needed = np.maximum(1, (np.maximum(lengths - ngram + 1, 0) * NEEDED_SHARE).astype(np.int64))
    pieces = np.array([len(item.pieces) for item in items], np.int32)
    return Index(
        build_table(grams),
        (np.append(starts, len(hashes)).astype(np.int64), rows, places),
        (borders, words, weights.astype(np.float32), totals, np.minimum(needed, _counts(rows, len(texts)))),
        (
            np.repeat(np.arange(len(items), dtype=np.int32), pieces),
            np.array([_KINDS[item.kind] for item in items], np.int32),
            pieces,
        ),
        pa.array([item.name for item in items], pa.string()),
        pa.array([item.answer for item in items], pa.string()),
        pa.array(texts, pa.string()),
    )


def _counts(rows: np.ndarray, items: int) -> np.ndarray:
    return np.maximum(1, np.bincount(rows, minlength=items))


def _rare(hashes: np.ndarray, rows: np.ndarray, items: int) -> np.ndarray:
    """bool per n-gram: of few items, or of an item that would have nearly none left."""
    rare = _holders(hashes, rows) <= MAX_ITEMS
    return rare | (np.bincount(rows[rare], minlength=items) < _FEW)[rows]


def _holders(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """int64 per value: how many rows hold it."""
    order = np.lexsort((rows, values))
    ordered, owners = values[order], rows[order]
    new = np.ones(len(values), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    first = new.copy()
    first[1:] |= owners[1:] != owners[:-1]
    group = np.cumsum(new) - 1
    counts = np.bincount(group, weights=first, minlength=1).astype(np.int64)
    found = np.empty(len(values), np.int64)
    found[order] = counts[group]
    return found


def _weights(words: np.ndarray, owner: np.ndarray, texts: list[str]) -> np.ndarray:
    """float64 per word: log2(1 + items / items that hold the word), twice that for figures."""
    figures = {word.lower() for text in texts for word in _FIGURE.findall(text)}
    hashes = np.array(sorted(hash_word(word) for word in figures), np.uint64)
    doubled = 1.0 + np.isin(words, hashes)
    return doubled * np.log2(1 + len(texts) / np.maximum(_holders(words, owner), 1))
