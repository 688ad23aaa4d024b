"""64- and 128-bit hashes of byte ranges in compiled code: the same numbers on every machine, in every run.

`xxh64` is XXH64 of the xxHash specification bit for bit, so that signatures and indexes of other tools can be
compared with ours. None of these hashes is cryptographic: never use them where somebody gains from a collision.
"""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import load_u32, load_u64

SEED_LOW = np.uint64(0)
SEED_HIGH = np.uint64(0x9E3779B97F4A7C15)
"""Seeds of the two halves of the 128-bit text hash; the second is the golden ratio in 64 bits."""

_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)


@kernel(forceinline=True)
def rotl(value: np.uint64, bits: int) -> np.uint64:
    """Rotate a uint64 left by 1 to 63 bits."""
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@kernel()
def fmix64(value: int | np.uint64) -> np.uint64:
    """MurmurHash3's finaliser: a bijection of uint64 in which every input bit moves every output bit."""
    value = np.uint64(value)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


@kernel(forceinline=True)
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return rotl(lane + word * _PRIME_2, 31) * _PRIME_1


@kernel()
def xxh64(data: np.ndarray, start: int, end: int, seed: int | np.uint64) -> np.uint64:
    """XXH64 of the bytes `data[start:end]` (uint8).

    The array must hold `end` bytes; the kernel does not check. Equals `xxhash.xxh64_intdigest(bytes, seed)`.
    """
    key = np.uint64(seed)
    length = end - start
    at = start
    if length >= 32:
        one, two = key + _PRIME_1 + _PRIME_2, key + _PRIME_2
        three, four = key, key - _PRIME_1
        while at + 32 <= end:
            one = _round(one, load_u64(data, at))
            two = _round(two, load_u64(data, at + 8))
            three = _round(three, load_u64(data, at + 16))
            four = _round(four, load_u64(data, at + 24))
            at += 32
        total = rotl(one, 1) + rotl(two, 7) + rotl(three, 12) + rotl(four, 18)
        zero = np.uint64(0)
        total = (total ^ _round(zero, one)) * _PRIME_1 + _PRIME_4
        total = (total ^ _round(zero, two)) * _PRIME_1 + _PRIME_4
        total = (total ^ _round(zero, three)) * _PRIME_1 + _PRIME_4
        total = (total ^ _round(zero, four)) * _PRIME_1 + _PRIME_4
    else:
        total = key + _PRIME_5
    total += np.uint64(length)
    while at + 8 <= end:
        total ^= _round(np.uint64(0), load_u64(data, at))
        total = rotl(total, 27) * _PRIME_1 + _PRIME_4
        at += 8
    if at + 4 <= end:
        total ^= load_u32(data, at) * _PRIME_1
        total = rotl(total, 23) * _PRIME_2 + _PRIME_3
        at += 4
    while at < end:
        total ^= np.uint64(data[at]) * _PRIME_5
        total = rotl(total, 11) * _PRIME_1
        at += 1
    total ^= total >> np.uint64(33)
    total *= _PRIME_2
    total ^= total >> np.uint64(29)
    total *= _PRIME_3
    total ^= total >> np.uint64(32)
    return total


@kernel()
def hash128(data: np.ndarray, start: int, end: int) -> tuple[np.uint64, np.uint64]:
    """The project's 128-bit hash of the bytes `data[start:end]`: XXH64 under `SEED_LOW` and under `SEED_HIGH`.

    Two seeds of one 64-bit function are no proof of 128 independent bits, but for text that nobody crafted they
    behave so: among 10^10 documents a chance collision of both has a probability near 10^-19.
    """
    return xxh64(data, start, end, SEED_LOW), xxh64(data, start, end, SEED_HIGH)


@kernel()
def hash64_rows(offsets: np.ndarray, data: np.ndarray, seed: int) -> np.ndarray:
    """uint64[n]: `xxh64` of every row of a text column (see `buffers.text_buffers`)."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(out)):
        out[row] = xxh64(data, offsets[row], offsets[row + 1], seed)
    return out


@kernel()
def hash128_rows(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """uint64[n, 2]: `hash128` of every row; viewed as bytes, each row is the 16 bytes of a `text_hash`."""
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    for row in range(len(out)):
        out[row, 0], out[row, 1] = hash128(data, offsets[row], offsets[row + 1])
    return out
