"""C4's line and document rules (Raffel et al., arXiv 1910.10683, section 2.2), as datatrove reads them.

The text is never rewritten: lines that the rules drop and citations are spans, which apply cuts.
"""

import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import c4_lines
from pipeline.kernels.text.prose import covered, table_ranges
from pipeline.kernels.text.words import words
from pipeline.measure.judges.gopher import ratio


class C4(JudgeSettings):
    """Line rules decide what is cut; thresholds decide which documents go. Defaults are the published rules."""

    prose_only: bool = False
    """Cut nothing inside tables."""
    filter_no_terminal_punct: bool = True
    """Cut lines that do not end in . ? ! or a quotation mark, or that end in an ellipsis; FineWeb leaves this out."""
    min_words_per_line: int = 3
    """Cut lines with fewer words between white space; -1 switches it off."""
    max_word_length: int = 1000
    """Cut lines with a longer word, in code points; -1 switches it off."""
    remove_citations: bool = True
    """Cut `[1]`, `[edit]` and `[citation needed]`."""
    filter_javascript: bool = True
    """Cut lines that say "javascript"."""
    filter_policy: bool = True
    """Cut lines about cookies, terms of use and privacy policies."""
    furniture_only: bool = False
    """Of the lines that the last two rules name, cut those of page furniture alone: labels, and up to 40 words to the page's
    reader that are not most of the text; not published."""
    keep_blank_lines: bool = False
    """Leave blank lines, which part paragraphs, in place; published: false."""
    min_num_sentences: Threshold = None
    """Published: 5, over the lines that stay."""
    max_num_lorem_ipsum: Threshold = None
    """Published: 0 lines that say "lorem ipsum"."""
    max_num_curly_bracket: Threshold = None
    """Published: 0 lines with an opening curly bracket."""
    min_num_long_lines: Threshold = None
    """mC4: 3 lines of at least 200 code points."""
    max_policy_sentence_frac: Threshold = None
    """Share of the sentences that name JavaScript, cookies, terms of use or a privacy policy to the page's reader; not published.
    With `furniture_only` it is what removes pages that are nothing but such sentences."""
    max_cut_frac: Threshold = None
    """Share of the bytes that the line rules cut; not published."""


_POLICY = r"(?i)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies|javascript"
"""What the rules above call a line of policy or of JavaScript."""
_TO_READER = re.compile("(?i)" + "|".join([r"\byour?\b", *map(re.escape, c4_lines.TO_THE_READER)]))
"""What such a sentence holds when it speaks of its own page; a risk factor or news may name a policy in each of its own."""
MOST_LABEL = 5
"""Words of a sentence that is a label of a link."""
ALIKE = 2
"""Sentences that differ in names and numbers alone, from which they are entries of a list: one for each partner or cookie."""
_NAMED = re.compile(_POLICY)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def policy_sentence_frac(text: pa.Array) -> pa.Array:
    """float64[n]: the share of sentences that name a policy or JavaScript to the page's reader, as a label, or in a list of such;
    most texts name none and are only searched."""
    fractions = np.zeros(len(text))
    for row in np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring_regex(text, _POLICY), False))):
        sentences = [one for one in _SENTENCES.split(text[int(row)].as_py()) if one.strip()]
        named = [one for one in sentences if _NAMED.search(one)]
        shapes = [" ".join(word for word in one.split() if word.islower() and word.isalpha()) for one in named]
        alike = Counter(shapes)
        fractions[row] = sum(
            alike[shape] >= ALIKE or _TO_READER.search(one) is not None or len(one.split()) <= MOST_LABEL
            for one, shape in zip(named, shapes, strict=True)
        ) / max(len(sentences), 1)
    return pa.array(fractions)


@judge(
    "c4",
    version=3,
    settings=C4,
    reads=["text", "table_spans"],
    adds={
        "num_sentences": pa.int64(),
        "num_lorem_ipsum": pa.int64(),
        "num_curly_bracket": pa.int64(),
        "num_long_lines": pa.int64(),
        "num_lines": pa.int64(),
        "num_kept_lines": pa.int64(),
        "policy_sentence_frac": pa.float64(),
        "cut_frac": pa.float64(),
        "spans": SPANS,
    },
    cuts={"spans": "cut"},
)
def c4(batch: pa.RecordBatch, settings: C4) -> Columns:
    """Judge each line between `str.splitlines` ends, stripped, in the published order of the rules."""
    text = batch["text"]
    offsets, data = text_buffers(text)
    rules = c4_lines.LineRules(
        terminal_punct=settings.filter_no_terminal_punct,
        min_words=settings.min_words_per_line,
        max_word_chars=settings.max_word_length,
        citations=settings.remove_citations,
        javascript=settings.filter_javascript,
        policy=settings.filter_policy,
        furniture=settings.furniture_only,
        keep_blank=settings.keep_blank_lines,
        merge=not settings.prose_only,
    )
    found = c4_lines.c4_lines(offsets, data, words(text), rules)
    stats = found.stats
    rows, starts, ends, kinds = found.rows, found.starts, found.ends, found.kinds
    if settings.prose_only:
        outside = ~covered(rows, starts, ends, *table_ranges(batch))
        lost = np.concatenate(([0], np.cumsum(~outside)))
        rows, starts, ends, kinds = rows - lost[rows], starts[outside], ends[outside], kinds[outside]
    cut = np.concatenate(([0], np.cumsum((ends - starts).astype(np.int64))))
    spans = pa.StructArray.from_arrays(
        [pa.array(starts), pa.array(ends), pa.array(c4_lines.KINDS, pa.string()).take(pa.array(kinds))],
        fields=list(SPANS.value_type),
    )
    return {
        "num_sentences": pa.array(stats[:, c4_lines.SENTENCES]),
        "num_lorem_ipsum": pa.array(stats[:, c4_lines.LOREM_LINES]),
        "num_curly_bracket": pa.array(stats[:, c4_lines.CURLY_LINES]),
        "num_long_lines": pa.array(stats[:, c4_lines.LONG_LINES]),
        "num_lines": pa.array(stats[:, c4_lines.LINES]),
        "policy_sentence_frac": policy_sentence_frac(text),
        "num_kept_lines": pa.array(stats[:, c4_lines.KEPT_LINES]),
        "cut_frac": ratio(cut[rows[1:]] - cut[rows[:-1]], offsets[1:] - offsets[:-1]),
        "spans": pa.ListArray.from_arrays(pa.array(rows, pa.int32()), spans, type=SPANS),
    }
