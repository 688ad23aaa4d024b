"""Arrow buffers as NumPy views: the one place where text enters a kernel, without a copy."""

import numpy as np
import pyarrow as pa


def read_only(array: np.ndarray) -> np.ndarray:
    """A read-only view: kernels compile once, whether the caller's buffer may be written or not."""
    view = array.view()
    view.flags.writeable = False
    return view


def text_buffers(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The `(offsets, data)` of a string or binary column as views.

    `offsets` is int64 of length n + 1, `data` is uint8; row i is `data[offsets[i]:offsets[i + 1]]`.
    Slices keep their offsets (they need not start at 0). A null row is an empty row: kernels never see nulls.
    Offsets are widened to int64 (8 bytes a row) and both views are read-only, though some of Arrow's buffers are not, so that
    every kernel compiles for one type.

    >>> offsets, data = text_buffers(pa.array(["ab", None, "c"]))
    >>> offsets.tolist(), bytes(data)
    ([0, 2, 2, 3], b'abc')
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if column.null_count:
        column = column.fill_null(
            "" if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else b""
        )
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    if not wide and not pa.types.is_string(column.type) and not pa.types.is_binary(column.type):
        raise TypeError(f"expected a string or binary column, got {column.type}")
    _, offset_buffer, data_buffer = column.buffers()
    count = len(column)
    offsets, data = np.zeros(1, np.int64), np.zeros(0, np.uint8)
    if offset_buffer is not None and count:
        raw = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
        offsets = raw[column.offset : column.offset + count + 1].astype(np.int64, copy=False)
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else data
    return read_only(offsets), read_only(data)
