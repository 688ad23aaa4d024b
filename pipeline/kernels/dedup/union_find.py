"""Equal keys to pairs, pairs to a partition: array kernels over dense ids, 8 bytes a document each.

A root is the least id of its set, so that the arrays after all unions do not depend on their order.
"""

import numpy as np

from pipeline.kernels.compiled import kernel

_RECORDS_PER_PART = 32768


@kernel()
def find(parent: np.ndarray, node: int) -> int:
    """The root of `node`; halves the path on the way."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel()
def union(parent: np.ndarray, left: np.ndarray, right: np.ndarray) -> int:
    """Join `left[i]` with `right[i]` for every i; returns how many sets were joined.

    `parent` is int64[n], `arange(n)` at first.
    """
    joined = 0
    for i in range(len(left)):
        a, b = find(parent, left[i]), find(parent, right[i])
        if a != b:
            joined += 1
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
    return joined


@kernel()
def flatten(parent: np.ndarray) -> None:
    """Point every node straight at its root."""
    for node in range(len(parent)):
        parent[node] = parent[parent[node]]  # parents are smaller than their children, hence already flat


@kernel()
def _partition(
    keys: np.ndarray, high: np.ndarray, valid: np.ndarray, first_id: int, shift: int, parts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counting sort of the valid records by `key >> shift`; returns keys, high halves, ids and the parts' borders."""
    borders = np.zeros(parts + 1, np.int64)
    for i in range(len(keys)):
        if valid[i]:
            borders[np.int64(keys[i] >> np.uint64(shift)) + 1] += 1
    for part in range(parts):
        borders[part + 1] += borders[part]
    at = borders[:-1].copy()
    total = borders[-1]
    out_keys, out_ids = np.empty(total, np.uint64), np.empty(total, np.int64)
    out_high = np.empty(total if len(high) else 0, np.uint64)
    for i in range(len(keys)):
        if valid[i]:
            part = np.int64(keys[i] >> np.uint64(shift))
            slot = at[part]
            at[part] += 1
            out_keys[slot], out_ids[slot] = keys[i], first_id + i
            if len(high):
                out_high[slot] = high[i]
    return out_keys, out_high, out_ids, borders


@kernel(forceinline=True)
def _bit(key: np.uint64, bits: int) -> np.int64:
    """A bit of a map of `bits` bits, a power of two; the highest bits of a key are the same throughout a part."""
    return np.int64((key ^ (key >> np.uint64(32))) & np.uint64(bits - 1))


@kernel()
def _may_repeat(keys: np.ndarray, start: int, end: int, seen: np.ndarray, again: np.ndarray) -> None:
    """Set in `again` the bit of every key of a part that occurs twice, and of a few that do not.

    Both are maps of `len * 8` bits, small enough for a cache: most keys occur once and are told apart here.
    """
    bits = 8 * len(seen)
    seen[:] = 0
    again[:] = 0
    for i in range(start, end):
        bit = _bit(keys[i], bits)
        mask = np.uint8(1 << (bit & 7))
        again[bit >> 3] |= seen[bit >> 3] & mask
        seen[bit >> 3] |= mask


@kernel()
def _pair_part(
    keys: np.ndarray,
    high: np.ndarray,
    ids: np.ndarray,
    start: int,
    end: int,
    again: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray],
    left: np.ndarray,
    write: int,
) -> tuple[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pair every record of one part with the first of its key, through a hash table that grows with distinct keys.

    Looks only at the keys that `again` names (see `_may_repeat`). Writes to `left` and `ids` from `write`, never beyond
    the record just read: the table (keys, high halves, ids) holds copies. Returns the next place to write and the table,
    which may have grown.
    """
    table_keys, table_high, table_ids = tables
    table_ids[:] = -1
    bits, size, used = 8 * len(again), len(table_ids), 0
    for i in range(start, end):
        key = keys[i]
        bit = _bit(key, bits)
        if not again[bit >> 3] & np.uint8(1 << (bit & 7)):
            continue
        wide, node = high[i] if len(high) else np.uint64(0), ids[i]
        slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (size - 1)
        while table_ids[slot] >= 0 and (table_keys[slot] != key or table_high[slot] != wide):
            slot = (slot + 1) & (size - 1)
        if table_ids[slot] >= 0:
            left[write], ids[write] = table_ids[slot], node
            write += 1
            continue
        table_keys[slot], table_high[slot], table_ids[slot] = key, wide, node
        used += 1
        if 2 * used > size:
            old_keys, old_high, old_ids = table_keys, table_high, table_ids
            size *= 4
            table_keys, table_high = np.empty(size, np.uint64), np.empty(size, np.uint64)
            table_ids = np.full(size, -1, np.int64)
            for old in range(len(old_ids)):
                if old_ids[old] >= 0:
                    slot = np.int64((old_keys[old] * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (size - 1)
                    while table_ids[slot] >= 0:
                        slot = (slot + 1) & (size - 1)
                    table_keys[slot], table_high[slot] = old_keys[old], old_high[old]
                    table_ids[slot] = old_ids[old]
    return write, (table_keys, table_high, table_ids)


@kernel()
def equal_pairs(keys: np.ndarray, high: np.ndarray, valid: np.ndarray, first_id: int) -> tuple[np.ndarray, np.ndarray]:
    """`(left, right)`: every record paired with the first record of the same key; records alone give no pair.

    `keys` is uint64[n], spread over all 64 bits; `high` is uint64[n] (the other half of 128-bit keys) or empty; `valid`
    is bool[n]; record i has the id `first_id + i`. Star pairs: a key shared by k records gives k - 1 pairs, never k**2.
    Peak memory: 24 bytes a record (32 with `high`) beside the input; the third array fills only as far as there are pairs.
    """
    bits = 1
    while bits < 16 and (len(keys) >> bits) > _RECORDS_PER_PART:
        bits += 1
    parts, shift = 1 << bits, 64 - bits
    part_keys, part_high, right, borders = _partition(keys, high, valid, first_id, shift, parts)
    left = np.empty(len(right), np.int64)
    map_bytes = 1024
    while map_bytes < 2 * _RECORDS_PER_PART and map_bytes < 2 * len(right):
        map_bytes *= 2
    seen, again = np.empty(map_bytes, np.uint8), np.empty(map_bytes, np.uint8)
    tables = (np.empty(1024, np.uint64), np.empty(1024, np.uint64), np.empty(1024, np.int64))
    write = 0
    for part in range(parts):
        start, end = borders[part], borders[part + 1]
        _may_repeat(part_keys, start, end, seen, again)
        write, tables = _pair_part(part_keys, part_high, right, start, end, again, tables, left, write)
    return left[:write], right[:write]


@kernel()
def least_by_root(roots: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(least uint64[n], sizes int64[n])` by root: the smallest key among a root's members and how many they are."""
    least = np.full(len(roots), np.uint64(0xFFFFFFFFFFFFFFFF))
    sizes = np.zeros(len(roots), np.int64)
    for node in range(len(roots)):
        root = roots[node]
        least[root] = min(least[root], keys[node])
        sizes[root] += 1
    return least, sizes
