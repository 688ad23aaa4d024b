"""Spans columns from the flat arrays that kernels return."""

import numpy as np
import pyarrow as pa

from pipeline.core.judge import SPANS


def spans_column(rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, kinds: pa.Array, count: int) -> pa.Array:
    """A column of type `SPANS` for `count` documents, from parallel arrays sorted by row and start.

    `rows` are document numbers, `starts` and `ends` byte offsets within the document, `kinds` strings.
    """
    borders = np.searchsorted(rows, np.arange(count + 1)).astype(np.int32)
    parts = [pa.array(starts.astype(np.int32)), pa.array(ends.astype(np.int32)), kinds]
    values = pa.StructArray.from_arrays(parts, fields=list(SPANS.value_type))
    return pa.ListArray.from_arrays(pa.array(borders), values).cast(SPANS)
