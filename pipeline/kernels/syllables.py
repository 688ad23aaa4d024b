"""Whether bytes can hold one of several words: a look at four letters of each, many bytes at a time, before any search."""

import numpy as np

from pipeline.kernels.compiled import kernel

_BLOCK = 4096


def packed(*syllables: bytes) -> np.ndarray:
    """uint8[n, 4]: four bytes each, folded to lower case, as `held` wants them.

    >>> packed(b"Tdm-").tolist()
    [[116, 100, 109, 45]]
    """
    table = np.array([[byte | 0x20 for byte in syllable] for syllable in syllables], np.uint8)
    if table.shape[1:] != (4,):
        raise ValueError(f"syllables have four bytes each, got {syllables}")
    table.flags.writeable = False
    return table


@kernel(nogil=True)
def held(data: np.ndarray, syllables: np.ndarray, end: int) -> int:
    """Bits of the syllables (`packed`) that occur in the first `end` bytes, upper case read as lower.

    A bit may also stand for bytes that differ in 0x20 alone, so that it says where to look and not what is there.
    """
    last = min(end, data.shape[0]) - 3
    found = 0
    for which in range(syllables.shape[0]):
        a, b, c, d = syllables[which, 0], syllables[which, 1], syllables[which, 2], syllables[which, 3]
        for start in range(0, last, _BLOCK):
            if _in_block(data[start : min(start + _BLOCK, last) + 3], a, b, c, d):
                found |= 1 << which
                break
    return found


@kernel()
def _in_block(data: np.ndarray, a: int, b: int, c: int, d: int) -> bool:
    """Without a way out of the loop, so that the compiler compares many bytes at once."""
    hit = np.uint8(0)
    fold = np.uint8(0x20)
    for at in range(data.shape[0] - 3):
        same = (
            ((data[at] | fold) ^ a) | ((data[at + 1] | fold) ^ b) | ((data[at + 2] | fold) ^ c)
            | ((data[at + 3] | fold) ^ d)
        )  # fmt: skip
        hit |= np.uint8(same == 0)
    return hit != 0
