"""datatrove's MinHash signatures bit for bit, given its words: for comparing runs, not for new work.

datatrove joins the words of a shingle by spaces, hashes that, and ranks it by `(hash * a + b) mod (2**61 - 1)`. Product
and sum wrap at 64 bits before the remainder is taken; a true modular product would give other numbers.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import xxh64
from pipeline.kernels.memory import load_u32

ShingleHash = Literal["xxhash64", "sha1_64", "xxhash32"]
MERSENNE_61 = (1 << 61) - 1


@cache
def parameters(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`(a, b)`, uint64[count] each, as NumPy's `RandomState(seed)` draws them."""
    draw = np.random.RandomState(seed)
    a = draw.randint(1, MERSENNE_61, dtype=np.uint64, size=count)
    return a, draw.randint(0, MERSENNE_61, dtype=np.uint64, size=count)


@kernel()
def minima_from_shingles(shingles: np.ndarray, a: np.ndarray, b: np.ndarray, mask: int | np.uint64) -> np.ndarray:
    """uint64[permutations]: least `(hash * a + b) mod (2**61 - 1) & mask` over the shingles; all ones without any."""
    prime = np.uint64(MERSENNE_61)
    out = np.full(len(a), np.uint64(0xFFFFFFFFFFFFFFFF))
    for j in range(len(a)):
        for i in range(len(shingles)):
            mixed = shingles[i] * a[j] + b[j]
            mixed = (mixed & prime) + (mixed >> np.uint64(61))
            if mixed >= prime:
                mixed -= prime
            out[j] = min(out[j], mixed & np.uint64(mask))
    return out


@kernel()
def _xxh64_slices(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    out = np.empty(len(starts), np.uint64)
    for i in range(len(starts)):
        out[i] = xxh64(data, starts[i], ends[i], 0)
    return out


@kernel(forceinline=True)
def _rotl32(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32(value << np.uint32(bits)) | (value >> np.uint32(32 - bits))


@kernel()
def xxh32(data: np.ndarray, start: int, end: int) -> np.uint32:
    """XXH32 of `data[start:end]` with seed 0, from the xxHash specification."""
    prime_1, prime_2, prime_3 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
    prime_4, prime_5 = np.uint32(0x27D4EB2F), np.uint32(0x165667B1)
    at = start
    if end - start >= 16:
        lanes = np.empty(4, np.uint32)
        lanes[0], lanes[1], lanes[2] = np.uint32(prime_1 + prime_2), prime_2, np.uint32(0)
        lanes[3] = np.uint32(np.uint32(0) - prime_1)
        while at + 16 <= end:
            for lane in range(4):
                mixed = np.uint32(lanes[lane] + np.uint32(load_u32(data, at + 4 * lane)) * prime_2)
                lanes[lane] = np.uint32(_rotl32(mixed, 13) * prime_1)
            at += 16
        total = np.uint32(_rotl32(lanes[0], 1) + _rotl32(lanes[1], 7) + _rotl32(lanes[2], 12) + _rotl32(lanes[3], 18))
    else:
        total = prime_5
    total = np.uint32(total + np.uint32(end - start))
    while at + 4 <= end:
        mixed = np.uint32(total + np.uint32(load_u32(data, at)) * prime_3)
        total = np.uint32(_rotl32(mixed, 17) * prime_4)
        at += 4
    while at < end:
        mixed = np.uint32(total + np.uint32(data[at]) * prime_5)
        total = np.uint32(_rotl32(mixed, 11) * prime_1)
        at += 1
    total = np.uint32((total ^ (total >> np.uint32(15))) * prime_2)
    total = np.uint32((total ^ (total >> np.uint32(13))) * prime_3)
    return total ^ (total >> np.uint32(16))


def shingle_hashes(words: Sequence[str], ngram: int = 5, hash_function: ShingleHash = "xxhash64") -> np.ndarray:
    """uint64[max(len(words) - ngram + 1, 0)]: hashes of every `ngram` words joined by one space."""
    raw = [word.encode() for word in words]
    count = max(len(raw) - ngram + 1, 0)
    borders = np.cumsum([0, *(len(word) + 1 for word in raw)])
    starts, ends = borders[:count], borders[ngram : ngram + count] - 1
    joined = b" ".join(raw)
    data = np.frombuffer(joined, np.uint8)
    if hash_function == "xxhash64":
        return _xxh64_slices(data, starts, ends)
    if hash_function == "xxhash32":
        return np.array([xxh32(data, start, end) for start, end in zip(starts, ends, strict=True)], np.uint64)
    first = [
        hashlib.sha1(joined[start:end], usedforsecurity=False).digest()[:8]
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.frombuffer(b"".join(first), "<u8").astype(np.uint64)


def signature_from_words(
    words: Sequence[str],
    *,
    ngram: int = 5,
    permutations: int = 112,
    seed: int = 1,
    hash_function: ShingleHash = "xxhash64",
) -> np.ndarray:
    """uint64[permutations]: datatrove's signature of a document with these words (its buckets one after another).

    Fewer than `ngram` words have no shingle: all ones, where datatrove writes no signature.

    >>> words = "the quick brown fox jumps over the lazy dog".split()
    >>> signature_from_words(words)[:2].tolist()
    [85330943174081874, 663359892825767826]
    """
    a, b = parameters(permutations, seed)
    mask = 0xFFFFFFFF if hash_function == "xxhash32" else 0xFFFFFFFFFFFFFFFF
    return minima_from_shingles(shingle_hashes(words, ngram, hash_function), a, b, np.uint64(mask))
