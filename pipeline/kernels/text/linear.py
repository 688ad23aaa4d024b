"""Word 1- and 2-grams of documents, hashed, and linear models over them: sums of weights, and learning them.

A *word* is a maximal run of letters, marks and digits, lower-cased code point by code point, apostrophes skipped; a word of
ASCII digits alone is one mark, whatever the number; every Han or kana code point is a word. The value of a document is the
mean weight of its different n-grams: a word said a hundred times ("you know", "will") counts once, and long documents do not
score higher for being long. A long document is read in pieces, evenly spread: the share of different n-grams that are rare grows
with length, and a filing of 200,000 words would else not be comparable with the texts that weights were learned from.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.grams import pair_hash, slot_of
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME
from pipeline.kernels.unicode import decode

NUMBER = 0x6E756D626572
"""What every number hashes to."""
PIECES, PIECE_BYTES = 4, 4096
"""A text longer than this many pieces of this many bytes is read in them, evenly spread."""
WHOLE_BYTES = PIECES * PIECE_BYTES + PIECES - 1

_P = np.uint64(FNV_PRIME)
_B = np.uint64(FNV_BASIS)
_M = np.uint64(0x9E3779B97F4A7C15)
_N = np.uint64(NUMBER)


@kernel()
def hash_words(data: np.ndarray, begin: int, end: int, lower: np.ndarray, out: np.ndarray) -> tuple[int, np.ndarray]:
    """Hashes of the words of `data[begin:end]` into `out` (grown when too short): their number, and the array.

    `lower` is `terms.WORD_LOWER`.
    """
    count, at, value, inside, digits = 0, begin, _B, False, True
    while at < end:
        byte = data[at]
        if byte < codes.NON_ASCII:
            point, size = np.int64(byte), 1
        else:
            point, size = decode(data, at, end)
        at += size
        low = np.int64(lower[point]) if point >= 0 else np.int64(0)
        alone = point >= 0x3040 and (point <= 0x30FF or 0x3400 <= point <= 0x9FFF or 0x20000 <= point <= 0x3FFFF)
        if low != 0 and not alone:
            value = (value ^ np.uint64(low)) * _P
            digits = digits and codes.ZERO <= low <= codes.NINE
            inside = True
            if at < end:
                continue
        elif inside and at < end and (point == codes.APOSTROPHE or point == codes.RIGHT_APOSTROPHE):
            continue
        if count + 2 > len(out):
            out = grow(out, 2 * len(out) + 2)
        if inside:
            out[count] = _N if digits else value
            count += 1
            value, inside, digits = _B, False, True
        if low != 0 and alone:
            out[count] = (_B ^ np.uint64(low)) * _P
            count += 1
    return count, out


@kernel()
def pieces(data: np.ndarray, begin: int, end: int, out: np.ndarray) -> int:
    """Copies the pieces of a long text to `out`, cut at code points, a line end between them: their bytes."""
    step, used = (end - begin - PIECE_BYTES) // (PIECES - 1), 0
    for piece in range(PIECES):
        first = begin + piece * step
        last = first + PIECE_BYTES
        while first < last and (data[first] & 0xC0) == 0x80:
            first += 1
        while last > first and last < end and (data[last] & 0xC0) == 0x80:
            last -= 1
        if piece > 0:
            out[used] = codes.LINE_FEED
            used += 1
        for at in range(first, last):
            out[used] = data[at]
            used += 1
    return used


@kernel()
def gram_slots(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, size: int, shuffle: int
) -> tuple[np.ndarray, np.ndarray]:
    """The slots of every row's different 1- and 2-grams, as they first stand in it: row offsets int64[n + 1], slots int32.

    A text longer than `WHOLE_BYTES` is read in pieces. With `shuffle` above 0 the words of each row are first put in another
    order (by a hash of that number and their place): the same words without their language.
    """
    mask = np.uint64(size - 1)
    borders, slots = np.zeros(len(offsets), np.int64), np.empty(4096, np.int32)
    words, reader, last_row = np.empty(4096, np.uint64), np.empty(WHOLE_BYTES, np.uint8), np.full(size, -1, np.int32)
    total = 0
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] > WHOLE_BYTES:
            used = pieces(data, offsets[row], offsets[row + 1], reader)
            count, words = hash_words(reader, 0, used, lower, words)
        else:
            count, words = hash_words(data, offsets[row], offsets[row + 1], lower, words)
        if shuffle > 0:
            for at in range(count - 1, 0, -1):
                mixed = (np.uint64(shuffle) * _P + np.uint64(at)) * _M
                other = np.int64(((mixed ^ (mixed >> np.uint64(29))) * _M >> np.uint64(11)) % np.uint64(at + 1))
                words[at], words[other] = words[other], words[at]
        if total + 2 * count > len(slots):
            slots = grow(slots, 2 * (total + 2 * count))
        for at in range(count):
            slot = slot_of(words[at], mask)
            if last_row[slot] != row:
                last_row[slot] = row
                slots[total] = slot
                total += 1
            if at > 0:
                slot = slot_of(pair_hash(words[at - 1], words[at]), mask)
                if last_row[slot] != row:
                    last_row[slot] = row
                    slots[total] = slot
                    total += 1
        borders[row + 1] = total
    return borders, slots[:total]


@kernel()
def mean_weights(borders: np.ndarray, slots: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64[n]: the mean weight of each row's slots (0 without any), summed as float64 in their order.

    `weights` is float32 of a power of two.
    """
    means = np.zeros(len(borders) - 1)
    for row in range(len(means)):
        total = 0.0
        for at in range(borders[row], borders[row + 1]):
            total += weights[slots[at]]
        means[row] = total / max(borders[row + 1] - borders[row], 1)
    return means


@kernel(forceinline=True)
def _read(step: int, at: int, share: np.uint64) -> bool:
    value = (np.uint64(step) * _P + np.uint64(at) + np.uint64(1)) * _M
    value = (value ^ (value >> np.uint64(29))) * _M
    return bool((value >> np.uint64(48)) < share)


@kernel()
def fit_logistic(
    borders: np.ndarray,
    slots: np.ndarray,
    labels: np.ndarray,
    importance: np.ndarray,
    order: np.ndarray,
    scale: np.ndarray,
    rate: float,
    decay: float,
    keep: float,
) -> tuple[np.ndarray, float]:
    """Logistic regression by AdaGrad over the rows in `order` (repeated for epochs): weights and the bias.

    `scale`, float64[slots], is how much an n-gram counts; the weights that come back hold it, so that scoring needs no more.
    In each step a share `keep` of a row's n-grams is read, chosen by a hash, so that no few words carry a source alone.
    `decay` pulls the weights that a step touches to zero.
    """
    weights, squares = np.zeros(len(scale)), np.full(len(scale), 1e-8)
    bias, bias_square, share = 0.0, 1e-8, np.uint64(keep * 65536.0)
    for step in range(len(order)):
        row = order[step]
        begin, end = borders[row], borders[row + 1]
        total, read = 0.0, 0
        for at in range(begin, end):
            if _read(step, int(at - begin), share):
                total += weights[slots[at]] * scale[slots[at]]
                read += 1
        if read == 0:
            continue
        slope = (1.0 / (1.0 + np.exp(-(total / read + bias))) - labels[row]) * importance[row]
        each = slope / read
        for at in range(begin, end):
            if _read(step, int(at - begin), share):
                slot = slots[at]
                gradient = each * scale[slot] + decay * weights[slot] / read
                squares[slot] += gradient * gradient
                weights[slot] -= rate * gradient / np.sqrt(squares[slot])
        bias_square += slope * slope
        bias -= 0.1 * slope / np.sqrt(bias_square)
    return weights * scale, float(bias)
