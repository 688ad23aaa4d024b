"""What training looks pairs up in: a table of counts by pair, and a queue of pairs by count.

Both are one array each, of slots that share a cache line, and are read by address: handed on as arrays they would be counted
with atomic operations at every look-up, which was most of the time.
"""

import numpy as np

from pipeline.kernels.arrays import grow
from pipeline.kernels.bpe.hash_tables import mix
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, put_word, word_at

FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
ITEM = 3
"""A queue's item is three int64: the count, the pair, where the list of its places lies."""


@kernel()
def longer(array: np.ndarray, needed: Int) -> np.ndarray:
    """The array, or a copy of at least a quarter more that holds `needed` items."""
    return array if needed <= len(array) else grow(array, max(needed, len(array) * 5 // 4))


@kernel(forceinline=True)
def number_at(place: Int) -> Int:
    """The eight bytes at an address as a signed number."""
    return np.int64(word_at(place))


@kernel()
def pair_place(table: Int, slots: Int, key: Int) -> Int:
    """The address of a pair's slot (pair, then its number), found or free; `table` is an address, `slots` a power of 2."""
    mask = np.uint64(slots - 1)
    slot = mix(key, np.uint64(0)) & mask
    place = table + np.int64(slot) * 16
    while word_at(place) != key and word_at(place) != FREE:
        slot = (slot + np.uint64(1)) & mask
        place = table + np.int64(slot) * 16
    return place


@kernel()
def add_to_pair(table: Int, slots: Int, key: Int, number: Int) -> tuple[Int, Int]:
    """Add to a pair's number, which starts at 0: the slot's address and 1 for a new pair, else 0. There must be room."""
    place = pair_place(table, slots, key)
    if word_at(place) == key:
        put_word(place + 8, number_at(place + 8) + number)
        return place, 0
    put_word(place, np.int64(key))
    put_word(place + 8, np.int64(number))
    return place, 1


@kernel()
def roomy(table: np.ndarray, needed: Int) -> np.ndarray:
    """The table, or a larger one with the same pairs, that is three quarters full at most with `needed` pairs."""
    slots = len(table) // 2
    if needed * 4 <= slots * 3:
        return table
    while needed * 4 > slots * 3:
        slots *= 2
    larger = np.full(2 * slots, FREE, np.uint64)
    for at in range(0, len(table), 2):
        if table[at] != FREE:
            place = (pair_place(address(larger), slots, table[at]) - address(larger)) >> 3
            larger[place] = table[at]
            larger[place + 1] = table[at + 1]
    return larger


@kernel(forceinline=True)
def _before(count: Int, pair: Int, other_count: Int, other_pair: Int) -> bool | np.bool_:
    """The higher count first, ties to the smaller pair."""
    return count > other_count or (count == other_count and pair < other_pair)


@kernel(forceinline=True)
def _copy(item: Int, place: Int) -> None:
    put_word(place, number_at(item))
    put_word(place + 8, number_at(item + 8))
    put_word(place + 16, number_at(item + 16))


@kernel()
def _put(place: Int, count: Int, pair: Int, start: Int) -> None:
    put_word(place, np.int64(count))
    put_word(place + 8, np.int64(pair))
    put_word(place + 16, np.int64(start))


@kernel()
def sink(queue: Int, size: Int, at: Int, item: Int) -> None:
    """Put a copy of the item at address `item` where it belongs at or under place `at` of a four-ary heap."""
    count, pair, start = number_at(item), number_at(item + 8), number_at(item + 16)
    while True:
        first = 4 * at + 1
        if first >= size:
            break
        best = queue + first * 8 * ITEM
        for child in range(first + 1, min(first + 4, size)):
            other = queue + child * 8 * ITEM
            if _before(number_at(other), number_at(other + 8), number_at(best), number_at(best + 8)):
                best = other
        if not _before(number_at(best), number_at(best + 8), count, pair):
            break
        _copy(best, queue + at * 8 * ITEM)
        at = (best - queue) // (8 * ITEM)
    _put(queue + at * 8 * ITEM, count, pair, start)


@kernel()
def push(queue: Int, size: Int, count: Int, pair: Int, start: Int) -> None:
    """Add an item to a heap of `size`; there must be room."""
    at = size
    while at > 0:
        parent = (at - 1) >> 2
        above = queue + parent * 8 * ITEM
        if not _before(count, pair, number_at(above), number_at(above + 8)):
            break
        _copy(above, queue + at * 8 * ITEM)
        at = parent
    _put(queue + at * 8 * ITEM, count, pair, start)
