"""Which words of a page its gold text uses, by aligning the two in order: what the training labels of blocks are made of."""

from bisect import bisect_left
from collections.abc import Sequence
from difflib import SequenceMatcher

GRAMS = (6, 3, 2)
"""Lengths of the word sequences that anchor the alignment, the safest first."""
MOST_CELLS = 1_000_000
"""Stretches whose lengths multiply to more are left unmatched: without an anchor they are different text."""
LEAST_RUN = 3
"""Shorter runs of matched words count only when they fill a block: "of the" is in every menu."""


def matched_words(page: Sequence[str], gold: Sequence[str]) -> list[int]:
    """For each word of the page the place of its partner in the gold text, or -1; partners ascend."""
    partner = [-1] * len(page)
    stretches = [(0, len(page), 0, len(gold), 0)]
    while stretches:
        begin, end, gold_begin, gold_end, level = stretches.pop()
        if begin >= end or gold_begin >= gold_end:
            continue
        if level == len(GRAMS):
            _match_rest(page[begin:end], gold[gold_begin:gold_end], begin, gold_begin, partner)
            continue
        size = GRAMS[level]
        at, gold_at = begin, gold_begin
        for place, gold_place in _anchors(page[begin:end], gold[gold_begin:gold_end], size):
            place, gold_place = begin + place, gold_begin + gold_place
            if place < at or gold_place < gold_at:
                if place - at != gold_place - gold_at:
                    continue  # overlaps the anchor before with another shift
            else:
                stretches.append((at, place, gold_at, gold_place, level))
            for step in range(size):
                partner[place + step] = gold_place + step
            at, gold_at = place + size, gold_place + size
        # A stretch with anchors is searched again with the same length: what was repeated may now be unique.
        again = level if at > begin else level + 1
        stretches.append((at, end, gold_at, gold_end, again))
    return partner


def _anchors(page: Sequence[str], gold: Sequence[str], size: int) -> list[tuple[int, int]]:
    """Sequences that occur once on both sides, the longest ascending chain of them."""
    ours, theirs = _once(page, size), _once(gold, size)
    pairs = [(place, theirs[gram]) for gram, place in ours.items() if gram in theirs]
    pairs.sort()
    ends: list[int] = []  # the smallest gold place that a chain of each length ends in
    rows: list[int] = []
    before = [-1] * len(pairs)
    for row, (_, gold_place) in enumerate(pairs):
        length = bisect_left(ends, gold_place)
        before[row] = rows[length - 1] if length else -1
        ends[length : length + 1] = [gold_place]
        rows[length : length + 1] = [row]
    chain, row = [], rows[-1] if rows else -1
    while row >= 0:
        chain.append(pairs[row])
        row = before[row]
    return chain[::-1]


def _once(words: Sequence[str], size: int) -> dict[tuple[str, ...], int]:
    places: dict[tuple[str, ...], int] = {}
    for at in range(len(words) - size + 1):
        gram = tuple(words[at : at + size])
        places[gram] = -1 if gram in places else at
    return {gram: at for gram, at in places.items() if at >= 0}


def _match_rest(page: Sequence[str], gold: Sequence[str], begin: int, gold_begin: int, partner: list[int]) -> None:
    if len(page) * len(gold) > MOST_CELLS:
        return
    for match in SequenceMatcher(None, page, gold, autojunk=False).get_matching_blocks():
        for step in range(match.size):
            partner[begin + match.a + step] = gold_begin + match.b + step


def block_shares(blocks: Sequence[Sequence[str]], gold: Sequence[str]) -> list[float]:
    """The share of each block's words that the gold text uses, in order; 0 for a block without words."""
    page = [word for block in blocks for word in block]
    partner = matched_words(page, gold)
    shares, at = [], 0
    for block in blocks:
        end = at + len(block)
        used, run = 0, 0
        for place in range(at, end + 1):
            goes_on = place < end and partner[place] >= 0 and (run == 0 or partner[place] == partner[place - 1] + 1)
            if goes_on:
                run += 1
                continue
            used += run if run >= LEAST_RUN or run == len(block) else 0
            run = int(place < end and partner[place] >= 0)
        shares.append(used / len(block) if block else 0.0)
        at = end
    return shares
