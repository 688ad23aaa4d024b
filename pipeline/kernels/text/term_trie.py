"""Many phrases at once: a word-level hash trie, found leftmost-longest in one pass over Arrow buffers.

A *word* is a maximal run of letters, marks and digits; apostrophes inside it are skipped ("don't" is `dont`), every other
character ends it, so "African-American" and "african  american" are the same two words. Words are lower-cased code point by
code point. A phrase is found when its words follow each other; a found phrase consumes its words, so that a listed
look-alike ("minority interest") hides the term inside it.
"""

import sys
from typing import NamedTuple

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memo import LastColumns
from pipeline.kernels.memory import address, int_at
from pipeline.kernels.unicode import LETTER, MAJOR, MARK, NUMBER, decode_at

FNV_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
_MASK = (1 << 64) - 1

CASED_BELOW = 0x20000
"""No code point from plane 2 on has a case."""

LOWER = np.arange(sys.maxunicode + 1, dtype=np.int32)
LOWER[:CASED_BELOW] = [ord(low) if len(low := chr(point).lower()) == 1 else point for point in range(CASED_BELOW)]
"""int32[0x110000]: the lower-case code point, where it is one code point."""

WORD_LOWER = np.where(np.isin(MAJOR, [LETTER, MARK, NUMBER]), LOWER, 0).astype(np.int32)
"""int32[0x110000]: the lower-case code point of what words are made of, 0 for all else. An argument of the kernels:
Numba does not cache a function that holds an array this large as a constant."""

ABSENT = -1
PREFIX = -2
"""Values of the trie: not in it; only the beginning of a phrase. Values from 0 are the callers'."""

_FILTER_BITS = 17
_FILTER = 1 << _FILTER_BITS

_P = np.uint64(FNV_PRIME)
_B = np.uint64(FNV_BASIS)


def hash_word(word: str) -> int:
    """FNV-1a over the lower-cased code points of one word: the hash the kernels compute."""
    value = FNV_BASIS
    for char in word:
        value = ((value ^ int(LOWER[ord(char)])) * FNV_PRIME) & _MASK
    return value


def hash_phrase(words: list[str]) -> int:
    """The trie's key of a sequence of words: h' = (h * 31 + word) folded through one multiplication."""
    value = 0
    for word in words:
        value = extend_hash(value, hash_word(word))
    return value


def extend_hash(value: int, word: int) -> int:
    """The key of a phrase with one more word."""
    mixed = ((value * 31 + word) & _MASK) * 0x9E3779B97F4A7C15 & _MASK
    return mixed ^ (mixed >> 29)


@kernel(forceinline=True)
def _extend(value: np.uint64, word: np.uint64) -> np.uint64:
    mixed = (value * np.uint64(31) + word) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


def build_trie(phrases: dict[tuple[str, ...], int]) -> tuple[np.ndarray, np.ndarray]:
    """Open-addressing tables `(keys uint64, values int32)` of phrases (tuples of words) and their values (0 or more).

    Raises ValueError for an empty phrase, a negative value, or two phrases with one key.
    """
    entries: dict[int, tuple[tuple[str, ...], int]] = {}
    for words, value in phrases.items():
        if not words or value < 0:
            raise ValueError(f"phrase {words!r} with value {value}: phrases have words and values from 0")
        key = 0
        for length, word in enumerate(words, 1):
            key = extend_hash(key, hash_word(word))
            known = entries.get(key, (words[:length], PREFIX))
            if known[0] != words[:length]:
                raise ValueError(f"{known[0]} and {words[:length]} have the same hash")
            entries[key] = (words[:length], value if length == len(words) else known[1])
    size = 16
    while size < 4 * len(entries):
        size *= 2
    keys, values = np.zeros(size, np.uint64), np.full(size, ABSENT, np.int32)
    for key in sorted(entries):
        slot = key & (size - 1)
        while values[slot] != ABSENT:
            slot = (slot + 1) & (size - 1)
        keys[slot], values[slot] = key, entries[key][1]
    return keys, values


@kernel(forceinline=True)
def _look_up(keys: np.ndarray, values: np.ndarray, key: np.uint64) -> int:
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while values[slot] != ABSENT:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + np.uint64(1)) & mask
    return ABSENT


@kernel()
def split_words(
    data: np.ndarray,
    begin: int,
    end: int,
    lower: np.ndarray,
    hashes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    count: int = 0,
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Words of one document behind the `count` words there are: their number, and the (grown) arrays of hashes and byte
    borders."""
    text, table = address(data), address(lower)
    at = begin
    while at < end:
        # One word: letters, marks and digits, with apostrophes between.
        value, word_start, word_end = _B, begin, begin - 1
        while at < end:
            point, size = decode_at(text + at, text + end)
            low = int_at(table + 4 * point) if point >= 0 else 0
            if low != 0:
                if word_end < begin:
                    word_start = at
                value = (value ^ np.uint64(low)) * _P
                word_end = at + size
            elif word_end >= begin and point != codes.APOSTROPHE and point != codes.RIGHT_APOSTROPHE:
                at += size
                break
            at += size
        if word_end < begin:
            break
        if count == len(hashes):
            hashes, starts, ends = grow(hashes, 2 * count), grow(starts, 2 * count), grow(ends, 2 * count)
        hashes[count], starts[count], ends[count] = value, word_start, word_end
        count += 1
    return count, hashes, starts, ends


@kernel()
def _possible(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """One bit for each key of the trie, by its high bits: words that begin no phrase are told without a slow look-up."""
    bits = np.zeros(_FILTER // 64, np.uint64)
    for slot in range(len(keys)):
        if values[slot] != ABSENT:
            bit = keys[slot] >> np.uint64(64 - _FILTER_BITS)
            bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
    return bits


class Split(NamedTuple):
    """The words of a column: row i has `rows[i]` to `rows[i + 1]` of `hashes` (uint64) and of the bytes `starts`, `ends`."""

    rows: np.ndarray
    hashes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@kernel()
def _split_rows(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    most = max(1024, (offsets[-1] - offsets[0]) // 4)
    hashes, starts, ends = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    rows, total = np.zeros(len(offsets), np.int64), 0
    for row in range(len(offsets) - 1):
        total, hashes, starts, ends = split_words(
            data, offsets[row], offsets[row + 1], lower, hashes, starts, ends, total
        )
        rows[row + 1] = total
    return rows, hashes[:total], starts[:total], ends[:total]


_last_split: LastColumns[Split] = LastColumns()
"""The words of the last column: the judges of a batch ask for them in turn."""


def split_rows(offsets: np.ndarray, data: np.ndarray, lower: np.ndarray) -> Split:
    """The words of every row, remembered for the last column: the arrays must be Arrow's own, which nobody changes."""
    return _last_split.get((offsets, data, lower), lambda: Split(*_split_rows(offsets, data, lower)))


def find_phrases(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, keys: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every phrase found: arrays of row, value, start byte and end byte (within the row), and the words of each row."""
    words = split_rows(offsets, data, lower)
    return (*_phrases(offsets, *words, keys, values), np.diff(words.rows))


@kernel()
def _phrases(
    offsets: np.ndarray, word_rows: np.ndarray, hashes: np.ndarray, starts: np.ndarray, ends: np.ndarray,
    keys: np.ndarray, values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    rows, found = np.empty(64, np.int64), np.empty(64, np.int32)
    begins, stops = np.empty(64, np.int64), np.empty(64, np.int64)
    possible, shift, total = _possible(keys, values), np.uint64(64 - _FILTER_BITS), 0
    for row in range(len(offsets) - 1):
        base, at, count = offsets[row], word_rows[row], word_rows[row + 1]
        while at < count:
            key, best, best_end, ahead = np.uint64(0), ABSENT, at, at
            while ahead < count:
                key = _extend(key, np.uint64(hashes[ahead]))
                bit = key >> shift
                if not (possible[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
                    break
                value = _look_up(keys, values, key)
                if value == ABSENT:
                    break
                ahead += 1
                if value >= 0:
                    best, best_end = value, ahead
            if best < 0:
                at += 1
                continue
            if total == len(rows):
                rows, found = grow(rows, 2 * total), grow(found, 2 * total)
                begins, stops = grow(begins, 2 * total), grow(stops, 2 * total)
            rows[total], found[total] = row, best
            begins[total], stops[total] = starts[at] - base, ends[best_end - 1] - base
            total += 1
            at = best_end
    return rows[:total], found[:total], begins[:total], stops[:total]
