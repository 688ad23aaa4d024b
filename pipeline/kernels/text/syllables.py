"""Whether bytes can hold one of several words: a look at four letters of each, many bytes at a time, before any search."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import SIZE, alike
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at

_BLOCK = 4096


def packed(*syllables: bytes) -> np.ndarray:
    """uint8[n, 4]: four bytes each, folded to lower case, as `held` wants them.

    >>> packed(b"Tdm-").tolist()
    [[116, 100, 109, 45]]
    """
    table = np.array([[byte | codes.CASE_BIT for byte in syllable] for syllable in syllables], np.uint8)
    if table.shape[1:] != (4,):
        raise ValueError(f"syllables have four bytes each, got {syllables}")
    table.flags.writeable = False
    return table


@kernel(nogil=True)
def held(data: np.ndarray, syllables: np.ndarray, end: int) -> int:
    """Bits of the syllables (`packed`) that occur in the first `end` bytes, upper case read as lower.

    A bit may also stand for bytes that differ in 0x20 alone, so that it says where to look and not what is there.
    """
    return held_at(address(data), address(data) + min(end, data.shape[0]), syllables)


@kernel()
def held_at(start: Int, end: Int, syllables: np.ndarray) -> int:
    """`held` of the bytes between two addresses."""
    found = 0
    for which in range(syllables.shape[0]):
        a, b, c, d = syllables[which, 0], syllables[which, 1], syllables[which, 2], syllables[which, 3]
        for at in range(start, end - 3, _BLOCK):
            if _in_block(at, min(at + _BLOCK, end - 3), a, b, c, d):
                found |= 1 << which
                break
    return found


@kernel()
def _in_block(at: Int, last: Int, a: int, b: int, c: int, d: int) -> bool:
    """Whether the four bytes begin at one of the addresses from `at` to before `last`."""
    hit = np.uint64(0)
    while at + SIZE <= last:
        hit |= alike(at, a) & alike(at + 1, b) & alike(at + 2, c) & alike(at + 3, d)
        at += SIZE
    while at < last:
        hit |= np.uint64(
            byte_at(at) | codes.CASE_BIT == a and byte_at(at + 1) | codes.CASE_BIT == b
            and byte_at(at + 2) | codes.CASE_BIT == c and byte_at(at + 3) | codes.CASE_BIT == d
        )  # fmt: skip
        at += 1
    return hit != 0
