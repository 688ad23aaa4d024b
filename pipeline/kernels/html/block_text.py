"""What is counted in the text of a page's blocks: words, links, sentence ends of all scripts, digits, capitals, title words."""

from typing import Any

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import fmix64
from pipeline.kernels.html.tree import BEGIN, PARENT, STOP, TAG, TAGS, TEXT
from pipeline.kernels.memory import Int
from pipeline.kernels.text.word_tables import TERMINAL
from pipeline.kernels.unicode import CATEGORIES, CATEGORY, decode

OTHER, LETTER, CAPITAL, DIGIT, IDEOGRAPH, UNSPACED, ENDING, COMMA, CLOSING, SPACE, DIVIDER, MARK = range(12)
"""Classes of characters. CLOSING may stand between the end of a sentence and the space after it."""


def _character_classes() -> np.ndarray:
    kinds = {
        name: kind
        for kind, names in (
            (CAPITAL, "Lu Lt"), (LETTER, "Ll Lm Lo Pc"), (DIGIT, "Nd Nl No"), (MARK, "Mn Mc Me"),
            (CLOSING, "Pe Pf Pi"), (SPACE, "Zs"),
        )
        for name in names.split()
    }  # fmt: skip
    classes = np.array([kinds.get(name, OTHER) for name in CATEGORIES], np.uint8)[CATEGORY]
    for first, end in ((0x3040, 0x3100), (0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000)):
        classes[first:end][classes[first:end] == LETTER] = IDEOGRAPH
    for first, end in ((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800)):
        classes[first:end][classes[first:end] == LETTER] = UNSPACED
    for kind, characters in (
        (ENDING, TERMINAL + "…"), (COMMA, ",;،؛、，；"), (CLOSING, "\"'”’"), (SPACE, "\t\n\f\r\u2028\u2029\u200b"),
        (DIVIDER, "|›•·→▸►>"),
    ):  # fmt: skip
        classes[[*map(ord, characters)]] = kind
    classes.flags.writeable = False
    return classes


CLASSES = _character_classes()

(
    COUNT, LINKED, LETTERS, DIGITS, CAPITALS, ENDS, COMMAS, DIVIDERS, FINISHED, DATED, COPYRIGHT, TITLED, BOX, GOOD,
) = range(14)  # fmt: skip
"""Columns of a block's counts: words, words in links, characters, …; whether it ends like a sentence, holds a year or ©; words
that the page's title has, too; the box it lies in; words of prose."""
COUNTS = 14
_BR, _TITLE = TAGS["br"], TAGS["title"]


@kernel(nogil=True)
def count_text(
    nodes: np.ndarray, data: np.ndarray, block: np.ndarray, count: int, box_of: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """`(counts, hashes, title words)`: int32[count, COUNTS], and uint64[count] that are equal for blocks of equal words."""
    counts, hashes = np.zeros((count, COUNTS), np.int32), np.zeros(count, np.uint64)
    title, state = np.zeros(_TITLE_SLOTS, np.uint64), np.zeros(_STATES, np.int64)
    of_title = np.zeros(COUNTS, np.int32)
    for row in range(1, nodes.shape[0]):
        if nodes[row, TAG] == TEXT and nodes[nodes[row, PARENT], TAG] == _TITLE:
            _read_text(data, nodes[row, BEGIN], nodes[row, STOP], False, of_title, state, title, classes)
            _end_word(of_title, state, title)
            break
    current = -1
    for row in range(nodes.shape[0]):
        if nodes[row, TAG] == _BR and current >= 0:
            _end_word(counts[current], state, title)
            counts[current, ENDS] += state[_PENDING]
            state[_PENDING] = 0
        at = block[row]
        if at < 0:
            continue
        if at != current:
            if current >= 0:
                hashes[current] = _end_block(counts[current], state, title)
            current = at
            state[:] = 0
            state[_READS] = 1
            counts[at, BOX] = box_of[row, 0]
        linked = box_of[row, 1] > 0
        _read_text(data, nodes[row, BEGIN], nodes[row, STOP], linked, counts[at], state, title, classes)
    if current >= 0:
        hashes[current] = _end_block(counts[current], state, title)
    return counts, hashes, int(of_title[COUNT])


_READS, _SIZE, _DIGITS, _VALUE, _PENDING, _LAST, _RUN, _WORD_HASH, _TEXT_HASH, _STATES = range(10)
"""State between the text nodes of a block: whether it is a block or the title; letters, digits and value of the word being
read; an end of sentence whose space is to come; the last class; letters without spaces; hashes."""
_TITLE_SLOTS = 256


@kernel()
def _read_text(
    data: np.ndarray, at: int, end: int, linked: bool, counts: np.ndarray, state: np.ndarray, title: np.ndarray,
    classes: np.ndarray,
) -> None:  # fmt: skip
    """Count what one text node adds to its block; a word goes on across the edges of inline elements."""
    size, digits, value, word = state[_SIZE], state[_DIGITS], state[_VALUE], state[_WORD_HASH]
    pending, last = state[_PENDING], state[_LAST]
    signs, all_digits, capitals = 0, 0, 0
    while at < end:
        point, width = np.int64(data[at]), 1
        if point >= codes.NON_ASCII:
            point, width = decode(data, at, end)
        at += width
        kind = classes[point] if point >= 0 else OTHER
        if LETTER <= kind <= DIGIT:
            if size == 0:
                counts[COUNT] += 1
                counts[LINKED] += linked
            size += 1
            capital = kind == CAPITAL
            word = (word ^ (point | codes.CASE_BIT if capital and point < codes.NON_ASCII else point)) * 0x100000001B3
            capitals += capital
            if kind == DIGIT:
                digits += 1
                all_digits += 1
                value = (value * 10 + point - codes.ZERO) & 0xFFFFF
            signs += 1
            last, pending = kind, 0
            continue
        if kind != MARK and size:
            _note_word(counts, state, title, size, digits, value, word)
            size = digits = value = word = 0
        if kind == SPACE:
            counts[ENDS] += pending
            pending = 0
            continue
        signs += 1
        if kind == CLOSING:
            last = last if last == ENDING else kind
            continue
        last, pending = kind, kind == ENDING and (pending or point < codes.NON_ASCII)
        if kind == IDEOGRAPH or kind == UNSPACED:  # noqa: SIM109 - two comparisons compile to two, a tuple to a loop
            if kind == IDEOGRAPH or state[_RUN] % 5 == 0:
                counts[COUNT] += 1
                counts[LINKED] += linked
            state[_RUN] += kind == UNSPACED
            state[_TEXT_HASH] = np.int64(fmix64(np.uint64(state[_TEXT_HASH]) ^ np.uint64(point)))
        elif kind == ENDING:
            counts[ENDS] += point >= codes.NON_ASCII
            pending = point < codes.NON_ASCII
        elif kind == COMMA:
            counts[COMMAS] += 1
        elif kind == DIVIDER:
            counts[DIVIDERS] += 1
        elif point == 0xA9:  # ©
            counts[COPYRIGHT] = 1
    counts[LETTERS] += signs
    counts[DIGITS] += all_digits
    counts[CAPITALS] += capitals
    state[_SIZE], state[_DIGITS], state[_VALUE], state[_WORD_HASH] = size, digits, value, word
    state[_PENDING], state[_LAST] = pending, last


@kernel(forceinline=True)
def _note_word(
    counts: np.ndarray, state: np.ndarray, title: np.ndarray, size: Int, digits: Int, value: Int, word_hash: Int
) -> None:
    """Is a word a year, and does the title have it? The title's own words are noted down."""
    word = fmix64(np.uint64(word_hash)) | np.uint64(1)
    slot = np.int64(word >> np.uint64(56))
    steps = 0
    while title[slot] != 0 and title[slot] != word and steps < 16:
        slot = (slot + 1) % _TITLE_SLOTS
        steps += 1
    if state[_READS]:
        counts[TITLED] += title[slot] == word
        counts[DATED] |= size == 4 and digits == 4 and 1900 <= value < 2100
    elif title[slot] == 0:
        title[slot] = word
    state[_TEXT_HASH] = np.int64(fmix64(np.uint64(state[_TEXT_HASH]) ^ word))


@kernel()
def _end_word(counts: np.ndarray, state: np.ndarray, title: np.ndarray) -> None:
    """Close the word being read."""
    if state[_SIZE]:
        _note_word(counts, state, title, state[_SIZE], state[_DIGITS], state[_VALUE], state[_WORD_HASH])
    state[_SIZE] = state[_DIGITS] = state[_VALUE] = state[_WORD_HASH] = 0


@kernel()
def _end_block(counts: np.ndarray, state: np.ndarray, title: np.ndarray) -> Any:
    """Close a block; the hash of its words."""
    _end_word(counts, state, title)
    counts[ENDS] += state[_PENDING]
    counts[FINISHED] = state[_LAST] == ENDING
    words, links = counts[COUNT], counts[LINKED]
    counts[GOOD] = words - links if words >= 10 and 10 * links < 3 * words else 0
    return np.uint64(state[_TEXT_HASH])
