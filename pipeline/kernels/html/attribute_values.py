"""What the values of attributes say: styles that hide or break pages, numbers, words of names. Values are given by address."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter, is_space, pack
from pipeline.kernels.html.names import kind_of
from pipeline.kernels.memory import Int, byte_at

HIDDEN, ARIA_HIDDEN, BREAK_BEFORE, BREAK_AFTER, TEX, PRESENTATION, GONE, LINK = (1 << bit for bit in range(8))
"""`hidden` or a style that hides; `aria-hidden=true`; page breaks by style; an annotation in TeX; `role=presentation`;
hidden and without a place on the page, as by `display: none`; `href`."""
REVERSED, LETTERED, ROMAN, CAPITALS, DRAWN = (1 << bit for bit in range(8, 13))
"""A list that counts down; one numbered in letters or Roman numerals, in capitals; what MathJax drew of a formula."""
FONT, FONT_BITS = 13, 7
"""From this bit on, three of them: the font of signs (see `symbols`) that an element's own text stands in."""
RAISED, LOWERED = 1 << 16, 1 << 17
"""Text that a style raises or lowers, as `sup` and `sub` do."""

_LEAST_BESIDE = 4
"""Letters that a word beside a digit has at least: the numbers that programs give as names have any two letters ("7ad3")."""
_DISPLAY, _VISIBILITY, _BEFORE, _AFTER, _ALIGN = (
    np.uint64(pack(end)) for end in ("isplay", "sibility", "k-before", "ak-after", "al-align")
)
_THREE, _FOUR, _FIVE, _SIX = (np.uint64(2 ** (8 * size) - 1) for size in (3, 4, 5, 6))
_SUPER, _LOW = np.uint64(pack("super")), np.uint64(pack("sub"))
_NONE, _HIDE, _ALWAYS, _PAGE, _LEFT, _RIGHT = (
    np.uint64(pack(value)) for value in ("none", "hidden", "always", "page", "left", "right")
)


@kernel()
def marks_of(place: Int, end: Int, names: Int, kinds: Int, factor: np.uint64, slots: Int) -> Int:
    """The marks of an attribute's words: runs of letters, parted where a capital follows a small letter."""
    marks, word, size, small, digit = 0, np.uint64(0), 0, False, False
    while place <= end:
        byte = byte_at(place) if place < end else codes.SPACE
        place += 1
        letter = is_letter(byte)
        capital = letter and byte < codes.SMALL_A
        if size and (not letter or (capital and small)):
            beside = digit or codes.ZERO <= byte <= codes.NINE
            kind = 0 if beside and size < _LEAST_BESIDE else kind_of(word, names, kinds, factor, slots)
            if kind:
                marks |= 1 << (kind - 1)
            word, size, digit = np.uint64(0), 0, False
        if letter:
            if size < 8:
                word |= np.uint64(byte | codes.CASE_BIT) << np.uint64(8 * size)
            size += 1
        else:
            digit = codes.ZERO <= byte <= codes.NINE
        small = letter and not capital
    return marks


@kernel()
def number_at(place: Int, end: Int) -> Int:
    """The number that an attribute's value starts with, up to 65,535; -1 when it starts with none."""
    while place < end and is_space(byte_at(place)):
        place += 1
    place += place < end and byte_at(place) == codes.PLUS
    number = -1
    while place < end and codes.ZERO <= byte_at(place) <= codes.NINE:
        number = min(max(number, 0) * 10 + byte_at(place) - codes.ZERO, 65535)
        place += 1
    return number


@kernel()
def numbering(place: Int, end: Int) -> Int:
    """`LETTERED`, `ROMAN` and `CAPITALS` of a list's `type`."""
    if end - place != 1:
        return 0
    letter = byte_at(place) | codes.CASE_BIT
    style = LETTERED if letter == codes.SMALL_A else ROMAN if letter == codes.SMALL_I else 0
    return style | CAPITALS if style and byte_at(place) < codes.SMALL_A else style


@kernel()
def style_flags(place: Int, end: Int) -> Int:
    """`HIDDEN`, `GONE`, `BREAK_BEFORE`, `BREAK_AFTER`, `RAISED` and `LOWERED` of a style's declarations."""
    flags, last, value, size, which = 0, np.uint64(0), np.uint64(0), 0, 0  # `last`: the last eight bytes of a property
    while place <= end:
        byte = byte_at(place) if place < end else 0x3B
        place += 1
        if byte == 0x3B:  # ;
            if which == HIDDEN:
                if (value & _FOUR) == _NONE:
                    flags |= HIDDEN | GONE
                elif (value & _SIX) == _HIDE:
                    flags |= HIDDEN
            elif which == RAISED:
                flags |= RAISED if value & _FIVE == _SUPER else LOWERED if value & _THREE == _LOW else 0
            elif which:
                always = value & _SIX == _ALWAYS or value & _FOUR in (_PAGE, _LEFT) or value == _RIGHT
                flags |= which if always else 0
            last, value, size, which = np.uint64(0), np.uint64(0), 0, 0
        elif is_space(byte):
            continue
        elif byte == codes.COLON and not size and not which:
            shown = last >> np.uint64(16)
            which = (
                HIDDEN if shown == _DISPLAY or last == _VISIBILITY
                else BREAK_BEFORE if last == _BEFORE else BREAK_AFTER if last == _AFTER else RAISED if last == _ALIGN else -1
            )  # fmt: skip
            which = which if which > 0 else 0
            size = 0 if which else 8  # the value of another property is passed over
        elif which or size:
            if size < 8:
                value |= np.uint64(byte | codes.CASE_BIT) << np.uint64(8 * size)
                size += 1
        else:
            last = last >> np.uint64(8) | np.uint64(byte | codes.CASE_BIT) << np.uint64(56)
    return flags
