"""Pre-tokens counted without finding them: an automaton over pairs of bytes, four times as fast as the scanner.

Extract counts the pre-tokens of every payload, markup included, which is ten times the text. Where words stand alone and
digit groups run from left to right, how many pre-tokens a text has follows from a few states and eleven classes of
characters. A step waits for one load from a table that stays in the first-level cache, and takes two ASCII characters.
"""

from functools import cache

import numpy as np

from pipeline.kernels.bpe_load import Int, address, byte_at, short_at, word_at
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import decode_at

IS_LETTER, IS_NUMBER, IS_BLANK, IS_NEWLINE, IS_OTHER = range(5)
"""What `pretokens.CLASSES` says of a code point."""

LETTER, NUMBER, BLANK, NEWLINE, OTHER, SPACE, APOSTROPHE, SDMT, L, VR, E = range(11)
"""Classes of the automaton: the five above, and the ASCII characters that the rules name (letters of 's, 'll, 've)."""
_LETTERS, _OTHERS = (LETTER, SDMT, L, VR, E), (OTHER, APOSTROPHE)

(
    DONE, WORD, SIGN, QUOTE, QUOTE_L, QUOTE_VR, SIGNS, SIGNS_FEED, FEED,
    SPACE_1, BLANK_1, SPACE_2, BLANK_2, FEED_SPACE_1, FEED_BLANK_1, FEED_SPACE_2, FEED_BLANK_2, FIGURE,
) = range(18)  # fmt: skip
"""States. SIGN, QUOTE: one sign that letters may still join. SIGNS: more, or one after a space. SIGNS_FEED: their line ends.
SPACE_1, BLANK_1: one white space so far, by whether it is U+0020; _2: more of it, by the last one. FEED: white space up to a
line end; FEED_...: after one, not yet counted. FIGURE and the states after it: a number of one digit, two and so on."""
_WIDTH = 256
"""Entries of a state: two classes of four bits."""


def _begin(kind: int) -> tuple[int, int]:
    """The state after the first character of a pre-token, which counts."""
    if kind in _LETTERS:
        return WORD, 1
    first = {NUMBER: FIGURE, SPACE: SPACE_1, BLANK: BLANK_1, NEWLINE: FEED, OTHER: SIGN, APOSTROPHE: QUOTE}
    return first[kind], 1


def _in_word(state: int, kind: int) -> tuple[int, int] | None:
    """Letters after letters or one sign; `'s 'd 'm 't 'll 've 're` end a pre-token."""
    ends = {(QUOTE, SDMT), (QUOTE_L, L), (QUOTE_VR, E)}
    if (state, kind) in ends:
        return DONE, 0
    if state == QUOTE and kind in (L, VR):
        return (QUOTE_L if kind == L else QUOTE_VR), 0
    if state in (WORD, SIGN, QUOTE, QUOTE_L, QUOTE_VR) and kind in _LETTERS:
        return WORD, 0
    return None


def _in_space(state: int, kind: int) -> tuple[int, int]:
    """White space: all of it up to its last line end is one pre-token; of the rest, the last joins what follows."""
    fed, more = state >= FEED_SPACE_1, state in (SPACE_2, BLANK_2, FEED_SPACE_2, FEED_BLANK_2)
    after_space = state in (SPACE_1, SPACE_2, FEED_SPACE_1, FEED_SPACE_2)
    if kind == NEWLINE:
        return FEED, 0
    if kind in (SPACE, BLANK):
        return {(False, SPACE): SPACE_2, (False, BLANK): BLANK_2, (True, SPACE): FEED_SPACE_2}.get(
            (fed, kind), FEED_BLANK_2
        ), 0
    # Of one blank and more, counted once so far unless a line end came before.
    counted = more + fed
    if kind in _LETTERS:
        return WORD, counted
    if kind in _OTHERS and after_space:
        return SIGNS, counted
    after, first = _begin(kind)
    return after, counted + first


def _follow(state: int, kind: int, digits: int) -> tuple[int, int]:
    """(next state, pre-tokens to count)."""
    if state >= FIGURE:
        return (state + 1, 0) if kind == NUMBER and state - FIGURE + 1 < digits else _begin(kind)
    if SPACE_1 <= state <= FEED_BLANK_2:
        return _in_space(state, kind)
    if (found := _in_word(state, kind)) is not None:
        return found
    if state in (SIGN, QUOTE, SIGNS) and kind in (*_OTHERS, NEWLINE):
        return (SIGNS_FEED if kind == NEWLINE else SIGNS), 0
    if state in (SIGNS_FEED, FEED) and kind == NEWLINE:
        return state, 0
    if state == FEED and kind in (SPACE, BLANK):
        return (FEED_SPACE_1 if kind == SPACE else FEED_BLANK_1), 0
    return _begin(kind)


@cache
def tables(digits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(moves uint16, counts uint8, last uint8)` for digit groups of at most `digits`.

    Entry `state * 256 + first * 16 + second` of `moves` is the next state times 512, of `counts` what to add. A single
    character is a pair with the class 15, which changes nothing. `last` by state: what the end of the text adds.
    """
    states = FIGURE + digits
    moves, counts = np.zeros(states * _WIDTH, np.uint16), np.zeros(states * _WIDTH, np.uint8)
    for state in range(states):
        for first in range(E + 1):
            middle, begun = _follow(state, first, digits)
            for second in (*range(E + 1), 15):
                after, more = _follow(middle, second, digits) if second < 15 else (middle, 0)
                place = state * _WIDTH + first * 16 + second
                moves[place], counts[place] = after * 2 * _WIDTH, begun + more
    last = np.zeros(states, np.uint8)
    last[FEED_SPACE_1 : FEED_BLANK_2 + 1] = 1
    for table in (moves, counts, last):
        table.flags.writeable = False
    return moves, counts, last


def _ascii() -> np.ndarray:
    table = np.zeros(128, np.uint8)
    for point in range(128):
        sign = chr(point)
        if sign.isalpha():
            low = sign.lower()
            table[point] = (
                SDMT if low in "sdmt" else L if low == "l" else VR if low in "vr" else E if low == "e" else LETTER
            )
        elif sign.isdecimal():
            table[point] = NUMBER
        elif sign in "\r\n":
            table[point] = NEWLINE
        else:
            table[point] = {" ": SPACE, "\t": BLANK, "\v": BLANK, "\f": BLANK, "'": APOSTROPHE}.get(sign, OTHER)
    table.flags.writeable = False
    return table


ASCII = _ascii()
"""uint8[128]: the class of every ASCII character."""


@kernel()
def wide(at: Int, end: Int, classes: Int) -> Int:
    """`class of pretokens.CLASSES << 3 | length` of the character at the non-ASCII byte `at`; a stray byte is one sign."""
    point, size = decode_at(at, end)
    return (byte_at(classes + point) if point >= 0 else IS_OTHER) << 3 | size


@kernel(inline="always")
def _pair(word: np.uint64, shift: int, ascii_classes: Int) -> Int:
    """Two characters of a word as an entry of a state."""
    first = np.int64((word >> np.uint64(shift)) & np.uint64(0x7F))
    second = np.int64((word >> np.uint64(shift + 8)) & np.uint64(0x7F))
    return byte_at(ascii_classes + first) << 4 | byte_at(ascii_classes + second)


@kernel(nogil=True)
def count_rows(
    offsets: np.ndarray, data: np.ndarray, classes: np.ndarray, ascii_classes: np.ndarray,
    moves: np.ndarray, counts: np.ndarray, last: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Write the pre-tokens of every row to `out`, int64[n]; `classes` is `pretokens.CLASSES`, the rest `ASCII` and `tables`."""
    text, wide_classes, narrow, to, gain = (
        address(data),
        address(classes),
        address(ascii_classes),
        address(moves),
        address(counts),
    )
    for row in range(len(out)):
        at, end = text + offsets[row], text + offsets[row + 1]
        state, count = 0, 0
        while at < end:
            if at + 8 <= end:
                word = word_at(at)
                if word & np.uint64(0x8080808080808080) == 0:
                    for shift in (0, 16, 32, 48):
                        pair = _pair(word, shift, narrow)
                        count += byte_at(gain + (state >> 1) + pair)
                        state = short_at(to + 2 * pair + state)
                    at += 8
                    continue
            byte = byte_at(at)
            if byte < 0x80:
                kind = byte_at(narrow + byte)
                at += 1
            else:
                found = wide(at, end, wide_classes)
                kind = found >> 3
                at += found & 7
            pair = kind << 4 | 15
            count += byte_at(gain + (state >> 1) + pair)
            state = short_at(to + 2 * pair + state)
        out[row] = count + last[state >> 9]
