# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""Repeated word n-grams in compiled code: the most frequent n-gram and the n-grams said before (Gopher, table A1).

n-grams get numbers instead of strings. A word's number is the place of its first occurrence; an n-gram's is the place
where its pair of (n-1)-grams first occurred, so equal numbers mean equal words, without hashing n words again. A place
whose (n-1)-gram occurs only once needs no look-up at n, which leaves few places after the first lengths.
"""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.text.words import SIZE_SHIFT

LONGEST = 10
"""Longest n-gram of table A1."""
TOP = (2, 3, 4)
"""Lengths whose most frequent n-gram is measured."""
FIRST_DUP = 5
"""Duplicate n-grams are measured from this length to `LONGEST`."""


@kernel(forceinline=True)
def _number(keys: np.ndarray, values: np.ndarray, mask: int, key: np.uint64, place: int) -> int:
    """The place at which a non-zero key was first seen; `place` when that is now."""
    slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + 1) & mask
    keys[slot], values[slot] = key, place
    return place


@kernel()
def ngram_chars(rows: np.ndarray, hashes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """int64[n, 11]: code points per document, by n-gram length. `rows, hashes, sizes` are `words.Words`.

    Column n of 2 to 4: length of the most frequent n-gram, spaces included, times its count; the earliest of equally
    frequent ones, also when each occurs once. Column n of 5 to 10: code points, without spaces, of the n-grams that
    occurred before; a hit skips n words. Columns 0 and 1 are unused.
    """
    out = np.zeros((len(rows) - 1, LONGEST + 1), np.int64)
    most = 0
    for row in range(len(out)):
        most = max(most, rows[row + 1] - rows[row])
    size = 16
    while size < 2 * most:
        size *= 2
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    numbers, counts, ends = np.zeros(most, np.int32), np.zeros(most, np.int32), np.zeros(most + 1, np.int64)
    places, stamps = np.zeros(most, np.int32), np.zeros(most, np.int32)
    for row in range(len(out)):
        base, num = rows[row], rows[row + 1] - rows[row]
        size = 16
        while size < 2 * num:
            size *= 2
        mask = size - 1
        keys[:size] = 0
        counts[:num] = 0
        for at in range(num):
            key = hashes[base + at]
            number = _number(keys, values, mask, key if key != 0 else np.uint64(1), at)
            numbers[at] = number
            counts[number] += 1
            ends[at + 1] = ends[at] + (np.int64(sizes[base + at]) >> SIZE_SHIFT)
        # `places`: where the (n-1)-gram occurs more than once, in order.
        left = 0
        for at in range(num):
            places[left] = at
            left += counts[numbers[at]] > 1
        for length in range(2, LONGEST + 1):
            if num < length:
                break
            kept = _lengthen(length, num, left, places, numbers, counts, keys, values)
            if length < FIRST_DUP:
                out[row, length] = _top(length, kept, places, numbers, counts, ends)
            else:
                out[row, length] = _repeated(length, kept, places, numbers, stamps, ends)
            left = kept
            if left == 0 and length >= FIRST_DUP - 1:
                break
    return out


@kernel()
def _lengthen(
    length: int, num: int, left: int, places: np.ndarray, numbers: np.ndarray, counts: np.ndarray,
    keys: np.ndarray, values: np.ndarray,
) -> int:  # fmt: skip
    """Number the n-grams at the places left and keep the places whose n-gram occurs more than once.

    An n-gram occurs twice only where its first and its second (n-1)-gram do. `numbers` holds (n-1)-grams before and
    n-grams after, at the places kept; `counts` their counts at the first of them.
    """
    size = 16
    while size < 2 * left:
        size *= 2
    keys[:size] = 0
    mask = size - 1
    doubled = 0
    for at in range(left):
        place = places[at]
        follows = at + 1 < left and places[at + 1] == place + 1
        if follows and place + length <= num:
            key = ((np.uint64(numbers[place]) + np.uint64(1)) << np.uint64(32)) | np.uint64(numbers[place + 1])
            numbers[place] = _number(keys, values, mask, key, place)
            places[doubled] = place
            doubled += 1
    for at in range(doubled):
        counts[places[at]] = 0
    for at in range(doubled):
        counts[numbers[places[at]]] += 1
    kept = 0
    for at in range(doubled):
        place = places[at]
        places[kept] = place
        kept += counts[numbers[place]] > 1
    return kept


@kernel()
def _top(length: int, kept: int, places: np.ndarray, numbers: np.ndarray, counts: np.ndarray, ends: np.ndarray) -> int:
    """Code points of the most frequent n-gram with its spaces, times its count."""
    best, most = 0, 1
    for at in range(kept):
        place = places[at]
        if numbers[place] == place and counts[place] > most:
            best, most = place, counts[place]
    return (ends[best + length] - ends[best] + length - 1) * most


@kernel()
def _repeated(
    length: int, kept: int, places: np.ndarray, numbers: np.ndarray, stamps: np.ndarray, ends: np.ndarray
) -> int:
    """Code points of the n-grams already seen, from the left; after a hit the next n words start none."""
    total, free = 0, 0
    for at in range(kept):
        stamps[numbers[places[at]]] = 0
    for at in range(kept):
        place = places[at]
        if place < free:
            continue
        if stamps[numbers[place]]:
            total += ends[place + length] - ends[place]
            free = place + length
        else:
            stamps[numbers[place]] = 1
    return total
