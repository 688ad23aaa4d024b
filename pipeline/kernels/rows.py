"""Rows of equal width between NumPy and Arrow: hashes, band keys and sketches as binary columns, without objects."""

import numpy as np
import pyarrow as pa


def bytes_column(values: np.ndarray, valid: np.ndarray, *, fixed: bool = False) -> pa.Array:
    """The bytes of each row of `values` (any dtype, [n, k]) as a binary column, null where `valid` (bool[n]) is false.

    `fixed` gives `fixed_size_binary`, which spends the width on nulls too; otherwise a null row takes no space.

    >>> bytes_column(np.array([[258], [7]], np.uint16), np.array([True, False])).to_pylist()
    [b'\\x02\\x01', None]
    """
    count = len(values)
    width = int(np.prod(values.shape[1:], dtype=np.int64)) * values.dtype.itemsize
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(count, width)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    nulls = int(count - np.count_nonzero(valid))
    if fixed:
        return pa.Array.from_buffers(pa.binary(width), count, [bits, pa.py_buffer(rows.tobytes())], nulls)
    kept = rows if nulls == 0 else rows[valid]
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.where(valid, width, 0), out=offsets[1:])
    if offsets[-1] > 2**31 - 1:
        raise ValueError(f"{offsets[-1]} bytes do not fit one binary column; use smaller batches")
    buffers = [bits, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(kept.tobytes())]
    return pa.Array.from_buffers(pa.binary(), count, buffers, nulls)


def column_rows(column: pa.Array | pa.ChunkedArray, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """The reverse of `bytes_column`: `(values dtype[n, k], valid bool[n])`; null rows are zeros.

    Raises ValueError when the rows differ in width: they were measured with different settings.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    count = len(column)
    valid = np.asarray(column.is_valid())
    if pa.types.is_fixed_size_binary(column.type):
        width = column.type.byte_width
        raw = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width : (column.offset + count) * width]
        values = raw.reshape(count, width).copy()
        values[~valid] = 0
    else:
        _, offset_buffer, data_buffer = column.buffers()
        kind = np.int64 if pa.types.is_large_binary(column.type) else np.int32
        offsets = (
            np.frombuffer(offset_buffer, kind)[column.offset : column.offset + count + 1]
            if count
            else np.zeros(1, kind)
        )
        widths = np.unique(np.diff(offsets)[valid])
        if len(widths) > 1:
            raise ValueError(f"rows of {widths.tolist()} bytes in one column: measured with different settings")
        width = int(widths[0]) if len(widths) else dtype().itemsize
        values = np.zeros((count, width), np.uint8)
        if len(widths):
            raw = np.frombuffer(data_buffer, np.uint8)
            if valid.all():
                values = raw[offsets[0] : offsets[-1]].reshape(count, width)
            else:
                values[valid] = raw[(offsets[:-1][valid][:, None] + np.arange(width)[None, :])]
    return np.ascontiguousarray(values).view(dtype), valid
