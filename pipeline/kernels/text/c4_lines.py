# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""C4's line rules in compiled code: which lines go, for which reason, and how many sentences stay."""

from typing import NamedTuple

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import SIZE, begins, below, equal, find, first_bits, leading_zeros, ones
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at, int_at, short_at, trailing_zeros
from pipeline.kernels.text.phrases import automaton
from pipeline.kernels.text.syllables import held_at, packed
from pipeline.kernels.text.word_tables import ALPHA, ATTRIBUTES, BREAK, SPACE, SPECIAL_KEYS, SPECIAL_LENGTHS, UNIT_KEYS
from pipeline.kernels.text.words import IS_PUNCT, IS_STOP, NEW_LINE, longest_row, scan, scratch_at, scratch_for
from pipeline.kernels.unicode import CATEGORIES, CATEGORY, decode

KINDS = ["keep", "too_long_word", "no_terminal_punct", "too_few_words", "javascript", "policy", "citation"]
"""Why a piece of a line is cut; the index is the code of `Cuts.kinds`."""
_KEEP, _LONG, _NO_PUNCT, _FEW, _JAVASCRIPT, _POLICY, _CITATION = range(7)

_EDIT = np.frombuffer(b"[edit]", np.uint8)
_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)
_DECIMAL = CATEGORIES.index("Nd") == CATEGORY

LOREM, SCRIPT, POLICY, FURNITURE = 1, 2, 4, 8
_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
TO_THE_READER = (
    "by using", "by continuing", "by clicking", "by accessing", "you agree", "you accept", "you consent", "please enable",
    "please turn", "enable javascript", "javascript is", "javascript must", "requires javascript", "your browser",
    "your experience", "best experience", "this site", "this website", "this page", "click", "accept all", "accept cookies",
    "read our", "see our", "view our", "learn more", "find out more", "all rights reserved", "sign up", "log in", "\u00a9", "|",
)  # fmt: skip
PHRASES = automaton(
    (
        ("lorem ipsum", LOREM),
        ("javascript", SCRIPT),
        *((phrase, POLICY) for phrase in _POLICIES),
        *((phrase, FURNITURE) for phrase in TO_THE_READER),
    )
)
"""The phrases of the published code, and what a page says to its reader, as an automaton."""
MOST_FURNITURE, MOST_LABEL = 40, 10
"""Words of the longest line of page furniture, and of the longest that is a label and no sentence."""
TELLING = packed(b"lore", b"scri", b"poli", b"cook", b"erms")
"""Four letters of each phrase: a line without any has none of them."""

SENTENCES, LOREM_LINES, CURLY_LINES, LINES, KEPT_LINES, LONG_LINES, CUT_BYTES, NUM_C4_STATS = range(8)
"""Columns of `Cuts.stats`. LONG_LINES: lines between line feeds of at least 200 code points (mC4)."""


class LineRules(NamedTuple):
    """Which of the line rules are on; -1 switches a number off."""

    terminal_punct: bool
    min_words: int
    max_word_chars: int
    citations: bool
    javascript: bool
    policy: bool
    furniture: bool
    keep_blank: bool
    merge: bool


class Room(NamedTuple):
    """For a line without its citations and its words: arrays that the kernel's caller keeps."""

    clean: np.ndarray
    hashes: np.ndarray
    sizes: np.ndarray
    scratch: np.ndarray


class Cuts(NamedTuple):
    """Row i has the cuts `rows[i]` to `rows[i + 1]`: byte offsets into its text and codes into `KINDS`, in order."""

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    stats: np.ndarray


def c4_lines(offsets: np.ndarray, data: np.ndarray, tokens: tuple[np.ndarray, ...], rules: LineRules) -> Cuts:
    """Judge every line of every row; `tokens` are the rows' `words.Words`."""
    tables = (ATTRIBUTES, _DECIMAL, TELLING, *PHRASES, SPECIAL_KEYS, SPECIAL_LENGTHS, UNIT_KEYS)
    longest = longest_row(offsets)
    room = Room(
        np.empty(longest, np.uint8), np.empty(longest, np.uint64), np.empty(longest, np.uint32), scratch_for(longest)
    )
    rows, starts, ends, kinds, stats = _rows(offsets, data, tokens[0], tokens[2], rules, *tables, room)
    return Cuts(rows, starts, ends, kinds, stats)


@kernel()
def _bound(data: np.ndarray, start: int, end: int) -> int:
    """At least as many as there can be cuts: line ends and opening brackets."""
    most = 0
    text = address(data)
    at, stop = text + start, text + end
    while at + SIZE <= stop:
        ends = below(at, 0x1F) & ~below(at, codes.LINE_FEED) | equal(at, 0x85) | equal(at, 0xA8) | equal(at, 0xA9)
        most += ones(ends | equal(at, codes.LEFT_BRACKET))
        at += SIZE
    return most + stop - at


@kernel()
def count_sentences(sizes: np.ndarray, start: int, end: int) -> int:
    """Sentences of the tokens `start:end`: a new one begins after a full stop at the first token that is no punctuation."""
    sentences, stopped = 1, False
    for at in range(start, end):
        flags = np.int64(sizes[at])
        if stopped and not flags & (IS_PUNCT | IS_STOP):
            sentences += 1
            stopped = False
        elif flags & IS_STOP:
            stopped = True
    return sentences


@kernel()
def _citation(data: np.ndarray, at: int, end: int, decimal: np.ndarray) -> int:
    """Byte after `[12]`, `[]`, `[edit]` or `[citation needed]` that begins at `at`, or 0."""
    for fixed in (_EDIT, _NEEDED):
        if at + len(fixed) <= end:
            same = True
            for inner in range(len(fixed)):
                same = same and data[at + inner] == fixed[inner]
            if same:
                return at + len(fixed)
    at += 1
    while at < end and data[at] != codes.RIGHT_BRACKET:
        point, width = decode(data, at, end)
        if point < 0 or not decimal[point]:
            return 0
        at += width
    return at + 1 if at < end else 0


@kernel()
def _phrases(
    data: np.ndarray, start: int, end: int, telling: np.ndarray, moves: np.ndarray, marks: np.ndarray
) -> tuple[int, bool]:
    """(bits of the phrases found, whether there is a curly bracket)."""
    table, bits, text = address(moves), address(marks), address(data)
    state, found, curly = 0, 0, False
    if not held_at(text + start, text + end, telling):
        return 0, find(text + start, text + end, text + data.shape[0], codes.LEFT_BRACE) < text + end
    for at in range(text + start, text + end):
        byte = byte_at(at)
        state = short_at(table + 2 * (state << 8 | byte))
        found |= int_at(bits + 4 * state)
        curly |= byte == codes.LEFT_BRACE
    return found, curly


@kernel(forceinline=True)
def _may_be_wide_space(at: Int) -> np.uint64:
    """The bytes of a block with which white space beyond ASCII may begin, among them all of it. Two more bytes are read."""
    general = equal(at, 0xE2) & (
        equal(at + 1, 0x81) | below(at + 2, 0x8B) | equal(at + 2, 0xA8) | equal(at + 2, 0xA9) | equal(at + 2, 0xAF)
    )
    return general | equal(at, 0xC2) | equal(at, 0xE1) | equal(at, 0xE3)


@kernel()
def _plain_line(start: Int, end: Int, limit: Int) -> tuple[Int, tuple[Int, Int, Int, Int, bool]]:
    """Bytes of the line that starts at an address, and `(first, last, points, words, bracket)`: where its stripped part
    begins and ends, its code points, the words between white space, and whether there is an opening bracket.

    -1 bytes: to be looked at sign by sign. Lines that a line feed or the end closes, with spaces and tabs for white space,
    are taken by blocks; nothing from `limit` on is read.
    """
    at, first, last, points, words, before, bracket = start, -1, 0, 0, 0, np.uint64(0), np.uint64(0)
    while at < end:
        if at + SIZE + 2 > limit:
            return -1, (0, 0, 0, 0, False)
        feed = equal(at, codes.LINE_FEED) | ~first_bits(end - at)
        size = trailing_zeros(feed)
        here = first_bits(size)
        space = equal(at, codes.SPACE) | equal(at, codes.TAB)
        if (below(at, codes.SPACE) & ~space | _may_be_wide_space(at)) & here:
            return -1, (0, 0, 0, 0, False)
        sign = ~space & here
        if sign:
            first = at - start + trailing_zeros(sign) if first < 0 else first
            last = at - start + SIZE - leading_zeros(sign)
        points += ones(begins(at) & here)
        words += ones(sign & ~(sign << np.uint64(1) | before))
        before = sign >> np.uint64(63)
        bracket |= equal(at, codes.LEFT_BRACKET) & here
        at += size
        if feed:
            break
    return at - start, (max(first, 0), last, points, words, bracket != 0)


@kernel()
def _ends_well(data: np.ndarray, start: int, end: int) -> bool:
    """Whether the bytes end in . ? ! " or ' and not in three full stops."""
    if start == end:
        return False
    last = data[end - 1]
    if last == codes.DOT:
        return not (end - start >= 3 and data[end - 2] == codes.DOT and data[end - 3] == codes.DOT)
    return last == codes.QUESTION or last == codes.EXCLAMATION or last == codes.QUOTE or last == codes.APOSTROPHE


@kernel()
def _is_furniture(found: int, words: int, size: int, whole: int, sentence: bool) -> bool:
    """Whether a line of so many bytes of a text of `whole` speaks of the page to its reader, or is a label and no sentence."""
    if words > MOST_FURNITURE or 2 * size > whole:
        return False
    return found & FURNITURE > 0 or (words <= MOST_LABEL and not sentence)


@kernel()
def _rows(
    offsets: np.ndarray, data: np.ndarray, token_rows: np.ndarray, sizes: np.ndarray, rules: LineRules,
    attributes: np.ndarray, decimal: np.ndarray, telling: np.ndarray, moves: np.ndarray, marks: np.ndarray,
    keys: np.ndarray, lengths: np.ndarray, units: np.ndarray, room: Room,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    num = len(offsets) - 1
    most = _bound(data, offsets[0], offsets[-1]) + num + 1
    starts, ends, kinds = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.uint8)
    rows, stats = np.zeros(num + 1, np.int64), np.zeros((num, NUM_C4_STATS), np.int64)
    # Lines that lose a citation are scanned again: their words are not the document's.
    clean, new_sizes = room.clean, room.sizes
    scratch, tokens = scratch_at(room.scratch), (address(room.hashes), address(room.sizes))
    tables = (address(attributes), address(keys), address(lengths), address(units))
    text_at, limit = address(data), address(data) + data.shape[0]
    at = 0
    for row in range(num):
        base, end, token = offsets[row], offsets[row + 1], token_rows[row]
        line, since_feed = base, 0
        while line < end:
            # The line, its stripped part, its words between white space.
            byte, first, last, chunks, chunk, widest, bracket = line, -1, line, 0, 0, 0, False
            next_line = end
            size, plain = _plain_line(text_at + line, text_at + end, limit)
            if size >= 0 and (rules.max_word_chars < 0 or size <= rules.max_word_chars):
                first, last, points, chunks, bracket = plain
                first, last = line + first, line + last
                since_feed += points
                byte = end
                if line + size < end:
                    next_line = line + size + 1
                    stats[row, LONG_LINES] += since_feed >= 200
                    since_feed = 0
            while byte < end:
                point, width = np.int64(data[byte]), 1
                if point >= codes.NON_ASCII:
                    point, width = decode(data, byte, end)
                mark = np.int64(attributes[point]) if point >= 0 else 0
                if point == codes.LINE_FEED:
                    stats[row, LONG_LINES] += since_feed >= 200
                    since_feed = 0
                else:
                    since_feed += 1
                if mark & SPACE:
                    chunk = 0
                    if mark & BREAK:
                        next_line = byte + width
                        if point == codes.RETURN and next_line < end and data[next_line] == codes.LINE_FEED:
                            stats[row, LONG_LINES] += since_feed >= 200
                            since_feed = 0
                            next_line += 1
                        break
                else:
                    first = byte if first < 0 else first
                    last = byte + width
                    chunks += chunk == 0
                    chunk += 1
                    bracket = bracket or point == codes.LEFT_BRACKET
                    if mark & ALPHA:  # letters after a letter only count
                        while last < end and data[last] < codes.NON_ASCII and attributes[data[last]] & ALPHA:
                            last += 1
                            chunk += 1
                            since_feed += 1
                        width = last - byte
                    widest = max(widest, chunk)
                byte += width
            stats[row, LINES] += 1
            first = last if first < 0 else first
            first_token = token
            if last > first:
                token += 1
                while token < token_rows[row + 1] and not sizes[token] & NEW_LINE:
                    token += 1
            before = at
            low, high, text = first, last, data
            if bracket and rules.citations:
                low, high, text = 0, 0, clean
                byte = first
                while byte < last:
                    skip = _citation(data, byte, last, decimal) if data[byte] == codes.LEFT_BRACKET else 0
                    if skip:
                        starts[at], ends[at], kinds[at] = byte - base, skip - base, _CITATION
                        at += 1
                        byte = skip
                    else:
                        clean[high] = data[byte]
                        high += 1
                        byte += 1
            kind = _KEEP
            if rules.max_word_chars >= 0 and widest > rules.max_word_chars:
                kind = _LONG
            elif rules.terminal_punct and not _ends_well(text, low, high):
                kind = _NO_PUNCT
            elif rules.min_words >= 0 and chunks < rules.min_words:
                kind = _FEW
            else:
                found, curly = _phrases(text, low, high, telling, moves, marks)
                stats[row, LOREM_LINES] += found & LOREM > 0
                if rules.furniture and found & (SCRIPT | POLICY):
                    sentence = _ends_well(text, low, high)
                    if not _is_furniture(found, chunks, last - first, end - base, sentence):
                        found = 0
                if rules.javascript and found & SCRIPT:
                    kind = _JAVASCRIPT
                else:
                    stats[row, CURLY_LINES] += curly
                    if rules.policy and found & POLICY:
                        kind = _POLICY
            if kind == _KEEP or (rules.keep_blank and last == first):
                if kind == _KEEP:
                    stats[row, KEPT_LINES] += 1
                    if at == before:
                        stats[row, SENTENCES] += count_sentences(sizes, first_token, token)
                    else:
                        count = scan(address(clean), address(clean) + high, scratch, tables, tokens, 0)
                        stats[row, SENTENCES] += count_sentences(new_sizes, 0, count)
            else:
                # The whole line goes, its end with it; neighbours cut for the same reason are one cut.
                at = before
                if rules.merge and at > rows[row] and ends[at - 1] == line - base and kinds[at - 1] == kind:
                    at -= 1
                else:
                    starts[at] = line - base
                ends[at], kinds[at] = next_line - base, kind
                at += 1
            line = next_line
        stats[row, LONG_LINES] += since_feed >= 200
        for cut in range(rows[row], at):
            stats[row, CUT_BYTES] += ends[cut] - starts[cut]
        rows[row + 1] = at
    return rows, starts[:at], ends[:at], kinds[:at], stats
