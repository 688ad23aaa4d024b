# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""What a text is made of, in compiled code: words between white space, brackets, addresses, compressibility, boilerplate."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import load_u32
from pipeline.kernels.text.phrases import automaton
from pipeline.kernels.text.word_tables import ALPHA, DIGIT, SPACE
from pipeline.kernels.unicode import decode

(
    CHARS, WORDS, MEDIAN_WORD, SYMBOLS, BRACKETS, URL_CHARS, DIGITS, LETTERS, LINES, BULLETS, ELLIPSIS_LINES,
    BOILERPLATE_BYTES, COMPRESSED_BYTES, NUM_SHAPES,
) = range(14)  # fmt: skip
"""Columns of `shapes`. MEDIAN_WORD is twice the median length of the words, which may lie between two lengths."""

BOILERPLATE = automaton(
    tuple(
        (phrase, 1)
        for phrase in (
            "all rights reserved", "privacy policy", "terms of use", "terms of service", "terms and conditions",
            "cookie policy", "use of cookies", "uses cookies", "use cookies", "sign up", "sign in", "log in",
            "subscribe to", "newsletter", "click here", "read more", "share this", "follow us", "skip to content",
            "enable javascript", "add to cart", "powered by", "contact us", "about us", "advertisement", "copyright (c)",
            "forgot your password", "site map", "sitemap", "unsubscribe", "leave a comment", "leave a reply",
            "related articles", "print this page", "back to top",
        )
    )
)  # fmt: skip
"""Phrases of page furniture, as an automaton over lower-cased text."""

LONGEST_WORD = 1024
"""Words longer than this count as this long in the median."""
WINDOW = 32_768
"""How far back a repeat may lie, as in deflate."""
SLOTS = 1 << 14
MATCH_BYTES = 3
"""What a repeat costs in the estimate of compressed size; a byte without one costs itself."""


@kernel()
def shapes(
    offsets: np.ndarray, data: np.ndarray, attributes: np.ndarray, moves: np.ndarray, marks: np.ndarray
) -> np.ndarray:
    """int64[n, NUM_SHAPES] per document: `moves, marks` are `BOILERPLATE`."""
    out = np.zeros((len(offsets) - 1, NUM_SHAPES), np.int64)
    lengths, slots = np.zeros(LONGEST_WORD + 1, np.int64), np.full(SLOTS, -1, np.int64)
    for row in range(len(out)):
        _characters(data, offsets[row], offsets[row + 1], attributes, lengths, out[row])
        out[row, BOILERPLATE_BYTES] = _boilerplate(data, offsets[row], offsets[row + 1], moves, marks)
        out[row, COMPRESSED_BYTES] = _compressed(data, offsets[row], offsets[row + 1], slots)
    return out


@kernel()
def _is_url(data: np.ndarray, at: int, end: int) -> bool:
    """Whether `http://`, `https://` or `www.` begins here."""
    if data[at] == codes.SMALL_W:
        return (
            at + 4 <= end
            and data[at + 1] == codes.SMALL_W
            and data[at + 2] == codes.SMALL_W
            and data[at + 3] == codes.DOT
        )
    if (
        at + 7 > end
        or data[at] != codes.SMALL_H
        or data[at + 1] != codes.SMALL_T
        or data[at + 2] != codes.SMALL_T
        or data[at + 3] != codes.SMALL_P
    ):
        return False
    at += 5 if data[at + 4] == codes.SMALL_S else 4
    return at + 3 <= end and data[at] == codes.COLON and data[at + 1] == codes.SLASH and data[at + 2] == codes.SLASH


@kernel()
def _characters(
    data: np.ndarray, at: int, end: int, attributes: np.ndarray, lengths: np.ndarray, out: np.ndarray
) -> None:
    lengths[:] = 0
    word, in_url, line_begun, last = 0, False, False, 0
    out[LINES] = 1
    while at < end:
        point, width = np.int64(data[at]), 1
        if point >= codes.NON_ASCII:
            point, width = decode(data, at, end)
        mark = np.int64(attributes[point]) if point >= 0 else 0
        out[CHARS] += 1
        if mark & SPACE:
            if word:
                lengths[min(word, LONGEST_WORD)] += 1
                out[WORDS] += 1
            word, in_url = 0, False
        else:
            word += 1
            in_url = in_url or ((point == codes.SMALL_H or point == codes.SMALL_W) and _is_url(data, at, end))
            out[URL_CHARS] += in_url
            out[SYMBOLS] += point == codes.HASH or point == codes.ELLIPSIS
            out[BRACKETS] += point == codes.LEFT_BRACE or point == codes.RIGHT_BRACE
            out[DIGITS] += mark & DIGIT > 0
            out[LETTERS] += mark & ALPHA > 0
        if point == codes.LINE_FEED:
            out[LINES] += 1
            out[ELLIPSIS_LINES] += last == codes.ELLIPSIS
            line_begun = False
        elif not line_begun:
            out[BULLETS] += point == codes.ASTERISK or point == codes.HYPHEN
            line_begun = True
        last = point
        at += width
    out[ELLIPSIS_LINES] += last == codes.ELLIPSIS
    if word:
        lengths[min(word, LONGEST_WORD)] += 1
        out[WORDS] += 1
    low, high, seen = 0, 0, 0
    if out[WORDS]:
        for length in range(1, LONGEST_WORD + 1):
            seen += lengths[length]
            if low == 0 and seen > (out[WORDS] - 1) // 2:
                low = length
            if seen > out[WORDS] // 2:
                high = length
                break
    out[MEDIAN_WORD] = low + high


@kernel()
def _boilerplate(data: np.ndarray, start: int, end: int, moves: np.ndarray, marks: np.ndarray) -> int:
    """Bytes of the lines that hold a phrase, line feeds not counted."""
    state, found, line, total = np.int64(0), False, start, 0
    for at in range(start, end):
        state = np.int64(moves[state, data[at]])
        found = found or marks[state] > 0
        if data[at] == codes.LINE_FEED:
            total += found * (at - line)
            found, line = False, at + 1
    return total + found * (end - line)


@kernel()
def _compressed(data: np.ndarray, start: int, end: int, slots: np.ndarray) -> int:
    """Bytes after a greedy search for repeats of at least four bytes within `WINDOW`; `slots` is scratch."""
    slots[:] = -1
    at, size = start, 0
    while at + 4 <= end:
        key = load_u32(data, at)
        slot = np.int64((key * np.uint64(2654435761)) >> np.uint64(18)) & (SLOTS - 1)
        before = slots[slot]
        slots[slot] = at
        if before >= 0 and at - before <= WINDOW and load_u32(data, before) == key:
            length = 4
            while at + length < end and data[before + length] == data[at + length]:
                length += 1
            size += MATCH_BYTES
            at += length
        else:
            size += 1
            at += 1
    return size + end - at


@kernel()
def count_stop_words(rows: np.ndarray, hashes: np.ndarray, first: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """int64[n]: how many tokens are stop words (`heuristics.stop_table`)."""
    out = np.zeros(len(rows) - 1, np.int64)
    for row in range(len(out)):
        for at in range(rows[row], rows[row + 1]):
            bucket = np.int64(hashes[at] & np.uint64(255))
            for slot in range(first[bucket], first[bucket + 1]):
                out[row] += stops[slot] == hashes[at]
    return out
