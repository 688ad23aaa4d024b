"""Which identity terms a document mentions: nothing here removes, the bias audit reads it."""

import numpy as np
import pyarrow as pa

from pipeline.audit.identity_terms import TABLE_VERSION, find_terms, identity_terms
from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings
from pipeline.kernels.buffers import text_buffers


class Identity(JudgeSettings):
    """Identity terms over more than ten axes, without finance's look-alikes (blind trust, minority interest)."""


def mention_columns(rows: np.ndarray, terms: np.ndarray, width: int, count: int) -> Columns:
    """Per document the sorted numbers of its terms (all under `width`) and how often each occurs, from parallel arrays
    int64[m] of mentions."""
    keys, mentions = np.unique(rows * width + terms, return_counts=True)
    borders = np.searchsorted(keys, np.arange(count + 1, dtype=np.int64) * width).astype(np.int32)
    return {
        "terms": pa.ListArray.from_arrays(pa.array(borders), pa.array((keys % width).astype(np.int32))),
        "mentions": pa.ListArray.from_arrays(pa.array(borders), pa.array(mentions.astype(np.int32))),
    }


@judge(
    "identity",
    version=TABLE_VERSION,
    settings=Identity,
    reads=["text"],
    adds={"terms": pa.list_(pa.int16()), "mentions": pa.list_(pa.int32())},
)
def identity(batch: pa.RecordBatch, settings: Identity) -> Columns:
    """`terms`: sorted ids of `pipeline.audit.identity_terms.identity_terms()`; `mentions`: how often each occurs."""
    rows, terms, _, _ = find_terms(*text_buffers(batch["text"]))
    return mention_columns(rows, terms.astype(np.int64), len(identity_terms()) + 1, batch.num_rows)
