"""Benchmark items found in documents: shared word n-grams nominate a place, an alignment of its words judges it.

Words are those of `terms.split_words`, so that case, punctuation, line breaks and spacing make no difference. An n-gram is
hashed in two halves, with and without one word left out between them, so that a changed, deleted or inserted word leaves
matches on both its sides; a bit map stops nearly all of them. Matches of one item on about one diagonal
(position in the document minus position in the item) nominate it, and the weighted longest common subsequence of its words
with the words around them is its share: inserted, deleted and changed words cost what they weigh, and no more.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import copy_items, grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.grams import slot_of
from pipeline.kernels.text.term_trie import FNV_PRIME, split_words

_B = np.uint64(0x9E3779B97F4A7C15)
DIAGONAL_REACH, DIAGONAL_WIDTH = 8, 24
"""Neighbouring matches of one place are at most this far apart in diagonal, all of them this far."""


@kernel()
def words_of(offsets: np.ndarray, data: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Word hashes of all rows, uint64, and int64[n + 1] offsets into them."""
    found, total = np.empty(1024, np.uint64), 0
    borders = np.zeros(len(offsets), np.int64)
    hashes, starts, ends = np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    for row in range(len(offsets) - 1):
        count, hashes, starts, ends = split_words(data, offsets[row], offsets[row + 1], lower, hashes, starts, ends)
        count = join_figures(data, hashes, starts, ends, count)
        while total + count > len(found):
            found = grow(found, 2 * len(found))
        copy_items(hashes, 0, count, found, total)
        total += count
        borders[row + 1] = total
    return found[:total], borders


@kernel()
def join_figures(data: np.ndarray, words: np.ndarray, starts: np.ndarray, ends: np.ndarray, count: int) -> int:
    """Join the parts of figures with thousands separators in place, so that 5,363 is the word 5363; returns the new count.

    A part follows a comma at once and has three digits; a word's hash goes on digit by digit.
    """
    kept = 0
    for at in range(count):
        size = ends[at] - starts[at]
        joins = kept > 0 and size == 3 and starts[at] == ends[kept - 1] + 1 and data[ends[kept - 1]] == codes.COMMA
        if joins:
            for place in range(starts[kept - 1], ends[at]):
                joins &= codes.ZERO <= data[place] <= codes.NINE or data[place] == codes.COMMA
        if joins:
            value = words[kept - 1]
            for place in range(starts[at], ends[at]):
                value = (value ^ np.uint64(data[place])) * np.uint64(FNV_PRIME)
            words[kept - 1], ends[kept - 1] = value, ends[at]
            continue
        words[kept], starts[kept], ends[kept] = words[at], starts[at], ends[at]
        kept += 1
    return kept


@kernel()
def part_hashes(words: np.ndarray, first: int, count: int, size: int, out: np.ndarray) -> np.uint64:
    """Rolling hash of the `size` words that end at each of `count` words from `first` on, into `out`; returns B to the `size`."""
    power = np.uint64(1)
    for _ in range(size):
        power *= _B
    value = np.uint64(0)
    for at in range(count):
        value = value * _B + words[first + at]
        if at >= size:
            value -= words[first + at - size] * power
        out[at] = value
    return power


@kernel()
def grams_of(words: np.ndarray, borders: np.ndarray, size: int, gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n-grams of rows of words, with `gap` words left out in their middle: hash, row and place (first word) of each."""
    most, tail = len(words), size // 2
    found, rows, places, total = np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most, np.int32), 0
    heads, tails = np.empty(most, np.uint64), np.empty(most, np.uint64)
    for row in range(len(borders) - 1):
        count = borders[row + 1] - borders[row]
        part_hashes(words, borders[row], count, size - tail, heads)
        power = part_hashes(words, borders[row], count, tail, tails)
        for at in range(size + gap - 1, count):
            found[total] = heads[at - tail - gap] * power + tails[at]
            rows[total], places[total] = row, at - size - gap + 1
            total += 1
    return found[:total], rows[:total], places[:total]


@kernel()
def build_table(grams: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of distinct grams: an open-addressing table `(keys, values)` and a bit map (uint64 words) in front of it."""
    size = 1024
    while size < 2 * len(grams):
        size *= 2
    keys, values = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    bits = np.zeros(size // 8, np.uint64)
    for at in range(len(grams)):
        slot = slot_of(grams[at], np.uint64(size - 1))
        while values[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        keys[slot], values[slot] = grams[at], at
        bit = slot_of(grams[at], np.uint64(64 * len(bits) - 1))
        bits[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    return keys, values, bits


@kernel()
def align(
    words: np.ndarray, low: int, high: int, item: np.ndarray, weights: np.ndarray, table: np.ndarray
) -> tuple[float, int, int]:
    """Weight of the best common subsequence of `words[low:high]` and an item, and the first and last word it uses.

    `table` is scratch, float32[item + 1, high - low + 1] or larger. Of equal weights the shortest way back is taken.
    """
    rows, columns = len(item), high - low
    for column in range(columns + 1):
        table[0, column] = 0
    for row in range(rows):
        table[row + 1, 0] = 0
        own, weight = item[row], weights[row]
        for column in range(columns):
            best = max(table[row, column + 1], table[row + 1, column])
            if words[low + column] == own:
                best = max(best, table[row, column] + weight)
            table[row + 1, column + 1] = best
    row, column, first, last = rows, columns, -1, -1
    while row > 0 and column > 0 and table[row, column] > 0:
        if table[row - 1, column] == table[row, column]:
            row -= 1
        elif table[row, column - 1] == table[row, column]:
            column -= 1
        else:
            first = low + column - 1
            last = first if last < 0 else last
            row, column = row - 1, column - 1
    return float(table[rows, columns]), first, last


@kernel()
def find_items(
    offsets: np.ndarray,
    data: np.ndarray,
    lower: np.ndarray,
    size: int,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray],
    postings: tuple[np.ndarray, np.ndarray, np.ndarray],
    items: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Nominated items of every document: row, item, share of its weight, first and last byte within the row.

    tables: as `build_table` gives them. postings: int64[grams + 1] starts, int32 items, int32 places.
    items: int64[items + 1] borders, words and their weights (flat), total weight, and matches needed for a nomination.
    """
    keys, values, bits = tables
    starts, owners, positions = postings
    borders, item_words, item_weights, totals, needed = items
    rows, which, shares = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.float64)
    firsts, lasts, total = np.empty(64, np.int64), np.empty(64, np.int64), 0
    words, begins, ends = np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    hits, table = np.empty(256, np.int64), np.zeros((2, 2), np.float32)
    heads, tails, tail = np.empty(1024, np.uint64), np.empty(1024, np.uint64), size // 2
    mask, bit_mask = np.uint64(len(keys) - 1), np.uint64(64 * len(bits) - 1)
    for row in range(len(offsets) - 1):
        base = offsets[row]
        count, words, begins, ends = split_words(data, base, offsets[row + 1], lower, words, begins, ends)
        count = join_figures(data, words, begins, ends, count)
        if count > len(heads):
            heads, tails = np.empty(2 * count, np.uint64), np.empty(2 * count, np.uint64)
        part_hashes(words, 0, count, size - tail, heads)
        power, found = part_hashes(words, 0, count, tail, tails), 0
        for both in range(2 * (size - 1), 2 * count):
            at, gap = both >> 1, both & 1
            if at < size + gap - 1:
                continue
            value = heads[at - tail - gap] * power + tails[at]
            bit = slot_of(value, bit_mask)
            if not (bits[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1):
                continue
            slot = slot_of(value, mask)
            while values[slot] >= 0 and keys[slot] != value:
                slot = (slot + 1) & np.int64(mask)
            if values[slot] < 0:
                continue
            for posting in range(starts[values[slot]], starts[values[slot] + 1]):
                if found == len(hits):
                    hits = grow(hits, 2 * found)
                diagonal = at - size - gap + 1 - positions[posting]
                hits[found] = (np.int64(owners[posting]) << 32) + diagonal + (1 << 30)
                found += 1
        if found == 0:
            continue
        ordered = np.sort(hits[:found])
        begin = 0
        while begin < found:
            item, stop = ordered[begin] >> 32, begin + 1
            while (
                stop < found
                and ordered[stop] - ordered[stop - 1] <= DIAGONAL_REACH
                and ordered[stop] - ordered[begin] <= DIAGONAL_WIDTH
            ):
                stop += 1
            if stop - begin >= needed[item]:
                length = borders[item + 1] - borders[item]
                slack = 4 + length // 4
                low = max(0, (ordered[begin] & 0xFFFFFFFF) - (1 << 30) - slack)
                high = min(count, (ordered[stop - 1] & 0xFFFFFFFF) - (1 << 30) + length + slack)
                if length >= table.shape[0] or high - low >= table.shape[1]:
                    table = np.zeros((2 * length + 2, 2 * (high - low) + 2), np.float32)
                own = slice(borders[item], borders[item + 1])
                weight, first, last = align(words, low, high, item_words[own], item_weights[own], table)
                if first >= 0:
                    if total == len(rows):
                        rows, which, shares = grow(rows, 2 * total), grow(which, 2 * total), grow(shares, 2 * total)
                        firsts, lasts = grow(firsts, 2 * total), grow(lasts, 2 * total)
                    rows[total], which[total], shares[total] = row, item, weight / totals[item]
                    firsts[total], lasts[total] = begins[first] - base, ends[last] - base
                    total += 1
            begin = stop
    return rows[:total], which[:total], shares[:total], firsts[:total], lasts[:total]
