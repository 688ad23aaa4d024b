"""Which terms of the domain a document holds, from a list with glosses: nothing here removes, the survival audit reads it."""

import difflib
import functools
import hashlib
from importlib.resources import files

import numpy as np
import pyarrow as pa
from pydantic import field_validator

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.compiled import kernel
from pipeline.kernels.text.term_trie import WORD_LOWER, build_trie, find_phrases
from pipeline.measure.judges.identity import mention_columns
from tokenizer.term_lists import load_terms


class Terms(JudgeSettings):
    """Terms of the domain in each document, for the audit of what the filters do to them."""

    list: str = "finance"
    """Finance, legal, medical, or the path of a TSV file: term, gloss, source."""

    @field_validator("list")
    @classmethod
    def _is_there(cls, value: str) -> str:
        try:
            term_index(value)
        except OSError as error:
            names = sorted(
                entry.name[:-4] for entry in (files("tokenizer") / "terms").iterdir() if entry.name.endswith(".tsv")
            )
            close = difflib.get_close_matches(value, names, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}?" if close else f"shipped: {', '.join(names)}"
            raise ValueError(f"no term list {value!r}: {error.strerror}; {hint}") from error
        return value


def words_of(term: str) -> tuple[str, ...]:
    """The words of a term as the kernel sees them: runs of letters, marks and digits, apostrophes skipped.

    >>> words_of("Fed. R. Civ. P."), words_of("driver's licence")
    (('Fed', 'R', 'Civ', 'P'), ('drivers', 'licence'))
    """
    kept = "".join(char if WORD_LOWER[ord(char)] else "" if char in "'\u2019" else " " for char in term)
    return tuple(kept.split())


@functools.cache
def term_index(name: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """(terms, capitals int32[n], and the trie's two tables) of a list by name or path.

    `capitals` is how many ASCII capitals an occurrence must have: an abbreviation in capitals alone (SOB, DOE, IV) is
    found as it is written, other terms in any case. Raises ValueError for a term without words, or listed twice.
    """
    terms = tuple(term.term for term in load_terms(name))
    phrases: dict[tuple[str, ...], int] = {}
    for number, term in enumerate(terms):
        words = tuple(word.lower() for word in words_of(term))
        if not words or words in phrases:
            raise ValueError(f"{name}: {term!r} {'is listed twice' if words else 'holds no word'}")
        phrases[words] = number
    capitals = [sum("A" <= char <= "Z" for char in term) if term == term.upper() else 0 for term in terms]
    return terms, np.array(capitals, np.int32), *build_trie(phrases)


@kernel()
def as_written(
    offsets: np.ndarray, data: np.ndarray, rows: np.ndarray, begins: np.ndarray, ends: np.ndarray, capitals: np.ndarray
) -> np.ndarray:
    """bool[m]: finds with at least as many ASCII capitals as their term must have (`capitals`, one number a find)."""
    good = np.empty(len(rows), np.bool_)
    for at in range(len(rows)):
        found = 0
        if capitals[at]:
            for place in range(offsets[rows[at]] + begins[at], offsets[rows[at]] + ends[at]):
                found += 65 <= data[place] <= 90
        good[at] = found >= capitals[at]
    return good


def _digest(settings: Terms) -> str:
    return hashlib.sha256("\n".join(term_index(settings.list)[0]).encode()).hexdigest()


@judge(
    "terms",
    version=1,
    settings=Terms,
    reads=["text"],
    adds={"terms": pa.list_(pa.int32()), "mentions": pa.list_(pa.int32()), "num_words": pa.int64()},
    weights=_digest,
)
def terms(batch: pa.RecordBatch, settings: Terms) -> Columns:
    """`terms`: sorted positions in the list; `mentions`: how often each occurs; `num_words`: words of the document.

    The longest term from the left wins and consumes its words: "net income" is no "income" beside it.
    """
    names, capitals, keys, values = term_index(settings.list)
    offsets, data = text_buffers(batch["text"])
    rows, found, begins, ends, words = find_phrases(offsets, data, WORD_LOWER, keys, values)
    good = as_written(offsets, data, rows, begins, ends, capitals[found])
    found = found[good].astype(np.int64)
    return {**mention_columns(rows[good], found, max(1, len(names)), batch.num_rows), "num_words": pa.array(words)}
