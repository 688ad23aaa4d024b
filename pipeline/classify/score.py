"""Scoring in the measure pass: loading a trained model and adding its columns."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.classify.classifier_settings import ClassifierSettings, DomainSettings
from pipeline.classify.fasttext import FastTextModel
from pipeline.classify.model import Model
from pipeline.classify.sample import audit_mask
from pipeline.core.judge import Columns

COLUMNS = {"score": pa.float32(), "audit": pa.bool_()}
"""`score`: null for documents without words. `audit`: a random 1 % of ids that no classifier learns from."""


class Scorer(Protocol):
    """Anything that scores texts."""

    def score(self, text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64[n] and which of them mean something."""
        ...


def load(settings: ClassifierSettings, read: Callable[[], bytes]) -> Scorer:
    """The model of a judge: the run's weights, or a fastText file."""
    return FastTextModel(settings.fasttext) if settings.fasttext else Model.from_bytes(read())


def columns(batch: pa.RecordBatch, model: Any) -> Columns:
    """Scores and the audit stream; without a model every score is null."""
    audit = pa.array(audit_mask(batch["id"]))
    if model is None:
        return {"score": pa.nulls(batch.num_rows, pa.float32()), "audit": audit}
    scores, known = model.score(batch["text"])
    return {"score": pa.array(scores.astype(np.float32), mask=~known), "audit": audit}


def reads_as_domain(scores: pa.ChunkedArray, settings: DomainSettings) -> pa.ChunkedArray:
    """bool: the role that the domain score gives where nothing else does; without a score it is not domain.

    >>> reads_as_domain(pa.chunked_array([[0.2, 0.5, None]]), DomainSettings(role_score=0.5)).to_pylist()
    [False, True, False]
    """
    return pc.fill_null(pc.greater_equal(scores, settings.role_score), False)  # type: ignore[attr-defined]
