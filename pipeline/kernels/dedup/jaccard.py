"""Word n-grams of documents, which of them are boilerplate, and how alike two documents are with and without it.

An n-gram is a 31-bit hash shifted left by one; the lowest bit says that a figure is among its words.
"""

import numpy as np

from pipeline.kernels.arrays import copy_items, grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.dedup.minhash import scan_words
from pipeline.kernels.hashing import fmix64

_BLOCK = 2048
_MARKS = 8


@kernel()
def shingle_rows(
    offsets: np.ndarray, data: np.ndarray, wanted: np.ndarray, table: np.ndarray, one_zero: bool, ngram: int
) -> tuple[np.ndarray, np.ndarray]:
    """`(sizes int64[n], values uint32[sum])`: the n-grams of the wanted rows (bool[n]) in their order, none of others.

    Words and the other arguments are those of `minhash.minhash_rows`.
    """
    sizes = np.zeros(len(offsets) - 1, np.int64)
    values, used = np.empty(4096, np.uint32), 0
    words = np.empty(_BLOCK + ngram, np.uint64)
    multiplier = np.uint64(0xD6E8FEB86659FD93)
    for row in range(len(offsets) - 1):
        if not wanted[row]:
            continue
        at, end, count, start = offsets[row], offsets[row + 1], 0, used
        while at < end:
            at, count = scan_words(data, at, end, table, one_zero, words, count)
            number = max(count - ngram + 1, 0)
            if used + number > len(values):
                values = grow(values, 2 * len(values) + number)
            for i in range(number):
                mixed, figures = words[i], words[i] & np.uint64(1)
                for k in range(1, ngram):
                    mixed = mixed * multiplier + words[i + k]
                    figures |= words[i + k] & np.uint64(1)
                values[used + i] = np.uint32(fmix64(mixed) >> np.uint64(33)) << np.uint32(1) | np.uint32(figures)
            used += number
            if number > 0:  # the last ngram - 1 words begin the next block's n-grams
                for k in range(ngram - 1):
                    words[k] = words[count - ngram + 1 + k]
                count = ngram - 1
        sizes[row] = used - start
    return sizes, values[:used].copy()


@kernel(forceinline=True)
def _slot(value: np.uint32, bits: int) -> np.int64:
    return np.int64((np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits))


@kernel()
def count_documents(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray, counted: np.ndarray, bits: int
) -> np.ndarray:
    """uint16[2**bits]: in how many of the counted documents (bool[n]) the n-grams of each slot stand.

    `values[starts[i]:ends[i]]` is the set of document i; two n-grams may share a slot.
    """
    counts = np.zeros(1 << bits, np.uint16)
    for i in range(len(starts)):
        if counted[i]:
            for k in range(starts[i], ends[i]):
                slot = _slot(values[k], bits)
                counts[slot] = min(counts[slot], 65534) + 1
    return counts


@kernel()
def own_sets(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray, counts: np.ndarray, bits: int, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], values)`: of each document's set, `values[starts[i]:ends[i]]`, what is not boilerplate.

    Boilerplate stands in `least` documents or more. Where next to nothing else is left (`_MARKS` n-grams of words without a
    figure, a twentieth of the document with those that have one) nothing is: a page copied with another date or counter.
    """
    own_starts, own_values, used = np.zeros(len(starts) + 1, np.int64), np.empty(4096, np.uint32), 0
    for i in range(len(starts)):
        if used + ends[i] - starts[i] > len(own_values):
            own_values = grow(own_values, 2 * len(own_values) + ends[i] - starts[i])
        of_words = 0
        for k in range(starts[i], ends[i]):
            if counts[_slot(values[k], bits)] < least:
                own_values[used] = values[k]
                used += 1
                of_words += 1 - np.int64(values[k] & np.uint32(1))
        if of_words <= _MARKS and 20 * (used - own_starts[i]) <= ends[i] - starts[i]:
            used = own_starts[i]
        own_starts[i + 1] = used
    return own_starts, own_values[:used].copy()


@kernel()
def sort_sets(starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Turn each document's n-grams, in place, into a sorted set; returns where each ends, int64[n]."""
    ends = np.empty(len(starts) - 1, np.int64)
    for i in range(len(starts) - 1):
        ends[i] = starts[i] + _sort_set(values[starts[i] : starts[i + 1]])
    return ends


@kernel()
def _sort_set(values: np.ndarray) -> int:
    """Sort in place, repeats out; returns how many are left."""
    ordered, size = np.sort(values), 0
    for k in range(len(ordered)):
        if k == 0 or ordered[k] != ordered[k - 1]:
            values[size] = ordered[k]
            size += 1
    return size


@kernel()
def overlap(one: np.ndarray, other: np.ndarray, weight: int) -> tuple[float, float, float]:
    """Of two sorted sets the Jaccard similarity, the share of `one` in `other`, and the share of `other` in `one`.

    An n-gram with a figure weighs `weight`, any other 1. All are 0 when a set is empty.
    """
    a = b = common = left = right = 0
    while a < len(one) and b < len(other):
        if one[a] == other[b]:
            common += weight if one[a] & np.uint32(1) else 1
            a, b = a + 1, b + 1
        elif one[a] < other[b]:
            left += weight if one[a] & np.uint32(1) else 1
            a += 1
        else:
            right += weight if other[b] & np.uint32(1) else 1
            b += 1
    for k in range(a, len(one)):
        left += weight if one[k] & np.uint32(1) else 1
    for k in range(b, len(other)):
        right += weight if other[k] & np.uint32(1) else 1
    if common == 0:
        return 0.0, 0.0, 0.0
    return common / (common + left + right), common / (common + left), common / (common + right)


@kernel()
def compare(
    left: np.ndarray,
    right: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    own_starts: np.ndarray,
    own_values: np.ndarray,
    weight: int,
) -> tuple[np.ndarray, np.ndarray]:
    """`(plain, own)`, float32[m, 3] each: `overlap` of every pair of documents, whole and without boilerplate.

    `values[starts[i]:ends[i]]` is the set of document i. Whole, a figure weighs as a word; without boilerplate, `weight`.
    Where one document has no text of its own both are compared whole.
    """
    plain, own = np.zeros((len(left), 3), np.float32), np.zeros((len(left), 3), np.float32)
    for i in range(len(left)):
        a, b = left[i], right[i]
        one, other = values[starts[a] : ends[a]], values[starts[b] : ends[b]]
        plain[i, 0], plain[i, 1], plain[i, 2] = overlap(one, other, 1)
        if own_starts[a] < own_starts[a + 1] and own_starts[b] < own_starts[b + 1]:
            one = own_values[own_starts[a] : own_starts[a + 1]]
            other = own_values[own_starts[b] : own_starts[b + 1]]
        own[i, 0], own[i, 1], own[i, 2] = overlap(one, other, weight)
    return plain, own


@kernel()
def added_passages(
    left: np.ndarray, right: np.ndarray, places: np.ndarray, ordered: np.ndarray, starts: np.ndarray, ends: np.ndarray,
    values: np.ndarray, own_starts: np.ndarray, own_values: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int64[m]: of every pair the longest passage that the left document adds to the right one, in n-grams.

    `ordered[places[a]:places[a + 1]]` are the n-grams of document a in the order of its text; the others are as for `compare`.
    Each n-gram that the right one lacks counts one, each that it has takes one off, and boilerplate does neither: the best
    stretch is the passage, so that a few words changed here and there are none.
    """
    longest = np.zeros(len(left), np.int64)
    for i in range(len(left)):
        a, b, score = left[i], right[i], 0
        held, own = values[starts[b] : ends[b]], own_values[own_starts[a] : own_starts[a + 1]]
        for k in range(places[a], places[a + 1]):
            if _holds(held, ordered[k]):
                score = max(0, score - 1)
            elif len(own) == 0 or _holds(own, ordered[k]):
                score += 1
                longest[i] = max(longest[i], score)
    return longest


@kernel(forceinline=True)
def _holds(ordered: np.ndarray, value: np.uint32) -> bool:
    at = np.searchsorted(ordered, value)
    return bool(at < len(ordered) and ordered[at] == value)


@kernel()
def group_pairs(
    left: np.ndarray, right: np.ndarray, limit: int, hubs: int, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs to compare, of groups given as star pairs sorted by `left`: every two of up to `limit` documents.

    Of a larger group every document meets the `hubs` largest by `size` (int64[n]), the lower number first among equals.
    """
    first, second, used = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    at = 0
    while at < len(left):
        end = at
        while end < len(left) and left[end] == left[at]:
            end += 1
        group = np.empty(end - at + 1, np.int64)
        group[0] = left[at]
        copy_items(right, at, end, group, 1)
        group = np.unique(group)
        centres = len(group)
        if len(group) > limit:
            group = group[np.argsort(-size[group], kind="mergesort")]
            centres = hubs
        if used + centres * len(group) > len(first):
            first, second = grow(first, 2 * used + centres * len(group)), grow(second, 2 * used + centres * len(group))
        for i in range(centres):
            for j in range(i + 1, len(group)):
                first[used], second[used] = min(group[i], group[j]), max(group[i], group[j])
                used += 1
        at = end
    return first[:used].copy(), second[:used].copy()
