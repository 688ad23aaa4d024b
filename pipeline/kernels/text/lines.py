"""Line ends, control characters and white space made uniform in one compiled pass."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import SIZE, below, copy_block, equal, first_bits, leading_zeros
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import address, trailing_zeros

COPY, LINE_END, SPACE, TAB, DROP = range(5)


@kernel(nogil=True)
def clean_lines(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows with line ends as "\\n", at most one empty line in a row, no trailing space, no control characters.

    `offsets` int64[n + 1], `data` uint8, valid UTF-8. CR, CRLF, VT, FF, NEL, U+2028 and
    U+2029 end lines; no-break spaces and those of U+2000 to U+200A become spaces; C0, C1, DEL, U+FEFF and soft hyphens
    go. Returns `(offsets, data)` of the result.
    """
    count = offsets.shape[0] - 1
    out = np.empty(offsets[count] - offsets[0], np.uint8)
    ends = np.empty(count + 1, np.int64)
    ends[0] = 0
    write = 0
    for row in range(count):
        write = _clean_row(data, offsets[row], offsets[row + 1], out, write)
        ends[row + 1] = write
    return ends, out[:write]


@kernel()
def _clean_row(data: np.ndarray, at: int, end: int, out: np.ndarray, first: int) -> int:
    write, keep = first, first  # `keep`: after the last byte of this line that is no space
    breaks = 2  # line ends at the end of what is written; at most two, none at the start
    text, target = address(data), address(out)
    while at < end:
        byte = data[at]
        if codes.SPACE < byte < codes.DELETE:
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
        elif action in (SPACE, TAB):
            out[write] = codes.SPACE if action == SPACE else codes.TAB
            write += 1
    write = keep
    while write > first and out[write - 1] == codes.LINE_FEED:
        write -= 1
    return write


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
