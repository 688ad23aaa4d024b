"""Word 1- and 2-grams of documents, hashed, and linear models over them: sums of weights, and learning them.

A *word* is a maximal run of letters, marks and digits, lower-cased code point by code point, apostrophes skipped; a word of
ASCII digits alone is one mark, whatever the number; every Han or kana code point is a word. The value of a document is the
mean weight of its n-grams, so that long documents do not score higher for being long.
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
def score_rows(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean weight of each row's 1- and 2-grams, float64[n] (0 without words), and their number, int64[n].

    `weights` is float32 of a power of two; sums are float64, in the order of the text.
    """
    mask = np.uint64(len(weights) - 1)
    means, counts = np.zeros(len(offsets) - 1), np.zeros(len(offsets) - 1, np.int64)
    words = np.empty(4096, np.uint64)
    for row in range(len(offsets) - 1):
        count, words = hash_words(data, offsets[row], offsets[row + 1], lower, words)
        if count == 0:
            continue
        singles, pairs = np.float64(weights[slot_of(words[0], mask)]), 0.0
        for at in range(1, count):
            singles += weights[slot_of(words[at], mask)]
            pairs += weights[slot_of(pair_hash(words[at - 1], words[at]), mask)]
        counts[row] = 2 * count - 1
        means[row] = (singles + pairs) / counts[row]
    return means, counts


@kernel()
def gram_slots(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, size: int, shuffle: int
) -> tuple[np.ndarray, np.ndarray]:
    """The slots of every row's 1- and 2-grams for training: row offsets int64[n + 1] and slots int32.

    With `shuffle` above 0 the words of each row are first put in another order (by a hash of that number and their place):
    the same words without their language.
    """
    mask = np.uint64(size - 1)
    borders, slots = np.zeros(len(offsets), np.int64), np.empty(4096, np.int32)
    words = np.empty(4096, np.uint64)
    total = 0
    for row in range(len(offsets) - 1):
        count, words = hash_words(data, offsets[row], offsets[row + 1], lower, words)
        if shuffle > 0:
            for at in range(count - 1, 0, -1):
                mixed = (np.uint64(shuffle) * _P + np.uint64(at)) * _M
                other = np.int64(((mixed ^ (mixed >> np.uint64(29))) * _M >> np.uint64(11)) % np.uint64(at + 1))
                words[at], words[other] = words[other], words[at]
        if total + 2 * count > len(slots):
            slots = grow(slots, 2 * (total + 2 * count))
        for at in range(count):
            slots[total] = slot_of(words[at], mask)
            total += 1
            if at > 0:
                slots[total] = slot_of(pair_hash(words[at - 1], words[at]), mask)
                total += 1
        borders[row + 1] = total
    return borders, slots[:total]


@kernel()
def mean_weights(borders: np.ndarray, slots: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64[n]: what `score_rows` gives, from slots."""
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
    size: int,
    rate: float,
    decay: float,
    keep: float,
) -> tuple[np.ndarray, float]:
    """Logistic regression by AdaGrad over the rows in `order` (repeated for epochs): weights float64[size] and the bias.

    In each step a share `keep` of a row's n-grams is read, chosen by a hash, so that no few words carry a source alone.
    `decay` pulls the weights that a step touches to zero.
    """
    weights, squares = np.zeros(size), np.full(size, 1e-8)
    bias, bias_square, share = 0.0, 1e-8, np.uint64(keep * 65536.0)
    for step in range(len(order)):
        row = order[step]
        begin, end = borders[row], borders[row + 1]
        total, read = 0.0, 0
        for at in range(begin, end):
            if _read(step, int(at - begin), share):
                total += weights[slots[at]]
                read += 1
        if read == 0:
            continue
        slope = (1.0 / (1.0 + np.exp(-(total / read + bias))) - labels[row]) * importance[row]
        each = slope / read
        for at in range(begin, end):
            if _read(step, int(at - begin), share):
                slot = slots[at]
                gradient = each + decay * weights[slot] / read
                squares[slot] += gradient * gradient
                weights[slot] -= rate * gradient / np.sqrt(squares[slot])
        bias_square += slope * slope
        bias -= 0.1 * slope / np.sqrt(bias_square)
    return weights, float(bias)
