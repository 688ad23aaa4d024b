"""Any Hugging Face sequence classifier as a judge: a local folder, its checksum, and the label that removes.

See pipeline.measure.hf_models for how the folder is read.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.errors import UsageError
from pipeline.measure.hf_models import LIBRARIES, load, longest

PIECE_CHARS = 1000
MAX_PIECES = 32
BATCH = 16
DIGITS = 3
"""Probabilities are rounded to it: how torch adds up depends on the processor."""


class HfClassifier(JudgeSettings):
    """A sequence classifier of your own, such as a toxicity model: a folder with config, tokenizer and safetensors weights."""

    path: str = ""
    """The folder, on this machine."""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Checksum of the folder; the error for a wrong value gives the right one."""
    label: str = ""
    """The label whose probability is the score, by name as in its config."""
    max_score: Threshold = None
    """Remove when the mean of the worst tenth of pieces (1,000 characters) scores higher."""
    min_score: Threshold = None
    """Remove when it scores lower, for a label of good text."""
    max_worst_piece: Threshold = None
    """Remove when any one piece scores higher."""


def loaded(settings: HfClassifier) -> tuple[Any, Any, int]:
    """Tokenizer, model and the index of the label. Raises UsageError that says what is wrong and what would be right."""
    tokenizer, model = load("hf_classifier.", settings.path, settings.sha256, "SequenceClassification")
    names = {str(name): int(number) for number, name in model.config.id2label.items()}
    if settings.label not in names:
        has = ", ".join(sorted(names))
        raise UsageError(f"hf_classifier.label: {settings.path} has no label {settings.label!r} (it has: {has})")
    return tokenizer, model, names[settings.label]


def pieces(text: str) -> list[str]:
    """A text as at most `MAX_PIECES` pieces of `PIECE_CHARS` characters, evenly spread over a longer one.

    >>> [len(piece) for piece in pieces("a" * 2500)], len(pieces("b" * 100_000)), pieces("")
    ([1000, 1000, 500], 32, [''])
    """
    starts = list(range(0, max(len(text), 1), PIECE_CHARS))
    if len(starts) > MAX_PIECES:
        starts = [starts[at * (len(starts) - 1) // (MAX_PIECES - 1)] for at in range(MAX_PIECES)]
    return [text[start : start + PIECE_CHARS] for start in starts]


def probabilities(texts: list[str], settings: HfClassifier) -> np.ndarray:
    """float32[n]: softmax over the labels, or a sigmoid where the model is of several labels at once or of one."""
    tokenizer, model, at = loaded(settings)
    several = model.config.problem_type == "multi_label_classification" or model.config.num_labels == 1
    found = []
    for start in range(0, len(texts), BATCH):
        inputs = tokenizer(
            texts[start : start + BATCH], truncation=True, max_length=longest(model), padding=True, return_tensors="pt"
        )
        logits = model(**inputs).logits.numpy().astype(np.float64)
        if several:
            found.append(1 / (1 + np.exp(-logits[:, at])))
        else:
            parts = np.exp(logits - logits.max(axis=1, keepdims=True))
            found.append(parts[:, at] / parts.sum(axis=1))
    return np.round(np.concatenate(found), DIGITS).astype(np.float32) if found else np.zeros(0, np.float32)


@judge(
    "hf_classifier",
    version=1,
    settings=HfClassifier,
    reads=["text"],
    adds={"score": pa.float32(), "worst_piece": pa.float32()},
    libraries=LIBRARIES,
    weights=lambda settings: settings.sha256,
)
def hf_classifier(batch: pa.RecordBatch, settings: HfClassifier) -> Columns:
    """`score` and `worst_piece` are 0-1, each text for itself: texts are scored one by one where padding would matter."""
    score, worst = np.zeros(batch.num_rows, np.float32), np.zeros(batch.num_rows, np.float32)
    for row, text in enumerate(batch["text"].to_pylist()):
        ordered = np.sort(probabilities(pieces(text), settings))
        score[row] = ordered[-((len(ordered) + 9) // 10) :].mean()
        worst[row] = ordered[-1]
    return {"score": pa.array(np.round(score, DIGITS)), "worst_piece": pa.array(worst)}
