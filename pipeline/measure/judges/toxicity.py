"""Toxicity by an embedded linear scorer of sentences that reads every sentence with and without its identity words.

The score of a sentence is the smaller of the two readings, so that naming a group cannot by itself raise it. A document's
score is the mean of its worst third of sentences (at least one, the last in part): of a short clean text one sharp sentence
is not enough, nor of a long one a tenth, unless it threatens somebody or insults a group of people. Weights, data,
licences and errors per identity: `toxicity.md` beside this file.
"""

import numpy as np
import pyarrow as pa

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.core.shipped_weights import ShippedWeights
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.compiled import kernel
from pipeline.kernels.text.ngrams import MAX_LISTED, SCORN, SLUR, sum_sentences
from pipeline.kernels.text.term_trie import WORD_LOWER, find_phrases
from pipeline.measure.spans import spans_column
from pipeline.measure.threats import threats

WORST_PART = 3
"""The score of a document is the mean of one in so many of its sentences, the worst."""
AT_PEOPLE, SLURRED, AIMED, SHORT = 0.75, 0.95, 0.83, 15
"""A sentence that names a group and scores more than this decides by itself in a text of so many sentences; in a longer one
in proportion. One that only has a slur must score more, many slurs are words for other things, too; beside scorn less."""
THREATENS = 0.85
"""What a sentence that threatens "you" scores at least; it decides as one at a group does."""
LIFT = 2.4
"""What a listed word adds to the logit of a sentence, as long as that stays under one half."""
SENTENCE_THRESHOLD = 0.7
"""A sentence above it is a span, and counts in `sentence_share`."""


class Toxicity(JudgeSettings):
    """Insults, threats, hate and obscenity, by sentence; listed words are a signal and never a verdict."""

    max_score: Threshold = None
    """Remove when the mean of the worst third of sentences is higher."""
    max_sentence_share: Threshold = None
    """Remove when more of the sentences are toxic."""
    max_worst_sentence: Threshold = None
    """Remove when any one sentence scores higher."""


WEIGHTS = ShippedWeights("pipeline.measure.judges", "toxicity.safetensors")
"""See `train_toxicity.train`."""
READ = ("word_weights", "char_weights", "scope_weights", "neutral", "listed", "class_keys", "class_ids")


def sentence_scores(sums: np.ndarray, sizes: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Probabilities float32[s] from integer sums: the smaller of the plain and the neutral reading, and what listed words add.

    A listed word lifts a sentence to one half and hardly beyond: swearing ranks over clean text and is no verdict.

    Rounded to four places, so that a last bit of `exp` on another machine does not change a file.
    """
    values = sums / np.sqrt(np.maximum(sizes[:, :5], 1))
    word, char, scope, bias, each = (float(scale) for scale in scales)
    base, listed = bias + values[:, 4] * scope, np.minimum(sizes[:, 5], MAX_LISTED)
    plain = values[:, 0] * word + values[:, 1] * char
    neutral = values[:, 2] * word + values[:, 3] * char
    read = np.minimum(plain, neutral) + base
    lifted = np.maximum(read, np.minimum(read + LIFT * listed, 0.0)) + each * listed
    return np.round(1 / (1 + np.exp(-np.clip(lifted, -40, 40))), 4).astype(np.float32)


@kernel()
def _documents(
    rows: np.ndarray, scores: np.ndarray, at_people: np.ndarray, count: int, bound: float
) -> tuple[np.ndarray, ...]:
    worst_part, share = np.zeros(count, np.float32), np.zeros(count, np.float32)
    worst, toxic = np.zeros(count, np.float32), np.zeros(count, np.int32)
    begin = 0
    while begin < len(rows):
        end = begin
        while end < len(rows) and rows[end] == rows[begin]:
            end += 1
        row, ordered = rows[begin], np.sort(scores[begin:end])
        # The last sentence taken counts in part, so that one sentence more is no step.
        taken = max(1.0, (end - begin) / WORST_PART)
        total, left, at = 0.0, taken, len(ordered) - 1
        while left > 0.0:
            total += ordered[at] * min(left, 1.0)
            left -= 1.0
            at -= 1
        over = 0
        for at in range(begin, end):
            over += scores[at] > bound
        aimed = 0.0
        for at in range(begin, end):
            if at_people[at] and scores[at] > AT_PEOPLE:
                aimed = max(aimed, np.float64(scores[at]))
        worst_part[row] = max(total / taken, aimed * min(1.0, SHORT / (end - begin)))
        worst[row] = ordered[-1]
        share[row], toxic[row] = over / (end - begin), over
        begin = end
    return worst_part, share, worst, toxic


def score_texts(
    text: pa.Array, tensors: dict[str, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row, start byte, end byte and score of every sentence of a column."""
    return _sentences(text, tensors)[:4]


def _sentences(
    text: pa.Array, tensors: dict[str, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`score_texts`, and whether a sentence names a group of people, by a word of its own or by a slur."""
    tensors = tensors or WEIGHTS.tensors
    offsets, data = text_buffers(text)
    readings = (tensors[name] for name in READ)
    rows, begins, stops, sums, sizes = sum_sentences(offsets, data, WORD_LOWER, *readings)
    scores = sentence_scores(sums, sizes, tensors["scales"])
    slur, scorn = (sizes[:, 6] & 1 << one > 0 for one in (SLUR, SCORN))
    at_people = (sizes[:, 1] > sizes[:, 3]) | slur & (scores > np.where(scorn, AIMED, SLURRED))
    threatens = threats(text, rows, begins, sizes[:, 6])
    scores[threatens] = np.maximum(scores[threatens], np.float32(THREATENS))
    at_people |= threatens
    return rows, begins, stops, scores, at_people


@judge(
    "toxicity",
    version=7,
    settings=Toxicity,
    reads=["text"],
    adds={
        "score": pa.float32(),
        "sentence_share": pa.float32(),
        "worst_sentence": pa.float32(),
        "num_toxic_sentences": pa.int32(),
        "num_listed_words": pa.int32(),
        "spans": SPANS,
    },
    weights=lambda settings: WEIGHTS.sha256,
)
def toxicity(batch: pa.RecordBatch, settings: Toxicity) -> Columns:
    """`score`, `worst_sentence` and `sentence_share` are 0-1; `spans` are the sentences above `SENTENCE_THRESHOLD`."""
    tensors, count = WEIGHTS.tensors, batch.num_rows
    rows, begins, stops, scores, at_people = _sentences(batch["text"], tensors)
    score, share, worst, toxic = _documents(rows, scores, at_people, count, SENTENCE_THRESHOLD)
    over = scores > SENTENCE_THRESHOLD
    kinds = pa.array(["toxic"] * int(over.sum()), pa.string())
    offsets, data = text_buffers(batch["text"])
    listed, _, _, _, _ = find_phrases(offsets, data, WORD_LOWER, tensors["listed_keys"], tensors["listed_values"])
    return {
        "score": pa.array(score),
        "sentence_share": pa.array(share),
        "worst_sentence": pa.array(worst),
        "num_toxic_sentences": pa.array(toxic),
        "num_listed_words": pa.array(np.bincount(listed, minlength=count).astype(np.int32)),
        "spans": spans_column(rows[over], begins[over], stops[over], kinds, count),
    }
