"""Byte-pair merges over counted words: the pair with the highest count first, ties to the smaller pair.

Words lie one after the other in one int32 array. A token holds its id where it starts and minus its length where it
ends, so both neighbours are found in constant time and no word is ever scanned again: a word of a million letters costs
what its merges cost. Every pair that is formed keeps the list of places where it was formed; a place that has changed
since is recognised when it is visited. The queue is lazy, as in Hugging Face's trainer, whose order of merges it
reproduces, also where two different pairs spell the same token and share one id.
"""

import numpy as np

from pipeline.kernels.bpe_hash import long_hash, pair_key, pair_slot, same_bytes
from pipeline.kernels.bpe_load import Int, address
from pipeline.kernels.compiled import kernel

BOUNDARY = -(2**31)
"""Between words."""
_DEAD = BOUNDARY + 1


@kernel()
def _longer(array: np.ndarray, needed: Int) -> np.ndarray:
    """The array, or a copy of at least twice its size that holds `needed` items."""
    if needed <= len(array):
        return array
    larger = np.empty(max(needed, len(array) * 3 // 2), array.dtype)
    larger[: len(array)] = array
    return larger


@kernel(inline="always")
def _before(count: Int, pair: Int, other_count: Int, other_pair: Int) -> bool | np.bool_:
    return count > other_count or (count == other_count and pair < other_pair)


@kernel()
def _sink(counts: np.ndarray, pairs: np.ndarray, entries: np.ndarray, size: Int, at: Int) -> None:
    """Move the queue's item `at` down to where it belongs (a four-ary heap)."""
    count, pair, entry = counts[at], pairs[at], entries[at]
    while True:
        best = -1
        first = 4 * at + 1
        for child in range(first, min(first + 4, size)):
            if best < 0 or _before(counts[child], pairs[child], counts[best], pairs[best]):
                best = child
        if best < 0 or not _before(counts[best], pairs[best], count, pair):
            break
        counts[at], pairs[at], entries[at] = counts[best], pairs[best], entries[best]
        at = best
    counts[at], pairs[at], entries[at] = count, pair, entry


@kernel()
def _rise(counts: np.ndarray, pairs: np.ndarray, entries: np.ndarray, at: Int) -> None:
    """Move the queue's item `at` up to where it belongs."""
    count, pair, entry = counts[at], pairs[at], entries[at]
    while at > 0:
        parent = (at - 1) >> 2
        if not _before(count, pair, counts[parent], pairs[parent]):
            break
        counts[at], pairs[at], entries[at] = counts[parent], pairs[parent], entries[parent]
        at = parent
    counts[at], pairs[at], entries[at] = count, pair, entry


@kernel()
def _larger_pairs(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table of twice the size with the same pairs."""
    new_keys = np.full(2 * len(keys), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    new_values = np.zeros(2 * len(keys), np.int64)
    for slot in range(len(keys)):
        if keys[slot] != np.uint64(0xFFFFFFFFFFFFFFFF):
            place = pair_slot(new_keys, keys[slot])
            new_keys[place] = keys[slot]
            new_values[place] = values[slot]
    return new_keys, new_values


@kernel()
def _token_slot(names: np.ndarray, starts: np.ndarray, spelled: np.ndarray, text: np.ndarray, at: Int, end: Int) -> Int:
    """The slot of the token spelled `text[at:end]` in the table of names (ids, -1 when free)."""
    mask = np.uint64(len(names) - 1)
    first = address(text) + at
    slot = long_hash(first, first + end - at) & mask
    while True:
        token = names[slot]
        if token < 0:
            return np.int64(slot)
        if starts[token + 1] - starts[token] == end - at and same_bytes(
            address(spelled) + starts[token], first, end - at
        ):
            return np.int64(slot)
        slot = (slot + np.uint64(1)) & mask


@kernel()
def _lay_out(
    offsets: np.ndarray, symbols: np.ndarray, ids: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Int]:
    """Words of token ids as (places, word of each place); words of one token take part in nothing and are left out."""
    size = 1
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] > 1:
            for at in range(offsets[row], offsets[row + 1]):
                size += lengths[ids[symbols[at]]]
            size += 1
    places = np.empty(size, np.int32)
    owner = np.empty(size, np.int32)
    places[0] = BOUNDARY
    here = 1
    pairs = 0
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] < 2:
            continue
        pairs += offsets[row + 1] - offsets[row] - 1
        for at in range(offsets[row], offsets[row + 1]):
            token = ids[symbols[at]]
            length = lengths[token]
            places[here] = token
            for inside in range(1, length):
                places[here + inside] = _DEAD
            if length > 1:
                places[here + length - 1] = -length
            for inside in range(length):
                owner[here + inside] = row
            here += length
        places[here] = BOUNDARY
        owner[here] = row
        here += 1
    return places, owner, pairs


@kernel(nogil=True)
def learn(
    offsets: np.ndarray,
    symbols: np.ndarray,
    ids: np.ndarray,
    weights: np.ndarray,
    starts: np.ndarray,
    spelled: np.ndarray,
    known: Int,
    vocab_size: Int,
    min_frequency: Int,
) -> tuple[np.ndarray, np.ndarray, Int, np.ndarray, np.ndarray]:
    """Learn merges until there are `vocab_size` tokens or no pair is left that occurs `min_frequency` times.

    Word i is `ids[symbols[offsets[i]:offsets[i + 1]]]` (bytes and the ids of all bytes, or ids and themselves) and
    occurs `weights[i]` (int64) times. Token t < `known` is spelled `spelled[starts[t]:starts[t + 1]]`; a token that
    cannot be spelled in bytes has no length.
    Returns the merged pairs (uint64, left in the upper half), the id each makes (int32), the number of tokens, and
    `starts` and `spelled` with the new tokens.
    """
    starts = _longer(starts, vocab_size + 1)
    lengths = np.zeros(vocab_size, np.int64)
    names = np.full(1 << 8, -1, np.int32)
    while len(names) < 4 * vocab_size:
        names = np.full(2 * len(names), -1, np.int32)
    for token in range(known):
        lengths[token] = starts[token + 1] - starts[token]
        if lengths[token] > 0:
            names[_token_slot(names, starts, spelled, spelled, starts[token], starts[token + 1])] = token
    places, owner, num_pairs = _lay_out(offsets, symbols, ids, lengths)

    # Pairs and their counts.
    keys = np.full(1 << 12, np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    values = np.zeros(1 << 12, np.int64)
    used = 0
    firsts = np.empty(1 << 12, np.int64)
    slot_of = np.empty(num_pairs, np.int32)
    # First pass: number the distinct pairs (the table holds the number for the moment).
    entry_pair = np.empty(1 << 12, np.uint64)
    entry_count = np.zeros(1 << 12, np.int64)
    at = 0
    here = 1
    while here < len(places):
        token = places[here]
        follow = here + lengths[token]
        if places[follow] == BOUNDARY:
            here = follow + 1
            continue
        key = pair_key(token, places[follow])
        slot = pair_slot(keys, key)
        if keys[slot] != key:
            if used * 4 >= len(keys) * 3:
                keys, values = _larger_pairs(keys, values)
                slot = pair_slot(keys, key)
            keys[slot] = key
            values[slot] = used
            entry_pair = _longer(entry_pair, used + 1)
            entry_count = _longer(entry_count, used + 1)
            firsts = _longer(firsts, used + 1)
            entry_pair[used] = key
            entry_count[used] = 0
            firsts[used] = 0
            used += 1
        number = values[slot]
        entry_count[number] += weights[owner[here]]
        firsts[number] += 1
        slot_of[at] = number
        at += 1
        here = follow
    # Second pass: the places of each pair, in order.
    entry_start = np.empty(max(used, 1) + 1, np.int64)
    total = 0
    for number in range(used):
        entry_start[number] = total
        total += firsts[number]
    pool = np.empty(max(total, 1), np.int32)
    entry_size = np.zeros(max(used, 1), np.int32)
    at = 0
    here = 1
    while here < len(places):
        follow = here + lengths[places[here]]
        if places[follow] == BOUNDARY:
            here = follow + 1
            continue
        number = slot_of[at]
        pool[entry_start[number] + entry_size[number]] = here
        entry_size[number] += 1
        at += 1
        here = follow
    pooled = total
    num_entries = used
    slot_of = np.empty(0, np.int32)

    queue_count = np.empty(max(used, 1), np.int64)
    queue_pair = np.empty(max(used, 1), np.uint64)
    queue_entry = np.empty(max(used, 1), np.int32)
    for number in range(used):
        values[pair_slot(keys, entry_pair[number])] = entry_count[number]
        queue_count[number] = entry_count[number]
        queue_pair[number] = entry_pair[number]
        queue_entry[number] = number
    queued = used
    for number in range((queued - 2) // 4, -1, -1):
        _sink(queue_count, queue_pair, queue_entry, queued, number)

    # What one merge changes, by neighbour: lost and won as left neighbour, events, then the same as right neighbour.
    change = np.zeros((vocab_size, 6), np.int64)
    touched = np.empty(vocab_size, np.int32)
    event_side = np.empty(1 << 10, np.int32)
    event_place = np.empty(1 << 10, np.int32)
    shared = np.zeros(vocab_size, np.bool_)
    any_shared = False
    visited = np.full(1, -1, np.int64)
    merged = np.empty(max(vocab_size, 1), np.uint64)
    made = np.empty(max(vocab_size, 1), np.int32)
    merges = 0

    while known < vocab_size and queued > 0:
        count, pair, entry = queue_count[0], queue_pair[0], queue_entry[0]
        current = values[pair_slot(keys, pair)]
        if count != current:
            queue_count[0] = current
            _sink(queue_count, queue_pair, queue_entry, queued, 0)
            continue
        queued -= 1
        queue_count[0], queue_pair[0], queue_entry[0] = queue_count[queued], queue_pair[queued], queue_entry[queued]
        _sink(queue_count, queue_pair, queue_entry, queued, 0)
        if count < 1 or count < min_frequency:
            break
        left = np.int64(pair >> np.uint64(32))
        right = np.int64(pair & np.uint64(0xFFFFFFFF))

        # Spell the new token; if it is spelled like a known one it is that one.
        tail = starts[known]
        size = lengths[left] + lengths[right]
        spelled = _longer(spelled, tail + size)
        spelled[tail : tail + lengths[left]] = spelled[starts[left] : starts[left] + lengths[left]]
        spelled[tail + lengths[left] : tail + size] = spelled[starts[right] : starts[right] + lengths[right]]
        name = _token_slot(names, starts, spelled, spelled, tail, tail + size)
        new = np.int64(names[name])
        if new < 0:
            new = known
            names[name] = new
            lengths[new] = size
            starts[new + 1] = tail + size
            known += 1
        else:
            shared[new] = True
            any_shared = True
        merged = _longer(merged, merges + 1)
        made = _longer(made, merges + 1)
        merged[merges] = pair
        made[merges] = new
        merges += 1

        # Merge at every place of the pair.
        num_touched = 0
        num_events = 0
        whole_words = any_shared and (shared[left] or shared[right])
        if whole_words and len(visited) == 1:
            visited = np.full(len(weights), -1, np.int64)
        for step in range(entry_size[entry]):
            here = np.int64(pool[entry_start[entry] + step])
            final = here
            if whole_words:
                # Pairs with a shared token can have several lists; a list then stands for the words it names.
                word = owner[here]
                if visited[word] == merges:
                    continue
                visited[word] = merges
                while places[here - 1] != BOUNDARY:
                    here -= 1
                final = here
                while places[final + 1] != BOUNDARY:
                    final += 1
            weight = weights[owner[here]]
            while here <= final:
                follow = here + lengths[left]
                if places[here] != left or places[follow] != right:
                    if not whole_words:
                        break
                    here += lengths[places[here]]
                    continue
                back = places[here - 1]
                if back != BOUNDARY:
                    before = here - 1 if back >= 0 else here + back
                    token = np.int64(places[before])
                    if (
                        change[token, 2] == 0
                        and change[token, 5] == 0
                        and change[token, 0] == 0
                        and change[token, 3] == 0
                    ):
                        touched[num_touched] = token
                        num_touched += 1
                    change[token, 0] += weight
                    change[token, 1] += weight
                    change[token, 2] += 1
                    event_side = _longer(event_side, num_events + 1)
                    event_place = _longer(event_place, num_events + 1)
                    event_side[num_events] = token
                    event_place[num_events] = before
                    num_events += 1
                after = follow + lengths[right]
                token = np.int64(places[after])
                if token != BOUNDARY:
                    if (
                        change[token, 2] == 0
                        and change[token, 5] == 0
                        and change[token, 0] == 0
                        and change[token, 3] == 0
                    ):
                        touched[num_touched] = token
                        num_touched += 1
                    change[token, 3] += weight
                    event_side = _longer(event_side, num_events + 1)
                    event_place = _longer(event_place, num_events + 1)
                    event_place[num_events] = here
                    if token == new:
                        change[token, 1] += weight
                        change[token, 2] += 1
                        event_side[num_events] = token
                    else:
                        change[token, 4] += weight
                        change[token, 5] += 1
                        event_side[num_events] = ~token
                    num_events += 1
                places[follow] = _DEAD
                places[here] = new
                places[after - 1] = -size
                here = after

        # Book the changes and queue the pairs that were formed.
        pool = _longer(pool, pooled + num_events)
        for index in range(num_touched):
            token = np.int64(touched[index])
            if change[token, 0] != 0:
                values[pair_slot(keys, pair_key(token, left))] -= change[token, 0]
            if change[token, 3] != 0:
                values[pair_slot(keys, pair_key(right, token))] -= change[token, 3]
            for side in range(2):
                events = change[token, 3 * side + 2]
                if events == 0:
                    continue
                key = pair_key(token, new) if side == 0 else pair_key(new, token)
                slot = pair_slot(keys, key)
                if keys[slot] != key:
                    if used * 4 >= len(keys) * 3:
                        keys, values = _larger_pairs(keys, values)
                        slot = pair_slot(keys, key)
                    keys[slot] = key
                    values[slot] = 0
                    used += 1
                values[slot] += change[token, 3 * side + 1]
        for index in range(num_touched):
            token = np.int64(touched[index])
            for side in range(2):
                events = change[token, 3 * side + 2]
                change[token, 3 * side] = 0
                change[token, 3 * side + 1] = -1
                if events == 0:
                    continue
                key = pair_key(token, new) if side == 0 else pair_key(new, token)
                total = values[pair_slot(keys, key)]
                if total <= 0:
                    continue
                entry_pair = _longer(entry_pair, num_entries + 1)
                entry_start = _longer(entry_start, num_entries + 1)
                entry_size = _longer(entry_size, num_entries + 1)
                entry_pair[num_entries] = key
                entry_start[num_entries] = pooled
                entry_size[num_entries] = 0
                change[token, 3 * side + 1] = num_entries
                pooled += events
                queue_count = _longer(queue_count, queued + 1)
                queue_pair = _longer(queue_pair, queued + 1)
                queue_entry = _longer(queue_entry, queued + 1)
                queue_count[queued] = total
                queue_pair[queued] = key
                queue_entry[queued] = num_entries
                _rise(queue_count, queue_pair, queue_entry, queued)
                queued += 1
                num_entries += 1
        for index in range(num_events):
            side = np.int64(event_side[index])
            number = change[side, 1] if side >= 0 else change[~side, 4]
            if number >= 0:
                pool[entry_start[number] + entry_size[number]] = event_place[index]
                entry_size[number] += 1
        for index in range(num_touched):
            change[touched[index], :] = 0
    return merged[:merges], made[:merges], known, starts[: known + 1], spelled[: starts[known]]
