"""Benchmark items in training text: cut, or their documents removed, and listed with what they matched.

Pieces of items (see pipeline.ingest.benchmarks) are indexed by word n-grams. Words weigh by rarity, the logarithm of how many
pieces lack them, so that the frame "which of the following" counts for little and figures for much. A place in a document holds
a piece when it keeps enough of the piece's weight in order: exact, reformatted and lightly edited copies do.

What follows from a found piece depends on what it is. A question counts by itself when it is long, otherwise with its answer
beside it; evidence counts when nearly all of it is there. What stands in many documents that are no copies of each other is a
stock phrase of the corpus, which the whole corpus shows (`set_aside`): it is listed and left, unless it is a question, whole by
itself or with its answer: nobody's stock phrase, however often it leaked. Whole sentences or rows of tables are cut; where that
would take much more than the item, nothing is.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings, Threshold
from pipeline.ingest.benchmarks import split_members, tells
from pipeline.ingest.streams import open_url
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.overlap import find_items
from pipeline.kernels.text.term_trie import WORD_LOWER
from pipeline.measure.item_index import EVIDENCE, QUESTION, THOUSANDS, Index, build_index


class Contamination(JudgeSettings):
    """Overlap with benchmark items, by word n-grams and an alignment weighted by rarity."""

    files: list[str] = []
    """JSONL, JSON, CSV, TSV, Parquet or text files of benchmark items, or archives of them
    (archive.tar.zst#*/test*.csv: these members); one whose ${VARIABLE} is not set is left out."""
    ngram: int = Field(default=4, ge=2, le=20)
    """Words of the n-grams that find candidate places."""
    min_words: int = Field(default=13, ge=3)
    """Shorter texts occur by chance: of questions they need the answer beside them."""
    min_overlap: float = Field(default=0.75, gt=0, le=1)
    """Share of an item's weight from which a place counts as a copy."""
    common_in: Annotated[int, DecidedBy()] = Field(default=3, ge=1)
    """What stands in more documents that are no copies of each other is a stock phrase, and stays."""
    max_score: Threshold = None
    """Remove documents with a higher share of an item; other copies are cut."""


ANSWERED_OVERLAP = 0.6
"""Share of a question's weight that is enough when its answer stands beside it."""
ASKED_OVERLAP = 0.9
"""Share of a question's weight from which the word that asks may be missing."""
EVIDENCE_OVERLAP, BARE_OVERLAP = 0.85, 0.98
EVIDENCE_WORDS, SHORT_FIGURES = 20, 2
"""Of evidence in one piece, with a figure and without one: less like it, sentences of a trade agree by chance. A shorter piece
counts word for word, or by its figures when it has two and all of them are there: a row of a table."""
HEADING = 0.8
"""Share of longer words in capitals from which evidence without two figures is a heading, which forms prescribe, and no item."""
ASKS = frozenset("what which who whom whose when where why how".split())
"""A statement about the same thing has the other words of a question."""
FIGURES, WORDS = 0.75, 0.65
"""Of an item's figures, and of its words in any order, the share that must stand in the place: reports say the same of other
years and amounts."""
MOST_PIECES, HALF = 0.8, 0.5
"""Of evidence, and of a question, the share of its pieces that must be found."""
_MARGIN = 40
"""Bytes around a place in which its first and last words may stand."""
BESIDE = 400
"""Bytes on both sides of a question in which its answer is looked for."""
_SENTENCE_END = re.compile(rb"[.!?][\"')\]]*\s+|\xe3\x80\x82|\xef\xbc\x81")


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
    version=7,
    settings=Contamination,
    reads=["text"],
    adds={
        "score": pa.float32(),
        "items": pa.list_(pa.string()),
        "shares": pa.list_(pa.float32()),
        "whole": pa.list_(pa.bool_()),
        "spans": SPANS,
    },
    weights=files_sha256,
    model=load,
    prepare=prepared,
    cuts={"spans": "cut"},
    notices=left_out,
)
def contamination(batch: pa.RecordBatch, settings: Contamination, model: Index | None = None) -> Columns:
    """`score`: the largest share of any item; `items`: names of those that count, with their `shares`, and whether a `whole`
    question is there, by itself or with its answer; `spans`: what is cut for them, the item's name as kind.

    Without the run's index one is built here.
    """
    found: list[list[Found]] = [[] for _ in range(batch.num_rows)]
    if files := given(settings):
        index = model or build_index(tuple(files), settings.ngram, settings.min_words)
        offsets, data = text_buffers(batch["text"])
        hits = find_items(offsets, data, WORD_LOWER, settings.ngram, index.tables, index.postings, index.items)
        for row, group in _by_row_and_item(hits, index):
            text = data[offsets[row] : offsets[row + 1]]
            if one := _judged(group, text, index, settings):
                found[row].append(one)
    names = [list(dict.fromkeys(one.name for one in row)) for row in found]
    best = [
        {name: [one for one in row if one.name == name] for name in own} for row, own in zip(found, names, strict=True)
    ]
    spans = [sorted({span for one in row for span in one.spans}) for row in found]
    return {
        "score": pa.array([max((one.share for one in row), default=0.0) for row in found], pa.float32()),
        "items": pa.array(names, pa.list_(pa.string())),
        "shares": pa.array(
            [[max(one.share for one in group) for group in row.values()] for row in best], pa.list_(pa.float32())
        ),
        "whole": pa.array(
            [[any(one.whole for one in group) for group in row.values()] for row in best], pa.list_(pa.bool_())
        ),
        "spans": pa.array([[{"start": s, "end": e, "kind": kind} for s, e, kind in row] for row in spans], SPANS),
    }


class Hit(NamedTuple):
    """A piece in a document: the share of its weight, and the bytes it takes."""

    piece: int
    share: float
    start: int
    end: int


class Found(NamedTuple):
    """An item that counts in a document."""

    name: str
    share: float
    whole: bool
    spans: list[tuple[int, int, str]]


def _by_row_and_item(hits: tuple[np.ndarray, ...], index: Index) -> Iterator[tuple[int, list[Hit]]]:
    """`(row, hits)` of each item in each document: of every piece its best place."""
    rows, pieces, shares, starts, ends = hits
    best: dict[tuple[int, int, int], Hit] = {}
    for row, piece, share, start, end in zip(
        *(array.tolist() for array in (rows, pieces, shares, starts, ends)), strict=True
    ):
        key = (row, int(index.units[0][piece]), piece)
        hit = Hit(piece, round(min(share, 1.0), 4), start, end)
        if key not in best or hit.share > best[key].share:
            best[key] = hit
    for (row, _), group in groupby(sorted(best), key=lambda key: key[:2]):
        yield row, [best[key] for key in group]


def _judged(hits: list[Hit], text: np.ndarray, index: Index, settings: Contamination) -> Found | None:
    """Whether an item counts, given the places of its pieces."""
    owner, kinds, pieces = index.units
    item = int(owner[hits[0].piece])
    kind, count = int(kinds[item]), int(pieces[item])
    raw, answer = text.tobytes(), index.answers[item].as_py()
    answered = bool(answer) and any(_is_beside(answer, raw, hit) for hit in hits)
    copies = [hit for hit in hits if _is_copy(hit, raw, index, kind, answered, count == 1, settings)]
    words = sum(len(_words(index.texts[hit.piece].as_py())) for hit in copies)
    if kind == QUESTION:
        counts = len(copies) >= HALF * count and (answered or words >= settings.min_words)
    else:
        counts = len(copies) >= MOST_PIECES * count
    if not copies or not counts:
        return None
    name = index.names[item].as_py()
    spans = [(*span, name) for hit in copies if (span := _whole_sentences(raw, hit.start, hit.end))]
    known_by = answered or (kind == QUESTION and all(hit.share >= settings.min_overlap for hit in copies))
    return Found(name, max(hit.share for hit in copies), known_by and len(copies) == count, spans)


def _is_copy(
    hit: Hit, raw: bytes, index: Index, kind: int, answered: bool, alone: bool, settings: Contamination
) -> bool:
    """Whether a place holds its piece, and does not only say the same of something else."""
    words = _words(index.texts[hit.piece].as_py())
    figures = {word for word in words if sum(sign.isdigit() for sign in word) > 1}  # lists are numbered 1, 2, 3
    bound = settings.min_overlap
    if kind == QUESTION:
        bound = min(bound, ANSWERED_OVERLAP) if answered else bound
    elif kind == EVIDENCE and alone:
        bound = max(bound, EVIDENCE_OVERLAP if figures else BARE_OVERLAP)
    if hit.share < bound:
        return False
    near = raw[max(0, hit.start - _MARGIN) : hit.end + _MARGIN]
    there = set(_words(near.decode("utf-8", "ignore")))
    if kind == EVIDENCE and alone and len(figures) < SHORT_FIGURES and _is_heading(index.texts[hit.piece].as_py()):
        return False
    by_figures = len(figures) >= SHORT_FIGURES and figures <= there
    if kind == EVIDENCE and alone and len(words) < EVIDENCE_WORDS and not by_figures and hit.share < BARE_OVERLAP:
        return False
    if len(figures & there) < FIGURES * len(figures) or sum(word in there for word in words) < WORDS * len(words):
        return False
    asks = kind != QUESTION or there.issuperset([word for word in words[:4] if word in ASKS][:1] or words[:1])
    return asks or hit.share >= ASKED_OVERLAP


def _is_heading(text: str) -> bool:
    """Whether nearly all of its longer words begin with a capital."""
    longer = re.findall(r"[^\W\d_]{4,}", text)
    return sum(word[0].isupper() for word in longer) > HEADING * len(longer)


def _words(text: str) -> list[str]:
    """Small letters, figures without their separators."""
    return re.findall(r"\w+", THOUSANDS.sub("", text.lower()))


def _is_beside(answer: str, raw: bytes, hit: Hit) -> bool:
    """Whether one of the answers stands near a question, word for word."""
    around = raw[max(0, hit.start - BESIDE) : hit.start] + b" | " + raw[hit.end : hit.end + BESIDE + 2 * len(answer)]
    words = f" {' '.join(_words(around.decode('utf-8', 'ignore')))} "
    return any(tells(choice) and f" {' '.join(_words(choice))} " in words for choice in answer.split("\n"))


def _whole_sentences(raw: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The sentences or rows of a table that hold `raw[start:end]`; None where they are much more than that."""
    first = raw.rfind(b"\n", 0, start) + 1
    last = raw.find(b"\n", end)
    last = len(raw) if last < 0 else last
    low, high = first, last
    if b"\t" not in raw[first:last]:
        ends = [match.end() for match in _SENTENCE_END.finditer(raw, first, last)]
        low = max((at for at in ends if at <= start), default=first)
        high = min((at for at in ends if at >= end), default=last)
    return (low, high) if high - low <= 3 * (end - start) + 400 else None


@contamination.over_corpus
def set_aside(shards: Iterator[tuple[pa.Table, np.ndarray]], settings: Contamination) -> list[str]:
    """Items that are stock phrases of the corpus: in more than `common_in` documents that are no copies of each other, and
    in none of them with question and answer. Of each shard its signals, and a number for each document, the same for copies."""
    seen: dict[str, set[int]] = {}
    whole: set[str] = set()
    for signals, numbers in shards:
        rows = np.flatnonzero(np.asarray(pc.fill_null(pc.list_value_length(signals["items"]), 0)) > 0)
        for row, found in zip(rows.tolist(), signals.take(pa.array(rows)).to_pylist(), strict=True):
            for name, is_whole in zip(found["items"], found["whole"], strict=True):
                seen.setdefault(name, set()).add(int(numbers[row]))
                if is_whole:
                    whole.add(name)
    return sorted(name for name, documents in seen.items() if len(documents) > settings.common_in and name not in whole)


@contamination.without
def without(signals: pa.Table, aside: list[str]) -> pa.Table:
    """The signals as they are without some items: they give no score."""
    left_out = frozenset(aside)
    rows = signals.select(["items", "shares", "whole"]).to_pylist()
    score = []
    for row, own in zip(rows, signals["score"].to_pylist(), strict=True):
        left = [
            share for name, share in zip(row["items"] or (), row["shares"] or (), strict=True) if name not in left_out
        ]
        score.append(max(left, default=0.0) if row["items"] else own)
    return signals.set_column(signals.schema.get_field_index("score"), "score", pa.array(score, pa.float32()))
