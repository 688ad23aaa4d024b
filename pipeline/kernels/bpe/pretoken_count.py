"""Pre-tokens counted without finding them: an automaton over pairs of bytes, ten times as fast as the scanner.

Extract counts the pre-tokens of every payload, markup included, which is ten times the text. Where words stand alone and
digit groups run from left to right, how many pre-tokens a text has follows from a few states and eleven classes of
characters. A step waits for one load from a table that stays in the first-level cache, and takes two ASCII characters; four
parts of a text are counted side by side, because a step cannot begin before the one before it.
"""

from functools import cache

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at, short_at, word_at
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


_STATE, _COUNT = 0xFE00, 0x1FF
"""The two halves of an entry of `moves`."""


@cache
def tables(digits: int) -> tuple[np.ndarray, np.ndarray]:
    """`(moves uint16, last uint8)` for digit groups of at most `digits`.

    Entry `state * 256 + first * 16 + second` of `moves` is the next state times 512, plus the pre-tokens to count. A single
    character is a pair with the class 15, which changes nothing. `last` by state: what the end of the text adds.
    """
    states = FIGURE + digits
    moves = np.zeros(states * _WIDTH, np.uint16)
    for state in range(states):
        for first in range(E + 1):
            middle, begun = _follow(state, first, digits)
            for second in (*range(E + 1), 15):
                after, more = _follow(middle, second, digits) if second < 15 else (middle, 0)
                moves[state * _WIDTH + first * 16 + second] = after * 2 * _WIDTH + begun + more
    last = np.zeros(states, np.uint8)
    last[FEED_SPACE_1 : FEED_BLANK_2 + 1] = 1
    for table in (moves, last):
        table.flags.writeable = False
    return moves, last


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


def _pairs() -> np.ndarray:
    table = np.zeros((128, 256), np.uint8)
    table[:, :128] = ASCII[None, :] << 4 | ASCII[:, None]
    table = table.ravel()
    table.flags.writeable = False
    return table


PAIRS = _pairs()
"""uint8[0x8000]: what two ASCII characters, read as one little-endian number, are as an entry of a state."""
_WIDE = np.uint64(0x8080808080808080)
_WORTH_PARTING = 256
"""Bytes from which on a text is counted in four parts."""


@kernel()
def wide(at: Int, end: Int, classes: Int) -> Int:
    """`class of pretokens.CLASSES << 3 | length` of the character at the non-ASCII byte `at`; a stray byte is one sign."""
    point, size = decode_at(at, end)
    return (byte_at(classes + point) if point >= 0 else IS_OTHER) << 3 | size


@kernel(forceinline=True)
def _two(word: np.uint64, shift: int, state: Int, count: Int, pairs: Int, moves: Int) -> tuple[Int, Int]:
    """State and count after two ASCII characters of a word."""
    pair = byte_at(pairs + np.int64((word >> np.uint64(shift)) & np.uint64(0x7FFF)))
    entry = short_at(moves + 2 * pair + state)
    return entry & _STATE, count + (entry & _COUNT)


@kernel(forceinline=True)
def _one(at: Int, end: Int, state: Int, count: Int, classes: Int, narrow: Int, moves: Int) -> tuple[Int, Int, Int]:
    """Place, state and count after the character at `at`."""
    byte = byte_at(at)
    if byte < codes.NON_ASCII:
        kind = byte_at(narrow + byte)
        at += 1
    else:
        found = wide(at, end, classes)
        kind = found >> 3
        at += found & 7
    entry = short_at(moves + 2 * (kind << 4 | 15) + state)
    return at, entry & _STATE, count + (entry & _COUNT)


@kernel()
def _run(
    at: Int, end: Int, state: Int, count: Int, classes: Int, narrow: Int, pairs: Int, moves: Int
) -> tuple[Int, Int]:
    """State and count after the characters from `at` to `end`."""
    while at < end:
        if at + 8 <= end:
            word = word_at(at)
            if word & _WIDE == 0:
                for shift in (0, 16, 32, 48):
                    state, count = _two(word, shift, state, count, pairs, moves)
                at += 8
                continue
        at, state, count = _one(at, end, state, count, classes, narrow, moves)
    return state, count


@kernel()
def _border(at: Int, end: Int, narrow: Int) -> Int:
    """The first place from `at` on that stands behind a letter of the class LETTER, after which the state is WORD; or `end`."""
    while at < end:
        byte = byte_at(at)
        at += 1
        if byte < codes.NON_ASCII and byte_at(narrow + byte) == LETTER:
            return at
    return end


@kernel()
def _four_runs(start: Int, end: Int, classes: Int, narrow: Int, pairs: Int, moves: Int) -> tuple[Int, Int]:
    """`_run` of a whole text, parted where the state is known whatever came before."""
    part = (end - start) >> 2
    end_1 = _border(start + part, end, narrow)
    end_2 = _border(max(end_1, start + 2 * part), end, narrow)
    end_3 = _border(max(end_2, start + 3 * part), end, narrow)
    if end_3 == end:
        return _run(start, end, 0, 0, classes, narrow, pairs, moves)
    at_1, at_2, at_3, at_4 = start, end_1, end_2, end_3
    word = WORD * 2 * _WIDTH
    state_1, state_2, state_3, state_4 = 0, word, word, word
    count_1, count_2, count_3, count_4 = 0, 0, 0, 0
    while at_1 + 8 <= end_1 and at_2 + 8 <= end_2 and at_3 + 8 <= end_3 and at_4 + 8 <= end:
        one, two, three, four = word_at(at_1), word_at(at_2), word_at(at_3), word_at(at_4)
        if (one | two | three | four) & _WIDE == 0:
            for shift in (0, 16, 32, 48):
                state_1, count_1 = _two(one, shift, state_1, count_1, pairs, moves)
                state_2, count_2 = _two(two, shift, state_2, count_2, pairs, moves)
                state_3, count_3 = _two(three, shift, state_3, count_3, pairs, moves)
                state_4, count_4 = _two(four, shift, state_4, count_4, pairs, moves)
            at_1, at_2, at_3, at_4 = at_1 + 8, at_2 + 8, at_3 + 8, at_4 + 8
            continue
        if one & _WIDE:
            at_1, state_1, count_1 = _one(at_1, end_1, state_1, count_1, classes, narrow, moves)
        if two & _WIDE:
            at_2, state_2, count_2 = _one(at_2, end_2, state_2, count_2, classes, narrow, moves)
        if three & _WIDE:
            at_3, state_3, count_3 = _one(at_3, end_3, state_3, count_3, classes, narrow, moves)
        if four & _WIDE:
            at_4, state_4, count_4 = _one(at_4, end, state_4, count_4, classes, narrow, moves)
    count_1 = _run(at_1, end_1, state_1, count_1, classes, narrow, pairs, moves)[1]
    count_2 = _run(at_2, end_2, state_2, count_2, classes, narrow, pairs, moves)[1]
    count_3 = _run(at_3, end_3, state_3, count_3, classes, narrow, pairs, moves)[1]
    state_4, count_4 = _run(at_4, end, state_4, count_4, classes, narrow, pairs, moves)
    return state_4, count_1 + count_2 + count_3 + count_4


@kernel(nogil=True)
def count_rows(
    offsets: np.ndarray, data: np.ndarray, classes: np.ndarray, ascii_classes: np.ndarray, ascii_pairs: np.ndarray,
    moves: np.ndarray, last: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Write the pre-tokens of every row to `out`, int64[n]; `classes` is `pretokens.CLASSES`, the rest `ASCII`, `PAIRS` and
    `tables`."""
    text = address(data)
    lookups = (address(classes), address(ascii_classes), address(ascii_pairs), address(moves))
    for row in range(len(out)):
        at, end = text + offsets[row], text + offsets[row + 1]
        if end - at < _WORTH_PARTING:
            state, count = _run(at, end, 0, 0, *lookups)
        else:
            state, count = _four_runs(at, end, *lookups)
        out[row] = count + last[state >> 9]
