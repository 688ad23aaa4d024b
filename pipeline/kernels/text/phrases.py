"""Many phrases found in one pass: an Aho-Corasick automaton over the bytes of a text, letter case folded in."""

from functools import cache

import numpy as np


@cache
def automaton(phrases: tuple[tuple[str, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """(moves uint16[s, 256], marks uint32[s]) for lower-case ASCII phrases with the bits each sets.

    Start in state 0; after byte b the state is `moves[state, b]`, and `marks[state]` has the bits of every phrase that
    ends there. Matches as `phrase in text.lower()` does: A to Z, and the Kelvin sign, whose lower case is k.
    """
    spelled = [(phrase.encode(), bits) for phrase, bits in phrases]
    spelled += [(raw.replace(b"k", "\u212a".encode()), bits) for raw, bits in spelled if b"k" in raw]
    moves: list[dict[int, int]] = [{}]
    marks = [0]
    for raw, bits in spelled:
        state = 0
        for byte in raw:
            if byte not in moves[state]:
                moves[state][byte] = len(moves)
                moves.append({})
                marks.append(0)
            state = moves[state][byte]
        marks[state] |= bits
    table, fails = np.zeros((len(moves), 256), np.uint16), [0] * len(moves)
    queue = [0]
    for state in queue:
        # Breadth first: where a phrase breaks off, go on from the longest suffix that begins another.
        if state:
            table[state] = table[fails[state]]
            marks[state] |= marks[fails[state]]
        for byte, following in moves[state].items():
            fails[following] = int(table[fails[state], byte]) if state else 0
            table[state, byte] = following
            queue.append(following)
    table[:, ord("A") : ord("Z") + 1] = table[:, ord("a") : ord("z") + 1]
    return table, np.array(marks, np.uint32)
