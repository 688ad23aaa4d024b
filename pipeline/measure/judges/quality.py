"""Quality: how much a document reads like curated text rather than like raw text; trained in the run."""

from typing import Any

import pyarrow as pa

from pipeline.classify.classifier_settings import QualitySettings
from pipeline.classify.score import COLUMNS, columns, load
from pipeline.core.judge import Columns, judge


@judge("quality", version=2, settings=QualitySettings, reads=["id", "text"], adds=COLUMNS, model=load)
def quality(batch: pa.RecordBatch, settings: QualitySettings, model: Any = None) -> Columns:
    """`score` is 0-1, a probability at even odds; see `pipeline.classify`."""
    return columns(batch, model)
