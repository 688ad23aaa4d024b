"""Language of a document: py3langid's model run by a compiled kernel, on windows of the text or on all of it.

Digits and marks are no evidence. A short text is read a second time without names (words with a capital), codes and words of
another script; where too few words are left to tell, its label is `und`, which a recipe keeps by naming it: `keep: [en, und]`.
Labels and rows of English filings' tables are en or `und` in 0.9996 of cases, where py3langid says en of 0.70.
"""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator

from pipeline.classify.classifier_settings import Pinned
from pipeline.classify.fasttext import PACKAGE, languages, open_model
from pipeline.core.judge import Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings, Threshold
from pipeline.kernels.buffers import read_only, text_buffers
from pipeline.kernels.text import langid
from pipeline.kernels.text.word_tables import ATTRIBUTES

COMMON = """
ar arabic ara, bg bulgarian bul, bn bengali ben, ca catalan cat, cs czech ces cze, da danish dan, de german deu ger,
el greek ell gre, en english eng, es spanish spa, et estonian est, fa persian fas per farsi, fi finnish fin,
fr french fra fre, he hebrew heb, hi hindi hin, hr croatian hrv, hu hungarian hun, id indonesian ind, it italian ita,
ja japanese jpn, ko korean kor, lt lithuanian lit, lv latvian lav, ms malay msa may, nl dutch nld dut,
no norwegian nor nob, pl polish pol, pt portuguese por, ro romanian ron rum, ru russian rus, sk slovak slk slo,
sl slovenian slv, sr serbian srp, sv swedish swe, sw swahili swa, ta tamil tam, te telugu tel, th thai tha,
tr turkish tur, uk ukrainian ukr, ur urdu urd, vi vietnamese vie, zh chinese zho chi mandarin
"""
"""Common languages: the model's label, then the names people write instead (English name, ISO 639-2 and 639-3)."""
LABEL_OF = {name: entry.split()[0] for entry in COMMON.split(",") for name in entry.split()}
COMMON_LABELS = frozenset([*LABEL_OF.values(), "und"])


def _nearest_label(label: str, labels: Sequence[str]) -> str:
    """ "did you mean en?" by code (en-US, eng) or by English name, mistyped or not; else what labels look like."""
    word = label.strip().lower()
    code = re.split(r"[-_]", word)[0]
    for known in (word, code):
        if known in labels or known in LABEL_OF:
            return f"did you mean {LABEL_OF.get(known, known)}?"
    near = difflib.get_close_matches(word, [*LABEL_OF, *labels], n=1, cutoff=0.6)
    return f"did you mean {LABEL_OF.get(near[0], near[0])}?" if near else "labels are ISO 639-1: en, de, fr, …"


UNDETERMINED = "und"
"""The label of a text with too little evidence (ISO 639-2)."""
SURE, BOTH_READINGS, FEW_WORDS = 0.95, 0.35, 0.25
"""Least score of a label by the words of a short text: fewer than `min_words` without a capital; the same, and both readings
give the label; fewer than twice `min_words`. Chosen on every fourth row of a year's filings and a third of the sentences."""
BY_NAMES = 1.5
"""How far the label of the words without a capital must lead, in their score, to overrule that of the whole text."""


class Language(JudgeSettings):
    """Language by windows of the text; `full_text` gives py3langid's own label for every document."""

    full_text: bool = False
    """Look at every byte, digits too, in one piece, and label every document."""
    min_words: int = Field(default=4, ge=0, le=100)
    """A text of up to two windows with fewer words without a capital needs a high score, else it is `und`; 0: never."""
    windows: int = Field(default=4, ge=1, le=64)
    """Windows of a document, evenly spread; a document that fits into them is looked at whole."""
    window_bytes: int = Field(default=256, ge=64)
    """Bytes of a window."""
    mixed_score: float = Field(default=0.9, ge=0, le=1)
    """A window counts as another language from this score on."""
    fasttext: Pinned | None = None
    """Label with this fastText model (lid.176, GlotLID; local disk) instead; slower. Labels are the model's own."""
    keep: Annotated[list[str], DecidedBy()] = Field(default_factory=list)
    """Labels to keep (ISO 639-1, `und`; of a fastText model its own, such as eng_Latn); empty keeps every language."""
    min_score: Threshold = None
    """Remove below this share of the model's probability mass (temperature sqrt(bytes); fastText: its probability); `und`
    has no score."""
    max_mixed_frac: Threshold = None
    """Remove when a larger share of the text is clearly in another language than the label."""

    @field_validator("keep")
    @classmethod
    def _labels_exist(cls, keep: list[str], info: ValidationInfo) -> list[str]:
        """A label that the model never gives would remove every document; a fastText model's labels are its own."""
        if info.data.get("fasttext") is not None or COMMON_LABELS.issuperset(keep):
            return keep  # the common labels are known without loading the model, which takes a second
        labels = [*langid.load_model().labels, UNDETERMINED]
        unknown = [f"{label!r} ({_nearest_label(label, labels)})" for label in keep if label not in labels]
        if unknown:
            raise ValueError(f"no language has the label {', '.join(unknown)}")
        return keep

    def libraries(self) -> list[str]:
        """fastText's reader, where it is used."""
        return [PACKAGE] if self.fasttext else []

    def check(self) -> None:
        """The fastText model is there and is the one that the recipe means."""
        if self.fasttext:
            open_model(self.fasttext)


@judge(
    "language",
    version=2,
    settings=Language,
    reads=["text"],
    adds={"label": pa.string(), "score": pa.float64(), "mixed_frac": pa.float64()},
    libraries=["py3langid"],
    weights=lambda settings: settings.fasttext.sha256 if settings.fasttext else None,
)
def language(batch: pa.RecordBatch, settings: Language) -> Columns:
    """Label, score and share of other languages; `mixed_frac` comes from the windows in both modes."""
    offsets, data = text_buffers(batch["text"])
    if settings.fasttext:
        return _by_fasttext(offsets, data, settings, settings.fasttext)
    labels = [*langid.load_model().labels, UNDETERMINED]
    best, score, mixed = _classify(offsets, data, settings)
    if settings.full_text:
        rows, starts, ends, data = _windows(offsets, data, 0, settings)
        best, score, _, _ = langid.classify(
            rows, starts, ends, data, settings.mixed_score, *langid.load_model()[:6], _nothing(len(best))
        )
    return {
        "label": pa.array(labels).take(pa.array(best)),
        "score": pa.array(score.round(6), mask=best == len(labels) - 1),
        "mixed_frac": pa.array(mixed),
    }


@language.rule
def _unwanted(signals: pa.Table, settings: Language) -> dict[str, pa.Array]:
    """`keep`: the label is none of the languages to keep."""
    if not settings.keep:
        return {}
    return {"keep": pc.invert(pc.is_in(signals["label"], value_set=pa.array(settings.keep, pa.string())))}


def _windows(offsets: np.ndarray, data: np.ndarray, count: int, settings: Language) -> tuple[np.ndarray, ...]:
    """(rows, starts, ends, bytes) of the windows to look at, prepared as py3langid does."""
    rows, starts, ends = langid.windows(offsets, data, count, settings.window_bytes)
    hard = np.flatnonzero(langid.needs_preparing(rows, starts, ends, data, ATTRIBUTES))
    if len(hard):
        data, starts, ends = _prepared(hard, rows, starts, ends, data)
    return rows, starts, ends, data


def _nothing(count: int) -> np.ndarray:
    """No expected class for so many documents."""
    return np.full(count, -1, np.int32)


def _classify(offsets: np.ndarray, data: np.ndarray, settings: Language) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class (one more than the model has: `und`), score and `mixed_frac` of each document by its windows."""
    model = langid.letters_model()
    rows, starts, ends, data = _windows(offsets, data, settings.windows, settings)
    best, score, mixed, _ = langid.classify(
        rows, starts, ends, data, settings.mixed_score, *model[:6], _nothing(len(rows) - 1)
    )
    short = np.flatnonzero(np.diff(rows) == 1)
    if not len(short) or settings.min_words == 0:
        return best, score, mixed
    text, places, counts = langid.quiet(starts[rows[short]], ends[rows[short]], data, ATTRIBUTES)
    one_each = np.arange(len(places))
    second, second_score, _, first_score = langid.classify(
        one_each, places[:-1], places[1:], read_only(text), settings.mixed_score, *model[:6], best[short]
    )
    least, few = settings.min_words, counts[:, langid.SMALL_WORDS]
    alike = second == best[short]
    named = ~alike & (few >= least) & (second_score >= BY_NAMES * first_score)
    sure = np.where(named, second_score, score[short])
    needed = np.where(few >= least, FEW_WORDS, np.where(alike & (few >= 2), BOTH_READINGS, SURE))
    needed[(few >= 2 * least) | (counts[:, langid.IN_LATIN] == 0)] = 0
    best[short] = np.where(sure < needed, len(model.labels), np.where(named, second, best[short]))
    score[short] = sure
    return best, score, mixed


def _prepared(
    hard: np.ndarray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, data: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """py3langid's preparation of the few documents it can change: lower-cased when all in capitals, then NFC.

    Their windows are appended to the bytes and the windows moved there.
    """
    extra, at = [], len(data)
    starts, ends = starts.copy(), ends.copy()
    for row in hard:
        span = range(rows[row], rows[row + 1])
        pieces = [data[starts[window] : ends[window]].tobytes().decode() for window in span]
        capitals = "".join(pieces).isupper()
        if not capitals and all(unicodedata.is_normalized("NFC", piece) for piece in pieces):
            continue
        for window, piece in zip(span, pieces, strict=True):
            raw = unicodedata.normalize("NFC", piece.lower() if capitals else piece).encode()
            starts[window], ends[window] = at, at + len(raw)
            at += len(raw)
            extra.append(raw)
    if extra:
        data = read_only(np.concatenate([data, np.frombuffer(b"".join(extra), np.uint8)]))
    return data, starts, ends


def _by_fasttext(offsets: np.ndarray, data: np.ndarray, settings: Language, pinned: Pinned) -> Columns:
    """The same columns from a fastText model: the windows of a document as one text, and each alone for `mixed_frac`."""
    model = open_model(pinned)
    rows, starts, ends = langid.windows(offsets, data, settings.windows, settings.window_bytes)
    pieces = [data[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)]
    joined = ["\n".join(pieces[rows[row] : rows[row + 1]]) for row in range(len(rows) - 1)]
    if settings.full_text:
        joined = [data[offsets[row] : offsets[row + 1]].tobytes().decode() for row in range(len(rows) - 1)]
    labels, score = languages(model, joined)
    window_labels, window_scores = languages(model, pieces)
    mixed = np.zeros(len(joined))
    for row in np.flatnonzero(np.diff(rows) > 1):
        span = np.arange(rows[row], rows[row + 1])
        sizes = (ends - starts)[span]
        other = [window_labels[at] not in (labels[row], "und") for at in span]
        mixed[row] = sizes[other & (window_scores[span] >= settings.mixed_score)].sum() / max(1, sizes.sum())
    return {"label": pa.array(labels, pa.string()), "score": pa.array(score), "mixed_frac": pa.array(mixed)}
