"""Keys, hashes and tables that byte-pair counting, training and encoding share."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

INLINE_BYTES = 15
"""Pre-tokens up to this length are their own key: two words, the length in the top byte of the second."""

LONG = np.uint64(0xFF << 56)
"""Top byte of the second word of a longer pre-token's key."""


@intrinsic
def _load64(typing_context: Any, data: Any, at: Any) -> Any:  # numba takes the types from these two
    """Eight bytes at any alignment as one little-endian word; no bounds check."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(place, ir.PointerType(ir.IntType(64))))
        word.align = 1
        return word

    return types.uint64(data, types.int64), code


@njit(cache=True, inline="always")
def mix(first: int, second: int) -> int:
    """A 64-bit hash of two words (multiply, fold, multiply)."""
    value = (np.uint64(first) ^ np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xD6E8FEB86659FD93)
    value ^= value >> np.uint64(32)
    value = (value ^ np.uint64(second)) * np.uint64(0xA0761D6478BD642F)
    return value ^ (value >> np.uint64(29))


@njit(cache=True)
def short_key(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """The key of `data[at:end]`, at most `INLINE_BYTES` long."""
    length = np.uint64(end - at)
    if at + 16 <= len(data):
        low = _load64(data, at)
        if length < np.uint64(8):
            return low & ((np.uint64(1) << (length << np.uint64(3))) - np.uint64(1)), length << np.uint64(56)
        high = _load64(data, at + 8)
        high &= (np.uint64(1) << ((length - np.uint64(8)) << np.uint64(3))) - np.uint64(1)
        return low, high | (length << np.uint64(56))
    low = np.uint64(0)
    high = np.uint64(0)
    for place in range(at, end):
        shift = np.uint64(place - at)
        if shift < np.uint64(8):
            low |= np.uint64(data[place]) << (shift << np.uint64(3))
        else:
            high |= np.uint64(data[place]) << ((shift - np.uint64(8)) << np.uint64(3))
    return low, high | (length << np.uint64(56))


@njit(cache=True)
def long_hash(data: np.ndarray, at: int, end: int) -> int:
    """A 64-bit hash of `data[at:end]`; equal hashes are checked byte by byte where it is used."""
    value = np.uint64(end - at)
    while at + 8 <= end:
        value = mix(value, _load64(data, at))
        at += 8
    while at < end:
        value = mix(value, np.uint64(data[at]))
        at += 1
    return value


@njit(cache=True)
def same_bytes(first: np.ndarray, at: int, second: np.ndarray, place: int, length: int) -> bool:
    """Whether `first[at:at + length]` equals `second[place:place + length]`."""
    step = 0
    while step < length and first[at + step] == second[place + step]:
        step += 1
    return step == length


@njit(cache=True)
def pair_slot(keys: np.ndarray, key: int) -> int:
    """The slot of a pair in an open-addressing table whose empty slots hold all ones, found or free."""
    mask = np.uint64(len(keys) - 1)
    slot = mix(key, np.uint64(0)) & mask
    empty = np.uint64(0xFFFFFFFFFFFFFFFF)
    while keys[slot] != key and keys[slot] != empty:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@njit(cache=True, inline="always")
def pair_key(left: int, right: int) -> int:
    """Two 32-bit ids in one word; words compare as the pairs do."""
    return (np.uint64(left) << np.uint64(32)) | np.uint64(right)
