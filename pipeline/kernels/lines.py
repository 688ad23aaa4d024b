"""Line ends, control characters and white space made uniform in one compiled pass."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def clean_lines(offsets: np.ndarray, data: np.ndarray, tabular: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows with line ends as "\\n", at most one empty line in a row, no trailing space, no control characters.

    `offsets` int64[n + 1], `data` uint8, valid UTF-8; `tabular` bool[n]: tabs separate HTML cells, so runs of them
    become one and `$`, brackets and `%` join their figure. CR, CRLF, VT, FF, NEL, U+2028 and U+2029 end lines;
    no-break spaces become spaces; C0, C1, DEL, U+FEFF and soft hyphens go. Returns `(offsets, data)` of the result.
    """
    count = offsets.shape[0] - 1
    out = np.empty(offsets[count] - offsets[0], np.uint8)
    ends = np.empty(count + 1, np.int64)
    ends[0] = 0
    write = 0
    for row in range(count):
        write = _clean_row(data, offsets[row], offsets[row + 1], out, write, tabular[row])
        ends[row + 1] = write
    return ends, out[:write]


@njit(cache=True)
def _clean_row(data: np.ndarray, at: int, end: int, out: np.ndarray, first: int, cells: bool) -> int:
    write, keep = first, first  # `keep`: after the last byte of this line that is no space
    breaks = 2  # line ends at the end of what is written; at most two, none at the start
    while at < end:
        byte = data[at]
        if byte > 0x20 and byte < 0x7F:
            if cells and write - first > 1 and out[write - 1] == 0x09 and (byte == 0x29 or byte == 0x25):
                before = out[write - 2]
                if 0x30 <= before <= 0x39 or before == 0x29:
                    write -= 1
            out[write] = byte
            write += 1
            keep = write
            breaks = 0
            at += 1
            continue
        size, action = _classify(data, at, end)
        at += size
        if action == 0:  # copy
            for back in range(size):
                out[write + back] = data[at - size + back]
            write += size
            keep = write
            breaks = 0
        elif action == 1:  # line end
            write = keep
            if breaks < 2:
                out[write] = 0x0A
                write += 1
                keep = write
                breaks += 1
        elif action == 2:  # space
            if not (cells and write > first and out[write - 1] == 0x09):
                out[write] = 0x20
                write += 1
        elif action == 3:  # tab
            if cells:
                while write > keep and out[write - 1] == 0x20:
                    write -= 1
                joins = write > first and (out[write - 1] == 0x24 or out[write - 1] == 0x28 or out[write - 1] == 0x09)
                if not joins:
                    out[write] = 0x09
                    write += 1
            else:
                out[write] = 0x09
                write += 1
    write = keep
    while write > first and out[write - 1] == 0x0A:
        write -= 1
    return write


@njit(cache=True)
def _classify(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """`(bytes, action)` of the sign at `at`: 0 copy, 1 line end, 2 space, 3 tab, 4 drop."""
    byte = data[at]
    if byte == 0x0D:
        return (2 if at + 1 < end and data[at + 1] == 0x0A else 1), 1
    if 0x0A <= byte <= 0x0C:
        return 1, 1
    if byte == 0x20:
        return 1, 2
    if byte == 0x09:
        return 1, 3
    if byte < 0x20 or byte == 0x7F:
        return 1, 4
    if byte == 0xC2 and at + 1 < end:
        second = data[at + 1]
        if second == 0x85:
            return 2, 1
        if second == 0xA0:
            return 2, 2
        return 2, (4 if second < 0xA0 or second == 0xAD else 0)
    if byte == 0xE2 and at + 2 < end and data[at + 1] == 0x80 and (data[at + 2] == 0xA8 or data[at + 2] == 0xA9):
        return 3, 1
    if byte == 0xEF and at + 2 < end and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
        return 3, 4
    return 1, 0
