"""Paragraphs of a text column, their hashes, and which of them are one list."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import hash128
from pipeline.kernels.text.marks import BOX, BULLET, box_end
from pipeline.kernels.unicode import decode

LONGEST_ITEM, MOST_ITEMS = 300, 24
"""Bytes of an item without a mark of its own, and the paragraphs of a list with the line that leads to it."""


@kernel()
def _is_item(data: np.ndarray, first: int, last: int, kinds: np.ndarray) -> bool:
    """Whether a paragraph begins with a bullet, a check box or a number such as `(a)`, `12.` and `o` before white space."""
    point, width = decode(data, first, last)
    kind = np.int64(kinds[point]) if 0 <= point < 0x10000 else 0
    behind = first + width
    if kind & BOX:
        return True
    if kind & BULLET or point == codes.SMALL_O or point == 0xA8:  # a box of a symbol font reads as o or as a diaeresis
        return behind >= last or data[behind] <= codes.SPACE
    if point == codes.LEFT_BRACKET or point == codes.LEFT_PAREN:
        if box_end(data, first, last):
            return True
        return first + 2 < last and data[min(first + 2, last - 1)] == codes.RIGHT_PAREN
    at = first
    while at < last and at - first < 3 and codes.ZERO <= data[at] <= codes.NINE:
        at += 1
    closed = at < last and (data[at] == codes.DOT or data[at] == codes.RIGHT_PAREN)
    return at > first and closed and at + 1 < last and data[at + 1] <= codes.SPACE


@kernel()
def paragraph_hashes(
    offsets: np.ndarray, data: np.ndarray, min_bytes: int, kinds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`(hashes uint64[m, 2], rows int64[m], starts int64[m], ends int64[m], lists int64[m],
    sizes int64[m])` of paragraphs.

    A paragraph is what stands between two line ends, without ASCII white space at its ends (that is what is hashed and
    measured); `starts` and `ends` are byte offsets in the row's text, the line end behind it included. Those of fewer than
    `min_bytes` are left out unless they are of a list: items with a mark, what ends in a colon, and short paragraphs after
    either that end no sentence. `lists` is where the list of a paragraph begins, else where itself does, and `sizes` its
    bytes. `kinds` is `marks.KINDS`.
    """
    count = 0
    for only_count in (True, False):
        if not only_count:
            hashes, rows = np.empty((count, 2), np.uint64), np.empty(count, np.int64)
            starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
            lists, sizes = np.empty(count, np.int64), np.empty(count, np.int64)
            count = 0
        for row in range(len(offsets) - 1):
            at, begun, items = offsets[row], 0, 0
            while at < offsets[row + 1]:
                end = at
                while end < offsets[row + 1] and data[end] != codes.LINE_FEED:
                    end += 1
                first, last = at, end
                while first < last and data[first] <= codes.SPACE:
                    first += 1
                while last > first and data[last - 1] <= codes.SPACE:
                    last -= 1
                behind = min(end + 1, offsets[row + 1])
                if last > first:
                    mark = data[last - 1]
                    sentence = mark == codes.DOT or mark == codes.EXCLAMATION or mark == codes.QUESTION
                    follows = 0 < items < MOST_ITEMS and last - first < LONGEST_ITEM and not sentence
                    if follows or mark == codes.COLON or _is_item(data, first, last, kinds):
                        items = items + 1 if items < MOST_ITEMS else 1
                    else:
                        items = 0
                    begun = at - offsets[row] if items <= 1 else begun
                    if last - first >= min_bytes or items:
                        if not only_count:
                            hashes[count, 0], hashes[count, 1] = hash128(data, first, last)
                            rows[count], starts[count] = row, at - offsets[row]
                            ends[count], lists[count], sizes[count] = behind - offsets[row], begun, last - first
                        count += 1
                at = behind
    return hashes, rows, starts, ends, lists, sizes
