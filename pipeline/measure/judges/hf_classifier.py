"""Any Hugging Face sequence classifier as a judge: a local folder, its checksum, and the label that removes.

Runs through `transformers` and the torch that it brings (`pip install 'domain-corpus[train]'`); no other part of curation
needs either. Nothing is fetched, no code of the folder is run, and only safetensors weights are read.
"""

import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.errors import UsageError

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


def folder_sha256(folder: Path) -> str:
    """sha256 over the names and sha256 of all files under a folder, in the order of names; hidden files do not count.

    Raises UsageError when there is none.
    """
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and not any(n[0] == "." for n in p.relative_to(folder).parts)
    )
    if not files:
        raise UsageError(f"hf_classifier.path {folder}: there is no such folder, or it is empty")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


@functools.lru_cache(maxsize=2)
def load(path: str, sha256: str, label: str) -> tuple[Any, Any, int]:
    """Tokenizer, model and the index of the label. Raises UsageError that says what is wrong and what would be right."""
    missing = [name for name in ("transformers", "torch") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"hf_classifier needs {' and '.join(missing)}, not installed here: pip install 'domain-corpus[train]'"
        )
    found = folder_sha256(Path(path))
    if found != sha256:
        raise UsageError(f"hf_classifier.sha256: {path} has {found}, the recipe says {sha256 or 'nothing'}")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"hf_classifier.path {path}: {error}") from error
    names = {str(name): int(number) for number, name in model.config.id2label.items()}
    if label not in names:
        raise UsageError(f"hf_classifier.label: {path} has no label {label!r} (it has: {', '.join(sorted(names))})")
    model.eval()
    model.requires_grad_(False)
    return tokenizer, model, names[label]


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
    tokenizer, model, at = load(settings.path, settings.sha256, settings.label)
    several = model.config.problem_type == "multi_label_classification" or model.config.num_labels == 1
    longest = min(512, getattr(model.config, "max_position_embeddings", 512))
    found = []
    for start in range(0, len(texts), BATCH):
        inputs = tokenizer(
            texts[start : start + BATCH], truncation=True, max_length=longest, padding=True, return_tensors="pt"
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
    libraries=["transformers", "tokenizers", "torch"],
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
