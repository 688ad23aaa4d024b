"""Raised and lowered text, marked so that 10 to the ninth does not read 109."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter
from pipeline.kernels.html.output import BEGUN, PENDING, SCRIPT_END, SCRIPT_SIGN, START, TO, put
from pipeline.kernels.html.tree import BEGIN, END, STOP, TAG, TAGS, TEXT
from pipeline.kernels.memory import Int, address, byte_at

_SUP, _SUB, _LINK = (TAGS[name] for name in ("sup", "sub", "a"))
_SMALL = 24
"""Bytes up to which raised or lowered text is marked as such."""


@kernel()
def open_script(nodes: np.ndarray, data: np.ndarray, block: np.ndarray, row: Int, state: np.ndarray) -> None:
    """Mark raised and lowered text: `10^9`, `x^(n+1)`, `H_2O`, a note's link `[1]`; not `(1)`, `1st`, or what stands alone."""
    tag, to = nodes[row, TAG], state[TO]
    if tag not in (_SUP, _SUB) or state[PENDING] or state[START] or to == state[BEGUN] or row + 1 == nodes[row, END]:
        return
    text = row + 1
    while text < nodes[row, END] - 1 and nodes[text, TAG] != TEXT:
        text += 1
    place, stop, before = address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP], byte_at(to - 1)
    if block[text] < 0 or stop - place > _SMALL or before <= codes.SPACE or before == codes.LEFT_PAREN:
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
    if not plain or (tag == _SUP and letters == size and size > 1):
        return
    state[SCRIPT_END] = nodes[row, END]
    if link and digits == size:
        put(state, codes.LEFT_BRACKET)
        state[SCRIPT_SIGN] = codes.RIGHT_BRACKET
        return
    put(state, codes.CARET if tag == _SUP else codes.UNDERSCORE)
    if others and size > 1:
        put(state, codes.LEFT_PAREN)
        state[SCRIPT_SIGN] = codes.RIGHT_PAREN


@kernel()
def end_script(state: np.ndarray, row: Int) -> None:
    """Write the bracket that closes raised or lowered text, where a node after it begins."""
    if state[SCRIPT_END] and row >= state[SCRIPT_END]:
        if state[SCRIPT_SIGN]:
            put(state, state[SCRIPT_SIGN])
        state[SCRIPT_END] = state[SCRIPT_SIGN] = 0
