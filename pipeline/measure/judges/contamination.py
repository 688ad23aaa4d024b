"""Benchmark items in training text: removed or cut, and listed with what they matched.

Items (see pipeline.ingest.benchmarks) are indexed by word n-grams. Words weigh by rarity, the logarithm of how many items
lack them, so that the frame "which of the following" counts for little and figures for much. A document holds an item when
a place in it keeps enough of the item's weight in order: exact, reformatted and lightly edited copies do.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.core.tensors import pack, unpack
from pipeline.ingest.benchmarks import read_items, split_members
from pipeline.ingest.streams import open_url
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.overlap import build_table, find_items, grams_of, words_of
from pipeline.kernels.text.term_trie import WORD_LOWER, hash_word


class Contamination(JudgeSettings):
    """Overlap with benchmark items, by word n-grams and an alignment weighted by rarity."""

    files: list[str] = Field(
        default=[],
        description="JSONL, JSON, CSV, TSV, Parquet or text files of benchmark items, or archives of them "
        "(archive.tar.zst#*/test*.csv: these members); "
        "one whose ${VARIABLE} is not set is left out",
    )
    ngram: int = Field(default=4, ge=2, le=20, description="words of the n-grams that find candidate places")
    min_words: int = Field(default=13, ge=3, description="shorter texts are ignored: they occur by chance")
    min_overlap: float = Field(
        default=0.75, gt=0, le=1, description="share of an item's weight from which a place counts as a copy"
    )
    max_score: Threshold = Field(
        default=None, description="remove documents with a higher share of an item; other copies are cut"
    )


MAX_ITEMS = 20
"""An n-gram of more items than this is a frame of the benchmark and nominates nothing."""
NEEDED_SHARE = 1 / 8
"""Of an item's n-grams, those that must match in one place to nominate it."""
_FEW = 3
_FIGURE = re.compile(r"[^\W_]*\d[^\W_]*")


_PARTS = {"tables": 3, "postings": 3, "items": 5}
"""Fields of an index that are arrays, and how many of them."""


@dataclass(frozen=True)
class Index:
    """What `find_items` reads, and the items' names."""

    tables: tuple[np.ndarray, np.ndarray, np.ndarray]
    postings: tuple[np.ndarray, np.ndarray, np.ndarray]
    items: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    names: pa.StringArray

    def to_bytes(self) -> bytes:
        """As one file that workers map: the same items give the same bytes."""
        found = {f"{part}.{number}": array for part in _PARTS for number, array in enumerate(getattr(self, part))}
        _, offsets, data = self.names.buffers()
        borders = np.frombuffer(offsets, np.int32)[: len(self.names) + 1]
        return pack(found | {"names.0": borders, "names.1": np.frombuffer(data, np.uint8)[: borders[-1]]})

    @classmethod
    def mapped(cls, data: np.ndarray) -> "Index":
        """Of a file's bytes, uint8[n], without copying them. Raises InfrastructureError when they are something else."""
        found = unpack(data)
        parts: dict[str, Any] = {
            part: tuple(found[f"{part}.{number}"] for number in range(count)) for part, count in _PARTS.items()
        }
        borders, text = (pa.py_buffer(found[f"names.{number}"]) for number in range(2))
        return cls(**parts, names=pa.StringArray.from_buffers(len(found["names.0"]) - 1, borders, text))


@functools.lru_cache(maxsize=4)
def build_index(files: tuple[str, ...], ngram: int, min_words: int) -> Index:
    """The index of the items of some files; the same item in two places is one."""
    texts: dict[str, str] = {}
    for path in files:
        for name, text in read_items(path, min_words):
            texts.setdefault(text, name)
    return index_of(list(texts), list(texts.values()), ngram)


def index_of(texts: list[str], names: list[str], ngram: int) -> Index:
    """The index of items given as texts."""
    words, borders = words_of(*text_buffers(pa.array(texts, pa.large_string())), WORD_LOWER)
    hashes, rows, places = grams_of(words, borders, ngram)
    kept = _rare(hashes, rows, len(texts))
    order = np.lexsort((places[kept], rows[kept], hashes[kept]))
    hashes, rows, places = hashes[kept][order], rows[kept][order], places[kept][order]
    grams, starts = np.unique(hashes, return_index=True)
    lengths = np.diff(borders)
    owner = np.repeat(np.arange(len(texts)), lengths)
    weights = _weights(words, owner, texts)
    totals = np.bincount(owner, weights=weights, minlength=len(texts))
    needed = np.maximum(1, (np.maximum(lengths - ngram + 1, 0) * NEEDED_SHARE).astype(np.int64))
    return Index(
        build_table(grams),
        (np.append(starts, len(hashes)).astype(np.int64), rows, places),
        (borders, words, weights.astype(np.float32), totals, np.minimum(needed, _counts(rows, len(texts)))),
        pa.array(names, pa.string()),
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


def given(settings: Contamination) -> list[str]:
    """The files whose path has no variable left in it."""
    return [path for path in settings.files if "${" not in path]


def left_out(settings: Contamination) -> list[str]:
    """A sentence for each file whose path holds a variable that is not set."""
    missing = [path for path in settings.files if path not in given(settings)]
    return [f"contamination: {path} is left out, its variable is not set" for path in missing]


def files_sha256(settings: Contamination) -> str | None:
    """One hash over the benchmark files' bytes: a changed benchmark is measured again."""
    found = []
    for path in given(settings):
        with open_url(split_members(path)[0]) as file:
            found.append(hashlib.sha256(file.read()).hexdigest())
    return hashlib.sha256("".join(found).encode()).hexdigest() if found else None


def prepared(settings: Contamination) -> bytes:
    """The index as a file, made once a run."""
    return build_index(tuple(given(settings)), settings.ngram, settings.min_words).to_bytes()


def load(settings: Contamination, read: Callable[[], Any]) -> Index:
    """The index that the run made."""
    return Index.mapped(read())


@judge(
    "contamination",
    version=2,
    settings=Contamination,
    reads=["text"],
    adds={"score": pa.float32(), "items": pa.list_(pa.string()), "spans": SPANS},
    weights=files_sha256,
    model=load,
    prepare=prepared,
    cuts={"spans": "cut"},
    notices=left_out,
)
def contamination(batch: pa.RecordBatch, settings: Contamination, model: Index | None = None) -> Columns:
    """`score`: the largest share of any item; `items`: names of those above `min_overlap`; `spans`: where they stand.

    Without the run's index one is built here.
    """
    count = batch.num_rows
    score = np.zeros(count, np.float32)
    items: list[list[str]] = [[] for _ in range(count)]
    spans: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    if files := given(settings):
        index = model or build_index(tuple(files), settings.ngram, settings.min_words)
        offsets, data = text_buffers(batch["text"])
        rows, item, share, starts, ends = find_items(
            offsets, data, WORD_LOWER, settings.ngram, index.tables, index.postings, index.items
        )
        share = np.minimum(share, 1.0)
        np.maximum.at(score, rows, share.astype(np.float32))
        over = np.flatnonzero(np.round(share, 4) >= settings.min_overlap)
        for at in over[np.lexsort((ends[over], starts[over], rows[over]))]:
            row = int(rows[at])
            name = index.names[int(item[at])].as_py()
            if name not in items[row]:
                items[row].append(name)
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
