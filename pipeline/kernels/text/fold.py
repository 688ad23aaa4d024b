"""Normalised text for exact hashes: white space folded, case folded on request."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import SIZE, below, copy_block, equal, first_bits
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import hash128
from pipeline.kernels.memory import Int, address, put_byte, trailing_zeros
from pipeline.kernels.unicode import decode

_LAST = np.uint64(1 << 63)


@kernel(forceinline=True)
def encode(point: int, out: np.ndarray, at: int) -> int:
    """Write a code point as UTF-8 to `out[at:]`; returns the index behind it."""
    if point < codes.NON_ASCII:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at], out[at + 1] = 0xC0 | (point >> 6), 0x80 | (point & 0x3F)
        return at + 2
    if point < 0x10000:
        out[at], out[at + 1] = 0xE0 | (point >> 12), 0x80 | ((point >> 6) & 0x3F)
        out[at + 2] = 0x80 | (point & 0x3F)
        return at + 3
    out[at], out[at + 1] = 0xF0 | (point >> 18), 0x80 | ((point >> 12) & 0x3F)
    out[at + 2], out[at + 3] = 0x80 | ((point >> 6) & 0x3F), 0x80 | (point & 0x3F)
    return at + 4


@kernel(forceinline=True)
def _fold_block(at: Int, to: Int) -> Int:
    """How many bytes of a block are signs of ASCII with single spaces, tabs or line feeds between them; those are written.

    A byte must stand before the block that is no white space. The whole block is written, the rest of it to be overwritten.
    """
    other = equal(at, codes.TAB) | equal(at, codes.LINE_FEED)
    space = equal(at, codes.SPACE) | other
    odd = below(at, codes.SPACE) & ~other | ~below(at, codes.DELETE)
    # White space is plain when a sign of ASCII follows in the block.
    plain = trailing_zeros(odd | space & (space >> np.uint64(1) | odd >> np.uint64(1) | _LAST))
    copy_block(at, to)
    other &= first_bits(plain)
    while other:
        put_byte(to + trailing_zeros(other), codes.SPACE)
        other &= other - np.uint64(1)
    return plain


@kernel()
def fold_text(
    data: np.ndarray, start: int, end: int, is_space: np.ndarray, lower: np.ndarray, fold_case: bool, out: np.ndarray
) -> int:
    """Write `data[start:end]` to `out` with every run of white space as one space, none at the ends.

    `is_space` is `unicode.IS_SPACE`, `lower` is `minhash.lower_table()` (used with `fold_case`). `out` needs
    `2 * (end - start)` bytes: lower case can be longer. Returns the number of bytes written.
    """
    at, size, gap = start, 0, False
    text, target = address(data), address(out)
    while at < end:
        if not (fold_case or gap) and size and at + SIZE <= end:
            plain = _fold_block(text + at, target + size)
            at, size = at + plain, size + plain
            if plain == SIZE:
                continue
        first = data[at]
        point, width = np.int64(first), 1
        if first >= codes.NON_ASCII:
            point, width = decode(data, at, end)
        if point >= 0 and is_space[point]:
            gap = size > 0
        else:
            if gap:
                out[size] = 32
                size, gap = size + 1, False
            if fold_case and point >= 0:
                size = encode(int(lower[point]), out, size)
            else:
                for k in range(width):
                    out[size + k] = data[at + k]
                size += width
                if not fold_case:  # signs and letters of ASCII, as they are
                    while at + width < end and codes.SPACE < data[at + width] < codes.DELETE:
                        out[size] = data[at + width]
                        size += 1
                        at += 1
        at += width
    return size


@kernel()
def text_hashes(
    offsets: np.ndarray, data: np.ndarray, is_space: np.ndarray, lower: np.ndarray, fold_case: bool
) -> tuple[np.ndarray, np.ndarray]:
    """`(hashes uint64[n, 2], sizes int64[n])` of the folded rows of a text column; size 0 means nothing but space."""
    count = len(offsets) - 1
    longest = 0
    for row in range(count):
        longest = max(longest, offsets[row + 1] - offsets[row])
    scratch = np.empty(2 * longest + 4, np.uint8)
    hashes, sizes = np.empty((count, 2), np.uint64), np.empty(count, np.int64)
    for row in range(count):
        sizes[row] = fold_text(data, offsets[row], offsets[row + 1], is_space, lower, fold_case, scratch)
        hashes[row, 0], hashes[row, 1] = hash128(scratch, 0, sizes[row])
    return hashes, sizes
