"""The hashing of n-grams into slots, which several kernels share."""

import numpy as np

from pipeline.kernels.compiled import kernel

_PRIME = np.uint64(0x00000100000001B3)  # FNV-1a, 64 bits
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


@kernel(forceinline=True)
def slot_of(value: np.uint64, mask: np.uint64) -> np.int64:
    """The slot of a hash in a table of `mask` + 1 entries, a power of two."""
    mixed = value * _MIX
    return np.int64((mixed ^ (mixed >> np.uint64(32))) & mask)


@kernel(forceinline=True)
def pair_hash(left: np.uint64, right: np.uint64) -> np.uint64:
    """The hash of two words in this order."""
    return (left ^ (left >> np.uint64(31))) * _PRIME + right
