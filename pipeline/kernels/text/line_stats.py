# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""Lines, paragraphs and their duplicates in compiled code: FineWeb's line rules and Gopher's duplicate fractions.

A line here ends at a line feed and at nothing else, as in both papers' code. Lines are compared by a 64-bit hash.
"""

import numpy as np
import pyarrow as pa

from pipeline.kernels import codes
from pipeline.kernels.blocks import count_byte, count_points, find
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memo import LastColumns
from pipeline.kernels.memory import Int, address, byte_at, short_at, word_at
from pipeline.kernels.text.word_affixes import mixed
from pipeline.kernels.text.word_tables import ATTRIBUTES, SPACE, STOP
from pipeline.kernels.unicode import decode, decode_at

(
    CHARS, LINE_FEEDS, FILLED, PUNCTUATED, SHORT, DUP_FILLED_CHARS, LINES, DUP_LINES, DUP_LINE_CHARS,
    PARAGRAPHS, DUP_PARAGRAPHS, DUP_PARAGRAPH_CHARS, SPEAKER_LINES, NUM_LINE_STATS,
) = range(14)  # fmt: skip
"""Columns of `line_stats`. FILLED lines hold more than white space (FineWeb), LINES at least one character (Gopher)."""

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x9FB21C651E98DF25)
_OPERATOR = np.frombuffer(b"operator", np.uint8)
SHORT_LINE = 30
"""Code points of the longest line that FineWeb calls short."""
MAX_SPEAKER_CHARS = 60
"""A line that names a speaker is no longer than this."""


@kernel()
def _seen(table: np.ndarray, mask: int, key: np.uint64) -> bool:
    """Insert a non-zero key; whether it was there."""
    key = key if key != 0 else np.uint64(1)
    slot = np.int64(key) & mask
    while table[slot] != 0:
        if table[slot] == key:
            return True
        slot = (slot + 1) & mask
    table[slot] = key
    return False


@kernel()
def _names_speaker(data: np.ndarray, start: int, end: int, chars: int) -> bool:
    """Whether a line only says who speaks: "Jane Doe:", "Operator", "Jane Doe -- Chief Executive Officer"."""
    while end > start and data[end - 1] <= codes.SPACE:
        end -= 1
    while end > start and data[start] <= codes.SPACE:
        start += 1
    if end == start or chars > MAX_SPEAKER_CHARS:
        return False
    if data[end - 1] == codes.COLON:
        return True
    if end - start == len(_OPERATOR):
        same = True
        for at in range(len(_OPERATOR)):
            same = same and (data[start + at] | codes.CASE_BIT) == _OPERATOR[at]
        if same:
            return True
    for at in range(start, end - 3):
        if (
            data[at] == codes.SPACE
            and data[at + 1] == codes.HYPHEN
            and data[at + 2] == codes.HYPHEN
            and data[at + 3] == codes.SPACE
        ):
            return data[end - 1] != codes.DOT
    return False


last_lines: LastColumns[np.ndarray] = LastColumns()


def of_column(text: pa.Array, ignore_speakers: bool, short: int = SHORT_LINE) -> np.ndarray:
    """`line_stats` of a text column, remembered: Gopher's and FineWeb's rules ask for the same ones in turn."""
    return last_lines.get(
        (text,), lambda: line_stats(*text_buffers(text), ATTRIBUTES, short, ignore_speakers), (short, ignore_speakers)
    )


@kernel()
def line_stats(
    offsets: np.ndarray, data: np.ndarray, attributes: np.ndarray, short: int, ignore_speakers: bool
) -> np.ndarray:
    """int64[n, NUM_LINE_STATS] per document; `short` is the longest line, in code points, that counts as short.

    With `ignore_speakers` a line that only names a speaker is never counted as a duplicate.
    """
    out = np.zeros((len(offsets) - 1, NUM_LINE_STATS), np.int64)
    longest = 1
    for row in range(len(out)):
        feeds = 2 + count_byte(address(data) + offsets[row], address(data) + offsets[row + 1], codes.LINE_FEED)
        longest = max(longest, feeds)
        out[row, LINE_FEEDS] = feeds - 2
    size = 4
    while size < 2 * longest:
        size *= 2
    lines, filled_lines, paragraphs = np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for row in range(len(out)):
        size = 4
        while size < 2 * (out[row, LINE_FEEDS] + 2):
            size *= 2
        lines[:size] = 0
        filled_lines[:size] = 0
        paragraphs[:size] = 0
        _document(
            data, offsets[row], offsets[row + 1], attributes, short, ignore_speakers,
            lines, filled_lines, paragraphs, size - 1, out[row],
        )  # fmt: skip
    return out


@kernel(forceinline=True)
def _extend(value: np.uint64, word: np.uint64) -> np.uint64:
    """The hash of a run of words with one more."""
    value = (value ^ word) * _PRIME
    return value ^ (value >> np.uint64(32))


@kernel()
def _hash(start: Int, end: Int) -> np.uint64:
    """64 bits for the text between two addresses."""
    value, at = _extend(_BASIS, np.uint64(end - start)), start
    while at + 8 <= end:
        value = _extend(value, word_at(at))
        at += 8
    if at < end and start + 8 <= end:
        return _extend(value, word_at(end - 8))
    while at < end:
        value = _extend(value, np.uint64(byte_at(at)))
        at += 1
    return value


@kernel()
def _ends(line: Int, end: Int, attributes: Int) -> tuple[bool, Int]:
    """(whether a line holds more than white space, the attributes of its last character)."""
    mark, back = 0, end
    if line < end:
        back -= 1
        while back > line and byte_at(back) & 0xC0 == 0x80:
            back -= 1
        point, _ = decode_at(back, end)
        mark = short_at(attributes + 2 * point) if point >= 0 else 0
    if mark & SPACE == 0:
        return line < end, mark
    while line < back:
        point, width = decode_at(line, end)
        if point < 0 or short_at(attributes + 2 * point) & SPACE == 0:
            return True, mark
        line += width
    return False, mark


@kernel()
def _document(
    data: np.ndarray, start: int, end: int, attributes: np.ndarray, short: int, ignore_speakers: bool,
    lines: np.ndarray, filled_lines: np.ndarray, paragraphs: np.ndarray, mask: int, out: np.ndarray,
) -> None:  # fmt: skip
    if start == end:
        return
    first, last = _stripped(data, start, end, attributes)
    chars, in_paragraph, paragraph, paragraph_chars = 0, False, _BASIS, 0
    text, limit, table = address(data), address(data) + data.shape[0], address(attributes)
    at = start
    while at <= end:
        # One line, from `at` to the line feed or the end.
        line = at
        at = find(text + at, text + end, limit, codes.LINE_FEED) - text
        length, value = count_points(text + line, text + at, limit), _hash(text + line, text + at)
        filled, mark = _ends(text + line, text + at, table)
        stop = at
        at += 1
        chars += length + (stop < end)
        key = mixed(value)
        if length:
            speaker = ignore_speakers and _names_speaker(data, line, stop, length)
            out[SPEAKER_LINES] += speaker
            if filled:
                out[FILLED] += 1
                out[PUNCTUATED] += (mark & STOP) > 0
                out[SHORT] += length <= short
                if not speaker and _seen(filled_lines, mask, key):
                    out[DUP_FILLED_CHARS] += length
            out[LINES] += 1
            if not speaker and _seen(lines, mask, key):
                out[DUP_LINES] += 1
                out[DUP_LINE_CHARS] += length
        # Paragraphs of the stripped text: what stands between two or more line feeds.
        if first <= line < last or (line <= first < stop):
            low, high = max(line, first), min(stop, last)
            if high > low:
                whole = low == line and high == stop
                paragraph = _extend(paragraph, value if whole else _hash(text + low, text + high))
                paragraph_chars += in_paragraph
                paragraph_chars += length if whole else count_points(text + low, text + high, limit)
                in_paragraph = True
            elif in_paragraph:
                _close(paragraphs, mask, paragraph, paragraph_chars, out)
                in_paragraph, paragraph, paragraph_chars = False, _BASIS, 0
    if in_paragraph or first == last:
        _close(paragraphs, mask, paragraph, paragraph_chars, out)
    out[CHARS] = chars
    # A leading and a trailing line feed are an empty line each, in the published code.
    empty = np.int64(data[start] == codes.LINE_FEED) + np.int64(data[end - 1] == codes.LINE_FEED)
    out[LINES] += empty
    out[DUP_LINES] += empty == 2


@kernel()
def _stripped(data: np.ndarray, start: int, end: int, attributes: np.ndarray) -> tuple[int, int]:
    """The byte range of `text.strip()`."""
    first, last, at = end, start, start
    while at < end:
        point, width = np.int64(data[at]), 1
        if point >= codes.NON_ASCII:
            point, width = decode(data, at, end)
        if point < 0 or not attributes[point] & SPACE:
            first = at
            break
        at += width
    at = end
    while at > first:
        back = at - 1
        while back > first and data[back] & 0xC0 == 0x80:
            back -= 1
        point, width = decode(data, back, at)
        if point < 0 or not attributes[point] & SPACE:
            last = at
            break
        at = back
    return (first, last) if last > first else (start, start)


@kernel()
def _close(paragraphs: np.ndarray, mask: int, value: np.uint64, chars: int, out: np.ndarray) -> None:
    out[PARAGRAPHS] += 1
    if _seen(paragraphs, mask, mixed(value)):
        out[DUP_PARAGRAPHS] += 1
        out[DUP_PARAGRAPH_CHARS] += chars
