"""fastText models by path and checksum, through the `fasttext-predict` package when it is installed."""

import functools
import hashlib
import os
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.classify.settings import FastText
from pipeline.errors import UsageError


def _digest(path: str) -> str:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    except OSError as error:
        raise UsageError(f"fastText model {path}: {error.strerror}") from error
    return found.hexdigest()


@functools.lru_cache(maxsize=2)
def _opened(path: str, sha256: str, size: int, changed: int) -> Any:
    if (digest := _digest(path)) != sha256:
        raise UsageError(f"fastText model {path} has the sha256 {digest}, the recipe says {sha256}")
    return _library().load_model(path)


def _library() -> Any:
    try:
        import fasttext  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise UsageError("`fasttext:` needs a package that is not installed: pip install fasttext-predict") from error
    return fasttext


class FastTextModel:
    """A fastText classifier whose score is the probability of one label."""

    def __init__(self, settings: FastText) -> None:
        """Check the file and open it. Raises UsageError when it is missing, another file, or the library is not there."""
        _library()
        try:
            found = os.stat(settings.path)
        except OSError as error:
            raise UsageError(f"fastText model {settings.path}: {error.strerror}") from error
        self._model = _opened(settings.path, settings.sha256, found.st_size, found.st_mtime_ns)
        self._label = settings.label

    def score(self, text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64[n] of 0-1, and which rows have text. Line ends are read as spaces, as DCLM did."""
        scores, known = np.zeros(len(text)), np.zeros(len(text), np.bool_)
        for row, value in enumerate(text.to_pylist()):
            line = (value or "").replace("\n", " ").strip()
            if line:
                labels, chances = self._model.predict(line, k=-1, threshold=0.0)
                known[row] = True
                scores[row] = min(1.0, dict(zip(labels, chances, strict=True)).get(self._label, 0.0))
        return np.round(scores, 4), known
