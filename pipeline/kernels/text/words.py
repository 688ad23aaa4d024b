# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""Words in compiled code: the tokens of a text as spaCy's English rules see them, 64-bit hashes in place of strings.

A document becomes two arrays, one entry a token: its hash, and its length in code points packed with what it is made
of. Linear in the bytes of the text: each chunk between white space is stripped from both ends and split once.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels import codes
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memo import LastColumns
from pipeline.kernels.memory import Int, address, byte_at, int_at, put_int, put_word, short_at, word_at
from pipeline.kernels.text.word_affixes import (
    BASIS,
    PRIME,
    Scratch,
    Tables,
    bits_of,
    hash_bytes,
    infix_length,
    is_address,
    mixed,
    place_of,
    prefix_length,
    suffix_length,
)
from pipeline.kernels.text.word_tables import (
    ALPHA,
    ATTRIBUTES,
    BREAK,
    DIGIT,
    LONGEST_SPECIAL,
    PLAIN,
    PUNCT,
    SPACE,
    SPECIAL_KEYS,
    SPECIAL_LENGTHS,
    STOP,
    SYMBOL,
    UNIT_KEYS,
)
from pipeline.kernels.unicode import decode_at

HAS_ALPHA, HAS_WORD, IS_STOP, IS_PUNCT, NEW_LINE = 1, 2, 4, 8, 16
"""Flags of a token: a letter in it; a character that is no symbol; a sentence's end; only punctuation; first of its line."""
SIZE_SHIFT = 5
"""`sizes[i] >> SIZE_SHIFT` is the token's length in code points; the bits below are the flags."""


class Words(NamedTuple):
    """Tokens of a column: row i has tokens `offsets[i]` to `offsets[i + 1]` of `hashes` (uint64) and `sizes` (uint32)."""

    offsets: np.ndarray
    hashes: np.ndarray
    sizes: np.ndarray


Tokens = tuple[Int, Int]
"""Addresses of the hashes (uint64) and the sizes (uint32) of the tokens found."""


@kernel(forceinline=True)
def _attributes_of(point: Int, attributes: Int) -> Int:
    return short_at(attributes + 2 * point) if point >= 0 else 0


@kernel()
def _special_of(key: np.uint64, tables: Tables) -> Int:
    """The packed token lengths of the special chunk with this hash, or 0."""
    slot = np.int64(key & np.uint64(8191))
    while True:
        found = word_at(tables[1] + 8 * slot)
        if found == key:
            return int_at(tables[2] + 4 * slot)
        if found == 0:
            return 0
        slot = (slot + 1) & 8191


@kernel()
def _special(start: Int, end: Int, tables: Tables) -> Int:
    """The packed token lengths of a special chunk, or 0."""
    return _special_of(hash_bytes(start, end), tables) if end - start <= LONGEST_SPECIAL else 0


@kernel(forceinline=True)
def _put(key: np.uint64, size: Int, tokens: Tokens, at: Int) -> Int:
    put_word(tokens[0] + 8 * at, np.int64(key))
    put_int(tokens[1] + 4 * at, size)
    return at + 1


@kernel()
def _emit(start: Int, end: Int, attributes: Int, tokens: Tokens, at: Int) -> Int:
    value, length, union, common = BASIS, 0, 0, 0xFFFF
    while start < end:
        first = byte_at(start)
        if first < codes.NON_ASCII:
            bits = short_at(attributes + 2 * first)
            value = (value ^ np.uint64(first)) * PRIME
            start += 1
        else:
            point, width = decode_at(start, end)
            bits = _attributes_of(point, attributes)
            for byte in range(start, start + width):
                value = (value ^ np.uint64(byte_at(byte))) * PRIME
            start += width
        union |= bits
        common &= bits
        length += 1
    flags = HAS_ALPHA * (union & ALPHA > 0) | HAS_WORD * (common & SYMBOL == 0) | IS_PUNCT * (common & PUNCT > 0)
    if length == 1 and union & STOP:
        flags |= IS_STOP
    return _put(mixed(value), length << SIZE_SHIFT | flags, tokens, at)


@kernel()
def _emit_special(start: Int, packed: Int, attributes: Int, tokens: Tokens, at: Int) -> Int:
    while packed:
        end = start + (packed & 0xFF)
        at = _emit(start, end, attributes, tokens, at)
        start = end
        packed >>= 8
    return at


@kernel()
def _split(low: Int, high: Int, scratch: Scratch, tables: Tables, tokens: Tokens, at: Int) -> Int:
    """Emit the inside of a chunk, split at its separators unless it is an address."""
    found = 0
    for place in range(low + 1, high):
        if bits_of(scratch, place) & PLAIN == 0 and infix_length(scratch, place, low, high):
            found = 1
            break
    if not found or is_address(scratch, low, high):
        return _emit(place_of(scratch, low), place_of(scratch, high), tables[0], tokens, at)
    start, place = low, low
    while place < high:
        width = infix_length(scratch, place, low, high) if bits_of(scratch, place) & PLAIN == 0 else 0
        if width and place > low:
            if place > start:
                at = _emit(place_of(scratch, start), place_of(scratch, place), tables[0], tokens, at)
            at = _emit(place_of(scratch, place), place_of(scratch, place + width), tables[0], tokens, at)
            start = place + width
        place += max(width, 1)
    if start < high:
        at = _emit(place_of(scratch, start), place_of(scratch, high), tables[0], tokens, at)
    return at


@kernel()
def _chunk(start: Int, end: Int, scratch: Scratch, tables: Tables, tokens: Tokens, at: Int) -> Int:
    """Emit the tokens of one chunk between white space."""
    packed = _special(start, end, tables)
    if packed:
        return _emit_special(start, packed, tables[0], tokens, at)
    high, byte = 0, start
    while byte < end:
        point, width = decode_at(byte, end)
        put_int(scratch[0] + 4 * high, point)
        put_int(scratch[1] + 4 * high, _attributes_of(point, tables[0]))
        put_word(scratch[2] + 8 * high, byte)
        byte += width
        high += 1
    put_word(scratch[2] + 8 * high, end)
    low, num_ends = 0, 0
    while low < high:
        front = prefix_length(scratch, low, high)
        if front and low + front < high:
            packed = _special(place_of(scratch, low + front), place_of(scratch, high), tables)
            if packed:
                at = _emit(place_of(scratch, low), place_of(scratch, low + front), tables[0], tokens, at)
                low += front
                break
        back = suffix_length(scratch, low + front, high, tables)
        if back and high - back > low:
            packed = _special(place_of(scratch, low), place_of(scratch, high - back), tables)
            if packed:
                put_int(scratch[3] + 4 * num_ends, high)
                num_ends += 1
                high -= back
                break
        if front:
            at = _emit(place_of(scratch, low), place_of(scratch, low + front), tables[0], tokens, at)
            low += front
        if back and low + back <= high:
            put_int(scratch[3] + 4 * num_ends, high)
            num_ends += 1
            high -= back
        if low < high:
            packed = _special(place_of(scratch, low), place_of(scratch, high), tables)
            if packed:
                break
        if not front and not back:
            break
    if low < high:
        if packed:
            at = _emit_special(place_of(scratch, low), packed, tables[0], tokens, at)
        else:
            at = _split(low, high, scratch, tables, tokens, at)
    while num_ends:
        num_ends -= 1
        after = int_at(scratch[3] + 4 * num_ends)
        at = _emit(place_of(scratch, high), place_of(scratch, after), tables[0], tokens, at)
        high = after
    return at


@kernel()
def scan(byte: Int, end: Int, scratch: Scratch, tables: Tables, tokens: Tokens, at: Int) -> Int:
    """Write the tokens of the text from address `byte` to `end` from entry `at` on and give the entry after the last."""
    attributes = tables[0]
    fresh = NEW_LINE
    while byte < end:
        first = byte_at(byte)
        width = 1
        if first < codes.NON_ASCII:
            mark = short_at(attributes + 2 * first)
        else:
            point, width = decode_at(byte, end)
            mark = _attributes_of(point, attributes)
        if mark & SPACE:
            if mark & BREAK:
                fresh = NEW_LINE
            byte += width
            continue
        # The chunk, hashed on the way: most are one plain word.
        chunk, value, length, union, common, digits = byte, BASIS, 0, 0, 0xFFFF, 0
        while byte < end:
            first = byte_at(byte)
            width = 1
            if first < codes.NON_ASCII:
                mark = short_at(attributes + 2 * first)
                if mark & SPACE:
                    break
                value = (value ^ np.uint64(first)) * PRIME
            else:
                point, width = decode_at(byte, end)
                mark = _attributes_of(point, attributes)
                if mark & SPACE:
                    break
                for inner in range(byte, byte + width):
                    value = (value ^ np.uint64(byte_at(inner))) * PRIME
            union |= mark
            common &= mark
            digits += (mark & DIGIT) > 0
            length += 1
            byte += width
        before = at
        if common & PLAIN or digits == length:
            key = mixed(value)
            packed = _special_of(key, tables) if byte - chunk <= LONGEST_SPECIAL else 0
            if packed:
                at = _emit_special(chunk, packed, attributes, tokens, at)
            else:
                flags = HAS_ALPHA * (union & ALPHA > 0) | HAS_WORD * (common & SYMBOL == 0)
                at = _put(key, length << SIZE_SHIFT | flags, tokens, at)
        else:
            at = _chunk(chunk, byte, scratch, tables, tokens, at)
        put_int(tokens[1] + 4 * before, int_at(tokens[1] + 4 * before) | fresh)
        fresh = 0
    return at


@kernel()
def longest_row(offsets: np.ndarray) -> int:
    """Bytes of the longest row."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return longest


def scratch_for(num_bytes: int) -> np.ndarray:
    """Room to take a chunk of so many bytes apart. Made by the caller: a kernel frees its own arrays after their last use."""
    return np.empty((5, num_bytes + 1), np.int32)


@kernel(forceinline=True)
def scratch_at(room: np.ndarray) -> Scratch:
    """The addresses in `scratch_for`'s array: its first two rows are the places."""
    start, row = address(room), 4 * room.shape[1]
    return start + 2 * row, start + 3 * row, start, start + 4 * row


@kernel()
def _scan_rows(
    offsets: np.ndarray, data: np.ndarray, attributes: np.ndarray, keys: np.ndarray, lengths: np.ndarray,
    units: np.ndarray, room: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    total = offsets[-1] - offsets[0]
    # A token is at least a byte; pages that no token reaches are never touched.
    hashes, sizes = np.empty(total, np.uint64), np.empty(total, np.uint32)
    rows = np.zeros(len(offsets), np.int64)
    tables = (address(attributes), address(keys), address(lengths), address(units))
    scratch, tokens = scratch_at(room), (address(hashes), address(sizes))
    text, at = address(data), 0
    for row in range(len(offsets) - 1):
        at = scan(text + offsets[row], text + offsets[row + 1], scratch, tables, tokens, at)
        rows[row + 1] = at
    return rows, hashes[:at], sizes[:at]


last_words: LastColumns[Words] = LastColumns(2)
"""The words of the last columns, a text and its prose: the judges of one batch ask for them in turn."""


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
    offsets, data = text_buffers(column)
    room = scratch_for(longest_row(offsets))
    return Words(*_scan_rows(offsets, data, ATTRIBUTES, SPECIAL_KEYS, SPECIAL_LENGTHS, UNIT_KEYS, room))
