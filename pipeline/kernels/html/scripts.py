"""Raised and lowered text, marked so that 10 to the ninth does not read 109."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter
from pipeline.kernels.html.output import BEGUN, PENDING, SCRIPT_END, SCRIPT_SIGN, START, TO, put
from pipeline.kernels.html.tree import BEGIN, END, FLAGS, LOWERED, RAISED, STOP, TAG, TAGS, TEXT
from pipeline.kernels.memory import Int, address, byte_at

_SUP, _SUB, _LINK = (TAGS[name] for name in ("sup", "sub", "a"))
_SMALL = 24
"""Bytes up to which raised or lowered text is marked as such."""


@kernel()
def open_script(nodes: np.ndarray, data: np.ndarray, block: np.ndarray, row: Int, state: np.ndarray) -> None:
    """Mark raised and lowered text: `10^9`, `x^(n+1)`, `H_2O`, a note's link `[1]`; not `(1)`, `1st`, 1/8, what is alone."""
    tag, to, flags = nodes[row, TAG], state[TO], nodes[row, FLAGS]
    raised, lowered = tag == _SUP or flags & RAISED != 0, tag == _SUB or flags & LOWERED != 0
    if not (raised or lowered) or state[PENDING] or state[START] or to == state[BEGUN] or row + 1 == nodes[row, END]:
        return
    text = row + 1
    while text < nodes[row, END] - 1 and nodes[text, TAG] != TEXT:
        text += 1
    place, stop, before = address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP], byte_at(to - 1)
    if (
        block[text] < 0
        or stop - place > _SMALL
        or before <= codes.SPACE
        or before in (codes.LEFT_PAREN, codes.CARET, codes.UNDERSCORE)
    ):
        return
    if raised and not is_letter(before) and _is_fraction(nodes, data, row):
        if codes.ZERO <= before <= codes.NINE:
            put(state, codes.SPACE)
        return
    if not raised and row >= 3 and _is_fraction(nodes, data, row - 3):
        return
    letters = digits = others = 0
    for at in range(place, stop):
        byte = byte_at(at)
        letters += is_letter(byte)
        digits += codes.ZERO <= byte <= codes.NINE
        others += not (byte == codes.HYPHEN and at == place)
    size, others = others, others - letters - digits
    first = byte_at(place) if size else codes.LEFT_PAREN
    link = nodes[row + 1, TAG] == _LINK
    minus = size > 2 and first == 0xE2 and byte_at(place + 1) == 0x88 and byte_at(place + 2) == 0x92
    plain = is_letter(first) or codes.ZERO <= first <= codes.NINE or first == codes.HYPHEN or minus
    if not plain or (raised and letters == size and size > 1):
        return
    state[SCRIPT_END] = nodes[row, END]
    if link and digits == size:
        put(state, codes.LEFT_BRACKET)
        state[SCRIPT_SIGN] = codes.RIGHT_BRACKET
        return
    put(state, codes.CARET if raised else codes.UNDERSCORE)
    if others and size > 1:
        put(state, codes.LEFT_PAREN)
        state[SCRIPT_SIGN] = codes.RIGHT_PAREN


@kernel()
def _is_fraction(nodes: np.ndarray, data: np.ndarray, row: Int) -> bool:
    """Whether raised digits at a node, a slash and lowered digits follow one another: `7 1/8`."""
    if row + 4 >= len(nodes) or nodes[row, TAG] != _SUP or nodes[row + 3, TAG] != _SUB or nodes[row + 2, TAG] != TEXT:
        return False
    slash, size = address(data) + nodes[row + 2, BEGIN], nodes[row + 2, STOP] - nodes[row + 2, BEGIN]
    fraction = size == 3 and byte_at(slash) == 0xE2 and byte_at(slash + 1) == 0x81 and byte_at(slash + 2) == 0x84
    if not fraction and (size != 1 or byte_at(slash) != codes.SLASH):
        return False
    for part in (row, row + 3):
        first, stop = nodes[part, BEGIN], nodes[part, STOP]
        if nodes[part, END] != part + 2 or nodes[part + 1, TAG] != TEXT or stop == first or stop - first > _SMALL:
            return False
        for at in range(address(data) + first, address(data) + stop):
            if not codes.ZERO <= byte_at(at) <= codes.NINE:
                return False
    return True


@kernel()
def end_script(state: np.ndarray, row: Int) -> None:
    """Write the bracket that closes raised or lowered text, where a node after it begins."""
    if state[SCRIPT_END] and row >= state[SCRIPT_END]:
        if state[SCRIPT_SIGN]:
            put(state, state[SCRIPT_SIGN])
        state[SCRIPT_END] = state[SCRIPT_SIGN] = 0
