"""Words of tokens as cells, and the pairs in them: what training starts from.

Words lie one after the other in one array of cells, a cell a byte. A token holds its id in the cell where it starts and
minus its length where it ends, so both neighbours are found in constant time and no word is ever scanned again: a word of a
million letters costs what its merges cost.
"""

import numpy as np

from pipeline.kernels.arrays import copy_items
from pipeline.kernels.bpe.hash_tables import pair_key
from pipeline.kernels.bpe.pair_queue import FREE, ITEM, longer, pair_place, roomy, sink
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, put_word

BOUNDARY = -(2**31)
"""Between words."""
DEAD = BOUNDARY + 1
"""Inside a token."""
CELL = 8
"""Bytes of a cell: what is there, and its word, both int32."""


@kernel()
def lay_out(offsets: np.ndarray, symbols: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, Int]:
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
                cells[here + inside, 0] = DEAD
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
def first_pairs(
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
        copy_items(queue, ITEM * at, ITEM * at + ITEM, first, 0)
        sink(address(queue), used, at, address(first))
    return table, used, queue, pool
