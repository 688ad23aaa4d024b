"""Quality: which documents of a crawl are the best to learn from: three views and their mean (`pipeline.classify.views`)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.classify.classifier_settings import QualitySettings
from pipeline.classify.informative import WEIGHTS
from pipeline.classify.sample import audit_mask
from pipeline.classify.score import COLUMNS, columns, load
from pipeline.classify.views import Views
from pipeline.core.judge import Columns, judge

VIEWS = {"reference": pa.float32(), "informative": pa.float32(), "domain": pa.float32()}


def load_views(settings: QualitySettings, read: Callable[[], bytes]) -> Any:
    """The run's views, or a fastText file, whose score stands alone."""
    return load(settings, read) if settings.fasttext else Views.from_bytes(read())


@judge(
    "quality",
    version=3,
    settings=QualitySettings,
    reads=["id", "text"],
    adds={**COLUMNS, **VIEWS},
    weights=lambda settings: None if settings.fasttext else WEIGHTS.sha256,
    model=load_views,
)
def quality(batch: pa.RecordBatch, settings: QualitySettings, model: Any = None) -> Columns:
    """`score` is 0-1, the mean of the ranks that the views give; a view that was not learned is null."""
    found: Columns = {name: pa.nulls(batch.num_rows, pa.float32()) for name in VIEWS}
    if settings.fasttext:
        return found | columns(batch, model)
    scores = (model or Views({})).scores(batch["text"], settings.views)
    found["audit"] = pa.array(audit_mask(batch["id"]))
    return found | {name: pa.array(own.astype(np.float32), from_pandas=True) for name, own in scores.items()}
