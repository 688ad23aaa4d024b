"""Pre-tokens: the pieces a byte-pair encoder never merges across, found in one compiled pass over bytes.

The rules are those of the cl100k family of patterns: contractions, words with one leading non-letter, short digit
groups, punctuation with its line ends, line ends, white space. Every rule set carries the regular expression that says
the same to `tokenizers` (Oniguruma), so a `tokenizer.json` with that pattern splits exactly where this scanner does.
Letters and numbers are those of Unicode 16.0, Oniguruma's version, whatever the version of Python.

Bytes need not be valid UTF-8: a byte that starts no valid sequence counts as one punctuation sign.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.bpe.pretoken_count import (
    ASCII,
    IS_BLANK,
    IS_LETTER,
    IS_NEWLINE,
    IS_NUMBER,
    IS_OTHER,
    PAIRS,
    count_rows,
    tables,
    wide,
)
from pipeline.kernels.buffers import read_only
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at, trailing_zeros, word_at
from pipeline.kernels.unicode import IS_SPACE, LETTER, MAJOR, NUMBER

# Letters and numbers that Unicode 15.0, 15.1 and 16.0 added; Python 3.11 knows 14.0.
_NEW_LETTERS = (
    "1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D4A-10D65 10D6F-10D85 10EC2-10EC4 1123F-11240 11380-11389 1138B 1138E "
    "11390-113B5 113B7 113D1 113D3 11BC0-11BE0 11F02 11F04-11F10 11F12-11F33 1342F 13441-13446 13460-143FA 16100-1611D "
    "16D40-16D6C 18CFF 1B132 1B155 1DF25-1DF2A 1E030-1E06D 1E4D0-1E4EB 1E5D0-1E5ED 1E5F0 2B739 2EBF0-2EE5D 31350-323AF"
)
_NEW_NUMBERS = (
    "10D40-10D49 116D0-116E3 11BF0-11BF9 11F50-11F59 16130-16139 16D70-16D79 1CCF0-1CCF9 1D2C0-1D2D3 1E4F0-1E4F9 "
    "1E5F1-1E5FA"
)


def _classes() -> np.ndarray:
    table = np.full(len(MAJOR), IS_OTHER, np.uint8)
    table[IS_SPACE] = IS_BLANK
    table[0x1C:0x20] = IS_OTHER  # str.isspace takes the four separators; the White_Space property does not
    table[[0x0A, 0x0D]] = IS_NEWLINE
    table[MAJOR == LETTER] = IS_LETTER
    table[MAJOR == NUMBER] = IS_NUMBER
    for ranges, code in ((_NEW_LETTERS, IS_LETTER), (_NEW_NUMBERS, IS_NUMBER)):
        for span in ranges.split():
            first, _, last = span.partition("-")
            table[int(first, 16) : int(last or first, 16) + 1] = code
    table.flags.writeable = False
    return table


CLASSES = _classes()
"""uint8[0x110000]: letter, number, blank (white space but CR and LF), newline (CR, LF) or other, per code point."""


class Words(IntEnum):
    """How letters are grouped."""

    SINGLE = 0
    """One word with one leading non-letter, as in cl100k."""
    JOINED = 1
    """Words joined by single spaces (superwords): tokens may span words, never punctuation, digits or lines."""
    ASCII = 2
    """BloombergGPT: runs of spaces and ASCII letters, single digits, everything else (arXiv 2303.17564, appendix C)."""
    WHOLE = 3
    """Every row is one pre-token: for text that was cut before."""
    SPACED = 4
    """GPT-2: one leading space at most, contractions in small letters, numbers of any length, no rule for line ends."""
    FOLDED = 5
    """As SINGLE, contractions by Unicode's case folding, where ſ is an s: Llama-3 and GPT-4 write their pattern so."""


GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What a `ByteLevel` pre-tokenizer with `use_regex` splits by."""


@dataclass(frozen=True)
class Preset:
    """A rule set, by numbers for the scanner and by regular expression for `tokenizers`.

    `digits` is the longest digit group (1 to 3); `right_to_left` aligns groups to the end of the number, so that
    1234567 is 1·234·567. `pattern` is Oniguruma syntax, to be used with the behaviour "isolated".
    """

    name: str
    words: Words = Words.SINGLE
    digits: int = 3
    right_to_left: bool = False

    @property
    def pattern(self) -> str:
        """The regular expression that splits where the scanner does."""
        if self.words == Words.ASCII:
            return r"[ A-Za-z]+|[0-9]|[^ A-Za-z0-9][^A-Za-z0-9]*"
        if self.words == Words.SPACED:
            return GPT2_PATTERN
        number = r"\p{N}" if self.digits == 1 else rf"\p{{N}}{{1,{self.digits}}}"
        if self.right_to_left and self.digits > 1:
            number += rf"(?=(?:\p{{N}}{{{self.digits}}})*(?!\p{{N}}))"
        word = r"\p{L}+(?: \p{L}+)*" if self.words == Words.JOINED else r"\p{L}+"
        short = r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
        if self.words == Words.FOLDED:
            short = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
        return (
            rf"{short}|[^\r\n\p{{L}}\p{{N}}]?{word}|{number}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )

    @property
    def rules(self) -> tuple[int, int, bool]:
        """The three numbers the kernels take."""
        return int(self.words), self.digits, self.right_to_left


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("gpt4"),
        Preset("gpt4_digits_right_to_left", right_to_left=True),
        Preset("gpt4_digits_1", digits=1),
        Preset("gpt4_digits_2", digits=2),
        Preset("bloomberg", words=Words.ASCII, digits=1),
        Preset("superwords", words=Words.JOINED),
        Preset("gpt2", words=Words.SPACED),
        Preset("llama3", words=Words.FOLDED),
        Preset("llama3_digits_1", words=Words.FOLDED, digits=1),
    )
}
"""The rule sets by name; a tokenizer is trained and saved with one of them. The last three are those of models that are
there to be extended: GPT-2, Llama-3 and GPT-4, Qwen."""
WHOLE_ROWS = (int(Words.WHOLE), 1, False)
"""The kernels' rules for rows that are pre-tokens already."""


@kernel()
def _character(at: Int, end: Int, classes: Int) -> Int:
    """`kind << 3 | length` of the character at byte `at`."""
    first = byte_at(at)
    return byte_at(classes + first) << 3 | 1 if first < codes.NON_ASCII else wide(at, end, classes)


@kernel()
def _skip(at: Int, end: Int, classes: Int, wanted: Int) -> Int:
    """The end of the run of characters of class `wanted` that starts at `at`."""
    while at < end:
        byte = byte_at(at)
        if byte < codes.NON_ASCII:
            if byte_at(classes + byte) != wanted:
                break
            at += 1
        else:
            found = wide(at, end, classes)
            if found >> 3 != wanted:
                break
            at += found & 7
    return at


_TOP = np.uint64(0x8080808080808080)
_ONES = np.uint64(0x0101010101010101)


@kernel(forceinline=True)
def _letters_ahead(at: Int) -> Int:
    """How many ASCII letters follow one another from `at` on, 8 at most; eight bytes are read."""
    # Bit 7 of a byte of `least` says it is a letter or beyond, of `beyond` that it is beyond; a word's length is no
    # branch to guess wrong.
    word = word_at(at)
    low = (word | _ONES * np.uint64(0x20)) & ~_TOP
    least = low + _ONES * np.uint64(0x80 - 0x61)
    beyond = low + _ONES * np.uint64(0x7F - 0x7A)
    return trailing_zeros((~least | beyond | word) & _TOP) >> 3


@kernel(forceinline=True)
def _letters_end(at: Int, end: Int, classes: Int) -> Int:
    """The end of the run of letters that starts at `at`."""
    while at + 8 <= end:
        ahead = _letters_ahead(at)
        at += ahead
        if ahead < 8:
            return _skip(at, end, classes, IS_LETTER) if byte_at(at) >= codes.NON_ASCII else at
    return _skip(at, end, classes, IS_LETTER)


@kernel()
def _contraction(at: Int, end: Int) -> Int:
    """The end of 's 'd 'm 't 'll 've 're in any case at the apostrophe `at`, or `at`."""
    if at + 1 >= end:
        return at
    first = byte_at(at + 1) | codes.CASE_BIT
    if first == codes.SMALL_S or first == codes.SMALL_D or first == codes.SMALL_M or first == codes.SMALL_T:
        return at + 2
    if at + 2 < end:
        second = byte_at(at + 2) | codes.CASE_BIT
        if (first == codes.SMALL_L and second == codes.SMALL_L) or (
            second == codes.SMALL_E and (first == codes.SMALL_V or first == codes.SMALL_R)
        ):
            return at + 3
    return at


@kernel()
def _ascii_end(at: Int, end: Int) -> Int:
    """BloombergGPT's rules: letters with spaces, one digit, or anything up to the next letter or digit."""
    first = byte_at(at)
    at += 1
    if codes.ZERO <= first <= codes.NINE:
        return at
    worded = first == codes.SPACE or codes.SMALL_A <= (first | codes.CASE_BIT) <= codes.SMALL_Z
    while at < end:
        byte = byte_at(at)
        letter = codes.SMALL_A <= (byte | codes.CASE_BIT) <= codes.SMALL_Z
        if worded:
            if not letter and byte != codes.SPACE:
                break
        elif letter or codes.ZERO <= byte <= codes.NINE:
            break
        at += 1
    return at


@kernel()
def _spaced_end(at: Int, end: Int, classes: Int) -> Int:
    """GPT-2's rules: a contraction, a run of one class with a space before it, or white space but its last character."""
    start = at
    first = byte_at(at)
    if first == codes.APOSTROPHE and at + 1 < end and byte_at(at + 1) >= codes.SMALL_A:
        stop = _contraction(at, end)
        if stop > at and (stop == at + 2 or byte_at(at + 2) >= codes.SMALL_A):
            return stop
    if first == codes.SPACE and at + 1 < end:
        at += 1
    kind = _character(at, end, classes) >> 3
    if kind != IS_BLANK and kind != IS_NEWLINE:
        return _skip(at, end, classes, kind)
    at = last = start
    while at < end:
        found = _character(at, end, classes)
        if found >> 3 != IS_BLANK and found >> 3 != IS_NEWLINE:
            return last if start < last else at
        last = at
        at += found & 7
    return at


@kernel()
def _space_end(at: Int, end: Int, classes: Int) -> Int:
    """`\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`: to the last line end of the run, or all of it but the last character."""
    start = last = at
    after_newline = -1
    while at < end:
        found = _character(at, end, classes)
        kind = found >> 3
        if kind != IS_BLANK and kind != IS_NEWLINE:
            break
        last = at
        at += found & 7
        if kind == IS_NEWLINE:
            after_newline = at
    if after_newline >= 0:
        return after_newline
    return last if start < last and at < end else at


@kernel()
def _digits_end(at: Int, end: Int, classes: Int, digits: Int) -> Int:
    """The end of at most `digits` numbers from `at` on."""
    while at < end and digits > 0:
        found = _character(at, end, classes)
        if found >> 3 != IS_NUMBER:
            break
        at += found & 7
        digits -= 1
    return at


@kernel()
def _group_end(at: Int, end: Int, classes: Int, digits: Int, digits_left: Int) -> tuple[Int, Int]:
    """The end of the next group of a number whose groups are aligned to its end, and how many digits are left."""
    if digits_left == 0:
        ahead = at
        while ahead < end:
            found = _character(ahead, end, classes)
            if found >> 3 != IS_NUMBER:
                break
            digits_left += 1
            ahead += found & 7
    group = (digits_left - 1) % digits + 1
    return _digits_end(at, end, classes, group), digits_left - group


@kernel()
def next_end(at: Int, end: Int, classes: Int, rules: tuple[Int, Int, bool], digits_left: Int) -> tuple[Int, Int]:
    """The end of the pre-token that starts at `at` (< `end`), and the state for the next call.

    `at`, `end` and `classes` are addresses (`pipeline.kernels.memory`) of text and of `CLASSES`. `digits_left` is 0 at the
    start of a text; right-to-left groups keep in it how many digits of a number are still to come, so that a number of a
    million digits is read twice and not a million times.
    """
    words, digits, right_to_left = rules
    if 2 <= words <= 4:
        if words == 4:
            return _spaced_end(at, end, classes), 0
        return _ascii_end(at, end) if words == 2 else end, 0
    first = byte_at(at)
    found = byte_at(classes + first) << 3 | 1 if first < codes.NON_ASCII else wide(at, end, classes)
    kind = found >> 3
    start = at
    at += found & 7
    following = IS_LETTER
    if kind != IS_LETTER:
        if kind == IS_NUMBER:
            if right_to_left:
                return _group_end(start, end, classes, digits, digits_left)
            return _digits_end(at, end, classes, digits - 1), 0
        if first == codes.APOSTROPHE:
            stop = _contraction(start, end)
            if stop > start:
                return stop, 0
            if words == 5 and at + 1 < end and byte_at(at) == 0xC5 and byte_at(at + 1) == 0xBF:
                return at + 2, 0
        if at >= end:
            return at, 0
        if kind == IS_NEWLINE:
            return _space_end(start, end, classes), 0
        following = _character(at, end, classes) >> 3
    if following == IS_LETTER:
        at = _letters_end(at, end, classes)
        while words == 1 and at + 1 < end and byte_at(at) == codes.SPACE:
            stop = _letters_end(at + 1, end, classes)
            if stop == at + 1:
                break
            at = stop
        return at, 0
    if kind == IS_OTHER or (first == codes.SPACE and following == IS_OTHER):
        at = _skip(at, end, classes, IS_OTHER)
        return _skip(at, end, classes, IS_NEWLINE), 0
    return _space_end(start, end, classes), 0


@kernel(nogil=True)
def _count(
    offsets: np.ndarray, data: np.ndarray, classes: np.ndarray, rules: tuple[Int, Int, bool], out: np.ndarray
) -> None:
    text, table = address(data), address(classes)
    for row in range(len(out)):
        at = text + offsets[row]
        end = text + offsets[row + 1]
        state = 0
        count = 0
        while at < end:
            at, state = next_end(at, end, table, rules, state)
            count += 1
        out[row] = count


@kernel(nogil=True)
def _ends(
    offsets: np.ndarray, data: np.ndarray, classes: np.ndarray, rules: tuple[Int, Int, bool], out: np.ndarray
) -> None:
    text, table = address(data), address(classes)
    place = 0
    for row in range(len(offsets) - 1):
        at = text + offsets[row]
        end = text + offsets[row + 1]
        state = 0
        while at < end:
            at, state = next_end(at, end, table, rules, state)
            out[place] = at - text
            place += 1


def count_pretokens(offsets: np.ndarray, data: np.ndarray, preset: str = "gpt4") -> np.ndarray:
    """Pre-tokens per row, int64[n]: what "tokens" means before a tokenizer exists.

    `offsets` int64[n + 1] and `data` uint8 are those of `text_buffers`; the bytes may be anything, raw HTML included.

    >>> count_pretokens(np.array([0, 14, 14]), np.frombuffer(b"It's 2024,\\nok.", np.uint8)).tolist()
    [8, 0]
    """
    out = np.zeros(len(offsets) - 1, np.int64)
    rules = PRESETS[preset]
    if rules.words == Words.SINGLE and not rules.right_to_left:
        count_rows(read_only(offsets), read_only(data), CLASSES, ASCII, PAIRS, *tables(rules.digits), out)
    else:
        _count(read_only(offsets), read_only(data), CLASSES, rules.rules, out)
    return out


def pretoken_ends(offsets: np.ndarray, data: np.ndarray, preset: str = "gpt4") -> tuple[np.ndarray, np.ndarray]:
    """The byte where each pre-token ends, int64[m], in the order of the text, and pre-tokens per row, int64[n].

    >>> ends, counts = pretoken_ends(np.array([0, 11]), np.frombuffer(b"Net 1234.5%", np.uint8))
    >>> ends.tolist(), counts.tolist()
    ([3, 4, 7, 8, 9, 10, 11], [7])
    """
    counts = count_pretokens(offsets, data, preset)
    ends = np.empty(int(counts.sum()), np.int64)
    _ends(read_only(offsets), read_only(data), CLASSES, PRESETS[preset].rules, ends)
    return ends, counts
