"""Shape of a text: rules in the manner of Dolma (arXiv 2402.00159) and MADLAD-400 (arXiv 2309.04662), and three of ours.

Words here are what stands between white space, as in Dolma, and the word length is the median.
"""

import pyarrow as pa

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import text_shape
from pipeline.kernels.text.heuristics import stop_table
from pipeline.kernels.text.prose import judged_text
from pipeline.kernels.text.stop_words import STOP_WORDS
from pipeline.kernels.text.word_tables import ATTRIBUTES
from pipeline.kernels.text.words import words
from pipeline.measure.judges.gopher import ratio


class Dolma(JudgeSettings):
    """Symbols, bullets, brackets, addresses, stop words, compressibility and boilerplate."""

    prose_only: bool = False
    """Leave the lines of tables out."""
    ignore_layout: bool = False
    """Leave rulers, dot leaders, bullets of lists and check boxes out; not published."""
    language: str = "en"
    """Whose stop words count."""
    max_symbol_word_ratio: Threshold = None
    """`#` and `…` a word; Dolma: 0.1."""
    min_median_word_length: Threshold = None
    """Dolma: 3."""
    max_median_word_length: Threshold = None
    """Dolma: 10."""
    max_bullet_line_frac: Threshold = None
    """Lines that begin with `*` or `-`; Dolma: 0.9."""
    max_ellipsis_line_frac: Threshold = None
    """Lines that end in `…`; Dolma: 0.3."""
    max_curly_bracket_frac: Threshold = None
    """Curly brackets a code point."""
    max_url_char_frac: Threshold = None
    """Share of the code points in web addresses."""
    max_digit_frac: Threshold = None
    """Share of the code points that are ASCII digits."""
    min_letter_frac: Threshold = None
    """Share of the code points that are letters."""
    min_stop_word_frac: Threshold = None
    """Share of the tokens that are stop words of the language."""
    min_compressed_frac: Threshold = None
    """Estimated deflated size by size; below about 0.15 a text repeats itself."""
    max_compressed_frac: Threshold = None
    """Above about 0.95 hardly four bytes occur twice: encoded data."""
    min_chars_per_token: Threshold = None
    """Code points a token: low in tables and symbols."""
    max_chars_per_token: Threshold = None
    """High in encoded data and in run-together words."""
    max_boilerplate_frac: Threshold = None
    """Share of the bytes in lines with a phrase of page furniture ("privacy policy", "log in")."""


_RATIOS = [
    "symbol_word_ratio", "median_word_length", "bullet_line_frac", "ellipsis_line_frac", "curly_bracket_frac",
    "url_char_frac", "digit_frac", "letter_frac", "stop_word_frac", "compressed_frac", "chars_per_token",
    "boilerplate_frac",
]  # fmt: skip


@judge("dolma", version=1, settings=Dolma, reads=["text", "table_spans"], adds=dict.fromkeys(_RATIOS, pa.float64()))
def dolma(batch: pa.RecordBatch, settings: Dolma) -> Columns:
    """Measure each text once; null where there is nothing to divide by."""
    text = judged_text(batch, settings.prose_only, settings.ignore_layout)
    offsets, data = text_buffers(text)
    found = text_shape.shapes(offsets, data, ATTRIBUTES, *text_shape.BOILERPLATE).T
    chars, num_words, lines = found[text_shape.CHARS], found[text_shape.WORDS], found[text_shape.LINES]
    size, tokens = offsets[1:] - offsets[:-1], words(text)
    num_tokens = tokens.offsets[1:] - tokens.offsets[:-1]
    stops = STOP_WORDS[settings.language]
    first, hashes, _ = stop_table(stops, any_case=True)
    return {
        "symbol_word_ratio": ratio(found[text_shape.SYMBOLS], num_words),
        "median_word_length": ratio(found[text_shape.MEDIAN_WORD], 2 * (num_words > 0)),
        "bullet_line_frac": ratio(found[text_shape.BULLETS], lines),
        "ellipsis_line_frac": ratio(found[text_shape.ELLIPSIS_LINES], lines),
        "curly_bracket_frac": ratio(found[text_shape.BRACKETS], chars),
        "url_char_frac": ratio(found[text_shape.URL_CHARS], chars),
        "digit_frac": ratio(found[text_shape.DIGITS], chars),
        "letter_frac": ratio(found[text_shape.LETTERS], chars),
        "stop_word_frac": ratio(text_shape.count_stop_words(tokens.offsets, tokens.hashes, first, hashes), num_tokens),
        "compressed_frac": ratio(found[text_shape.COMPRESSED_BYTES], size),
        "chars_per_token": ratio(chars, num_tokens),
        "boilerplate_frac": ratio(found[text_shape.BOILERPLATE_BYTES], size),
    }
