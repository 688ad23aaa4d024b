"""FineWeb's line rules (Penedo et al., arXiv 2406.17557, section 3.6), as datatrove implements them."""

import pyarrow as pa

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.kernels.text import line_stats
from pipeline.kernels.text.prose import judged_text
from pipeline.kernels.text.words import words
from pipeline.measure.judges.gopher import ratio


class FineWeb(JudgeSettings):
    """Line ends, short lines, repeated lines and lists. The published bound stands with each threshold."""

    prose_only: bool = False
    """Leave the lines of tables out."""
    ignore_layout: bool = False
    """Leave rulers, dot leaders, bullets of lists and check boxes out; not published."""
    ignore_speaker_lines: bool = False
    """A line that only names a speaker is no duplicate (transcripts)."""
    short_line_length: int = line_stats.SHORT_LINE
    """Code points of the longest line that counts as short."""
    min_num_lines: Threshold = None
    """Published: 1, lines of white space not counted."""
    min_line_punct_ratio: Threshold = None
    """Published: 0.12."""
    max_short_line_ratio: Threshold = None
    """Published: 0.67."""
    max_char_dup_ratio: Threshold = None
    """Published: 0.01."""
    max_list_ratio: Threshold = None
    """Published: 0.3 line feeds a word."""


@judge(
    "fineweb",
    version=2,
    settings=FineWeb,
    reads=["text", "table_spans"],
    adds={
        "num_lines": pa.int64(),
        "line_punct_ratio": pa.float64(),
        "short_line_ratio": pa.float64(),
        "char_dup_ratio": pa.float64(),
        "list_ratio": pa.float64(),
    },
)
def fineweb(batch: pa.RecordBatch, settings: FineWeb) -> Columns:
    """Measure lines between line feeds. A line's last character decides, white space included, as published."""
    text = judged_text(batch, settings.prose_only, settings.ignore_layout)
    found = line_stats.of_column(text, settings.ignore_speaker_lines, settings.short_line_length)
    filled, feeds = found[:, line_stats.FILLED], found[:, line_stats.LINE_FEEDS]
    offsets = words(text).offsets
    return {
        "num_lines": pa.array(filled),
        "line_punct_ratio": ratio(found[:, line_stats.PUNCTUATED], filled),
        "short_line_ratio": ratio(found[:, line_stats.SHORT], filled),
        "char_dup_ratio": ratio(found[:, line_stats.DUP_FILLED_CHARS], found[:, line_stats.CHARS] - feeds),
        "list_ratio": ratio(feeds, offsets[1:] - offsets[:-1]),
    }
