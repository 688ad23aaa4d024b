"""Byte-pair merges over counted words: the pair with the highest count first, ties to the smaller pair.

Words lie one after the other in one array of cells, a cell a byte. A token holds its id in the cell where it starts and
minus its length where it ends, so both neighbours are found in constant time and no word is ever scanned again: a word of a
million letters costs what its merges cost. Every pair that is formed keeps the list of places where it was formed; a place
that has changed since is recognised when it is visited. The queue is lazy, as in Hugging Face's trainer, whose order of
merges it reproduces, also where two different pairs spell the same token and share one id.
"""

import numpy as np

from pipeline.kernels.bpe_hash import long_hash, pair_key, same_bytes
from pipeline.kernels.bpe_load import Int, address, int_at, put_int, put_word
from pipeline.kernels.bpe_queue import FREE, ITEM, add_to_pair, longer, number_at, pair_place, push, roomy, sink
from pipeline.kernels.compiled import kernel

BOUNDARY = -(2**31)
"""Between words."""
_DEAD = BOUNDARY + 1
_CELL = 8
"""Bytes of a cell: what is there, and its word, both int32."""
_CHANGE = 8
# What one merge changes, by neighbour, in one cache line: lost, won and events as left neighbour, the same as right
# neighbour, and for either side the pair's slot in the table, then where its list lies (-1: nowhere).
_LOST, _WON, _EVENTS, _RIGHT, _CURSOR = 0, 1, 2, 3, 6


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
def _names(known: Int, vocab_size: Int, starts: np.ndarray, spelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table of names with room for all tokens, and the length of each, 0 of one that cannot be spelled."""
    lengths = np.zeros(vocab_size, np.int64)
    size = 1 << 8
    while size < 4 * vocab_size:
        size *= 2
    names = np.full(size, -1, np.int32)
    for token in range(known):
        lengths[token] = starts[token + 1] - starts[token]
        if lengths[token] > 0:
            names[_token_slot(names, starts, spelled, spelled, starts[token], starts[token + 1])] = token
    return names, lengths


@kernel()
def _lay_out(offsets: np.ndarray, symbols: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, Int]:
    """Words of token ids as cells, and the pairs in them; words of one token take part in nothing and are left out."""
    size = 1
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] > 1:
            for at in range(offsets[row], offsets[row + 1]):
                size += lengths[ids[symbols[at]]]
            size += 1
    cells = np.empty((size, 2), np.int32)
    cells[0, 0] = BOUNDARY
    here = 1
    pairs = 0
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] < 2:
            continue
        pairs += offsets[row + 1] - offsets[row] - 1
        for at in range(offsets[row], offsets[row + 1]):
            token = ids[symbols[at]]
            length = lengths[token]
            cells[here, 0] = token
            for inside in range(1, length):
                cells[here + inside, 0] = _DEAD
            if length > 1:
                cells[here + length - 1, 0] = -length
            for inside in range(length):
                cells[here + inside, 1] = row
            here += length
        cells[here, 0] = BOUNDARY
        cells[here, 1] = row
        here += 1
    return cells, pairs


@kernel()
def _first_pairs(
    cells: np.ndarray, lengths: np.ndarray, weights: np.ndarray, num_pairs: Int
) -> tuple[np.ndarray, Int, np.ndarray, np.ndarray]:
    """The table of the pairs that are there, how many, the queue of them, and the lists of the places of each."""
    table = np.full(2 << 12, FREE, np.uint64)
    numbers = np.empty(num_pairs, np.int32)
    queue = np.empty(ITEM << 12, np.int64)
    used = 0
    at = 0
    here = 1
    while here < len(cells):
        token = cells[here, 0]
        follow = here + lengths[token]
        if cells[follow, 0] == BOUNDARY:
            here = follow + 1
            continue
        key = pair_key(token, cells[follow, 0])
        place = (pair_place(address(table), len(table) // 2, key) - address(table)) >> 3
        if table[place] != key:
            # The table holds the pair's number for the moment, the queue how many places it has.
            table[place] = key
            table[place + 1] = used
            queue = longer(queue, ITEM * (used + 1))
            item = ITEM * used
            queue[item], queue[item + 1], queue[item + 2] = 0, np.int64(key), 0
            number = used
            used += 1
            table = roomy(table, used + 1)
        else:
            number = np.int64(table[place + 1])
        queue[ITEM * number] += weights[cells[here, 1]]
        queue[ITEM * number + 2] += 1
        numbers[at] = number
        at += 1
        here = follow
    pool = np.empty(num_pairs + used, np.int32)
    total = 0
    for item in range(0, ITEM * used, ITEM):
        size = queue[item + 2]
        queue[item + 2] = total
        pool[total] = 0
        total += size + 1
        place = pair_place(address(table), len(table) // 2, np.uint64(queue[item + 1]))
        put_word(place + 8, queue[item])
    at = 0
    here = 1
    while here < len(cells):
        follow = here + lengths[cells[here, 0]]
        if cells[follow, 0] == BOUNDARY:
            here = follow + 1
            continue
        start = queue[ITEM * numbers[at] + 2]
        pool[start] += 1
        pool[start + pool[start]] = here
        at += 1
        here = follow
    first = np.empty(ITEM, np.int64)
    for at in range((used - 2) // 4, -1, -1):
        first[:] = queue[ITEM * at : ITEM * at + ITEM]
        sink(address(queue), used, at, address(first))
    return table, used, queue, pool


@kernel(inline="always")
def _touch(change: Int, token: Int, touched: Int, num_touched: Int) -> Int:
    """Note a neighbour the first time it is met; returns how many were met."""
    line = change + token * 8 * _CHANGE
    seen = number_at(line) | number_at(line + 16) | number_at(line + 24) | number_at(line + 40)
    if seen == 0:
        put_int(touched + 4 * num_touched, token)
        num_touched += 1
    return num_touched


@kernel(inline="always")
def _add(change: Int, token: Int, field: Int, number: Int) -> None:
    place = change + (token * _CHANGE + field) * 8
    put_word(place, number_at(place) + number)


@kernel()
def _merge_here(
    cells: Int,
    change: Int,
    touched: Int,
    events: Int,
    met: tuple[Int, Int],
    here: Int,
    sizes: tuple[Int, Int],
    new: Int,
    weight: Int,
) -> tuple[Int, Int]:
    """Merge the two tokens at cell `here`, of `sizes` bytes, and note what their neighbours lose and win.

    All but `sizes` are addresses and numbers; an event is (neighbour, or its complement for a right one; place).
    Returns `met`: how many neighbours and events there are now.
    """
    num_touched, num_events = met
    follow = here + sizes[0]
    after = follow + sizes[1]
    back = int_at(cells + (here - 1) * _CELL)
    if back != BOUNDARY:
        before = here - 1 if back >= 0 else here + back
        token = int_at(cells + before * _CELL)
        num_touched = _touch(change, token, touched, num_touched)
        _add(change, token, _LOST, weight)
        _add(change, token, _WON, weight)
        _add(change, token, _EVENTS, 1)
        put_int(events + 8 * num_events, token)
        put_int(events + 8 * num_events + 4, before)
        num_events += 1
    token = int_at(cells + after * _CELL)
    if token != BOUNDARY:
        num_touched = _touch(change, token, touched, num_touched)
        _add(change, token, _RIGHT + _LOST, weight)
        # Followed by a token just made, it has that one on its left: the new pair is counted once.
        side = 0 if token == new else _RIGHT
        _add(change, token, side + _WON, weight)
        _add(change, token, side + _EVENTS, 1)
        put_int(events + 8 * num_events, token if token == new else ~token)
        put_int(events + 8 * num_events + 4, here)
        num_events += 1
    put_int(cells + follow * _CELL, _DEAD)
    put_int(cells + here * _CELL, new)
    put_int(cells + (after - 1) * _CELL, -(sizes[0] + sizes[1]))
    return num_touched, num_events


@kernel()
def _merge_places(
    cells: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    pair: tuple[Int, Int],
    sizes: tuple[Int, Int],
    new: Int,
    change: np.ndarray,
    touched: np.ndarray,
    events: np.ndarray,
) -> tuple[Int, Int]:
    """Merge a pair at every place of its list that still holds it; returns how many neighbours and events there are."""
    first, weight = address(cells), address(weights)
    met = (0, 0)
    for step in range(len(places)):
        here = np.int64(places[step])
        place = first + here * _CELL
        if int_at(place) == pair[0] and int_at(place + sizes[0] * _CELL) == pair[1]:
            met = _merge_here(
                first, address(change), address(touched), address(events), met, here, sizes, new,
                number_at(weight + 8 * int_at(place + 4)),
            )  # fmt: skip
    return met


@kernel()
def _merge_words(
    cells: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    pair: tuple[Int, Int],
    sizes: tuple[Int, Int],
    new: Int,
    change: np.ndarray,
    touched: np.ndarray,
    events: np.ndarray,
    lengths: np.ndarray,
    visited: np.ndarray,
    turn: Int,
) -> tuple[Int, Int]:
    """As `_merge_places` for a pair with a shared token, which can have several lists: a list stands for its words."""
    met = (0, 0)
    for step in range(len(places)):
        here = np.int64(places[step])
        word = cells[here, 1]
        if visited[word] == turn:
            continue
        visited[word] = turn
        while cells[here - 1, 0] != BOUNDARY:
            here -= 1
        while cells[here, 0] != BOUNDARY:
            token = np.int64(cells[here, 0])
            if token == pair[0] and cells[here + sizes[0], 0] == pair[1]:
                met = _merge_here(
                    address(cells), address(change), address(touched), address(events), met, here, sizes, new,
                    np.int64(weights[word]),
                )  # fmt: skip
                here += sizes[0] + sizes[1]
            else:
                here += lengths[token]
    return met


@kernel()
def _book(
    table: np.ndarray, pair: tuple[Int, Int], new: Int, change: np.ndarray, touched: np.ndarray, num_touched: Int
) -> Int:
    """Bring the table up to date: old pairs lose, pairs with the new token win; returns how many pairs are new."""
    first, slots, lines = address(table), len(table) // 2, address(change)
    used = 0
    for index in range(num_touched):
        token = np.int64(touched[index])
        line = lines + token * 8 * _CHANGE
        lost = number_at(line + 8 * _LOST)
        if lost != 0:
            add_to_pair(first, slots, pair_key(token, pair[0]), -lost)
        lost = number_at(line + 8 * (_RIGHT + _LOST))
        if lost != 0:
            add_to_pair(first, slots, pair_key(pair[1], token), -lost)
        for side in range(2):
            half = line + 8 * _RIGHT * side
            if number_at(half + 8 * _EVENTS) != 0:
                key = pair_key(token, new) if side == 0 else pair_key(new, token)
                place, more = add_to_pair(first, slots, key, number_at(half + 8 * _WON))
                put_word(line + 8 * (_CURSOR + side), place)
                used += more
    return used


@kernel()
def _queue_up(
    queue: np.ndarray,
    queued: Int,
    new: Int,
    change: np.ndarray,
    touched: np.ndarray,
    num_touched: Int,
    pool: np.ndarray,
    pooled: Int,
    freed: tuple[Int, Int],
) -> tuple[Int, Int]:
    """Queue the pairs that were formed and give each an empty list; returns the queue's size and the pool's.

    A list is the number of its places and the places. It lies where the merged pair's list was (`freed`: from, to) while
    there is room, else at the end of the pool.
    """
    items, lines = address(queue), address(change)
    free, end = freed
    for index in range(num_touched):
        token = np.int64(touched[index])
        line = lines + token * 8 * _CHANGE
        for side in range(2):
            events = number_at(line + 8 * (_RIGHT * side + _EVENTS))
            if events == 0:
                continue
            count = number_at(number_at(line + 8 * (_CURSOR + side)) + 8)
            if count <= 0:
                put_word(line + 8 * (_CURSOR + side), -1)
                continue
            if free + events < end:
                start = free
                free += events + 1
            else:
                start = pooled
                pooled += events + 1
            pool[start] = 0
            key = pair_key(token, new) if side == 0 else pair_key(new, token)
            push(items, queued, count, np.int64(key), start)
            put_word(line + 8 * (_CURSOR + side), start)
            queued += 1
    return queued, pooled


@kernel()
def _keep_places(change: np.ndarray, events: np.ndarray, num_events: Int, pool: np.ndarray) -> None:
    """Write the events' places into the lists of their pairs."""
    lines = address(change)
    for index in range(num_events):
        side = np.int64(events[index, 0])
        start = number_at(lines + (side * _CHANGE + _CURSOR if side >= 0 else ~side * _CHANGE + _CURSOR + 1) * 8)
        if start >= 0:
            pool[start] += 1
            pool[start + pool[start]] = events[index, 1]


@kernel()
def _most_events(places: np.ndarray, cells: np.ndarray, offsets: np.ndarray, whole_words: bool) -> Int:
    """An upper bound of the events of a merge: two a merged place."""
    if not whole_words:
        return 2 * len(places)
    most = 0
    for step in range(len(places)):
        word = cells[places[step], 1]
        most += np.int64(offsets[word + 1] - offsets[word])
    return min(most, len(cells))


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
    starts = longer(starts, vocab_size + 1)
    names, lengths = _names(known, vocab_size, starts, spelled)
    cells, num_pairs = _lay_out(offsets, symbols, ids, lengths)
    table, queued, queue, pool = _first_pairs(cells, lengths, weights, num_pairs)
    used, pooled = queued, len(pool)

    change = np.zeros((vocab_size, _CHANGE), np.int64)
    touched = np.empty(vocab_size, np.int32)
    events = np.empty((1 << 10, 2), np.int32)
    item = np.empty(ITEM, np.int64)
    shared = np.zeros(vocab_size, np.bool_)
    any_shared = False
    visited = np.full(1, -1, np.int64)
    merged = np.empty(max(vocab_size, 1), np.uint64)
    made = np.empty(max(vocab_size, 1), np.int32)
    merges = 0

    while known < vocab_size and queued > 0:
        item[:] = queue[:ITEM]
        pair = np.uint64(item[1])
        current = number_at(pair_place(address(table), len(table) // 2, pair) + 8)
        if item[0] != current:
            item[0] = current
            sink(address(queue), queued, 0, address(item))
            continue
        queued -= 1
        sink(address(queue), queued, 0, address(queue) + queued * 8 * ITEM)
        if current < 1 or current < min_frequency:
            break
        start = item[2] + 1
        places = pool[start : start + pool[start - 1]]
        left = np.int64(pair >> np.uint64(32))
        right = np.int64(pair & np.uint64(0xFFFFFFFF))

        # Spell the new token; if it is spelled like a known one it is that one.
        tail = starts[known]
        size = lengths[left] + lengths[right]
        spelled = longer(spelled, tail + size)
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
        merged = longer(merged, merges + 1)
        made = longer(made, merges + 1)
        merged[merges] = pair
        made[merges] = new
        merges += 1

        whole_words = any_shared and (shared[left] or shared[right])
        most = _most_events(places, cells, offsets, whole_words)
        if most > len(events):
            events = np.empty((most * 3 // 2, 2), np.int32)
        both, sizes = (left, right), (lengths[left], lengths[right])
        if whole_words:
            if len(visited) == 1:
                visited = np.full(len(weights), -1, np.int64)
            num_touched, num_events = _merge_words(
                cells, weights, places, both, sizes, new, change, touched, events, lengths, visited, merges
            )
        else:
            num_touched, num_events = _merge_places(cells, weights, places, both, sizes, new, change, touched, events)
        table = roomy(table, used + 2 * num_touched)
        used += _book(table, both, new, change, touched, num_touched)
        queue = longer(queue, ITEM * (queued + 2 * num_touched))
        freed = (start - 1, start + len(places))
        pool = longer(pool, pooled + num_events + 2 * num_touched)
        queued, pooled = _queue_up(queue, queued, new, change, touched, num_touched, pool, pooled, freed)
        _keep_places(change, events, num_events, pool)
        for index in range(num_touched):
            change[touched[index], :] = 0
    return merged[:merges], made[:merges], known, starts[: known + 1], spelled[: starts[known]]
