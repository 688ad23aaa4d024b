"""Gopher's thirteen repetition rules (Rae et al., arXiv 2112.11446, table A1), as datatrove reads them."""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.kernels.text import line_stats
from pipeline.kernels.text.prose import judged_text
from pipeline.kernels.text.repetition import FIRST_DUP, ngram_chars
from pipeline.kernels.text.words import words
from pipeline.measure.judges.gopher import ratio


class Repetition(JudgeSettings):
    """Duplicate lines and paragraphs and repeated n-grams. Table A1's bound stands with each threshold."""

    prose_only: bool = False
    """Leave the lines of tables out."""
    ignore_layout: bool = False
    """Leave rulers, dot leaders, bullets of lists and check boxes out; not published."""
    ignore_speaker_lines: bool = False
    """A line that only names a speaker ("Operator", "Jane Doe:") is no duplicate (transcripts)."""
    top_grams_from: int = Field(default=0, ge=0)
    """Texts of fewer words have no share of their most frequent n-gram: a stub says its subject's name three times, which is a
    fifth of it. 0, as published: every text has one."""
    min_num_chars: Threshold = None
    """Published code: 1, an empty text is removed."""
    max_dup_line_frac: Threshold = None
    """Paper: 0.30."""
    max_dup_paragraph_frac: Threshold = None
    """Paper: 0.30."""
    max_dup_line_char_frac: Threshold = None
    """Paper: 0.20."""
    max_dup_paragraph_char_frac: Threshold = None
    """Paper: 0.20."""
    max_top_2_gram_char_frac: Threshold = None
    """Paper: 0.20."""
    max_top_3_gram_char_frac: Threshold = None
    """Paper: 0.18."""
    max_top_4_gram_char_frac: Threshold = None
    """Paper: 0.16."""
    max_dup_5_gram_char_frac: Threshold = None
    """Paper: 0.15."""
    max_dup_6_gram_char_frac: Threshold = None
    """Paper: 0.14."""
    max_dup_7_gram_char_frac: Threshold = None
    """Paper: 0.13."""
    max_dup_8_gram_char_frac: Threshold = None
    """Paper: 0.12."""
    max_dup_9_gram_char_frac: Threshold = None
    """Paper: 0.11."""
    max_dup_10_gram_char_frac: Threshold = None
    """Paper: 0.10."""


_NGRAMS = {n: f"{'top' if n < 5 else 'dup'}_{n}_gram_char_frac" for n in range(2, 11)}
_LINES = ["dup_line_frac", "dup_paragraph_frac", "dup_line_char_frac", "dup_paragraph_char_frac"]


@judge(
    "repetition",
    version=3,
    settings=Repetition,
    reads=["text", "table_spans"],
    adds={"num_chars": pa.int64(), **dict.fromkeys([*_LINES, *_NGRAMS.values()], pa.float64())},
)
def repetition(batch: pa.RecordBatch, settings: Repetition) -> Columns:
    """Count second and later copies. Shares of characters divide by all code points of the text, white space too."""
    text = judged_text(batch, settings.prose_only, settings.ignore_layout)
    found = line_stats.of_column(text, settings.ignore_speaker_lines)
    tokens = words(text)
    grams = ngram_chars(*tokens)
    grams[np.diff(tokens.offsets) < settings.top_grams_from, :FIRST_DUP] = 0
    chars = found[:, line_stats.CHARS]
    return {
        "num_chars": pa.array(chars),
        "dup_line_frac": ratio(found[:, line_stats.DUP_LINES], found[:, line_stats.LINES]),
        "dup_paragraph_frac": ratio(found[:, line_stats.DUP_PARAGRAPHS], found[:, line_stats.PARAGRAPHS]),
        "dup_line_char_frac": ratio(found[:, line_stats.DUP_LINE_CHARS], chars),
        "dup_paragraph_char_frac": ratio(found[:, line_stats.DUP_PARAGRAPH_CHARS], chars),
        **{name: ratio(grams[:, n], chars) for n, name in _NGRAMS.items()},
    }
