"""Line ends, control characters and white space made uniform in one compiled pass."""

import numpy as np

from pipeline.kernels.blocks import SIZE, below, copy_block, equal, first_bits, leading_zeros
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import address, trailing_zeros

COPY, LINE_END, SPACE, TAB, DROP = range(5)
_LABEL = 100
"""Bytes up to which a line can be the label of a row of figures."""


@kernel(nogil=True)
def clean_lines(offsets: np.ndarray, data: np.ndarray, tabular: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows with line ends as "\\n", at most one empty line in a row, no trailing space, no control characters.

    `offsets` int64[n + 1], `data` uint8, valid UTF-8; `tabular` bool[n]: tabs separate HTML cells, so runs of them
    become one, `$`, brackets and `%` join their figure, and figures their label. CR, CRLF, VT, FF, NEL, U+2028 and
    U+2029 end lines; no-break spaces and those of U+2000 to U+200A become spaces; C0, C1, DEL, U+FEFF and soft hyphens
    go. Returns `(offsets, data)` of the result.
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


@kernel()
def _clean_row(data: np.ndarray, at: int, end: int, out: np.ndarray, first: int, cells: bool) -> int:
    write, keep = first, first  # `keep`: after the last byte of this line that is no space
    breaks = 2  # line ends at the end of what is written; at most two, none at the start
    line, tabbed = first, False  # start of the last line with text, and whether it has cells
    text, target = address(data), address(out)
    while at < end:
        byte = data[at]
        if 0x20 < byte < 0x7F:
            if cells and _joins_cell(out, first, write, byte):
                write -= 1
            if breaks:
                line, tabbed = write, write > first and out[write - 1] == 0x09
            # Words and single spaces between them are most of any text.
            while at + SIZE <= end:
                odd = below(text + at, 0x20) | ~below(text + at, 0x7F)
                size = trailing_zeros(odd)
                signs = ~equal(text + at, 0x20) & first_bits(size)
                copy_block(text + at, target + write)
                keep = write + SIZE - leading_zeros(signs) if signs else keep
                at, write = at + size, write + size
                if odd:
                    break
            while at < end and 0x20 <= data[at] < 0x7F:
                out[write] = data[at]
                write += 1
                keep = write if data[at] != 0x20 else keep
                at += 1
            breaks = 0
            continue
        size, action = _classify(data, at, end)
        at += size
        if action == COPY:
            if breaks:
                line, tabbed = write, write > first and out[write - 1] == 0x09
            for back in range(size):
                out[write + back] = data[at - size + back]
            write += size
            keep = write
            breaks = 0
        elif action == LINE_END:
            write = keep
            if breaks < 2:
                out[write] = 0x0A
                write += 1
                keep = write
                breaks += 1
        elif action == SPACE:
            if not (cells and write > first and out[write - 1] == 0x09):
                out[write] = 0x20
                write += 1
        elif action == TAB:
            if cells:
                write = keep
                label = breaks and not tabbed and write - breaks - line <= _LABEL and write > first
                if label and _figure_follows(data, at, end):
                    write -= breaks  # the figures of a row whose label is a paragraph of its own
                    keep = write
                    breaks = 0
                tabbed = True
            out[write] = 0x09
            write += 1
    write = keep
    while write > first and out[write - 1] == 0x0A:
        write -= 1
    return write


@kernel()
def _joins_cell(out: np.ndarray, first: int, write: int, byte: int) -> bool:
    """Whether a sign goes on with the cell before the tab: `$ | 1,000`, `(1,000 | )`, `12 | %`."""
    if write - first < 2 or out[write - 1] != 0x09:
        return False
    before = out[write - 2]
    if byte == 0x29 or byte == 0x25:
        return 0x30 <= before <= 0x39 or before == 0x29
    return (before == 0x24 or before == 0x28) and (0x30 <= byte <= 0x39 or byte == 0x28 or byte == 0x2E)


@kernel()
def _figure_follows(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the next cell with anything in it starts like a figure."""
    while at < end:
        size, action = _classify(data, at, end)
        if action in (COPY, LINE_END):
            break
        at += size
    return at < end and (0x30 <= data[at] <= 0x39 or data[at] == 0x24 or data[at] == 0x28)


@kernel()
def _classify(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """`(bytes, action)` of the sign at `at`."""
    byte = data[at]
    if byte == 0x0D:
        return (2 if at + 1 < end and data[at + 1] == 0x0A else 1), LINE_END
    if 0x0A <= byte <= 0x0C:
        return 1, LINE_END
    if byte == 0x20:
        return 1, SPACE
    if byte == 0x09:
        return 1, TAB
    if byte < 0x20 or byte == 0x7F:
        return 1, DROP
    if byte == 0xC2 and at + 1 < end:
        second = data[at + 1]
        if second == 0x85:
            return 2, LINE_END
        if second == 0xA0:
            return 2, SPACE
        return 2, (DROP if second < 0xA0 or second == 0xAD else COPY)
    if byte == 0xE2 and at + 2 < end and data[at + 1] == 0x80:
        last = data[at + 2]
        if last == 0xA8 or last == 0xA9:
            return 3, LINE_END
        if last <= 0x8A or last == 0xAF:
            return 3, SPACE
    if byte == 0xEF and at + 2 < end and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
        return 3, DROP
    return 1, COPY
