"""Paragraphs of a text column and their hashes."""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import hash128


@kernel()
def paragraph_hashes(
    offsets: np.ndarray, data: np.ndarray, min_bytes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`(hashes uint64[m, 2], rows int64[m], starts int64[m], ends int64[m])` of paragraphs of `min_bytes` or more.

    A paragraph is what stands between two line ends, without ASCII white space at its ends (that is what is hashed and
    measured); `starts` and `ends` are byte offsets in the row's text, the line end behind it included.
    """
    count = 0
    for only_count in (True, False):
        if not only_count:
            hashes, rows = np.empty((count, 2), np.uint64), np.empty(count, np.int64)
            starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
            count = 0
        for row in range(len(offsets) - 1):
            at = offsets[row]
            while at < offsets[row + 1]:
                end = at
                while end < offsets[row + 1] and data[end] != 10:
                    end += 1
                first, last = at, end
                while first < last and data[first] <= 32:
                    first += 1
                while last > first and data[last - 1] <= 32:
                    last -= 1
                behind = min(end + 1, offsets[row + 1])
                if last - first >= min_bytes:
                    if not only_count:
                        hashes[count, 0], hashes[count, 1] = hash128(data, first, last)
                        rows[count], starts[count] = row, at - offsets[row]
                        ends[count] = behind - offsets[row]
                    count += 1
                at = behind
    return hashes, rows, starts, ends
