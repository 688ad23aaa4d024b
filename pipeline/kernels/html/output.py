"""Writing the text of a page: what stands between two signs, and the indent and marker of a list item.

What is written goes to an address; `state` says where that is and what must come before the next sign.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.tree import CAPITALS, LETTERED, ROMAN
from pipeline.kernels.memory import Int, byte_at, put_byte

NOTHING, SPACE, LINE, PARAGRAPH = range(4)
"""What must stand before the next text."""
TO, BEGUN, PENDING, FEED, GLUE, START, MARK, LISTS, SCRIPT_END, SCRIPT_SIGN, ESCAPE, STYLE = range(12)
"""The state of writing: the addresses to write to and where the text begins; what is pending; whether a page ends; whether
what follows stays on the line; whether a cell begins; the number of the list item that begins, `NO_ITEM` or `BULLET`; how many
lists are open; where raised text ends, and with which sign; whether bars are escaped; the flags of the item's list."""
NO_ITEM, BULLET = -1, -2
_ROMAN_VALUES = np.array([1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1], np.int64)
_ROMAN_SIGNS = np.array(
    [[*sign.encode().ljust(2, b"\0")] for sign in "m cm d cd c xc l xl x ix v iv i".split()], np.uint8
)
_DEEPEST = 8
"""Levels of lists that are indented."""


@kernel()
def put(state: np.ndarray, byte: Int) -> None:
    put_byte(state[TO], byte)
    state[TO] += 1


@kernel()
def flush(state: np.ndarray) -> None:
    """Write what must stand before the next sign: space or line ends, a form feed, an item's indent and marker."""
    pending, begun = state[PENDING], state[TO] > state[BEGUN]
    if state[GLUE]:
        pending = SPACE
    if state[FEED] and begun:
        for byte in (codes.LINE_FEED, codes.LINE_FEED, codes.FORM_FEED, codes.LINE_FEED, codes.LINE_FEED):
            put(state, byte)
    elif begun and pending >= LINE:
        for _ in range(pending - SPACE):
            put(state, codes.LINE_FEED)
    elif pending == SPACE and begun and not state[START] and byte_at(state[TO] - 1) != codes.LINE_FEED:
        put(state, codes.SPACE)
    state[PENDING] = state[FEED] = state[GLUE] = state[START] = 0
    number = state[MARK]
    if number == NO_ITEM:
        return
    state[MARK] = NO_ITEM
    for _ in range(2 * min(state[LISTS] - 1, _DEEPEST)):
        put(state, codes.SPACE)
    if number == BULLET:
        for byte in (0xE2, 0x80, 0xA2):  # a bullet
            put(state, byte)
    else:
        _put_number(state, number)
        put(state, codes.DOT)
    put(state, codes.SPACE)


@kernel()
def _put_number(state: np.ndarray, number: Int) -> None:
    """An item's number, in letters or Roman numerals where its list says so and has them."""
    capital = codes.CASE_BIT if state[STYLE] & CAPITALS else 0
    if state[STYLE] & LETTERED and 0 < number <= 26 * 27:
        if number > 26:
            put(state, codes.SMALL_A - capital + (number - 1) // 26 - 1)
        put(state, codes.SMALL_A - capital + (number - 1) % 26)
        return
    if state[STYLE] & ROMAN and 0 < number < 4000:
        for at in range(len(_ROMAN_VALUES)):
            while number >= _ROMAN_VALUES[at]:
                number -= _ROMAN_VALUES[at]
                for sign in _ROMAN_SIGNS[at]:
                    if sign:
                        put(state, sign - capital)
        return
    scale = 1
    while scale * 10 <= number:
        scale *= 10
    while scale:
        put(state, codes.ZERO + number // scale % 10)
        scale //= 10
