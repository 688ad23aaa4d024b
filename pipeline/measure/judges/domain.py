"""Domain: how much a document reads like the domain's positives rather than like general text; trained in the run."""

from typing import Any

import pyarrow as pa

from pipeline.classify.classifier_settings import DomainSettings
from pipeline.classify.score import COLUMNS, columns, load
from pipeline.core.judge import Columns, judge


@judge("domain", version=2, settings=DomainSettings, reads=["id", "text"], adds=COLUMNS, model=load)
def domain(batch: pa.RecordBatch, settings: DomainSettings, model: Any = None) -> Columns:
    """`score` is 0-1, a probability at even odds; see `pipeline.classify`."""
    return columns(batch, model)
