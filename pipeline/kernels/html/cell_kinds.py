"""What a short cell of a table holds: a figure, a sign that belongs to one, or the marker of an item."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter
from pipeline.kernels.memory import Int, address, byte_at

FILLED, FIGURE, STARTS, ENDS, OPENING, CLOSING, MARKER, BRACKET = (1 << bit for bit in range(8))
SHORT = 32
"""Bytes of a cell that are looked at; a longer one is no figure, no sign and no marker."""


@kernel()
def kind_of(start: np.ndarray, size: Int) -> Int:
    """Bits that say what a cell's text looks like: a figure, the start or end of one, a sign, a marker of a list."""
    if size > SHORT:
        return FILLED
    digits = letters = closing = 0
    for at in range(size):
        byte = start[at]
        digits += codes.ZERO <= byte <= codes.NINE
        letters += is_letter(byte)
        closing += byte == codes.RIGHT_PAREN or byte == codes.PERCENT or byte == codes.RIGHT_BRACKET
    first, last = start[0], start[size - 1]
    dash = _dash(start, 0, size)
    nil = dash > 0 and (dash == size or 2 * dash == size)
    year = size == 4 and digits == 4 and (first == codes.ZERO + 1 or first == codes.ZERO + 2)
    kind = FILLED
    if nil or (digits and 2 * digits + 2 >= size and letters <= 2 and not year):
        kind |= FIGURE
    begins = codes.ZERO <= first <= codes.NINE or first == codes.DOT or first == codes.LEFT_PAREN or dash > 0
    ends = codes.ZERO <= last <= codes.NINE or last == codes.RIGHT_PAREN or last == codes.PERCENT or last == codes.DOT
    if nil or (digits and begins):
        kind |= STARTS
    if nil or (digits and ends):
        kind |= ENDS
    if closing == size:
        kind |= CLOSING
    if not digits and size <= 6 and not dash and closing == 0 and ends_in_sign(start, size):
        kind |= OPENING | (BRACKET if last == codes.LEFT_PAREN else 0)
    if is_marker(address(start), size):
        kind |= MARKER
    return kind


@kernel()
def is_marker(place: Int, size: Int) -> bool | np.bool_:
    """Whether a text is what stands before an item: a bullet, a dash, `(a)`, `12.`, `iv)`."""
    if size < 1 or size > 6:
        return False
    signs, closing, last = 0, 0, byte_at(place + size - 1)
    for at in range(size):
        byte = byte_at(place + at)
        signs += codes.ZERO <= byte <= codes.NINE or is_letter(byte)
        closing += byte == codes.RIGHT_PAREN or byte == codes.PERCENT
    if last == codes.DOT or last == codes.RIGHT_PAREN:
        return 0 < signs <= 4
    return size <= 3 and closing == 0 and signs == int(size == 1 and last == codes.SMALL_O)


@kernel()
def _dash(start: np.ndarray, at: Int, size: Int) -> Int:
    """Bytes of a dash or minus at a place, 0 when there is none."""
    if start[at] == codes.HYPHEN:
        return 1
    if at + 2 < size and start[at] == 0xE2:
        second, third = start[at + 1], start[at + 2]
        if (second == 0x80 and 0x90 <= third <= 0x95) or (second == 0x88 and third == 0x92):
            return 3
    return 0


@kernel()
def ends_in_sign(start: np.ndarray, size: Int) -> bool | np.bool_:
    """Whether a text ends in a currency sign or an opening bracket."""
    last = start[size - 1]
    if last == codes.DOLLAR or last == codes.LEFT_PAREN:
        return True
    if size >= 2 and start[size - 2] == 0xC2:
        return 0xA2 <= last <= 0xA5
    return bool(size >= 3 and start[size - 3] == 0xE2 and start[size - 2] == 0x82 and last >= 0xA0)
