"""fastText models by path and checksum, through the `fasttext-predict` package when it is installed."""

import functools
import hashlib
import os
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.classify.classifier_settings import FastText, Pinned
from pipeline.errors import UsageError

PACKAGE = "fasttext-predict"


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"fastText model {path}: {error.strerror}") from error


@functools.lru_cache(maxsize=4)
def _opened(path: str, sha256: str, size: int, changed: int) -> Any:
    if (digest := _digest(path)) != sha256:
        raise UsageError(f"fastText model {path} has the sha256 {digest}, the recipe says {sha256}")
    try:
        return _library().load_model(path)
    except ValueError as error:
        raise UsageError(f"fastText model {path} is none that fasttext-predict reads: {error}") from error


def _library() -> Any:
    try:
        import fasttext  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise UsageError(
            "`fasttext:` needs a package that is not installed: pip install 'domain-corpus[fasttext]'"
        ) from error
    return fasttext


def open_model(pinned: Pinned) -> Any:
    """The model of a file, checked against its sha256. Raises UsageError when the file or the package is not right."""
    _library()
    try:
        found = os.stat(pinned.path)
    except OSError as error:
        raise UsageError(f"fastText model {pinned.path}: {error.strerror}") from error
    return _opened(pinned.path, pinned.sha256, found.st_size, found.st_mtime_ns)


def line_of(text: str | None) -> str:
    """A text as fastText reads it: one line, the line ends read as spaces, as DCLM did."""
    return (text or "").replace("\n", " ").strip()


class FastTextModel:
    """A fastText classifier whose score is the probability of one label."""

    def __init__(self, settings: FastText) -> None:
        """Check the file and open it. Raises UsageError when it is missing, another file, or the library is not there."""
        self._model = open_model(settings)
        self._label = settings.label
        self._path = settings.path

    def score(self, text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64[n] of 0-1, and which rows have a word that the model knows."""
        scores, known = np.zeros(len(text)), np.zeros(len(text), np.bool_)
        for row, value in enumerate(text.to_pylist()):
            line = line_of(value)
            labels, chances = self._model.predict(line, k=-1, threshold=0.0) if line else ((), ())
            if not labels:
                continue
            if self._label not in labels:
                few = ", ".join(sorted(labels)[:8])
                raise UsageError(f"fastText model {self._path} has no label {self._label!r}; it has {few}")
            known[row] = True
            scores[row] = min(1.0, dict(zip(labels, chances, strict=True))[self._label])
        return np.round(scores, 4), known


def languages(model: Any, texts: list[str]) -> tuple[list[str], np.ndarray]:
    """Of every text the likeliest label, without its `__label__`, and its probability; "und" where no word is known."""
    names, chances = [], np.zeros(len(texts))
    for row, text in enumerate(texts):
        line = line_of(text)
        best = next(zip(*model.predict(line, k=1), strict=True), None) if line else None
        label, chance = best or ("und", 0.0)
        names.append(label.removeprefix("__label__"))
        chances[row] = min(1.0, chance)
    return names, np.round(chances, 4)
