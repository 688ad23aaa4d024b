"""Gopher's quality rules (Rae et al., arXiv 2112.11446, appendix A1.1), as datatrove reads them."""

import numpy as np
import pyarrow as pa

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import heuristics
from pipeline.kernels.text.prose import judged_text, table_frac
from pipeline.kernels.text.stop_words import STOP_WORDS
from pipeline.kernels.text.word_tables import ATTRIBUTES
from pipeline.kernels.text.words import words

ENGLISH = ["the", "be", "to", "of", "and", "that", "have", "with"]
"""The stop words of the paper."""


class Gopher(JudgeSettings):
    """Words, symbols and lines of a page of prose. Table A1's bounds stand with each threshold."""

    prose_only: bool = False
    """Leave the lines of tables out of every count but `table_frac`."""
    ignore_layout: bool = False
    """Leave rulers, dot leaders, bullets of lists and check boxes out of every count but those of lines; not published."""
    language: str = "en"
    """Whose stop words count; English has the paper's eight."""
    any_case: bool = False
    """Stop words in capitals count too (headings, notices of law); the paper's do not."""
    stop_words: list[str] | None = None
    """Stop words to use in place of the language's own."""
    bullets: str = "•-"
    """Characters that begin a bulleted line."""
    min_num_words: Threshold = None
    """Paper: 50."""
    max_num_words: Threshold = None
    """Paper: 100,000."""
    min_mean_word_length: Threshold = None
    """Paper: 3."""
    max_mean_word_length: Threshold = None
    """Paper: 10."""
    max_hash_word_ratio: Threshold = None
    """Paper: 0.1."""
    max_ellipsis_word_ratio: Threshold = None
    """Paper: 0.1."""
    max_bullet_line_frac: Threshold = None
    """Paper: 0.9."""
    max_ellipsis_line_frac: Threshold = None
    """Paper: 0.3."""
    min_alpha_word_frac: Threshold = None
    """Paper: 0.8."""
    min_num_stop_words: Threshold = None
    """Paper: 2 different ones."""
    max_table_frac: Threshold = None
    """Share of the bytes that stands in tables; not in the paper."""


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> pa.Array:
    """float64 quotients; null where nothing was counted, so that no rule fires on it."""
    empty = denominator == 0
    return pa.array(numerator / np.where(empty, 1, denominator), pa.float64(), mask=empty)


@judge(
    "gopher",
    version=2,
    settings=Gopher,
    reads=["text", "table_spans"],
    adds={
        "num_words": pa.int64(),
        "mean_word_length": pa.float64(),
        "hash_word_ratio": pa.float64(),
        "ellipsis_word_ratio": pa.float64(),
        "bullet_line_frac": pa.float64(),
        "ellipsis_line_frac": pa.float64(),
        "alpha_word_frac": pa.float64(),
        "num_stop_words": pa.int64(),
        "table_frac": pa.float64(),
    },
)
def gopher(batch: pa.RecordBatch, settings: Gopher) -> Columns:
    """Count words, symbols, bullets and stop words. Ratios divide by all tokens, the word length by words alone."""
    text = judged_text(batch, settings.prose_only, settings.ignore_layout)
    stops = settings.stop_words or (ENGLISH if settings.language == "en" else STOP_WORDS[settings.language])
    bullets = np.array([ord(mark) for mark in settings.bullets])
    marks = heuristics.count_marks(*text_buffers(text), ATTRIBUTES, bullets)
    listed = judged_text(batch, settings.prose_only)
    lines = heuristics.count_marks(*text_buffers(listed), ATTRIBUTES, bullets) if listed is not text else marks
    found = heuristics.count_words(*words(text), *heuristics.stop_table(stops, settings.any_case))
    tokens = found[:, heuristics.TOKENS]
    return {
        "num_words": pa.array(found[:, heuristics.WORDS]),
        "mean_word_length": ratio(found[:, heuristics.WORD_CHARS], found[:, heuristics.WORDS]),
        "hash_word_ratio": ratio(marks[:, heuristics.HASHES], tokens),
        "ellipsis_word_ratio": ratio(marks[:, heuristics.ELLIPSES], tokens),
        "bullet_line_frac": ratio(lines[:, heuristics.BULLETS], lines[:, heuristics.LINES]),
        "ellipsis_line_frac": ratio(marks[:, heuristics.ELLIPSIS_LINES], marks[:, heuristics.LINES]),
        "alpha_word_frac": ratio(found[:, heuristics.ALPHA_TOKENS], tokens),
        "num_stop_words": pa.array(found[:, heuristics.STOP_WORDS]),
        "table_frac": table_frac(batch),
    }
