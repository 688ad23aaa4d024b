"""Exact repeated substrings through a sparse suffix array: suffixes are compared only at content-chosen positions.

Every window of `length` bytes picks one of its k-byte grams, the leftmost with the least hash (winnowing: Schleimer,
Wilkerson, Aiken 2003). Equal windows pick equal grams at equal offsets, so all copies of a window meet in one group of
equal gram hashes, and only groups of two or more are looked at: about one position in `(length - k) / 2`. Inside a
group windows are compared byte by byte, so hashes decide nothing but where to look.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow_rows
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import fmix64, xxh64
from pipeline.kernels.memory import load_u64

_BASE = np.uint64(0xD6E8FEB86659FD93)
BYTE_VALUES = np.array([int(fmix64(np.uint64(byte + 1))) for byte in range(256)], np.uint64)
_WINDOWS_AT_ONCE = 1 << 21


@kernel()
def _power(exponent: int) -> np.uint64:
    out = np.uint64(1)
    for _ in range(exponent):
        out *= _BASE
    return out


@kernel()
def anchor_runs(
    offsets: np.ndarray, data: np.ndarray, row: int, length: int, gram: int, base: int, capacity: int
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of consecutive windows that picked the same gram, from document `row` on, while `capacity` allows.

    Returns `(next row, hashes uint64[m], anchors int64[m], firsts int64[m], lasts int64[m])`: the gram's hash, where it
    starts, and the starts of the run's first and last window, as positions in `data` plus `base`. `capacity` must hold
    a document of the longest size.
    """
    width = length - gram + 1
    ring = 1
    while ring < width + 1:
        ring *= 2
    queue_at, queue_hash = np.empty(ring, np.int64), np.empty(ring, np.uint64)
    hashes, anchors = np.empty(capacity, np.uint64), np.empty(capacity, np.int64)
    firsts, lasts = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    top, count = _power(gram), 0
    while row < len(offsets) - 1:
        start, end = offsets[row], offsets[row + 1]
        if count + (end - start) > capacity:
            break
        row += 1
        if end - start < length:
            continue
        head, tail, current = 0, 0, np.int64(-1)
        rolling = np.uint64(0)
        for at in range(start, end):
            rolling = rolling * _BASE + BYTE_VALUES[data[at]]
            first = at - gram + 1
            if first < start:
                continue
            if first > start:
                rolling -= top * BYTE_VALUES[data[first - 1]]
            rank = fmix64(np.uint64(rolling))
            while tail > head and queue_hash[(tail - 1) & (ring - 1)] > rank:
                tail -= 1
            queue_at[tail & (ring - 1)], queue_hash[tail & (ring - 1)] = first, rank
            tail += 1
            window = first - width + 1
            if window < start:
                continue
            while queue_at[head & (ring - 1)] < window:
                head += 1
            anchor = queue_at[head & (ring - 1)]
            if anchor != current:
                current = anchor
                hashes[count], anchors[count] = queue_hash[head & (ring - 1)], anchor + base
                firsts[count] = window + base
                count += 1
            lasts[count - 1] = window + base
    return row, hashes[:count].copy(), anchors[:count].copy(), firsts[:count].copy(), lasts[:count].copy()


@kernel()
def same_bytes(data: np.ndarray, one: int, other: int, count: int) -> bool:
    """Whether `count` bytes from `one` equal those from `other`."""
    at = 0
    while at + 8 <= count:
        if load_u64(data, one + at) != load_u64(data, other + at):
            return False
        at += 8
    while at < count:
        if data[one + at] != data[other + at]:
            return False
        at += 1
    return True


@kernel()
def _table_size(entries: int) -> int:
    size = 16
    while size < 2 * entries + 2:
        size *= 2
    return size


@kernel()
def _whole_copies(
    text: np.ndarray,
    anchors: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    documents: np.ndarray,
    length: int,
    twin: np.ndarray,
) -> int:
    """`twin[i]` = an earlier run of the group with the same bytes and borders, or -1; returns how many have none.

    A twin that overlaps in the same document does not count: there the windows must be told apart.
    """
    size = _table_size(len(anchors))
    table = np.full(size, -1, np.int64)
    alone = 0
    for i in range(len(anchors)):
        span = lasts[i] + length - firsts[i]
        key = xxh64(text, firsts[i], firsts[i] + span, np.uint64(anchors[i] - firsts[i]))
        slot = np.int64(key & np.uint64(size - 1))
        twin[i] = -1
        while table[slot] >= 0:
            j = int(table[slot])
            if (
                lasts[j] + length - firsts[j] == span
                and anchors[j] - firsts[j] == anchors[i] - firsts[i]
                and same_bytes(text, firsts[i], firsts[j], span)
            ):
                if documents[i] != documents[j] or firsts[i] - firsts[j] >= span:
                    twin[i] = j
                break
            slot = (slot + 1) & (size - 1)
        if twin[i] < 0:
            alone += 1
            if table[slot] < 0:
                table[slot] = i
    return alone


@kernel()
def _copied_windows(
    text: np.ndarray,
    anchors: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    documents: np.ndarray,
    length: int,
    twin: np.ndarray,
    low: int,
    high: int,
    cuts: np.ndarray,
    count: int,
) -> tuple[np.ndarray, int]:
    """Cut every window at anchor offset `low <= d < high` of which the group has an earlier copy; appends to `cuts`."""
    entries = 0
    for i in range(len(anchors)):
        if twin[i] < 0:
            entries += max(min(anchors[i] - firsts[i], high - 1) - max(anchors[i] - lasts[i], low) + 1, 0)
    size = _table_size(entries)
    table_key, table_at = np.empty(size, np.uint64), np.full(size, -1, np.int64)
    table_document = np.empty(size, np.int64)
    top = _power(length)
    for i in range(len(anchors)):
        if twin[i] >= 0:
            continue
        first, last = max(firsts[i], anchors[i] - high + 1), min(lasts[i], anchors[i] - low)
        rolling, before = np.uint64(0), np.int64(-1)
        for at in range(first, last + length):
            rolling = rolling * _BASE + BYTE_VALUES[text[at]]
            window = at - length + 1
            if window < first:
                continue
            if window > first:
                rolling -= top * BYTE_VALUES[text[window - 1]]
            key = fmix64(np.uint64(rolling + np.uint64(anchors[i] - window)))
            slot = np.int64(key & np.uint64(size - 1))
            found = np.int64(-1)
            while table_at[slot] >= 0:
                if table_key[slot] == key:
                    other = table_at[slot]
                    follows = before >= 0 and other == before + 1 and text[at] == text[other + length - 1]
                    if follows or same_bytes(text, window, other, length):
                        found = other
                        break
                slot = (slot + 1) & (size - 1)
            before = found
            if found < 0:
                table_key[slot], table_at[slot], table_document[slot] = key, window, documents[i]
                continue
            start = np.int64(window)
            if table_document[slot] == documents[i] and found + length > window:
                start = found + length  # the copy that stays stays whole
            if count > 0 and cuts[count - 1, 1] == window + length - 1 and cuts[count - 1, 0] <= start:
                cuts[count - 1, 1] = window + length
            else:
                cuts, count = _append(cuts, count, start, window + length, found + start - window)
    return cuts, count


@kernel()
def _append(
    cuts: np.ndarray, count: int, start: int | np.int64, end: int, copy: int | np.int64
) -> tuple[np.ndarray, int]:
    if count == len(cuts):
        cuts = grow_rows(cuts, 2 * count)
    cuts[count, 0], cuts[count, 1], cuts[count, 2] = start, end, copy
    return cuts, count + 1


@kernel()
def later_copies(
    text: np.ndarray,
    hashes: np.ndarray,
    anchors: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    documents: np.ndarray,
    length: int,
    gram: int,
) -> np.ndarray:
    """int64[c, 3]: byte ranges of windows that have an earlier copy, and where the copy of the first of them begins.

    Sorted by nothing; ranges may touch and overlap.
    The runs (see `anchor_runs`) are sorted by hash and, within equal hashes, from the copy to keep to the last to keep;
    `documents` numbers the document of each run. Work is linear in the bytes of the groups; memory is bounded whatever
    the groups' sizes are.
    """
    cuts, count = np.empty((1024, 3), np.int64), 0
    start = 0
    while start < len(hashes):
        end = start + 1
        while end < len(hashes) and hashes[end] == hashes[start]:
            end += 1
        if end - start > 1:
            group = slice(start, end)
            twin = np.empty(end - start, np.int64)
            alone = _whole_copies(text, anchors[group], firsts[group], lasts[group], documents[group], length, twin)
            for i in range(end - start):
                if twin[i] >= 0:
                    first, copy = firsts[start + i], np.int64(firsts[start + twin[i]])
                    cuts, count = _append(cuts, count, first, lasts[start + i] + length, copy)
            if alone > 1:
                width = length - gram + 1
                step = max(min(width, _WINDOWS_AT_ONCE // alone), 1)
                for low in range(0, width, step):
                    cuts, count = _copied_windows(
                        text,
                        anchors[group],
                        firsts[group],
                        lasts[group],
                        documents[group],
                        length,
                        twin,
                        low,
                        low + step,
                        cuts,
                        count,
                    )
        start = end
    return cuts[:count].copy()


@kernel(forceinline=True)
def _in_word(byte: int) -> bool:
    return byte >= codes.NON_ASCII or 48 <= byte <= 57 or 65 <= (byte & 0xDF) <= 90


@kernel()
def shrink_to_words(data: np.ndarray, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """The largest range inside `start:end` that splits no word of the document `data[low:high]` and glues no two.

    Words are runs of ASCII letters, digits and bytes of other characters; in text without spaces the range moves by 64
    bytes at most and then only keeps characters whole.
    """
    if low < start and _in_word(data[start - 1]):
        at = start
        while at < end and at - start < 64 and _in_word(data[at]):
            at += 1
        if at < end and _in_word(data[at]):
            at = start
            while at < end and data[at] & 0xC0 == 0x80:
                at += 1
        start = at
    if end < high and _in_word(data[end]):
        at = end
        while at > start and end - at < 64 and _in_word(data[at - 1]):
            at -= 1
        if at > start and _in_word(data[at - 1]):
            at = end
            while at > start and data[at] & 0xC0 == 0x80:
                at -= 1
        end = at
    if low < start < end < high and _in_word(data[start - 1]) and _in_word(data[end]) and not _in_word(data[end - 1]):
        end -= 1
    return start, end
