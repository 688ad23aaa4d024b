# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""What is split off a chunk of text, and where its inside is split: spaCy's English affix rules in compiled code.

A chunk stands between white space; the rules read its code points and their attributes, never its bytes.
"""

import numpy as np

from pipeline.kernels import codes
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


@kernel(forceinline=True)
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


@kernel(forceinline=True)
def point_of(scratch: Scratch, at: Int) -> Int:
    """Code point `at` of the chunk."""
    return int_at(scratch[0] + 4 * at)


@kernel(forceinline=True)
def bits_of(scratch: Scratch, at: Int) -> Int:
    """Attributes of code point `at`."""
    return int_at(scratch[1] + 4 * at)


@kernel(forceinline=True)
def place_of(scratch: Scratch, at: Int) -> Int:
    """Address of code point `at` in the text."""
    return np.int64(word_at(scratch[2] + 8 * at))


@kernel()
def prefix_length(scratch: Scratch, low: Int, high: Int) -> Int:
    """Code points to strip from the front of a chunk, 0 for none."""
    point = point_of(scratch, low)
    if bits_of(scratch, low) & PREFIX:
        return 1
    if point == codes.PLUS:  # + before anything but a digit
        return 1 if low + 1 >= high or not bits_of(scratch, low + 1) & DIGIT else 0
    if point == codes.DOT:
        end = low
        while end < high and point_of(scratch, end) == codes.DOT:
            end += 1
        return end - low if end - low > 1 else 0
    if low + 1 < high and point_of(scratch, low + 1) == codes.DOLLAR:  # US$ is three code points, C$ and A$ two
        return 2 if point == codes.UPPER_C or point == codes.UPPER_A else 0
    if (
        low + 2 < high
        and point == codes.UPPER_U
        and point_of(scratch, low + 1) == codes.UPPER_S
        and point_of(scratch, low + 2) == codes.DOLLAR
    ):
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
    if point == codes.DOT:
        start = last
        while start > low and point_of(scratch, start - 1) == codes.DOT:
            start -= 1
        if start < last:
            return high - start
        if before & BEFORE_DOT:
            return 1
        return 1 if last - 1 > low and before & UPPER and bits_of(scratch, last - 2) & UPPER else 0
    if point == codes.ELLIPSIS:
        return 2 if last > low and point_of(scratch, last - 1) == codes.ELLIPSIS else 1
    if point == codes.SMALL_S or point == codes.UPPER_S:  # 's
        if last > low and (
            point_of(scratch, last - 1) == codes.APOSTROPHE or point_of(scratch, last - 1) == codes.RIGHT_APOSTROPHE
        ):
            return 2
    if bit & CURRENCY and last > low:
        if before & DIGIT:
            return 1
        if (
            point == codes.DOLLAR
            and last - 1 > low
            and bits_of(scratch, last - 2) & DIGIT
            and (point_of(scratch, last - 1) == codes.UPPER_C or point_of(scratch, last - 1) == codes.UPPER_A)
        ):
            return 2
    if bit & SUFFIX:
        return 1
    if point == codes.PLUS:
        return 1 if before & DIGIT else 0
    return _unit(scratch, low, high, tables)


@kernel()
def infix_length(scratch: Scratch, at: Int, low: Int, high: Int) -> Int:
    """Length of the separator inside a chunk that starts at code point `at`, 0 for none."""
    point, bit = point_of(scratch, at), bits_of(scratch, at)
    if point == codes.DOT:
        end = at
        while end < high and point_of(scratch, end) == codes.DOT:
            end += 1
        if end - at > 1:
            return end - at
        inside = at > low and at + 1 < high
        return (
            1
            if inside and bits_of(scratch, at - 1) & (LOWER | QUOTE) and bits_of(scratch, at + 1) & (UPPER | QUOTE)
            else 0
        )
    if point == codes.ELLIPSIS or bit & ICON:
        return 1
    if at == low or at + 1 >= high:
        return 0
    before, after = bits_of(scratch, at - 1), bits_of(scratch, at + 1)
    letter = LOWER | UPPER
    if (
        point == codes.PLUS or point == codes.HYPHEN or point == codes.ASTERISK or point == codes.CARET
    ) and before & DIGIT:
        if after & DIGIT or point_of(scratch, at + 1) == codes.HYPHEN:
            return 1
    if point == codes.COMMA:
        return 1 if before & letter and after & letter else 0
    if not before & (letter | DIGIT):
        return 0
    if (
        point == codes.COLON
        or point == codes.LESS
        or point == codes.GREATER
        or point == codes.EQUALS
        or point == codes.SLASH
    ):
        return 1 if after & letter else 0
    if point == codes.HYPHEN or point == codes.EN_DASH or point == codes.EM_DASH or point == codes.TILDE:
        if after & letter:
            return 1
        longest = 3 if point == codes.HYPHEN else 2 if point == codes.EM_DASH else 1
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
        if point == codes.DOT:
            if (
                end == label
                or point_of(scratch, end - 1) == codes.HYPHEN
                or point_of(scratch, end - 1) == codes.UNDERSCORE
            ):
                return False
            if (
                point_of(scratch, label) == codes.HYPHEN
                or point_of(scratch, label) == codes.UNDERSCORE
                or end - label > 64
            ):
                return False
            dot, label = end, end + 1
        elif not (
            bits_of(scratch, end) & DIGIT
            or codes.UPPER_A <= point <= codes.UPPER_Z
            or codes.SMALL_A <= point <= codes.SMALL_Z
            or point == codes.HYPHEN
            or point == codes.UNDERSCORE
        ):
            if not 0xA1 <= point <= 0xFFFF:
                break
        end += 1
    if dot < 0 or end - dot - 1 < 2 or end - dot - 1 > 63:
        return False
    for at in range(dot + 1, end):
        if not bits_of(scratch, at) & LOWER:
            return False
    if end < high and point_of(scratch, end) == codes.COLON:
        digits = end + 1
        while digits < high and bits_of(scratch, digits) & DIGIT and digits - end <= 5:
            digits += 1
        if digits - end - 1 < 2:
            return False
        end = digits
    return (
        end == high
        or point_of(scratch, end) == codes.SLASH
        or point_of(scratch, end) == codes.QUESTION
        or point_of(scratch, end) == codes.HASH
    )


@kernel()
def is_address(scratch: Scratch, low: Int, high: Int) -> bool:
    """Whether a chunk is a web address or an e-mail address, which stays one token."""
    start, sign = low, -1
    for at in range(low, high):
        if point_of(scratch, at) == codes.COLON and start == low and at - low >= 2 and at + 2 < high:
            if point_of(scratch, at + 1) == codes.SLASH and point_of(scratch, at + 2) == codes.SLASH:
                start = at + 3
        if point_of(scratch, at) == codes.AT and at > start:
            sign = at
    if _host_end(scratch, start, high):
        return True
    return sign >= 0 and _host_end(scratch, sign + 1, high)
