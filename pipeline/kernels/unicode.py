"""UTF-8 decoding and Unicode property tables for compiled code, built from `unicodedata` at import (0.2 s, 3 MB)."""

import sys
import unicodedata

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at

UNICODE_VERSION = unicodedata.unidata_version
"""Enters fingerprints: Python 3.11 knows Unicode 14.0, 3.12 15.0, 3.13 15.1."""

CATEGORIES: list[str] = [
    *"Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
]
"""General categories; their index is the code in `CATEGORY`."""

_CODE = {name: code for code, name in enumerate(CATEGORIES)}


def _categories() -> np.ndarray:
    table = np.full(sys.maxunicode + 1, _CODE["Cn"], np.uint8)
    table[0xF0000:] = _CODE["Co"]  # planes 15 and 16 are private use, but for their last two code points
    table[[0xFFFFE, 0xFFFFF, 0x10FFFE, 0x10FFFF]] = _CODE["Cn"]
    for first, end in ((0, 0x40000), (0xE0000, 0xE1000)):  # planes 4 to 13 are unassigned
        table[first:end] = [_CODE[unicodedata.category(chr(point))] for point in range(first, end)]
    return table


CATEGORY = _categories()
"""uint8[0x110000]: index into `CATEGORIES` for every code point."""

LETTER, MARK, NUMBER, PUNCTUATION, SYMBOL, SEPARATOR, OTHER = range(7)
MAJOR = np.array(
    [LETTER] * 5 + [MARK] * 3 + [NUMBER] * 3 + [PUNCTUATION] * 7 + [SYMBOL] * 4 + [SEPARATOR] * 3 + [OTHER] * 5,
    np.uint8,
)[CATEGORY]
"""uint8[0x110000]: the major class of every code point."""

IS_SPACE = np.zeros(sys.maxunicode + 1, np.bool_)
IS_SPACE[[point for point in range(0x10000) if chr(point).isspace()]] = True
"""bool[0x110000]: `str.isspace`."""


@kernel(forceinline=True)
def decode(data: np.ndarray, at: int, end: int) -> tuple[int | np.signedinteger, int]:
    """The code point at byte `at` and its length in bytes.

    Text in Arrow columns is valid UTF-8; in arbitrary bytes an invalid or cut sequence gives (-1, 1).
    """
    first = data[at]
    if first < codes.NON_ASCII:
        return np.int64(first), 1
    if first < 0xC2:
        return -1, 1
    if first < 0xE0:
        if at + 1 < end and data[at + 1] & 0xC0 == 0x80:
            return ((np.int64(first) & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), 2
        return -1, 1
    if first < 0xF0:
        if at + 2 < end and data[at + 1] & 0xC0 == 0x80 and data[at + 2] & 0xC0 == 0x80:
            point = (
                ((np.int64(first) & 0x0F) << 12)
                | ((np.int64(data[at + 1]) & 0x3F) << 6)
                | (np.int64(data[at + 2]) & 0x3F)
            )
            if point >= 0x800 and not 0xD800 <= point < 0xE000:
                return point, 3
        return -1, 1
    if (
        first < 0xF5
        and at + 3 < end
        and data[at + 1] & 0xC0 == 0x80
        and data[at + 2] & 0xC0 == 0x80
        and data[at + 3] & 0xC0 == 0x80
    ):
        point = (
            ((np.int64(first) & 0x07) << 18)
            | ((np.int64(data[at + 1]) & 0x3F) << 12)
            | ((np.int64(data[at + 2]) & 0x3F) << 6)
            | (np.int64(data[at + 3]) & 0x3F)
        )
        if 0x10000 <= point < 0x110000:
            return point, 4
    return -1, 1


@kernel(forceinline=True)
def decode_at(at: Int, end: Int) -> tuple[Int, Int]:
    """`decode` of the bytes at an address (`pipeline.kernels.memory`), up to the address `end`."""
    first = byte_at(at)
    if first < codes.NON_ASCII:
        return first, 1
    point, size = -1, 1
    if 0xE0 <= first < 0xF0:
        if at + 2 < end:
            second, third = byte_at(at + 1), byte_at(at + 2)
            found = (first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
            if second & 0xC0 == 0x80 and third & 0xC0 == 0x80 and found >= 0x800 and not 0xD800 <= found < 0xE000:
                point, size = found, 3
    elif 0xC2 <= first < 0xE0:
        if at + 1 < end and byte_at(at + 1) & 0xC0 == 0x80:
            point, size = (first & 0x1F) << 6 | byte_at(at + 1) & 0x3F, 2
    elif 0xF0 <= first < 0xF5 and at + 3 < end:
        second, third, fourth = byte_at(at + 1), byte_at(at + 2), byte_at(at + 3)
        found = (first & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | fourth & 0x3F
        follow = second & 0xC0 == 0x80 and third & 0xC0 == 0x80 and fourth & 0xC0 == 0x80
        if follow and 0x10000 <= found < 0x110000:
            point, size = found, 4
    return point, size
