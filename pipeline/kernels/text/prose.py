"""Prose without its tables: the lines that a document's `table_spans` touch are left out, in compiled code."""

import numpy as np
import pyarrow as pa

from pipeline.kernels import codes
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memo import LastColumns
from pipeline.kernels.text.marks import KINDS, without_marks


def _spans(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows int64[n + 1], starts int32, ends int32) of a spans column; a null row has no spans."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    lengths = np.array(column.value_lengths().fill_null(0), dtype=np.int64)
    flat = column.flatten()
    starts = flat.field("start").to_numpy(zero_copy_only=False).astype(np.int32)
    ends = flat.field("end").to_numpy(zero_copy_only=False).astype(np.int32)
    return np.concatenate(([0], np.cumsum(lengths))), starts, ends


@kernel()
def _copy_prose(
    offsets: np.ndarray, data: np.ndarray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    out, places = np.empty(offsets[-1] - offsets[0], np.uint8), np.zeros(len(offsets), np.int64)
    to = 0
    for row in range(len(offsets) - 1):
        base, end, span = offsets[row], offsets[row + 1], rows[row]
        line = base
        while line < end:
            stop = line
            while stop < end and data[stop] != codes.LINE_FEED:
                stop += 1
            stop = min(stop + 1, end)
            while span < rows[row + 1] and base + ends[span] <= line:
                span += 1
            if not (span < rows[row + 1] and base + starts[span] < stop and base + ends[span] > line):
                for at in range(line, stop):
                    out[to] = data[at]
                    to += 1
            line = stop
        places[row + 1] = to
    return places, out[:to]


_last_prose: LastColumns[pa.Array] = LastColumns()
_last_plain: LastColumns[pa.Array] = LastColumns()


def judged_text(batch: pa.RecordBatch, prose_only: bool, ignore_layout: bool = False) -> pa.Array:
    """The text a prose rule looks at: the whole, or with `prose_only` the lines outside `table_spans`; with `ignore_layout`
    without rulers, dot leaders, bullets and check boxes (`pipeline.kernels.text.marks`).

    >>> table = pa.array([[{"start": 2, "end": 5}]], pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32())])))
    >>> judged_text(pa.record_batch({"text": pa.array(["a\\n1 2\\nb"]), "table_spans": table}), True).to_pylist()
    ['a\\nb']
    """
    text = batch["text"]
    if prose_only:
        whole, spans = text, batch["table_spans"]
        text = _last_prose.get((whole, spans), lambda: _prose(whole, spans))
    if ignore_layout:
        marked = text
        text = _last_plain.get((marked,), lambda: _plain(marked))
    return text


def _plain(text: pa.Array) -> pa.Array:
    offsets, data = text_buffers(text)
    places, out = without_marks(offsets, data, KINDS)
    if len(out) == offsets[-1] - offsets[0]:
        return text
    return pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(places), pa.py_buffer(out))


def _prose(text: pa.Array, spans: pa.Array) -> pa.Array:
    rows, starts, ends = _spans(spans)
    if not len(starts):
        return text
    places, out = _copy_prose(*text_buffers(text), rows, starts, ends)
    return pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(places), pa.py_buffer(out))


def table_ranges(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, starts, ends) of a batch's `table_spans`: row i has the ranges `rows[i]` to `rows[i + 1]`."""
    return _spans(batch["table_spans"])


@kernel()
def covered(
    rows: np.ndarray, starts: np.ndarray, ends: np.ndarray,
    table_rows: np.ndarray, table_starts: np.ndarray, table_ends: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """bool per span: it overlaps a table of its row. Both lists are sorted within a row and do not overlap."""
    out = np.zeros(len(starts), np.bool_)
    for row in range(len(rows) - 1):
        table = table_rows[row]
        for span in range(rows[row], rows[row + 1]):
            while table < table_rows[row + 1] and table_ends[table] <= starts[span]:
                table += 1
            out[span] = table < table_rows[row + 1] and table_starts[table] < ends[span]
    return out


def table_frac(batch: pa.RecordBatch) -> pa.Array:
    """float64: the share of a text's bytes inside its `table_spans`; null for an empty text."""
    offsets, _ = text_buffers(batch["text"])
    rows, starts, ends = _spans(batch["table_spans"])
    inside = np.concatenate(([0], np.cumsum((ends - starts).astype(np.int64))))
    size = offsets[1:] - offsets[:-1]
    return pa.array((inside[rows[1:]] - inside[rows[:-1]]) / np.where(size == 0, 1, size), mask=size == 0)
