"""Line ends, control characters and white space made uniform in one compiled pass."""

import numpy as np

from pipeline.kernels import codes
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
        if codes.SPACE < byte < codes.DELETE:
            if cells and _joins_cell(out, first, write, byte):
                write -= 1
            if breaks:
                line, tabbed = write, write > first and out[write - 1] == codes.TAB
            # Words and single spaces between them are most of any text.
            while at + SIZE <= end:
                odd = below(text + at, codes.SPACE) | ~below(text + at, codes.DELETE)
                size = trailing_zeros(odd)
                signs = ~equal(text + at, codes.SPACE) & first_bits(size)
                copy_block(text + at, target + write)
                keep = write + SIZE - leading_zeros(signs) if signs else keep
                at, write = at + size, write + size
                if odd:
                    break
            while at < end and codes.SPACE <= data[at] < codes.DELETE:
                out[write] = data[at]
                write += 1
                keep = write if data[at] != codes.SPACE else keep
                at += 1
            breaks = 0
            continue
        size, action = _classify(data, at, end)
        at += size
        if action == COPY:
            if breaks:
                line, tabbed = write, write > first and out[write - 1] == codes.TAB
            for back in range(size):
                out[write + back] = data[at - size + back]
            write += size
            keep = write
            breaks = 0
        elif action == LINE_END:
            write = keep
            if breaks < 2:
                out[write] = codes.LINE_FEED
                write += 1
                keep = write
                breaks += 1
        elif action == SPACE:
            if not (cells and write > first and out[write - 1] == codes.TAB):
                out[write] = codes.SPACE
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
            out[write] = codes.TAB
            write += 1
    write = keep
    while write > first and out[write - 1] == codes.LINE_FEED:
        write -= 1
    return write


@kernel()
def _joins_cell(out: np.ndarray, first: int, write: int, byte: int) -> bool:
    """Whether a sign goes on with the cell before the tab: `$ | 1,000`, `(1,000 | )`, `12 | %`."""
    if write - first < 2 or out[write - 1] != codes.TAB:
        return False
    before = out[write - 2]
    if byte == codes.RIGHT_PAREN or byte == codes.PERCENT:
        return codes.ZERO <= before <= codes.NINE or before == codes.RIGHT_PAREN
    return (before == codes.DOLLAR or before == codes.LEFT_PAREN) and (
        codes.ZERO <= byte <= codes.NINE or byte == codes.LEFT_PAREN or byte == codes.DOT
    )


@kernel()
def _figure_follows(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the next cell with anything in it starts like a figure."""
    while at < end:
        size, action = _classify(data, at, end)
        if action in (COPY, LINE_END):
            break
        at += size
    return at < end and (
        codes.ZERO <= data[at] <= codes.NINE or data[at] == codes.DOLLAR or data[at] == codes.LEFT_PAREN
    )


@kernel()
def _classify(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """`(bytes, action)` of the sign at `at`."""
    byte = data[at]
    if byte == codes.RETURN:
        return (2 if at + 1 < end and data[at + 1] == codes.LINE_FEED else 1), LINE_END
    if codes.LINE_FEED <= byte <= 0x0C:
        return 1, LINE_END
    if byte == codes.SPACE:
        return 1, SPACE
    if byte == codes.TAB:
        return 1, TAB
    if byte < codes.SPACE or byte == codes.DELETE:
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
