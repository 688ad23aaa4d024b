# pyright: reportArgumentType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""BLAKE2b-256 (RFC 7693) of many byte strings at once, one in each lane of a vector: several times one after the other.

The steps of one digest wait for each other; eight digests side by side do not. A lane whose string ends takes the next.
"""

import hashlib
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.kernels.bpe_load import address, byte_at, put_byte
from pipeline.kernels.compiled import kernel

DIGEST_BYTES = 32
LANES = 8
_BLOCK = 128
_SIGMA = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
"""The order of the message's words in each round; the eleventh and twelfth are the first two again."""
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_START = (
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
)  # fmt: skip
_FIRST = np.array(_START, np.uint64)
_FIRST[0] ^= np.uint64(0x01010000 | DIGEST_BYTES)
"""The state before any block: no key, and the length of the digest."""

_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)


def _splat(value: int) -> Any:
    return ir.Constant(_VECTOR, [ir.Constant(_WORD, value)] * LANES)


def _load(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    address = builder.add(place, ir.Constant(_WORD, offset))
    return builder.load(builder.inttoptr(address, ir.PointerType(kind)), align=1)


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors of eight: element j of vector i becomes element i of vector j."""
    for step in (1, 2, 4):
        low = [lane if not lane & step else LANES + (lane ^ step) for lane in range(LANES)]
        high = [lane | step if not lane & step else LANES + lane for lane in range(LANES)]
        made: list[Any] = [None] * LANES
        for row in range(LANES):
            if not row & step:
                one, other = rows[row], rows[row | step]
                for target, order in ((row, low), (row | step, high)):
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
                    made[target] = builder.shuffle_vector(one, other, mask)
        rows = made
    return rows


def _turned(builder: Any, value: Any, bits: int) -> Any:
    """Rotated right."""
    return builder.or_(builder.lshr(value, _splat(bits)), builder.shl(value, _splat(64 - bits)))


def _mix(builder: Any, v: list[Any], places: tuple[int, ...], x: Any, y: Any) -> None:
    """The function G of the RFC."""
    a, b, c, d = places
    for word, right, left in ((x, 32, 24), (y, 16, 63)):
        v[a] = builder.add(builder.add(v[a], v[b]), word)
        v[d] = _turned(builder, builder.xor(v[d], v[a]), right)
        v[c] = builder.add(v[c], v[d])
        v[b] = _turned(builder, builder.xor(v[b], v[c]), left)


def _compress(typing_context: Any, states: Any, blocks: Any, counts: Any, lasts: Any) -> Any:
    """Take one block into each lane's state; `digests` has the arrays whose addresses these are."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        states, blocks, counts, lasts = arguments
        before = [_load(builder, states, 64 * word, _VECTOR) for word in range(8)]
        places = [_load(builder, blocks, 8 * lane, _WORD) for lane in range(LANES)]
        words: list[Any] = []
        for half in (0, 64):
            words += _transposed(builder, [_load(builder, place, half, _VECTOR) for place in places])
        v = before + [_splat(value) for value in _START]
        v[12] = builder.xor(v[12], _load(builder, counts, 0, _VECTOR))
        v[14] = builder.xor(v[14], _load(builder, lasts, 0, _VECTOR))
        for number in range(12):
            order = _SIGMA[number % 10]
            for at, mixed in enumerate(_COLUMNS + _DIAGONALS):
                _mix(builder, v, mixed, words[order[2 * at]], words[order[2 * at + 1]])
        for word in range(8):
            state = builder.xor(before[word], builder.xor(v[word], v[word + 8]))
            place = builder.add(states, ir.Constant(_WORD, 64 * word))
            builder.store(state, builder.inttoptr(place, ir.PointerType(_VECTOR)), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), code


_compress_lanes: Any = intrinsic(_compress)


@kernel(nogil=True)
def _digests(
    offsets: np.ndarray, data: np.ndarray, order: np.ndarray, first: np.ndarray, padded: np.ndarray, out: np.ndarray
) -> None:
    """Write the digest of each row of `order` to `out`, uint64[n, 4]; `padded` is room for a block of each lane."""
    states = np.zeros((8, LANES), np.uint64)
    rows, blocks = np.empty(LANES, np.int64), np.zeros(LANES, np.int64)
    for lane in range(LANES):
        rows[lane] = -1
    counts, lasts = np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64)
    text, room = address(data), address(padded)
    taken = busy = 0
    while True:
        for lane in range(LANES):
            if rows[lane] < 0 and taken < len(order):
                rows[lane] = order[taken]
                taken += 1
                busy += 1
                counts[lane] = 0
                for word in range(8):
                    states[word, lane] = first[word]
            row = rows[lane]
            blocks[lane] = room + lane * _BLOCK
            if row < 0:
                continue
            at = offsets[row] + np.int64(counts[lane])
            left = offsets[row + 1] - at
            counts[lane] += np.uint64(min(left, _BLOCK))
            if left >= _BLOCK:
                blocks[lane] = text + at
            else:
                for byte in range(_BLOCK):
                    put_byte(room + lane * _BLOCK + byte, byte_at(text + at + byte) if byte < left else 0)
            lasts[lane] = np.uint64(0xFFFFFFFFFFFFFFFF) if left <= _BLOCK else np.uint64(0)
        if busy == 0:
            return
        _compress_lanes(address(states), address(blocks), address(counts), address(lasts))
        for lane in range(LANES):
            if rows[lane] >= 0 and lasts[lane]:
                for word in range(4):
                    out[rows[lane], word] = states[word, lane]
                rows[lane] = -1
                busy -= 1


def digests(offsets: np.ndarray, data: np.ndarray) -> list[bytes]:
    """The 32 bytes of `hashlib.blake2b(row, digest_size=32)` of every row of a binary column (`buffers.text_buffers`).

    >>> column = np.frombuffer(b"abc", np.uint8)
    >>> digests(np.array([0, 3, 3]), column) == [hashlib.blake2b(row, digest_size=32).digest() for row in (b"abc", b"")]
    True
    """
    sizes = np.diff(offsets)
    # A row that the others cannot fill the lanes beside is quicker alone.
    alone = sizes * LANES > 2 * sizes.sum()
    out = np.empty((len(sizes), DIGEST_BYTES // 8), np.uint64)
    order = np.argsort(-sizes, kind="stable")
    _digests(offsets, data, order[~alone[order]], _FIRST, np.empty((LANES, _BLOCK), np.uint8), out)
    found = out.view(np.uint8)
    for row in np.flatnonzero(alone):
        text = data[offsets[row] : offsets[row + 1]]
        found[row] = np.frombuffer(hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest(), np.uint8)
    packed = found.tobytes()
    return [packed[at : at + DIGEST_BYTES] for at in range(0, len(packed), DIGEST_BYTES)]
