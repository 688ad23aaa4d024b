# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""Words in compiled code: the tokens of a text as spaCy's English rules see them, 64-bit hashes in place of strings.

A document becomes two arrays, one entry a token: its hash, and its length in code points packed with what it is made
of. Linear in the bytes of the text: each chunk between white space is stripped from both ends and split once.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.memo import LastColumns
from pipeline.kernels.unicode import decode
from pipeline.kernels.word_tables import (
    ALPHA,
    ATTRIBUTES,
    BEFORE_DOT,
    BREAK,
    CURRENCY,
    DIGIT,
    ICON,
    LONGEST_SPECIAL,
    LOWER,
    PLAIN,
    PREFIX,
    PUNCT,
    QUOTE,
    SPACE,
    SPECIAL_KEYS,
    SPECIAL_LENGTHS,
    STOP,
    SUFFIX,
    SYMBOL,
    UNIT_KEYS,
    UPPER,
)

HAS_ALPHA, HAS_WORD, IS_STOP, IS_PUNCT, NEW_LINE = 1, 2, 4, 8, 16
"""Flags of a token: a letter in it; a character that is no symbol; a sentence's end; only punctuation; first of its line."""
SIZE_SHIFT = 5
"""`sizes[i] >> SIZE_SHIFT` is the token's length in code points; the bits below are the flags."""

_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)


class Words(NamedTuple):
    """Tokens of a column: row i has tokens `offsets[i]` to `offsets[i + 1]` of `hashes` (uint64) and `sizes` (uint32)."""

    offsets: np.ndarray
    hashes: np.ndarray
    sizes: np.ndarray


@njit(cache=True, inline="always")
def mixed(value: np.uint64) -> np.uint64:
    """The final mix of a running FNV-1a hash."""
    value ^= value >> np.uint64(32)
    value *= _MIX
    return value ^ (value >> np.uint64(29))


@njit(cache=True)
def hash_bytes(data: np.ndarray, start: int, end: int) -> np.uint64:
    """Hash of the bytes of a word: equal to `word_tables.fnv`."""
    value = _BASIS
    for at in range(start, end):
        value = (value ^ np.uint64(data[at])) * _PRIME
    return mixed(value)


@njit(cache=True)
def _special(data: np.ndarray, start: int, end: int, keys: np.ndarray, lengths: np.ndarray) -> int:
    """The packed token lengths of a special chunk, or 0."""
    if end - start > LONGEST_SPECIAL:
        return 0
    key = hash_bytes(data, start, end)
    slot = np.int64(key & np.uint64(8191))
    while keys[slot] != 0:
        if keys[slot] == key:
            return np.int64(lengths[slot])
        slot = (slot + 1) & 8191
    return 0


@njit(cache=True)
def _emit(
    data: np.ndarray, start: int, end: int, attributes: np.ndarray, hashes: np.ndarray, sizes: np.ndarray, at: int
) -> int:
    value, length, union, common, at_byte = _BASIS, 0, 0, 0xFFFF, start
    while at_byte < end:
        first = data[at_byte]
        width = 1
        if first < 0x80:
            bits = np.int64(attributes[first])
            value = (value ^ np.uint64(first)) * _PRIME
        else:
            point, width = decode(data, at_byte, end)
            bits = np.int64(attributes[point]) if point >= 0 else 0
            for byte in range(at_byte, at_byte + width):
                value = (value ^ np.uint64(data[byte])) * _PRIME
        union |= bits
        common &= bits
        length += 1
        at_byte += width
    flags = HAS_ALPHA * (union & ALPHA > 0) | HAS_WORD * (common & SYMBOL == 0) | IS_PUNCT * (common & PUNCT > 0)
    if length == 1 and union & STOP:
        flags |= IS_STOP
    hashes[at] = mixed(value)
    sizes[at] = np.uint32((length << SIZE_SHIFT) | flags)
    return at + 1


@njit(cache=True)
def _emit_special(
    data: np.ndarray, start: int, packed: int, attributes: np.ndarray, hashes: np.ndarray, sizes: np.ndarray, at: int
) -> int:
    while packed:
        end = start + (packed & 0xFF)
        at = _emit(data, start, end, attributes, hashes, sizes, at)
        start = end
        packed >>= 8
    return at


@njit(cache=True)
def _prefix(points: np.ndarray, bits: np.ndarray, low: int, high: int) -> int:
    """Code points to strip from the front of a chunk, 0 for none."""
    point = points[low]
    if bits[low] & PREFIX:
        return 1
    if point == 0x2B:  # + before anything but a digit
        return 1 if low + 1 >= high or not bits[low + 1] & DIGIT else 0
    if point == 0x2E:
        end = low
        while end < high and points[end] == 0x2E:
            end += 1
        return end - low if end - low > 1 else 0
    if low + 1 < high and points[low + 1] == 0x24:  # US$ is three code points, C$ and A$ two
        return 2 if point == 0x43 or point == 0x41 else 0
    if low + 2 < high and point == 0x55 and points[low + 1] == 0x53 and points[low + 2] == 0x24:
        return 3
    return 0


@njit(cache=True)
def _unit(
    data: np.ndarray, points: np.ndarray, bits: np.ndarray, places: np.ndarray, low: int, high: int, units: np.ndarray
) -> int:
    """Length of a unit at the end that follows a digit, 0 for none (`m/s` is the longest with 4)."""
    start = high
    while start > low and high - start < 5 and not bits[start - 1] & DIGIT:
        start -= 1
    if start == low or not 0 < high - start <= 4 or not bits[start - 1] & DIGIT:
        return 0
    key = hash_bytes(data, places[start], places[high])
    slot = np.searchsorted(units, key)
    return high - start if slot < len(units) and units[slot] == key else 0


@njit(cache=True)
def _suffix(
    data: np.ndarray, points: np.ndarray, bits: np.ndarray, places: np.ndarray, low: int, high: int, units: np.ndarray
) -> int:
    """Code points to strip from the back of a chunk, the longest that fits, 0 for none."""
    if low >= high:
        return 0
    last = high - 1
    point, bit = points[last], bits[last]
    before = bits[last - 1] if last > low else 0
    if point == 0x2E:
        start = last
        while start > low and points[start - 1] == 0x2E:
            start -= 1
        if start < last:
            return high - start
        if before & BEFORE_DOT:
            return 1
        return 1 if last - 1 > low and before & UPPER and bits[last - 2] & UPPER else 0
    if point == 0x2026:
        return 2 if last > low and points[last - 1] == 0x2026 else 1
    if point == 0x73 or point == 0x53:  # 's
        if last > low and (points[last - 1] == 0x27 or points[last - 1] == 0x2019):
            return 2
    if bit & CURRENCY and last > low:
        if before & DIGIT:
            return 1
        if (
            point == 0x24
            and last - 1 > low
            and bits[last - 2] & DIGIT
            and (points[last - 1] == 0x43 or points[last - 1] == 0x41)
        ):
            return 2
    if bit & SUFFIX:
        return 1
    if point == 0x2B:
        return 1 if before & DIGIT else 0
    return _unit(data, points, bits, places, low, high, units)


@njit(cache=True)
def _infix(points: np.ndarray, bits: np.ndarray, at: int, low: int, high: int) -> int:
    """Length of the separator inside a chunk that starts at code point `at`, 0 for none."""
    point, bit = points[at], bits[at]
    if point == 0x2E:
        end = at
        while end < high and points[end] == 0x2E:
            end += 1
        if end - at > 1:
            return end - at
        inside = at > low and at + 1 < high
        return 1 if inside and bits[at - 1] & (LOWER | QUOTE) and bits[at + 1] & (UPPER | QUOTE) else 0
    if point == 0x2026 or bit & ICON:
        return 1
    if at == low or at + 1 >= high:
        return 0
    before, after = bits[at - 1], bits[at + 1]
    letter = LOWER | UPPER
    if (point == 0x2B or point == 0x2D or point == 0x2A or point == 0x5E) and before & DIGIT:
        if after & DIGIT or points[at + 1] == 0x2D:
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
        while end < high and points[end] == point and end - at < longest:
            end += 1
        return end - at if end - at > 1 and end < high and bits[end] & letter else 0
    return 0


@njit(cache=True)
def _host_end(points: np.ndarray, bits: np.ndarray, low: int, high: int) -> bool:
    """Whether `low:high` is a host name, with a port and a path or without."""
    end, dot, label = low, -1, low
    while end < high:
        point = points[end]
        if point == 0x2E:
            if end == label or points[end - 1] == 0x2D or points[end - 1] == 0x5F:
                return False
            if points[label] == 0x2D or points[label] == 0x5F or end - label > 64:
                return False
            dot, label = end, end + 1
        elif not (
            bits[end] & DIGIT or 0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A or point == 0x2D or point == 0x5F
        ):
            if not 0xA1 <= point <= 0xFFFF:
                break
        end += 1
    if dot < 0 or end - dot - 1 < 2 or end - dot - 1 > 63:
        return False
    for at in range(dot + 1, end):
        if not bits[at] & LOWER:
            return False
    if end < high and points[end] == 0x3A:
        digits = end + 1
        while digits < high and bits[digits] & DIGIT and digits - end <= 5:
            digits += 1
        if digits - end - 1 < 2:
            return False
        end = digits
    return end == high or points[end] == 0x2F or points[end] == 0x3F or points[end] == 0x23


@njit(cache=True)
def _is_url(points: np.ndarray, bits: np.ndarray, low: int, high: int) -> bool:
    """Whether a chunk is a web address or an e-mail address, which stays one token."""
    start, sign = low, -1
    for at in range(low, high):
        if points[at] == 0x3A and start == low and at - low >= 2 and at + 2 < high:
            if points[at + 1] == 0x2F and points[at + 2] == 0x2F:
                start = at + 3
        if points[at] == 0x40 and at > start:
            sign = at
    if _host_end(points, bits, start, high):
        return True
    return sign >= 0 and _host_end(points, bits, sign + 1, high)


@njit(cache=True)
def _split(
    data: np.ndarray, points: np.ndarray, bits: np.ndarray, places: np.ndarray, low: int, high: int,
    attributes: np.ndarray, hashes: np.ndarray, sizes: np.ndarray, at: int,
) -> int:  # fmt: skip
    """Emit the inside of a chunk, split at its separators unless it is an address."""
    found = 0
    for place in range(low + 1, high):
        if bits[place] & PLAIN == 0 and _infix(points, bits, place, low, high):
            found = 1
            break
    if not found or _is_url(points, bits, low, high):
        return _emit(data, places[low], places[high], attributes, hashes, sizes, at)
    start, place = low, low
    while place < high:
        width = _infix(points, bits, place, low, high) if bits[place] & PLAIN == 0 else 0
        if width and place > low:
            if place > start:
                at = _emit(data, places[start], places[place], attributes, hashes, sizes, at)
            at = _emit(data, places[place], places[place + width], attributes, hashes, sizes, at)
            start = place + width
        place += max(width, 1)
    if start < high:
        at = _emit(data, places[start], places[high], attributes, hashes, sizes, at)
    return at


@njit(cache=True)
def _chunk(
    data: np.ndarray, start: int, end: int, points: np.ndarray, bits: np.ndarray, places: np.ndarray, ends: np.ndarray,
    attributes: np.ndarray, keys: np.ndarray, lengths: np.ndarray, units: np.ndarray,
    hashes: np.ndarray, sizes: np.ndarray, at: int,
) -> int:  # fmt: skip
    """Emit the tokens of one chunk between white space; `points`, `bits`, `places` and `ends` are scratch."""
    packed = _special(data, start, end, keys, lengths)
    if packed:
        return _emit_special(data, start, packed, attributes, hashes, sizes, at)
    high, byte = 0, start
    while byte < end:
        point, width = decode(data, byte, end)
        points[high], places[high], bits[high] = point, byte, attributes[point] if point >= 0 else 0
        byte += width
        high += 1
    places[high] = end
    low, num_ends = 0, 0
    while low < high:
        front = _prefix(points, bits, low, high)
        if front and low + front < high:
            packed = _special(data, places[low + front], places[high], keys, lengths)
            if packed:
                at = _emit(data, places[low], places[low + front], attributes, hashes, sizes, at)
                low += front
                break
        back = _suffix(data, points, bits, places, low + front, high, units)
        if back and high - back > low:
            packed = _special(data, places[low], places[high - back], keys, lengths)
            if packed:
                ends[num_ends] = high
                num_ends += 1
                high -= back
                break
        if front:
            at = _emit(data, places[low], places[low + front], attributes, hashes, sizes, at)
            low += front
        if back and low + back <= high:
            ends[num_ends] = high
            num_ends += 1
            high -= back
        if low < high:
            packed = _special(data, places[low], places[high], keys, lengths)
            if packed:
                break
        if not front and not back:
            break
    if low < high:
        if packed:
            at = _emit_special(data, places[low], packed, attributes, hashes, sizes, at)
        else:
            at = _split(data, points, bits, places, low, high, attributes, hashes, sizes, at)
    while num_ends:
        num_ends -= 1
        at = _emit(data, places[high], places[ends[num_ends]], attributes, hashes, sizes, at)
        high = ends[num_ends]
    return at


@njit(cache=True)
def scan(
    data: np.ndarray, start: int, end: int, points: np.ndarray, bits: np.ndarray, places: np.ndarray, ends: np.ndarray,
    attributes: np.ndarray, keys: np.ndarray, lengths: np.ndarray, units: np.ndarray,
    hashes: np.ndarray, sizes: np.ndarray, at: int,
) -> int:  # fmt: skip
    """Write the tokens of `data[start:end]` from entry `at` on and give the entry after the last."""
    byte, fresh = start, NEW_LINE
    while byte < end:
        first = data[byte]
        if first < 0x80:
            mark, width = np.int64(attributes[first]), 1
        else:
            point, width = decode(data, byte, end)
            mark = np.int64(attributes[point]) if point >= 0 else 0
        if mark & SPACE:
            if mark & BREAK:
                fresh = NEW_LINE
            byte += width
            continue
        # The chunk, hashed on the way: most are one plain word.
        chunk, value, length, union, common, digits = byte, _BASIS, 0, 0, 0xFFFF, 0
        while byte < end:
            first = data[byte]
            width = 1
            if first < 0x80:
                mark = np.int64(attributes[first])
                if mark & SPACE:
                    break
                value = (value ^ np.uint64(first)) * _PRIME
            else:
                point, width = decode(data, byte, end)
                mark = np.int64(attributes[point]) if point >= 0 else 0
                if mark & SPACE:
                    break
                for inner in range(byte, byte + width):
                    value = (value ^ np.uint64(data[inner])) * _PRIME
            union |= mark
            common &= mark
            digits += (mark & DIGIT) > 0
            length += 1
            byte += width
        before = at
        if common & PLAIN or digits == length:
            key = mixed(value)
            special = False
            if byte - chunk <= LONGEST_SPECIAL:
                slot = np.int64(key & np.uint64(8191))
                while keys[slot] != 0 and keys[slot] != key:
                    slot = (slot + 1) & 8191
                special = keys[slot] == key
            if special:
                at = _emit_special(data, chunk, np.int64(lengths[slot]), attributes, hashes, sizes, at)
            else:
                hashes[at] = key
                flags = HAS_ALPHA * (union & ALPHA > 0) | HAS_WORD * (common & SYMBOL == 0)
                sizes[at] = np.uint32((length << SIZE_SHIFT) | flags)
                at += 1
        else:
            at = _chunk(
                data, chunk, byte, points, bits, places, ends, attributes, keys, lengths, units, hashes, sizes, at
            )
        sizes[before] |= np.uint32(fresh)
        fresh = 0
    return at


@njit(cache=True)
def _scan_rows(
    offsets: np.ndarray,
    data: np.ndarray,
    attributes: np.ndarray,
    keys: np.ndarray,
    lengths: np.ndarray,
    units: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    points, bits = np.empty(longest + 1, np.int32), np.empty(longest + 1, np.int32)
    places, ends = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int32)
    total = offsets[-1] - offsets[0]
    # A token is at least a byte; pages that no token reaches are never touched.
    hashes, sizes = np.empty(total, np.uint64), np.empty(total, np.uint32)
    rows = np.zeros(len(offsets), np.int64)
    at = 0
    for row in range(len(offsets) - 1):
        at = scan(
            data, offsets[row], offsets[row + 1], points, bits, places, ends, attributes, keys, lengths, units,
            hashes, sizes, at,
        )  # fmt: skip
        rows[row + 1] = at
    return rows, hashes[:at], sizes[:at]


last_words: LastColumns[Words] = LastColumns()
"""The words of the last column: the judges of one batch ask for them in turn."""


def words(column: pa.Array) -> Words:
    """The tokens of every row of a text column.

    >>> found = words(pa.array(["Don't pay $1.23bn (net)."]))
    >>> (found.sizes >> SIZE_SHIFT).tolist()
    [2, 3, 3, 1, 6, 1, 3, 1, 1]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return last_words.get((column,), lambda: _scan_column(column))


def _scan_column(column: pa.Array) -> Words:
    return Words(*_scan_rows(*text_buffers(column), ATTRIBUTES, SPECIAL_KEYS, SPECIAL_LENGTHS, UNIT_KEYS))
