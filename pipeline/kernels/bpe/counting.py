"""Counting distinct pre-tokens: an open-addressing table over bytes, u64 counts, memory by distinct pre-tokens."""

import numpy as np

from pipeline.kernels.arrays import copy_items
from pipeline.kernels.bpe.hash_tables import INLINE_BYTES, LONG, long_hash, mix, same_bytes, short_key
from pipeline.kernels.bpe.pretokens import CLASSES, PRESETS, next_end
from pipeline.kernels.buffers import read_only
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at, word_at

_SLOT = 4
# A slot is four words, half a cache line: key, key, count, unused. Of a long pre-token the key is (hash, LONG | index)
# and its bytes are in an arena. Progress of a scan: row, byte, digits left, slots used, long ones used, arena used.
_ROW, _AT, _DIGITS, _USED, _LONGS, _ARENA = range(6)


@kernel()
def _find_long(table: np.ndarray, longs: np.ndarray, arena: np.ndarray, at: Int, end: Int, low: Int) -> Int:
    """The place of the slot of a long pre-token whose hash is `low`, found or free."""
    mask = np.uint64(len(table) // _SLOT - 1)
    slot = mix(low, LONG) & mask
    while True:
        place = np.int64(slot) * _SLOT
        if table[place + 2] == 0:
            return place
        if table[place] == low and table[place + 1] >= LONG:
            index = np.int64(table[place + 1] & ~LONG)
            if longs[index + 1] - longs[index] == end - at and same_bytes(address(arena) + longs[index], at, end - at):
                return place
        slot = (slot + np.uint64(1)) & mask


@kernel()
def _add_long(
    table: np.ndarray, longs: np.ndarray, arena: np.ndarray, progress: np.ndarray, at: Int, end: Int, weight: Int
) -> bool:
    """Add `weight` to the count of a long pre-token; False, and nothing done, when there is no room for it."""
    low = long_hash(at, end)
    place = _find_long(table, longs, arena, at, end, low)
    if table[place + 2] == 0:
        index = progress[_LONGS]
        used = progress[_ARENA]
        if progress[_USED] * 4 * _SLOT >= 3 * len(table) or index + 1 >= len(longs) or used + end - at > len(arena):
            return False
        for step in range(end - at):
            arena[used + step] = byte_at(at + step)
        progress[_ARENA] = used + end - at
        progress[_LONGS] = index + 1
        progress[_USED] += 1
        longs[index + 1] = used + end - at
        table[place] = low
        table[place + 1] = LONG | np.uint64(index)
    table[place + 2] += np.uint64(weight)
    return True


@kernel(forceinline=True)
def _add_short(table: np.ndarray, progress: np.ndarray, at: Int, end: Int, limit: Int, weight: Int) -> bool:
    """Add `weight` to the count of a short pre-token; False, and nothing done, when there is no room for it."""
    low, high = short_key(at, end, limit)
    mask = np.uint64(len(table) // _SLOT - 1)
    slot = mix(low, high) & mask
    words = address(table)
    while True:
        place = words + np.int64(slot) * (8 * _SLOT)
        if word_at(place) == low and word_at(place + 8) == high:
            break
        if word_at(place + 16) == 0:
            if progress[_USED] * 4 * _SLOT >= 3 * len(table):
                return False
            progress[_USED] += 1
            table[np.int64(slot) * _SLOT] = low
            table[np.int64(slot) * _SLOT + 1] = high
            break
        slot = (slot + np.uint64(1)) & mask
    table[np.int64(slot) * _SLOT + 2] += np.uint64(weight)
    return True


@kernel(nogil=True)
def _scan(
    table: np.ndarray,
    longs: np.ndarray,
    arena: np.ndarray,
    progress: np.ndarray,
    offsets: np.ndarray,
    data: np.ndarray,
    classes: np.ndarray,
    rules: tuple[Int, Int, bool],
) -> bool:
    """Count the pre-tokens from `progress` on; False when the table must grow first."""
    text, kinds = address(data), address(classes)
    limit = text + len(data)
    for row in range(progress[_ROW], len(offsets) - 1):
        at = text + max(offsets[row], progress[_AT])
        end = text + offsets[row + 1]
        state = progress[_DIGITS]
        progress[_DIGITS] = 0
        while at < end:
            stop, after = next_end(at, end, kinds, rules, state)
            if stop - at <= INLINE_BYTES:
                added = _add_short(table, progress, at, stop, limit, 1)
            else:
                added = _add_long(table, longs, arena, progress, at, stop, 1)
            if not added:
                progress[_ROW] = row
                progress[_AT] = at - text
                progress[_DIGITS] = state
                return False
            at = stop
            state = after
    return True


@kernel(nogil=True)
def _weigh(
    table: np.ndarray,
    longs: np.ndarray,
    arena: np.ndarray,
    progress: np.ndarray,
    offsets: np.ndarray,
    data: np.ndarray,
    counts: np.ndarray,
) -> bool:
    """Add counted pre-tokens from `progress` on; False when the table must grow first."""
    text = address(data)
    limit = text + len(data)
    for row in range(progress[_ROW], len(offsets) - 1):
        at, end = text + offsets[row], text + offsets[row + 1]
        if end - at <= INLINE_BYTES:
            added = _add_short(table, progress, at, end, limit, counts[row])
        else:
            added = _add_long(table, longs, arena, progress, at, end, counts[row])
        if not added:
            progress[_ROW] = row
            return False
    return True


@kernel(nogil=True)
def _rehash(table: np.ndarray, larger: np.ndarray) -> None:
    mask = np.uint64(len(larger) // _SLOT - 1)
    for place in range(0, len(table), _SLOT):
        if table[place + 2] == 0:
            continue
        high = table[place + 1]
        slot = mix(table[place], LONG if high >= LONG else high) & mask
        while larger[np.int64(slot) * _SLOT + 2] != 0:
            slot = (slot + np.uint64(1)) & mask
        for word in range(3):  # the fourth is unused
            larger[np.int64(slot) * _SLOT + word] = table[place + word]


@kernel(nogil=True)
def _sizes(table: np.ndarray, longs: np.ndarray, offsets: np.ndarray, counts: np.ndarray) -> None:
    row = 0
    for place in range(0, len(table), _SLOT):
        if table[place + 2] == 0:
            continue
        high = table[place + 1]
        if high >= LONG:
            index = np.int64(high & ~LONG)
            length = longs[index + 1] - longs[index]
        else:
            length = np.int64(high >> np.uint64(56))
        offsets[row + 1] = offsets[row] + length
        counts[row] = table[place + 2]
        row += 1


@kernel(nogil=True)
def _bytes(table: np.ndarray, longs: np.ndarray, arena: np.ndarray, offsets: np.ndarray, data: np.ndarray) -> None:
    row = 0
    for place in range(0, len(table), _SLOT):
        if table[place + 2] == 0:
            continue
        start = offsets[row]
        length = offsets[row + 1] - start
        high = table[place + 1]
        if high >= LONG:
            begin = longs[np.int64(high & ~LONG)]
            copy_items(arena, begin, begin + length, data, start)
        else:
            for step in range(length):
                word = table[place] if step < 8 else high
                data[start + step] = np.uint8((word >> np.uint64((step & 7) * 8)) & np.uint64(0xFF))
        row += 1


class PretokenTable:
    """Distinct pre-tokens and how often each occurs; grows as needed, three quarters full at most.

    >>> table = PretokenTable()
    >>> table.scan(np.array([0, 7]), np.frombuffer(b"a b a b", np.uint8), "gpt4")
    >>> offsets, data, counts = table.arrays()
    >>> sorted(zip([bytes(data[a:b]) for a, b in zip(offsets, offsets[1:])], counts.tolist()))
    [(b' a', 1), (b' b', 2), (b'a', 1)]
    """

    def __init__(self) -> None:
        self._table = np.zeros(_SLOT << 14, np.uint64)
        self._longs = np.zeros(1 << 10, np.int64)
        self._arena = np.zeros(1 << 15, np.uint8)
        self._progress = np.zeros(6, np.int64)

    def __len__(self) -> int:
        return int(self._progress[_USED])

    def scan(self, offsets: np.ndarray, data: np.ndarray, preset: str) -> None:
        """Count the pre-tokens of every row of `data`, the bytes of a text column with int64 `offsets`."""
        offsets, data = read_only(offsets), read_only(data)
        self._start(offsets)
        while not _scan(
            self._table, self._longs, self._arena, self._progress, offsets, data, CLASSES, PRESETS[preset].rules
        ):
            self._grow(data)

    def weigh(self, offsets: np.ndarray, data: np.ndarray, counts: np.ndarray) -> None:
        """Add pre-tokens that were counted before: row i occurred `counts[i]` times (uint64)."""
        offsets, data, counts = read_only(offsets), read_only(data), read_only(counts)
        self._start(offsets)
        while not _weigh(self._table, self._longs, self._arena, self._progress, offsets, data, counts):
            self._grow(data)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`(offsets int64[n + 1], data uint8, counts uint64[n])`, in the table's order."""
        offsets = np.zeros(len(self) + 1, np.int64)
        counts = np.zeros(len(self), np.uint64)
        _sizes(self._table, self._longs, offsets, counts)
        data = np.empty(int(offsets[-1]), np.uint8)
        _bytes(self._table, self._longs, self._arena, offsets, data)
        return offsets, data, counts

    def _start(self, offsets: np.ndarray) -> None:
        self._progress[: _DIGITS + 1] = 0
        self._progress[_AT] = offsets[0]

    def _grow(self, data: np.ndarray) -> None:
        if self._progress[_USED] * 4 * _SLOT >= 3 * len(self._table):
            larger = np.zeros(2 * len(self._table), np.uint64)
            _rehash(self._table, larger)
            self._table = larger
            return
        self._longs = np.concatenate([self._longs, np.zeros_like(self._longs)])
        # A pre-token longer than that asks again until it fits.
        room = max(2 * len(self._arena), 1)
        self._arena = np.concatenate([self._arena, np.zeros(room - len(self._arena), np.uint8)])
