"""Text to token ids: pre-tokens from the scanner, a cache of those seen before, merges for the rest.

Merging is that of `tokenizers`: of all neighbours the pair with the lowest rank first, of equals the leftmost. Short
pre-tokens look for it among all pairs, long ones keep the pairs in a heap over a linked list: a pre-token of a million
letters takes n log n steps.
"""

from typing import Any

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import copy_items
from pipeline.kernels.bpe.hash_tables import INLINE_BYTES, mix, pair_key, short_key
from pipeline.kernels.bpe.pretokens import next_end
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at, word_at

NO_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHORT = 48  # up to this many symbols, looking at every pair is faster than a heap
_SLOT = 4
CACHE_WORDS = _SLOT << 18
"""A slot is four words, half a cache line: key, key, up to three ids or their place in a pool, how many; 8 MB."""


@kernel()
def pair_table(left: np.ndarray, right: np.ndarray, made: np.ndarray) -> np.ndarray:
    """The merges as a table of slots of two words: the pair, and `rank << 32 | id` of the token made."""
    slots = 1 << 4
    while slots < 3 * len(left):
        slots *= 2
    table = np.full(2 * slots, NO_PAIR, np.uint64)
    for rank in range(len(left)):
        key = pair_key(left[rank], right[rank])
        slot = np.int64(mix(key, np.uint64(0)) & np.uint64(slots - 1))
        while table[2 * slot] != NO_PAIR:
            slot = (slot + 1) & (slots - 1)
        table[2 * slot] = key
        table[2 * slot + 1] = pair_key(rank, made[rank])
    return table


@kernel()
def _merge_of(table: Int, mask: Any, left: Any, right: Any) -> Any:
    """`rank << 32 | id` for a pair, `NO_PAIR` when it does not merge; `table` is an address, `mask` its slots - 1."""
    key = pair_key(left, right)
    slot = mix(key, np.uint64(0)) & mask
    place = table + np.int64(slot) * 16
    while word_at(place) != key and word_at(place) != NO_PAIR:
        slot = (slot + np.uint64(1)) & mask
        place = table + np.int64(slot) * 16
    return word_at(place + 8)


@kernel()
def _merge_short(merges: np.ndarray, ids: np.ndarray, size: Int, pairs: np.ndarray) -> Int:
    """Merge `ids[:size]` in place by looking at every pair; returns how many ids are left."""
    table, mask = address(merges), np.uint64(len(merges) // 2 - 1)
    for at in range(size - 1):
        pairs[at] = _merge_of(table, mask, ids[at], ids[at + 1])
    while size > 1:
        best = 0
        for at in range(1, size - 1):
            if (pairs[at] >> np.uint64(32)) < (pairs[best] >> np.uint64(32)):
                best = at
        if pairs[best] == NO_PAIR:
            break
        ids[best] = np.uint32(pairs[best] & np.uint64(0xFFFFFFFF))
        size -= 1
        for at in range(best + 1, size):
            ids[at] = ids[at + 1]
        for at in range(best + 1, size - 1):
            pairs[at] = pairs[at + 1]
        if best > 0:
            pairs[best - 1] = _merge_of(table, mask, ids[best - 1], ids[best])
        if best < size - 1:
            pairs[best] = _merge_of(table, mask, ids[best], ids[best + 1])
    return size


@kernel()
def _push(heap: np.ndarray, size: Int, item: Int) -> None:
    at = size
    while at > 0 and item < heap[(at - 1) >> 1]:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = item


@kernel()
def _pop(heap: np.ndarray, size: Int) -> Int:
    """The smallest of `size` items; the rest is a heap of `size - 1`."""
    top = heap[0]
    size -= 1
    item = heap[size]
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if item <= heap[child]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item
    return top


@kernel()
def _merge_long(merges: np.ndarray, ids: np.ndarray, size: Int) -> Int:
    """Merge `ids[:size]` in place with a heap of `rank << 32 | place` over a linked list."""
    table, mask = address(merges), np.uint64(len(merges) // 2 - 1)
    follow = np.arange(1, size + 1).astype(np.int32)
    back = np.arange(-1, size - 1).astype(np.int32)
    alive = np.ones(size, np.bool_)
    heap = np.empty(3 * size, np.uint64)
    queued = 0
    for at in range(size - 1):
        found = _merge_of(table, mask, ids[at], ids[at + 1])
        if found != NO_PAIR:
            _push(heap, queued, (found & ~np.uint64(0xFFFFFFFF)) | np.uint64(at))
            queued += 1
    while queued > 0:
        item = _pop(heap, queued)
        queued -= 1
        at = np.int64(item & np.uint64(0xFFFFFFFF))
        if not alive[at] or follow[at] >= size:
            continue
        right = follow[at]
        found = _merge_of(table, mask, ids[at], ids[right])
        if found == NO_PAIR or (found >> np.uint64(32)) != (item >> np.uint64(32)):
            continue
        ids[at] = np.uint32(found & np.uint64(0xFFFFFFFF))
        alive[right] = False
        follow[at] = follow[right]
        if follow[at] < size:
            back[follow[at]] = at
            found = _merge_of(table, mask, ids[at], ids[follow[at]])
            if found != NO_PAIR:
                _push(heap, queued, (found & ~np.uint64(0xFFFFFFFF)) | np.uint64(at))
                queued += 1
        if back[at] >= 0:
            found = _merge_of(table, mask, ids[back[at]], ids[at])
            if found != NO_PAIR:
                _push(heap, queued, (found & ~np.uint64(0xFFFFFFFF)) | np.uint64(back[at]))
                queued += 1
    left = 0
    for at in range(size):
        if alive[at]:
            ids[left] = ids[at]
            left += 1
    return left


@kernel()
def _merge(
    merges: np.ndarray, symbol: np.ndarray, at: Int, end: Int, ids: np.ndarray, here: Int, pairs: np.ndarray
) -> Int:
    """The ids of the text between two addresses into `ids[here:]`; returns how many there are."""
    size = end - at
    out = ids[here : here + size]
    for step in range(size):
        out[step] = symbol[byte_at(at + step)]
    return _merge_short(merges, out, size, pairs) if size <= _SHORT else _merge_long(merges, out, size)


@kernel()
def _merge_new(
    merges: np.ndarray,
    symbol: np.ndarray,
    at: Int,
    end: Int,
    ids: np.ndarray,
    here: Int,
    pairs: np.ndarray,
    cache: np.ndarray,
    slot: Int,
    low: Int,
    high: Int,
    pool: np.ndarray,
    fill: np.ndarray,
) -> Int:
    """As `_merge`, and keep the result in the cache's free `slot`; a full cache is emptied first."""
    count = _merge(merges, symbol, at, end, ids, here, pairs)
    if fill[0] * 2 * _SLOT >= len(cache) or fill[1] + count > len(pool):
        cache[:] = 0
        fill[:] = 0
        slot = mix(low, high) & np.uint64(len(cache) // _SLOT - 1)
    place = np.int64(slot) * _SLOT
    cache[place] = low
    cache[place + 1] = high
    if count <= 3:
        first = np.uint64(ids[here])
        second = np.uint64(ids[here + 1]) if count > 1 else np.uint64(0)
        third = np.uint64(ids[here + 2]) if count > 2 else np.uint64(0)
        cache[place + 2] = first | second << np.uint64(32)
        cache[place + 3] = third | np.uint64(count) << np.uint64(32)
    else:
        start = fill[1]
        copy_items(ids, here, here + count, pool, start)
        fill[1] += count
        cache[place + 2] = np.uint64(start)
        cache[place + 3] = np.uint64(count) << np.uint64(32)
    fill[0] += 1
    return count


@kernel(nogil=True)
def encode(
    offsets: np.ndarray,
    data: np.ndarray,
    classes: np.ndarray,
    rules: tuple[Int, Int, bool],
    merges: np.ndarray,
    symbol: np.ndarray,
    cache: np.ndarray,
    pool: np.ndarray,
    fill: np.ndarray,
    ids: np.ndarray,
    ends: np.ndarray,
) -> Int:
    """Encode every row; `ids` (uint32) has room for an id a byte and two more, `ends[i]` is where row i ends.

    `symbol` is the id of every byte. `cache` and `pool` are kept between calls, `fill` counts their slots and ids; when
    either is full both are emptied. Returns the number of ids.
    """
    pairs = np.empty(_SHORT, np.uint64)
    mask = np.uint64(len(cache) // _SLOT - 1)
    text, kinds, slots = address(data), address(classes), address(cache)
    limit = text + len(data)
    here = 0
    for row in range(len(offsets) - 1):
        at = text + offsets[row]
        end = text + offsets[row + 1]
        state = 0
        while at < end:
            stop, state = next_end(at, end, kinds, rules, state)
            if stop - at > INLINE_BYTES:
                here += _merge(merges, symbol, at, stop, ids, here, pairs)
                at = stop
                continue
            low, high = short_key(at, stop, limit)
            slot = mix(low, high) & mask
            place = slots + np.int64(slot) * (8 * _SLOT)
            while word_at(place + 8) != 0 and (word_at(place) != low or word_at(place + 8) != high):
                slot = (slot + np.uint64(1)) & mask
                place = slots + np.int64(slot) * (8 * _SLOT)
            if word_at(place + 8) == 0:
                here += _merge_new(merges, symbol, at, stop, ids, here, pairs, cache, slot, low, high, pool, fill)
                at = stop
                continue
            value, last = word_at(place + 16), word_at(place + 24)
            count = np.int64(last >> np.uint64(32))
            if count <= 3:
                # Three are written whatever the number: cheaper than asking.
                ids[here] = np.uint32(value)
                ids[here + 1] = np.uint32(value >> np.uint64(32))
                ids[here + 2] = np.uint32(last)
            else:
                start = np.int64(value)
                for step in range(count):
                    ids[here + step] = pool[start + step]
            here += count
            at = stop
        ends[row] = here
    return here


@kernel(nogil=True)
def count_words(offsets: np.ndarray, data: np.ndarray) -> Int:
    """Runs of bytes between ASCII white space, over all rows."""
    words = 0
    for row in range(len(offsets) - 1):
        inside = False
        for at in range(offsets[row], offsets[row + 1]):
            byte = data[at]
            blank = byte == codes.SPACE or codes.TAB <= byte <= codes.RETURN
            words += not blank and not inside
            inside = not blank
    return words
