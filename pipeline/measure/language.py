"""Language of a document: py3langid's model run by a compiled kernel, on windows of the text or on all of it."""

import unicodedata
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings, Threshold
from pipeline.kernels import langid
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.word_tables import ATTRIBUTES


class Language(JudgeSettings):
    """Language by windows of the text; `full_text` gives py3langid's own label for every document."""

    full_text: bool = False
    """Look at every byte, in one piece."""
    windows: int = Field(default=4, ge=1, le=64)
    """Windows of a document, evenly spread; a document that fits into them is looked at whole."""
    window_bytes: int = Field(default=256, ge=64)
    """Bytes of a window."""
    mixed_score: float = Field(default=0.9, ge=0, le=1)
    """A window counts as another language from this score on."""
    keep: Annotated[list[str], DecidedBy()] = Field(default_factory=list)
    """ISO 639-1 codes to keep; empty keeps every language."""
    min_score: Threshold = None
    """Remove below this share of the model's probability mass (temperature sqrt(bytes))."""
    max_mixed_frac: Threshold = None
    """Remove when a larger share of the text is clearly in another language than the label."""


@judge(
    "language",
    version=1,
    settings=Language,
    reads=["text"],
    adds={"label": pa.string(), "score": pa.float64(), "mixed_frac": pa.float64()},
    libraries=["py3langid"],
)
def language(batch: pa.RecordBatch, settings: Language) -> Columns:
    """Label, score and share of other languages; `mixed_frac` comes from the windows in both modes."""
    model = langid.load_model()
    offsets, data = text_buffers(batch["text"])
    best, score, mixed = _classify(offsets, data, settings.windows, settings)
    if settings.full_text:
        best, score, _ = _classify(offsets, data, 0, settings)
    labels = pa.array(model.labels).take(pa.array(best))
    return {"label": labels, "score": pa.array(score.round(6)), "mixed_frac": pa.array(mixed)}


@language.rule
def _unwanted(signals: pa.Table, settings: Language) -> dict[str, pa.Array]:
    """`keep`: the label is none of the languages to keep."""
    if not settings.keep:
        return {}
    return {"keep": pc.invert(pc.is_in(signals["label"], value_set=pa.array(settings.keep, pa.string())))}


def _classify(
    offsets: np.ndarray, data: np.ndarray, count: int, settings: Language
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    model = langid.load_model()
    rows, starts, ends = langid.windows(offsets, data, count, settings.window_bytes)
    hard = np.flatnonzero(langid.needs_preparing(rows, starts, ends, data, ATTRIBUTES))
    if len(hard):
        data, starts, ends = _prepared(hard, rows, starts, ends, data)
    return langid.classify(rows, starts, ends, data, settings.mixed_score, *model[:6])


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
        data = np.concatenate([data, np.frombuffer(b"".join(extra), np.uint8)])
        data.flags.writeable = False  # as Arrow's own buffers are: the kernel is compiled for one type
    return data, starts, ends
