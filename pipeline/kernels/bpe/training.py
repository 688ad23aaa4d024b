"""Byte-pair merges over counted words: the pair with the highest count first, ties to the smaller pair.

Every pair that is formed keeps the list of places where it was formed; a place that has changed since is recognised when it
is visited. The queue is lazy, as in Hugging Face's trainer, whose order of merges it reproduces, also where two different
pairs spell the same token and share one id.
"""

import numpy as np

from pipeline.kernels.arrays import copy_items
from pipeline.kernels.bpe.cells import first_pairs, lay_out
from pipeline.kernels.bpe.hash_tables import long_hash, same_bytes
from pipeline.kernels.bpe.merging import CHANGE, book, keep_places, merge_places, merge_words, most_events, queue_up
from pipeline.kernels.bpe.pair_queue import ITEM, longer, number_at, pair_place, roomy, sink
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address


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
    cells, num_pairs = lay_out(offsets, symbols, ids, lengths)
    table, queued, queue, pool = first_pairs(cells, lengths, weights, num_pairs)
    used, pooled = queued, len(pool)

    change = np.zeros((vocab_size, CHANGE), np.int64)
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
        copy_items(queue, 0, ITEM, item, 0)
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
        copy_items(spelled, starts[left], starts[left] + lengths[left], spelled, tail)
        copy_items(spelled, starts[right], starts[right] + lengths[right], spelled, tail + lengths[left])
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
        most = most_events(places, cells, offsets, whole_words)
        if most > len(events):
            events = np.empty((most * 3 // 2, 2), np.int32)
        both, sizes = (left, right), (lengths[left], lengths[right])
        if whole_words:
            if len(visited) == 1:
                visited = np.full(len(weights), -1, np.int64)
            num_touched, num_events = merge_words(
                cells, weights, places, both, sizes, new, change, touched, events, lengths, visited, merges
            )
        else:
            num_touched, num_events = merge_places(cells, weights, places, both, sizes, new, change, touched, events)
        table = roomy(table, used + 2 * num_touched)
        used += book(table, both, new, change, touched, num_touched)
        queue = longer(queue, ITEM * (queued + 2 * num_touched))
        freed = (start - 1, start + len(places))
        pool = longer(pool, pooled + num_events + 2 * num_touched)
        queued, pooled = queue_up(queue, queued, new, change, touched, num_touched, pool, pooled, freed)
        keep_places(change, events, num_events, pool)
        for index in range(num_touched):
            change[touched[index], :] = 0
    return merged[:merges], made[:merges], known, starts[: known + 1], spelled[: starts[known]]
