# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""What is split off a chunk of text, and where its inside is split: spaCy's English affix rules in compiled code.

A chunk stands between white space; the rules read its code points and their attributes, never its bytes.
"""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at, int_at, word_at
from pipeline.kernels.text.word_tables import (
    BEFORE_DOT,
    CURRENCY,
    DIGIT,
    ICON,
    LOWER,
    PREFIX,
    QUOTE,
    SUFFIX,
    UNIT_KEYS,
    UPPER,
)

BASIS, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
"""Of FNV-1a, 64 bits."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
NUM_UNITS = len(UNIT_KEYS)

Tables = tuple[Int, Int, Int, Int]
"""Addresses of `ATTRIBUTES`, `SPECIAL_KEYS`, `SPECIAL_LENGTHS` and `UNIT_KEYS`: see `pipeline.kernels.memory` for why."""
Scratch = tuple[Int, Int, Int, Int]
"""Addresses of what a chunk is taken apart in: int32 code points and attributes, int64 addresses of its code points, and
one past its end; int32 ends of the tokens split off its back."""


@kernel(inline="always")
def mixed(value: np.uint64) -> np.uint64:
    """The final mix of a running FNV-1a hash."""
    value ^= value >> np.uint64(32)
    value *= _MIX
    return value ^ (value >> np.uint64(29))


@kernel()
def hash_bytes(at: Int, end: Int) -> np.uint64:
    """Hash of the bytes of a word: equal to `word_tables.fnv`."""
    value = BASIS
    while at < end:
        value = (value ^ np.uint64(byte_at(at))) * PRIME
        at += 1
    return mixed(value)


@kernel(inline="always")
def point_of(scratch: Scratch, at: Int) -> Int:
    """Code point `at` of the chunk."""
    return int_at(scratch[0] + 4 * at)


@kernel(inline="always")
def bits_of(scratch: Scratch, at: Int) -> Int:
    """Attributes of code point `at`."""
    return int_at(scratch[1] + 4 * at)


@kernel(inline="always")
def place_of(scratch: Scratch, at: Int) -> Int:
    """Address of code point `at` in the text."""
    return np.int64(word_at(scratch[2] + 8 * at))


@kernel()
def prefix_length(scratch: Scratch, low: Int, high: Int) -> Int:
    """Code points to strip from the front of a chunk, 0 for none."""
    point = point_of(scratch, low)
    if bits_of(scratch, low) & PREFIX:
        return 1
    if point == 0x2B:  # + before anything but a digit
        return 1 if low + 1 >= high or not bits_of(scratch, low + 1) & DIGIT else 0
    if point == 0x2E:
        end = low
        while end < high and point_of(scratch, end) == 0x2E:
            end += 1
        return end - low if end - low > 1 else 0
    if low + 1 < high and point_of(scratch, low + 1) == 0x24:  # US$ is three code points, C$ and A$ two
        return 2 if point == 0x43 or point == 0x41 else 0
    if low + 2 < high and point == 0x55 and point_of(scratch, low + 1) == 0x53 and point_of(scratch, low + 2) == 0x24:
        return 3
    return 0


@kernel()
def _unit(scratch: Scratch, low: Int, high: Int, tables: Tables) -> Int:
    """Length of a unit at the end that follows a digit, 0 for none (`m/s` is the longest with 4)."""
    start = high
    while start > low and high - start < 5 and not bits_of(scratch, start - 1) & DIGIT:
        start -= 1
    if start == low or not 0 < high - start <= 4 or not bits_of(scratch, start - 1) & DIGIT:
        return 0
    key = hash_bytes(place_of(scratch, start), place_of(scratch, high))
    for unit in range(NUM_UNITS):
        if word_at(tables[3] + 8 * unit) == key:
            return high - start
    return 0


@kernel()
def suffix_length(scratch: Scratch, low: Int, high: Int, tables: Tables) -> Int:
    """Code points to strip from the back of a chunk, the longest that fits, 0 for none."""
    if low >= high:
        return 0
    last = high - 1
    point, bit = point_of(scratch, last), bits_of(scratch, last)
    before = bits_of(scratch, last - 1) if last > low else 0
    if point == 0x2E:
        start = last
        while start > low and point_of(scratch, start - 1) == 0x2E:
            start -= 1
        if start < last:
            return high - start
        if before & BEFORE_DOT:
            return 1
        return 1 if last - 1 > low and before & UPPER and bits_of(scratch, last - 2) & UPPER else 0
    if point == 0x2026:
        return 2 if last > low and point_of(scratch, last - 1) == 0x2026 else 1
    if point == 0x73 or point == 0x53:  # 's
        if last > low and (point_of(scratch, last - 1) == 0x27 or point_of(scratch, last - 1) == 0x2019):
            return 2
    if bit & CURRENCY and last > low:
        if before & DIGIT:
            return 1
        if (
            point == 0x24
            and last - 1 > low
            and bits_of(scratch, last - 2) & DIGIT
            and (point_of(scratch, last - 1) == 0x43 or point_of(scratch, last - 1) == 0x41)
        ):
            return 2
    if bit & SUFFIX:
        return 1
    if point == 0x2B:
        return 1 if before & DIGIT else 0
    return _unit(scratch, low, high, tables)


@kernel()
def infix_length(scratch: Scratch, at: Int, low: Int, high: Int) -> Int:
    """Length of the separator inside a chunk that starts at code point `at`, 0 for none."""
    point, bit = point_of(scratch, at), bits_of(scratch, at)
    if point == 0x2E:
        end = at
        while end < high and point_of(scratch, end) == 0x2E:
            end += 1
        if end - at > 1:
            return end - at
        inside = at > low and at + 1 < high
        return (
            1
            if inside and bits_of(scratch, at - 1) & (LOWER | QUOTE) and bits_of(scratch, at + 1) & (UPPER | QUOTE)
            else 0
        )
    if point == 0x2026 or bit & ICON:
        return 1
    if at == low or at + 1 >= high:
        return 0
    before, after = bits_of(scratch, at - 1), bits_of(scratch, at + 1)
    letter = LOWER | UPPER
    if (point == 0x2B or point == 0x2D or point == 0x2A or point == 0x5E) and before & DIGIT:
        if after & DIGIT or point_of(scratch, at + 1) == 0x2D:
            return 1
    if point == 0x2C:
        return 1 if before & letter and after & letter else 0
    if not before & (letter | DIGIT):
        return 0
    if point == 0x3A or point == 0x3C or point == 0x3E or point == 0x3D or point == 0x2F:
        return 1 if after & letter else 0
    if point == 0x2D or point == 0x2013 or point == 0x2014 or point == 0x7E:
        if after & letter:
            return 1
        longest = 3 if point == 0x2D else 2 if point == 0x2014 else 1
        end = at
        while end < high and point_of(scratch, end) == point and end - at < longest:
            end += 1
        return end - at if end - at > 1 and end < high and bits_of(scratch, end) & letter else 0
    return 0


@kernel()
def _host_end(scratch: Scratch, low: Int, high: Int) -> bool:
    """Whether `low:high` is a host name, with a port and a path or without."""
    end, dot, label = low, -1, low
    while end < high:
        point = point_of(scratch, end)
        if point == 0x2E:
            if end == label or point_of(scratch, end - 1) == 0x2D or point_of(scratch, end - 1) == 0x5F:
                return False
            if point_of(scratch, label) == 0x2D or point_of(scratch, label) == 0x5F or end - label > 64:
                return False
            dot, label = end, end + 1
        elif not (
            bits_of(scratch, end) & DIGIT
            or 0x41 <= point <= 0x5A
            or 0x61 <= point <= 0x7A
            or point == 0x2D
            or point == 0x5F
        ):
            if not 0xA1 <= point <= 0xFFFF:
                break
        end += 1
    if dot < 0 or end - dot - 1 < 2 or end - dot - 1 > 63:
        return False
    for at in range(dot + 1, end):
        if not bits_of(scratch, at) & LOWER:
            return False
    if end < high and point_of(scratch, end) == 0x3A:
        digits = end + 1
        while digits < high and bits_of(scratch, digits) & DIGIT and digits - end <= 5:
            digits += 1
        if digits - end - 1 < 2:
            return False
        end = digits
    return (
        end == high
        or point_of(scratch, end) == 0x2F
        or point_of(scratch, end) == 0x3F
        or point_of(scratch, end) == 0x23
    )


@kernel()
def is_address(scratch: Scratch, low: Int, high: Int) -> bool:
    """Whether a chunk is a web address or an e-mail address, which stays one token."""
    start, sign = low, -1
    for at in range(low, high):
        if point_of(scratch, at) == 0x3A and start == low and at - low >= 2 and at + 2 < high:
            if point_of(scratch, at + 1) == 0x2F and point_of(scratch, at + 2) == 0x2F:
                start = at + 3
        if point_of(scratch, at) == 0x40 and at > start:
            sign = at
    if _host_end(scratch, start, high):
        return True
    return sign >= 0 and _host_end(scratch, sign + 1, high)
