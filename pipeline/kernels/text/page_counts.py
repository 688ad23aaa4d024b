# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""What a page is written like, in counts: words of given classes, sentences, figures, symbols, and how its lines end.

One pass over bytes, about 350 MB/s on one core; ASCII decides, all else is letters but for Latin-1 signs and the block of general
punctuation. A long text is read in the pieces that `linear` reads.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.text.linear import WHOLE_BYTES, pieces
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME

(
    BYTES, LETTERS, DIGITS, CAPITALS, WORDS, CAPITAL_WORDS, NUMBERS, SENTENCES, CALLS, COMMAS, PAUSES, SYMBOLS, QUOTES,
    ELLIPSES, UNITS, LINES, SHORT_LINE_BYTES, ENDED_LINE_BYTES, FIRST_CLASS,
) = range(19)  # fmt: skip
"""Columns. CALLS: marks of exclamation and questions. PAUSES: colons, semicolons, parentheses. UNITS: signs of per cent and of
money. ENDED lines end a sentence. Columns from FIRST_CLASS on: words of each class."""
SHORT_LINE = 60
"""Bytes of the longest line that is short."""
OTHER, LETTER, DIGIT, CAPITAL, COMMA, PAUSE, CLOSING, SYMBOL, QUOTE, UNIT, STOP, CALL, LINE_END, BLANK, APOSTROPHE = (
    range(15)
)
KIND = np.zeros(256, np.uint8)
"""uint8[256]: what a byte is; of bytes beyond ASCII, which are letters, `_sign` looks at some more."""
for _kind, _bytes in (
    (LETTER, [*range(codes.SMALL_A, codes.SMALL_Z + 1), *range(codes.NON_ASCII, 256)]),
    (DIGIT, range(codes.ZERO, codes.NINE + 1)),
    (CAPITAL, range(codes.UPPER_A, codes.UPPER_Z + 1)),
    (COMMA, b","),
    (PAUSE, b";:("),
    (CLOSING, b")"),
    (SYMBOL, b"|<>=*_#~{}[]\\^/@+"),
    (QUOTE, b'"'),
    (UNIT, b"%$"),
    (STOP, b"."),
    (CALL, b"!?"),
    (LINE_END, b"\n"),
    (BLANK, b" \t\r\f\v"),
    (APOSTROPHE, b"'"),
):
    KIND[list(_bytes)] = _kind
MARKS = np.full(len(range(15)), -1, np.int64)
"""int64[15]: the column that counts a kind, -1 for none."""
for _kind, _column in (
    (COMMA, COMMAS), (PAUSE, PAUSES), (CLOSING, PAUSES), (SYMBOL, SYMBOLS), (QUOTE, QUOTES), (UNIT, UNITS), (CALL, CALLS),
):  # fmt: skip
    MARKS[_kind] = _column

_P = np.uint64(FNV_PRIME)
_B = np.uint64(FNV_BASIS)
_LATIN_1, _PUNCTUATION, _EURO = 0xC2, 0xE280, 0xE282AC
_POUND, _RIGHT_APOSTROPHE, _QUOTES, _ELLIPSIS = 0xA3, 0x99, (0x9C, 0x9D), 0xA6


@kernel()
def _sign(data: np.ndarray, at: int, end: int) -> int:
    """Kind, and above eight bits the bytes, of what begins at a byte beyond ASCII: a sign of Latin-1, general punctuation, the
    euro, or a letter."""
    byte = np.int64(data[at])
    if byte == _LATIN_1 and at + 1 < end:
        return (UNIT if data[at + 1] == _POUND else SYMBOL) | 2 << 8
    if byte != _PUNCTUATION >> 8 or at + 2 >= end:
        return LETTER | 1 << 8
    both = byte << 8 | np.int64(data[at + 1])
    last = np.int64(data[at + 2])
    if both << 8 | last == _EURO:
        return UNIT | 3 << 8
    if both != _PUNCTUATION:
        return LETTER | 1 << 8
    if last == _RIGHT_APOSTROPHE:
        return APOSTROPHE | 3 << 8
    if last == _ELLIPSIS:
        return STOP | 3 << 8
    return (QUOTE if last in _QUOTES else OTHER) | 3 << 8


@kernel(forceinline=True)
def _class_of(value: np.uint64, keys: np.ndarray, classes: np.ndarray) -> int:
    """Class of a word by its hash, -1 for none; `keys` is an open table of a power of two with 0 where it is empty."""
    mask = len(keys) - 1
    slot = np.int64(value & np.uint64(mask))
    while keys[slot] != 0:
        if keys[slot] == value:
            return np.int64(classes[slot])
        slot = (slot + 1) & mask
    return -1


@kernel(forceinline=True)
def _stop(data: np.ndarray, at: int, size: int, end: int, kinds: np.ndarray, row: np.ndarray) -> int:
    """Counts a full stop, a mark of exclamation or question, or an ellipsis: its bytes."""
    dots = at + 2 < end and data[at] == codes.DOT and data[at + 1] == codes.DOT and data[at + 2] == codes.DOT
    row[ELLIPSES] += np.int64(dots or size == 3)
    size = 3 if dots else size
    after = np.int64(kinds[data[at + size]]) if at + size < end else LINE_END
    row[SENTENCES] += np.int64(after in (BLANK, LINE_END, QUOTE))
    return size


@kernel(forceinline=True)
def _letter(kind: int, row: np.ndarray) -> None:
    row[DIGITS] += np.int64(kind == DIGIT)
    row[CAPITALS] += np.int64(kind == CAPITAL)
    row[LETTERS] += np.int64(kind != DIGIT)


@kernel()
def _count(
    data: np.ndarray, begin: int, end: int, kinds: np.ndarray, marks: np.ndarray, keys: np.ndarray, classes: np.ndarray,
    row: np.ndarray,
) -> None:  # fmt: skip
    """Adds the counts of `data[begin:end]` to a row."""
    value, inside, line, ended, at = _B, False, begin, False, begin
    while at <= end:
        byte = np.int64(data[at]) if at < end else np.int64(codes.LINE_FEED)
        kind, size = np.int64(kinds[byte]), 1
        if byte >= codes.NON_ASCII:
            packed = _sign(data, at, end)
            kind, size = packed & 255, packed >> 8
        if LETTER <= kind <= CAPITAL:
            if not inside:
                inside, value = True, _B
                row[WORDS] += 1
                row[CAPITAL_WORDS] += np.int64(kind == CAPITAL)
                row[NUMBERS] += np.int64(kind == DIGIT)
            value = (value ^ np.uint64(byte | (codes.CASE_BIT if kind == CAPITAL else 0))) * _P
            _letter(kind, row)
            ended = False
            at += 1
            continue
        if kind == APOSTROPHE and inside and at + size < end and kinds[data[at + size]] == LETTER:
            at += size
            continue
        if inside:
            inside = False
            number = _class_of(value, keys, classes)
            if number >= 0:
                row[FIRST_CLASS + number] += 1
        if marks[kind] >= 0:
            row[marks[kind]] += 1
        if kind == LINE_END:
            if at > line:
                row[LINES] += 1
                row[SHORT_LINE_BYTES] += at - line if at - line <= SHORT_LINE else 0
                row[ENDED_LINE_BYTES] += at - line if ended else 0
            line, ended = at + 1, False
        elif kind in (STOP, CALL):
            size, ended = _stop(data, at, size, end, kinds, row), True
        else:
            # A closing quote or parenthesis after a full stop still ends the line's sentence.
            ended = ended and kind in (BLANK, QUOTE, CLOSING, APOSTROPHE)
        at += size
    row[BYTES] += end - begin


@kernel()
def page_counts(
    offsets: np.ndarray, data: np.ndarray, kinds: np.ndarray, marks: np.ndarray, keys: np.ndarray, classes: np.ndarray,
    number: int,
) -> np.ndarray:  # fmt: skip
    """int64[n, FIRST_CLASS + number]: the counts of every row.

    `kinds` and `marks` are `KIND` and `MARKS`; `keys` uint64 and `classes` uint8 are a table of words by FNV-1a of their
    lower-case ASCII, of `number` classes.
    """
    found = np.zeros((len(offsets) - 1, FIRST_CLASS + number), np.int64)
    reader = np.empty(WHOLE_BYTES, np.uint8)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        if end - begin > WHOLE_BYTES:
            _count(reader, 0, pieces(data, begin, end, reader), kinds, marks, keys, classes, found[row])
        else:
            _count(data, begin, end, kinds, marks, keys, classes, found[row])
    return found
