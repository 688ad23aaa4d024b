"""What a block of a page looks like, as numbers that a trained classifier of main content reads: float32[FEATURES, blocks].

Text is looked at without knowing its language: words, links, sentence ends of all scripts, digits, capitals. What carries no
spaces between words counts a word for each ideograph or kana, and one for every five letters of Thai, Lao, Khmer and Burmese.
The rest is where a block lies: its tags, what classes and ids of its ancestors say, how much prose its containers hold, and
its neighbours. All counts are integers and every share is one float32 division, so a page has the same features everywhere.
"""

from typing import Any

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import fmix64
from pipeline.kernels.html.block_text import (
    BOX,
    CAPITALS,
    CLASSES,
    COMMAS,
    COPYRIGHT,
    COUNT,
    DATED,
    DIGITS,
    DIVIDERS,
    ENDS,
    FINISHED,
    GOOD,
    LETTERS,
    LINKED,
    TITLED,
    count_text,
)  # fmt: skip
from pipeline.kernels.html.tree import BODY, BOUNDARY, COMMENT, FLAGS, LINK, MARKS, PARENT, TAG, TAGS, TRAITS, WORDS

KINDS = "p li td th dd dt div section article blockquote pre figcaption center h1 h2 h3 h4 h5 h6".split()
_OTHER_KIND = len(KINDS)
_KIND = np.full(256, _OTHER_KIND, np.uint8)
for _place, _name in enumerate(KINDS):
    _KIND[TAGS[_name]] = _place
_KIND.flags.writeable = False
_WITHIN = (
    "a", "article", "main", "nav", "footer", "header", "aside", "form", "li", "table", "figure", "ul ol", "dl", "blockquote",
    "center", "label button", "h1 h2 h3 h4 h5 h6",
)  # fmt: skip
"""Elements that a block can lie in, however deep; names that count as one stand together."""
_WITHIN_BIT = np.zeros(256, np.int32)
for _place, _names in enumerate(_WITHIN):
    for _name in _names.split():
        _WITHIN_BIT[TAGS[_name]] = 1 << _place
_WITHIN_BIT.flags.writeable = False
_LESSER = sum(1 << _WITHIN.index(name) for name in "nav footer header aside form".split())
_A, _H1, _P = (TAGS[name] for name in ("a", "h1", "p"))

FAR = 9
"""Steps up to a marked ancestor from which on it counts as none."""
LEVELS = 4
"""Containers that are looked at, from a block's own outwards."""
AROUND = 1
"""Neighbours that are looked at on each side."""
NAMES = (
    "words link_share ends ends_per_word commas_per_word finished digit_share capital_share letters_per_word dated copyright "
    "dividers title_share title_cover repeated kind container_kind depth place words_before words_after prose_before "
    "prose_after from_h1 from_top to_bottom "
    + " ".join(f"in_{names.split()[0]}" for names in _WITHIN) + " "
    + " ".join(f"to_{words.split()[0]}" for words in WORDS) + " "
    + "up_half up_best in_best below_best before_best after_best alike_prose alike_links alike alike_share "
    + " ".join(f"{what}_{level}" for level in range(LEVELS) for what in ("words", "links", "prose", "blocks", "ends")) + " "
    + " ".join(f"{what}_{at:+}" for at in (-1, 1) for what in ("words", "links", "kind", "beside", "prose"))
    + " prose_back prose_ahead prose_near page_words page_links page_blocks page_prose page_largest"
).split()  # fmt: skip
"""The columns of the features."""
FEATURES = len(NAMES)
_AT_WITHIN, _AT_MARKS, _AT_BEST, _AT_LEVELS, _AT_AROUND, _AT_PAGE = (
    NAMES.index(name) for name in ("in_a", "to_comment", "up_half", "words_0", "words_-1", "prose_back")
)
_UP, _DEPTH, _ROW = range(3)
_WORDS, _LINKS, _PROSE, _BLOCKS, _ENDS = range(5)


def block_features(
    nodes: np.ndarray, signatures: np.ndarray, data: np.ndarray, block: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(features, counts, distances)` of a page's blocks (`tree.read_tree`, `tree.blocks`).

    `features` float32[FEATURES, count], rows `NAMES`; `counts` int32[count, COUNTS]; `distances` uint8[count, groups]:
    steps up to the nearest ancestor whose classes hold a word of each group of `tree.WORDS`, `FAR` without one.
    """
    boxes, box_of = _boxes(nodes)
    counts, hashes, title_words = count_text(nodes, data, block, count, box_of, CLASSES)
    sums, own, before = _sum_up(boxes, counts)
    inherited, distance = _inherit(nodes, boxes, counts, sums, len(WORDS))
    features = _features(nodes, signatures, counts, hashes, title_words, boxes, sums, own, before, inherited, distance)
    return features, counts, distance[counts[:, BOX]]


@kernel(nogil=True)
def _boxes(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(boxes, box_of)`: the block-level elements, in document order; box 0 stands for the page.

    `boxes` int32[n, 3]: the box around, depth, row; `box_of` int32[rows, 2]: the box that a row lies in or is, and whether
    it lies in a link: an anchor that leads somewhere.
    """
    rows = nodes.shape[0]
    boxes, box_of = np.zeros((rows + 1, 3), np.int32), np.zeros((rows, 2), np.int32)
    boxes[0, _UP] = boxes[0, _ROW] = -1
    count = 1
    for row in range(rows):
        tag, parent = nodes[row, TAG], nodes[row, PARENT]
        up = box_of[parent, 0] if parent >= 0 else 0
        box_of[row, 1] = (tag == _A and nodes[row, FLAGS] & LINK) or (parent >= 0 and box_of[parent, 1])
        box_of[row, 0] = up
        if TRAITS[tag] & BOUNDARY:
            box_of[row, 0] = count
            boxes[count, _UP], boxes[count, _DEPTH], boxes[count, _ROW] = up, boxes[up, _DEPTH] + 1, row
            count += 1
    return boxes[:count], box_of


@kernel(nogil=True)
def _sum_up(boxes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(sums, own, before)`: int64[boxes, 5] of all blocks inside; int64[boxes]: prose of paragraphs right below, that one
    level deeper counted half; int64[blocks + 1, 2]: words and prose before each block."""
    count, number = counts.shape[0], boxes.shape[0]
    sums, own, before = np.zeros((number, 5), np.int64), np.zeros(number, np.int64), np.zeros((count + 1, 2), np.int64)
    for at in range(count):
        box, words, prose = counts[at, BOX], counts[at, COUNT], counts[at, GOOD]
        sums[box, _WORDS] += words
        sums[box, _LINKS] += counts[at, LINKED]
        sums[box, _PROSE] += prose
        sums[box, _BLOCKS] += 1
        sums[box, _ENDS] += counts[at, ENDS]
        up = boxes[box, _UP]
        if up >= 0:
            own[up] += 2 * prose
            own[max(boxes[up, _UP], 0)] += prose
        before[at + 1, 0], before[at + 1, 1] = before[at, 0] + words, before[at, 1] + prose
    for box in range(number - 1, 0, -1):
        for column in range(5):
            sums[boxes[box, _UP], column] += sums[box, column]
    return sums, own, before


@kernel(nogil=True)
def _inherit(
    nodes: np.ndarray, boxes: np.ndarray, counts: np.ndarray, sums: np.ndarray, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """`(inherited, distance)`: int32[boxes], bits of `_WITHIN`; uint8[boxes, groups], steps up to a box so marked.

    What holds half of the page's prose is not navigation, whatever it is called: only `BODY` counts there. Comments can be
    longer than the article, so `COMMENT` counts unless the prose lies right in that box, or all prose of the page does.
    """
    number, whole = boxes.shape[0], sums[0, _PROSE]
    inherited, distance = np.zeros(number, np.int32), np.full((number, groups), FAR, np.uint8)
    straight = np.zeros(number, np.int64)  # prose of a box itself and of its own paragraphs
    for at in range(counts.shape[0]):
        box = counts[at, BOX]
        straight[box] += counts[at, GOOD]
        if box > 0 and nodes[boxes[box, _ROW], TAG] == _P:
            straight[boxes[box, _UP]] += counts[at, GOOD]
    for box in range(1, number):
        row, up, prose = boxes[box, _ROW], boxes[box, _UP], sums[box, _PROSE]
        bits, marks = _WITHIN_BIT[nodes[row, TAG]], nodes[row, MARKS]
        if whole and 2 * prose >= whole:
            bits &= ~_LESSER
            marks &= BODY | (0 if 2 * straight[box] >= prose or 100 * prose >= 99 * whole else COMMENT)
        inherited[box] = inherited[up] | bits
        for group in range(groups):
            distance[box, group] = 0 if marks >> group & 1 else min(distance[up, group] + 1, FAR)
    return inherited, distance


@kernel()
def _tally(keys: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """int64[n, columns]: for each key the sums of the amounts (int64[n, columns]) of all rows with that key."""
    slots = 16
    while slots < 2 * len(keys):
        slots *= 2
    table, sums = np.full(slots, -1, np.int64), np.zeros(amounts.shape, np.int64)
    first = np.empty(len(keys), np.int64)
    for row in range(len(keys)):
        slot = np.int64(fmix64(keys[row]) & np.uint64(slots - 1))
        while table[slot] >= 0 and keys[table[slot]] != keys[row]:
            slot = (slot + 1) & (slots - 1)
        if table[slot] < 0:
            table[slot] = row
        first[row] = table[slot]
        for column in range(amounts.shape[1]):
            sums[first[row], column] += amounts[row, column]
    for row in range(len(keys)):
        for column in range(amounts.shape[1]):
            sums[row, column] = sums[first[row], column]
    return sums


@kernel()
def _share(part: Any, whole: Any) -> Any:
    return np.float32(part) / np.float32(max(whole, 1))


@kernel(nogil=True)
def _features(
    nodes: np.ndarray, signatures: np.ndarray, counts: np.ndarray, hashes: np.ndarray, title_words: int, boxes: np.ndarray,
    sums: np.ndarray, own: np.ndarray, before: np.ndarray, inherited: np.ndarray, distance: np.ndarray,
) -> np.ndarray:  # fmt: skip
    count = counts.shape[0]
    out = np.zeros((FEATURES, count), np.float32)
    keys, amounts, ones = np.empty(count, np.uint64), np.empty((count, 4), np.int64), np.ones((count, 1), np.int64)
    largest, heading = 0, -1
    for at in range(count):
        box = counts[at, BOX]
        amounts[at, 0], amounts[at, 1] = counts[at, COUNT], counts[at, LINKED]
        amounts[at, 2], amounts[at, 3] = counts[at, GOOD], 1
        keys[at] = _key(boxes, signatures, box) ^ fmix64(_key(boxes, signatures, boxes[box, _UP]))
        largest = max(largest, counts[at, GOOD])
        if heading < 0 and box > 0 and nodes[boxes[box, _ROW], TAG] == _H1:
            heading = at
    alike, same = _tally(keys, amounts), _tally(hashes, ones)
    best = _best(own, sums, boxes, counts)
    for at in range(count):
        row, box = out[:, at], counts[at, BOX]
        _fill_text(row, counts[at], title_words, same[at, 0])
        _fill_place(row, at, nodes, counts, boxes, before, heading)
        for bit in range(_AT_MARKS - _AT_WITHIN):
            row[_AT_WITHIN + bit] = inherited[box] >> bit & 1
        for group in range(distance.shape[1]):
            row[_AT_MARKS + group] = distance[box, group]
        _fill_containers(row, at, counts, boxes, sums, alike[at], best)
        _fill_around(row, at, nodes, counts, boxes, before)
        page = row[_AT_PAGE + 3 :]
        page[0], page[1], page[2] = sums[0, _WORDS], _share(sums[0, _LINKS], sums[0, _WORDS]), count
        page[3], page[4] = _share(sums[0, _PROSE], sums[0, _WORDS]), _share(largest, sums[0, _PROSE])
    return out


@kernel()
def _key(boxes: np.ndarray, signatures: np.ndarray, box: int) -> Any:
    return signatures[boxes[box, _ROW]] if box > 0 else np.uint64(0)


@kernel()
def _best(own: np.ndarray, sums: np.ndarray, boxes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`[box, half, first, last]`: the box with the most prose right below it, the deepest with half of the page's prose, and
    the first and last blocks of prose in the first of them."""
    best, half = 0, 0
    for box in range(1, len(own)):
        if own[box] > own[best]:
            best = box
        if 2 * sums[box, _PROSE] >= sums[0, _PROSE] and boxes[box, _DEPTH] >= boxes[half, _DEPTH]:
            half = box
    first, last = -1, -1
    for at in range(counts.shape[0]):
        if counts[at, GOOD] == 0:
            continue
        box = counts[at, BOX]
        while box > best:
            box = boxes[box, _UP]
        if box == best:
            first, last = at if first < 0 else first, at
    return np.array([best, half, first, last], np.int64)


@kernel()
def _fill_text(row: np.ndarray, counts: np.ndarray, title_words: int, same: int) -> None:
    words = counts[COUNT]
    row[0], row[1], row[2] = words, _share(counts[LINKED], words), counts[ENDS]
    row[3], row[4], row[5] = _share(counts[ENDS], words), _share(counts[COMMAS], words), counts[FINISHED]
    row[6], row[7] = _share(counts[DIGITS], counts[LETTERS]), _share(counts[CAPITALS], counts[LETTERS])
    row[8], row[9] = _share(counts[LETTERS], words), counts[DATED]
    row[10], row[11] = counts[COPYRIGHT], counts[DIVIDERS]
    row[12], row[13], row[14] = _share(counts[TITLED], words), _share(counts[TITLED], title_words), same


@kernel()
def _kind(nodes: np.ndarray, boxes: np.ndarray, box: int) -> Any:
    return _KIND[nodes[boxes[box, _ROW], TAG]] if box > 0 else _OTHER_KIND


@kernel()
def _fill_place(
    row: np.ndarray, at: int, nodes: np.ndarray, counts: np.ndarray, boxes: np.ndarray, before: np.ndarray, heading: int
) -> None:
    count, box = counts.shape[0], counts[at, BOX]
    words, prose = before[count, 0], before[count, 1]
    row[15], row[16] = _kind(nodes, boxes, box), _kind(nodes, boxes, boxes[box, _UP])
    row[17], row[18] = boxes[box, _DEPTH], _share(at, count)
    row[19], row[20] = _share(before[at, 0], words), _share(words - before[at + 1, 0], words)
    row[21], row[22] = _share(before[at, 1], prose), _share(prose - before[at + 1, 1], prose)
    row[23] = at - heading if heading >= 0 else -999
    row[24], row[25] = at, count - at


@kernel()
def _fill_containers(
    row: np.ndarray,
    at: int,
    counts: np.ndarray,
    boxes: np.ndarray,
    sums: np.ndarray,
    alike: np.ndarray,
    best: np.ndarray,
) -> None:
    """Where the block lies to the boxes of `_best`, what blocks alike hold, and what its `LEVELS` innermost boxes hold."""
    whole, box = sums[0, _PROSE], counts[at, BOX]
    up_half, steps, joint = -1, 0, box
    while box >= 0:
        if up_half < 0 and box == best[1]:
            up_half = steps
        box = boxes[box, _UP]
        steps += 1
    # The nearest box around both: a box has a smaller number than all inside it.
    other, joint, up_best, inside = best[0], counts[at, BOX], 0, 0
    while joint != other:
        if joint > other:
            joint = boxes[joint, _UP]
            up_best += 1
        else:
            other = boxes[other, _UP]
    inside = joint == best[0]
    row[_AT_BEST], row[_AT_BEST + 1] = min(up_half, 20) if up_half >= 0 else 21, min(up_best, 20)
    row[_AT_BEST + 2], row[_AT_BEST + 3] = inside, boxes[best[0], _DEPTH] - boxes[joint, _DEPTH]
    row[_AT_BEST + 4], row[_AT_BEST + 5] = max(best[2] - at, -1), max(at - best[3], -1)
    row[_AT_BEST + 6], row[_AT_BEST + 7] = _share(alike[2], whole), _share(alike[1], alike[0])
    row[_AT_BEST + 8], row[_AT_BEST + 9] = alike[3], _share(alike[3], counts.shape[0])
    box = counts[at, BOX]
    for level in range(LEVELS):
        place, total = _AT_LEVELS + 5 * level, sums[box]
        row[place], row[place + 1] = total[_WORDS], _share(total[_LINKS], total[_WORDS])
        row[place + 2], row[place + 3] = _share(total[_PROSE], whole), total[_BLOCKS]
        row[place + 4] = _share(total[_ENDS], total[_WORDS])
        box = max(boxes[box, _UP], 0)


@kernel()
def _fill_around(
    row: np.ndarray, at: int, nodes: np.ndarray, counts: np.ndarray, boxes: np.ndarray, before: np.ndarray
) -> None:
    """The neighbours, and how far away and how much prose is."""
    count, up = counts.shape[0], boxes[counts[at, BOX], _UP]
    place = _AT_AROUND
    for step in range(-AROUND, AROUND + 1):
        other = at + step
        if step == 0:
            continue
        if 0 <= other < count:
            box = counts[other, BOX]
            row[place], row[place + 1] = counts[other, COUNT], _share(counts[other, LINKED], counts[other, COUNT])
            row[place + 2], row[place + 3] = _kind(nodes, boxes, box), boxes[box, _UP] == up
            row[place + 4] = counts[other, GOOD]
        else:
            row[place : place + 5] = -1
        place += 5
    back, ahead = 1, 1
    while back < 12 and not (at - back >= 0 and counts[at - back, GOOD] > 0):
        back += 1
    while ahead < 12 and not (at + ahead < count and counts[at + ahead, GOOD] > 0):
        ahead += 1
    row[_AT_PAGE], row[_AT_PAGE + 1] = back, ahead
    row[_AT_PAGE + 2] = before[min(count, at + 6), 1] - before[max(0, at - 5), 1]
