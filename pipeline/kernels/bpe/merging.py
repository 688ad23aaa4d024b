"""One merge: every place of a pair becomes one token, its neighbours' pairs lose and win, new pairs get their places.

Everything is read and written by address (`pipeline.kernels.memory`), a cache line a neighbour.
"""

import numpy as np

from pipeline.kernels.bpe.cells import BOUNDARY, CELL, DEAD
from pipeline.kernels.bpe.hash_tables import pair_key
from pipeline.kernels.bpe.pair_queue import add_to_pair, number_at, push
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, int_at, put_int, put_word

CHANGE = 8
"""What one merge changes, by neighbour, is eight int64, a cache line: lost, won and events as left neighbour, the same as
right neighbour, and for either side the pair's slot in the table, then where its list lies (-1: nowhere)."""
_LOST, _WON, _EVENTS, _RIGHT, _CURSOR = 0, 1, 2, 3, 6


@kernel(forceinline=True)
def _touch(change: Int, token: Int, touched: Int, num_touched: Int) -> Int:
    """Note a neighbour the first time it is met; returns how many were met."""
    line = change + token * 8 * CHANGE
    seen = number_at(line) | number_at(line + 16) | number_at(line + 24) | number_at(line + 40)
    if seen == 0:
        put_int(touched + 4 * num_touched, token)
        num_touched += 1
    return num_touched


@kernel(forceinline=True)
def _add(change: Int, token: Int, field: Int, number: Int) -> None:
    place = change + (token * CHANGE + field) * 8
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
    back = int_at(cells + (here - 1) * CELL)
    if back != BOUNDARY:
        before = here - 1 if back >= 0 else here + back
        token = int_at(cells + before * CELL)
        num_touched = _touch(change, token, touched, num_touched)
        _add(change, token, _LOST, weight)
        _add(change, token, _WON, weight)
        _add(change, token, _EVENTS, 1)
        put_int(events + 8 * num_events, token)
        put_int(events + 8 * num_events + 4, before)
        num_events += 1
    token = int_at(cells + after * CELL)
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
    put_int(cells + follow * CELL, DEAD)
    put_int(cells + here * CELL, new)
    put_int(cells + (after - 1) * CELL, -(sizes[0] + sizes[1]))
    return num_touched, num_events


@kernel()
def merge_places(
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
        place = first + here * CELL
        if int_at(place) == pair[0] and int_at(place + sizes[0] * CELL) == pair[1]:
            met = _merge_here(
                first, address(change), address(touched), address(events), met, here, sizes, new,
                number_at(weight + 8 * int_at(place + 4)),
            )  # fmt: skip
    return met


@kernel()
def merge_words(
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
    """As `merge_places` for a pair with a shared token, which can have several lists: a list stands for its words."""
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
def book(
    table: np.ndarray, pair: tuple[Int, Int], new: Int, change: np.ndarray, touched: np.ndarray, num_touched: Int
) -> Int:
    """Bring the table up to date: old pairs lose, pairs with the new token win; returns how many pairs are new."""
    first, slots, lines = address(table), len(table) // 2, address(change)
    used = 0
    for index in range(num_touched):
        token = np.int64(touched[index])
        line = lines + token * 8 * CHANGE
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
def queue_up(
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
        line = lines + token * 8 * CHANGE
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
def keep_places(change: np.ndarray, events: np.ndarray, num_events: Int, pool: np.ndarray) -> None:
    """Write the events' places into the lists of their pairs."""
    lines = address(change)
    for index in range(num_events):
        side = np.int64(events[index, 0])
        start = number_at(lines + (side * CHANGE + _CURSOR if side >= 0 else ~side * CHANGE + _CURSOR + 1) * 8)
        if start >= 0:
            pool[start] += 1
            pool[start + pool[start]] = events[index, 1]


@kernel()
def most_events(places: np.ndarray, cells: np.ndarray, offsets: np.ndarray, whole_words: bool) -> Int:
    """An upper bound of the events of a merge: two a merged place."""
    if not whole_words:
        return 2 * len(places)
    most = 0
    for step in range(len(places)):
        word = cells[places[step], 1]
        most += np.int64(offsets[word + 1] - offsets[word])
    return min(most, len(cells))
