"""Word n-grams of documents looked up in an index of benchmark items, and the best window of matches for each item.

Words are those of `terms.split_words`, so that case, punctuation, line breaks and spacing make no difference.
"""

import numpy as np
from numba import njit

from pipeline.kernels.grams import grow
from pipeline.kernels.terms import split_words

_B = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, inline="always")
def _mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return value ^ (value >> np.uint64(27))


@njit(cache=True)
def gram_hashes(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All n-grams: hashes uint64, the row of each int64, and the number of words of each row int64."""
    found, rows, total = np.empty(1024, np.uint64), np.empty(1024, np.int64), 0
    words = np.zeros(len(offsets) - 1, np.int64)
    hashes, starts, ends = np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    for row in range(len(offsets) - 1):
        count, hashes, starts, ends = split_words(data, offsets[row], offsets[row + 1], lower, hashes, starts, ends)
        words[row] = count
        while total + count > len(found):
            found, rows = grow(found, 2 * len(found)), grow(rows, 2 * len(rows))
        for at in range(count - size + 1):
            value = np.uint64(0)
            for word in range(at, at + size):
                value = (value + hashes[word]) * _B
            found[total], rows[total] = _mix(value), row
            total += 1
    return found[:total], rows[:total], words


@njit(cache=True)
def look_up(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray, size: int, grams: np.ndarray, filled: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Matches: row, word position, gram (index into the sorted `grams`), first and last byte within the row.

    `filled` is a bit map (bool, a power of two long) by the low bits of the hashes: most words stop there.
    """
    rows, places, which = np.empty(256, np.int64), np.empty(256, np.int64), np.empty(256, np.int64)
    firsts, lasts, total = np.empty(256, np.int64), np.empty(256, np.int64), 0
    hashes, starts, ends = np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    mask = np.uint64(len(filled) - 1)
    for row in range(len(offsets) - 1):
        base = offsets[row]
        count, hashes, starts, ends = split_words(data, base, offsets[row + 1], lower, hashes, starts, ends)
        for at in range(count - size + 1):
            value = np.uint64(0)
            for word in range(at, at + size):
                value = (value + hashes[word]) * _B
            value = _mix(value)
            if not filled[value & mask]:
                continue
            place = np.searchsorted(grams, value)
            if place == len(grams) or grams[place] != value:
                continue
            if total == len(rows):
                rows, places, which = grow(rows, 2 * total), grow(places, 2 * total), grow(which, 2 * total)
                firsts, lasts = grow(firsts, 2 * total), grow(lasts, 2 * total)
            rows[total], places[total], which[total] = row, at, place
            firsts[total], lasts[total] = starts[at] - base, ends[at + size - 1] - base
            total += 1
    return rows[:total], places[:total], which[:total], firsts[:total], lasts[:total]


@njit(cache=True)
def best_windows(
    groups: np.ndarray, places: np.ndarray, weights: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each run of equal `groups` (sorted by group, then place): the heaviest window no wider than its `reach`.

    Returns the weight, and the indices of the first and the last match of the window.
    """
    count = 0
    for at in range(len(groups)):
        count += at == 0 or groups[at] != groups[at - 1]
    best, firsts, lasts = np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.int64)
    group, begin, total = -1, 0, 0.0
    for at in range(len(groups)):
        if at == 0 or groups[at] != groups[at - 1]:
            group, begin, total = group + 1, at, 0.0
        total += weights[at]
        while places[at] - places[begin] > reach[at]:
            total -= weights[begin]
            begin += 1
        if total > best[group]:
            best[group], firsts[group], lasts[group] = total, begin, at
    return best, firsts, lasts
