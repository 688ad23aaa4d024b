"""Keys, hashes and tables that byte-pair counting, training and encoding share."""

from typing import Any

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at, word_at

INLINE_BYTES = 15
"""Pre-tokens up to this length are their own key: two words, the length in the top byte of the second."""

LONG = np.uint64(0xFF << 56)
"""Top byte of the second word of a longer pre-token's key."""


@kernel(forceinline=True)
def mix(first: Int, second: Int) -> Int:
    """A 64-bit hash of two words (multiply, fold, multiply)."""
    value = (np.uint64(first) ^ np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xD6E8FEB86659FD93)
    value ^= value >> np.uint64(32)
    value = (value ^ np.uint64(second)) * np.uint64(0xA0761D6478BD642F)
    return value ^ (value >> np.uint64(29))


@kernel(forceinline=True)
def short_key(at: Int, end: Int, limit: Int) -> tuple[Int, Int]:
    """The key of the text between two addresses, at most `INLINE_BYTES`; nothing at or beyond `limit` is read."""
    length = end - at
    if at + 16 <= limit:
        low = word_at(at) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * min(length, 8)))
        high = word_at(at + 8) & ((np.uint64(1) << np.uint64(8 * max(length - 8, 0))) - np.uint64(1))
    else:
        low, high = _short_key_slow(at, end)
    return low, high | (np.uint64(length) << np.uint64(56))


@kernel()
def _short_key_slow(at: Int, end: Int) -> tuple[Int, Int]:
    low = high = np.uint64(0)
    for place in range(at, end):
        shift = np.uint64(8 * ((place - at) & 7))
        if place - at < 8:
            low |= np.uint64(byte_at(place)) << shift
        else:
            high |= np.uint64(byte_at(place)) << shift
    return low, high


@kernel()
def long_hash(at: Int, end: Int) -> Int:
    """A 64-bit hash of the text between two addresses; where it is used equal hashes are checked byte by byte."""
    value = np.uint64(end - at)
    while at + 8 <= end:
        value = mix(value, word_at(at))
        at += 8
    while at < end:
        value = mix(value, np.uint64(byte_at(at)))
        at += 1
    return value


@kernel()
def same_bytes(first: Int, second: Int, length: Int) -> bool:
    """Whether the `length` bytes at two addresses are equal."""
    step = 0
    while step < length and byte_at(first + step) == byte_at(second + step):
        step += 1
    return step == length


@kernel(forceinline=True)
def pair_key(left: Any, right: Any) -> Any:
    """Two 32-bit ids in one word; words compare as the pairs do."""
    return (np.uint64(left) << np.uint64(32)) | np.uint64(right)
