"""Lines joined that were broken at a fixed column, and tables found, in one compiled pass over cleaned text."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow_rows
from pipeline.kernels.blocks import SIZE, begins, below, copy, count_byte, equal, find, first_bits, ones
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, address, byte_at
from pipeline.kernels.text.hyphens import APART, SPLIT, is_split, seam_at, words_of

BLANK, PROSE, WEAK, STRONG = range(4)
"""What a line is: empty, text, perhaps part of a table (headings, rules), plainly a table row."""

MIN_WRAP, MAX_WRAP = 45, 100
"""A wrap column is looked for between these many characters."""
_SLACK = 4
_LEAST_PAIRS = 4
_LONG_CELL = 80
_LONG_LABEL = 60
_MAX_GAP = 2


@kernel(nogil=True)
def lay_out(
    offsets: np.ndarray, data: np.ndarray, tabular: np.ndarray, unwrap: bool, tables: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join wrapped lines and find tables in rows that `clean_lines` made.

    `tabular` bool[n]: tabs of the row part the cells of tables, and nothing else (see `kernels.html.render`).

    Returns `(offsets, data, span_offsets, spans)`: the new rows, and for row i the tables
    `spans[span_offsets[i]:span_offsets[i + 1]]`, int32[m, 2] of start and end bytes within the row.
    """
    count = offsets.shape[0] - 1
    out = np.empty(offsets[count] - offsets[0], np.uint8)
    ends = np.empty(count + 1, np.int64)
    span_ends = np.empty(count + 1, np.int64)
    ends[0] = span_ends[0] = 0
    spans = np.empty((64, 2), np.int32)
    write = found = 0
    text, target, no_words = address(data), address(out), np.zeros(0, np.bool_)
    for row in range(count):
        start, end = offsets[row], offsets[row + 1]
        lines = 1 + count_byte(text + start, text + end, codes.LINE_FEED)
        bounds = np.empty((lines, 2), np.int64)
        shape = np.empty((lines, 3), np.int32)  # kind, characters, indent
        _measure_lines(data, start, end, bounds, shape)
        if tabular[row] and count_byte(text + start, text + end, codes.TAB):
            _mark_cells(data, bounds, shape)
        table = np.zeros(lines, np.int32)
        if tables or unwrap:
            _number_tables(shape, table)
        joined = np.zeros(lines, np.bool_)
        if unwrap:
            _find_joins(data, bounds, shape, table, joined)
        row_start, number = write, 0
        whole, words, words_known = not joined.any(), no_words, False
        if whole:  # nearly every row
            copy(text + start, target + write, end - start)
        for line in range(lines):
            first, last = bounds[line, 0], bounds[line, 1]
            if whole:
                write = row_start + first - start
            elif line and joined[line]:
                while first < last and (data[first] == codes.SPACE or data[first] == codes.TAB):
                    first += 1
                seam = seam_at(data, bounds[line - 1, 0], bounds[line - 1, 1], first, last)
                if seam == SPLIT and not words_known:
                    words, words_known = words_of(data, start, end), True
                if seam == SPLIT:
                    write -= is_split(data, bounds[line - 1, 0], bounds[line - 1, 1], first, last, words)
                elif seam == APART:
                    out[write] = codes.SPACE
                    write += 1
            elif line:
                out[write] = codes.LINE_FEED
                write += 1
            if tables and table[line] > number:
                number = table[line]
                if found == spans.shape[0]:
                    spans = grow_rows(spans, 2 * found)
                spans[found, 0] = write - row_start
                found += 1
            if not whole:
                copy(text + first, target + write, last - first)
            write += last - first
            if tables and table[line]:
                spans[found - 1, 1] = write - row_start
        ends[row + 1] = write
        span_ends[row + 1] = found
    return ends, out[:write], span_ends, spans[:found]


@kernel()
def _measure_lines(data: np.ndarray, start: int, end: int, bounds: np.ndarray, shape: np.ndarray) -> None:
    line, first, text = 0, start, address(data)
    while first <= end:
        at = find(text + first, text + end, text + data.shape[0], codes.LINE_FEED) - text
        bounds[line, 0], bounds[line, 1] = first, at
        shape[line, 0], shape[line, 1], shape[line, 2] = line_shape(data, first, at)
        line += 1
        first = at + 1


@kernel()
def _mark_cells(data: np.ndarray, bounds: np.ndarray, shape: np.ndarray) -> None:
    """Where tabs part cells: a line with one is a row of a table, whatever its cells hold, and what adjoins it is of it."""
    lines, line, text = shape.shape[0], 0, address(data)
    while line < lines:
        last, rows = line, 0
        while last < lines and shape[last, 0] != BLANK:
            if count_byte(text + bounds[last, 0], text + bounds[last, 1], codes.TAB):
                shape[last, 0] = STRONG
                rows += 1
            last += 1
        for inside in range(line, last):
            if rows and shape[inside, 0] == PROSE:
                shape[inside, 0] = WEAK
        line = last + 1


@kernel()
def line_shape(data: np.ndarray, start: Int, end: Int) -> tuple[Int, Int, Int]:
    """`(kind, characters, indent)` of the line `data[start:end]`.

    Cells are parted by tabs, bars, three spaces, three leader dots, or two spaces before a figure. A cell is a figure
    when at least half its signs are digits (or it stands for nil). A row with a figure after its first cell, or with
    two bars, and no cell longer than `_LONG_CELL`, is a table row; a lone figure too.
    """
    if start == end:
        return BLANK, 0, 0
    plain, characters, indent = _one_cell(address(data) + start, address(data) + end, address(data) + data.shape[0])
    if plain:
        return plain, characters, indent
    characters = indent = cells = figures = bars = longest = marks = 0
    signs = digits = letters = gap = dots = 0  # of the cell at hand; `gap`: spaces before this sign
    indented = True
    at = start - 1
    while at + 1 < end:
        at += 1
        byte = data[at]
        if byte & 0xC0 != 0x80:
            characters += 1
        if indented:
            if byte == codes.SPACE or byte == codes.TAB:
                indent += 1
                continue
            indented = False
        if byte == codes.SPACE:
            gap += 1
            continue
        figure_follows = codes.ZERO <= byte <= codes.NINE or byte == codes.DOLLAR or byte == codes.LEFT_PAREN
        dots = dots + 1 if byte == codes.DOT else 0
        parted = byte == codes.TAB or byte == codes.BAR or gap >= 3 or dots == 3 or (gap == 2 and figure_follows)
        if parted and signs:
            cells += 1
            longest = max(longest, signs)
            if _is_figure(signs, digits, letters) and cells > 1:
                figures += 1
            signs = digits = letters = 0
        gap = 0
        if byte == codes.BAR:
            bars += 1
        if byte == codes.TAB or byte == codes.BAR or (byte == codes.DOT and dots >= 3):
            continue
        if byte & 0xC0 != 0x80:
            signs += 1
            if codes.ZERO <= byte <= codes.NINE:
                digits += 1
            elif (
                byte == codes.HYPHEN
                or byte == codes.EQUALS
                or byte == codes.UNDERSCORE
                or byte == codes.PLUS
                or byte == codes.DOT
                or byte == codes.ASTERISK
            ):
                marks += 1
            elif byte >= codes.NON_ASCII or codes.SMALL_A <= (byte | codes.CASE_BIT) <= codes.SMALL_Z:
                letters += 1
                # Letters after a letter only count.
                first = at
                while at + 1 < end and codes.SMALL_A <= (data[at + 1] | codes.CASE_BIT) <= codes.SMALL_Z:
                    at += 1
                characters += at - first
                signs += at - first
                letters += at - first
    alone = False
    if signs:
        cells += 1
        longest = max(longest, signs)
        alone = cells == 1 and digits > 0 and _is_figure(signs, digits, letters)
        if cells > 1 and _is_figure(signs, digits, letters):
            figures += 1
    if longest > _LONG_CELL:
        return PROSE, characters, indent
    if figures or alone or (bars >= 2 and cells >= 2):
        return STRONG, characters, indent
    if cells == 0 or (marks >= 3 and marks >= characters - indent - cells - bars and longest <= marks):
        return WEAK, characters, indent
    if cells >= 2 and longest <= _LONG_LABEL:
        return WEAK, characters, indent
    return PROSE, characters, indent


@kernel()
def _one_cell(at: Int, end: Int, limit: Int) -> tuple[Int, Int, Int]:
    """`line_shape` of a line that is plainly one cell with letters or digits, by sixty-four bytes; `(0, 0, 0)` of any other.

    Nothing from `limit` on is read.
    """
    characters = indent = signs = digits = letters = 0
    while at < end and (byte_at(at) == codes.SPACE or byte_at(at) == codes.TAB):
        indent += 1
        at += 1
    spaces, dots = np.uint64(0), np.uint64(0)  # of the block before
    while at < end:
        if at + SIZE > limit:
            return 0, 0, 0
        here = first_bits(end - at)
        begun = begins(at) & here
        space, dot = equal(at, codes.SPACE) & here, equal(at, codes.DOT) & here
        after_space = space << np.uint64(1) | spaces >> np.uint64(63)
        after_dot = dot << np.uint64(1) | dots >> np.uint64(63)
        apart = after_space & (dot << np.uint64(2) | dots >> np.uint64(62))
        if (equal(at, codes.TAB) | equal(at, codes.BAR)) & here | space & after_space | dot & (after_dot | apart):
            return 0, 0, 0
        spaces, dots = space, dot
        digit = below(at, codes.COLON) & ~below(at, codes.ZERO)
        letter = (
            below(at, codes.LEFT_BRACKET) & ~below(at, codes.UPPER_A)
            | below(at, codes.LEFT_BRACE) & ~below(at, codes.SMALL_A)
            | ~below(at, 0xC0)
        )
        characters += ones(begun)
        signs += ones(begun & ~space)
        digits += ones(digit & here)
        letters += ones(letter & here)
        at += SIZE
    if digits + letters == 0:
        return 0, 0, 0
    alone = signs <= _LONG_CELL and digits > 0 and _is_figure(signs, digits, letters)
    return STRONG if alone else PROSE, indent + characters, indent


@kernel()
def _is_figure(signs: int, digits: int, letters: int) -> bool:
    """A number with its signs, or a dash, dots or n/a that stand for none."""
    if digits:
        return 2 * digits >= signs and letters <= digits
    return signs <= 3 and letters == 0


@kernel()
def _number_tables(shape: np.ndarray, table: np.ndarray) -> None:
    """Number the tables from 1 in `table[line]`; 0 is no table.

    A table starts and ends with a strong or weak line, has at least two strong ones, and may hold single empty lines
    and up to `_MAX_GAP` short lines of text in a row (labels of groups of rows).
    """
    number, lines = 0, shape.shape[0]
    line = 0
    while line < lines:
        if shape[line, 0] < WEAK:
            line += 1
            continue
        first, last, strong, gap = line, line, 0, 0
        at = line
        while at < lines and gap <= _MAX_GAP:
            kind = shape[at, 0]
            if kind >= WEAK:
                last, gap = at, 0
                if kind == STRONG:
                    strong += 1
            elif kind == PROSE:
                gap += 1
                if shape[at, 1] > _LONG_LABEL:
                    break
            at += 1
        if strong >= 2:
            number += 1
            for inside in range(first, last + 1):
                table[inside] = number
        line = last + 1


@kernel()
def _find_joins(data: np.ndarray, bounds: np.ndarray, shape: np.ndarray, table: np.ndarray, joined: np.ndarray) -> None:
    """Mark the lines that go on where the line before was broken at the wrap column.

    A program that fills lines breaks where the next word no longer fits. So: find the column (exceeded by at most
    one line in fifty), count the pairs of lines that are broken just there, and join them when they are most of the
    pairs of the text. Verse, lists and addresses break earlier and stay. (Own rule; see DESIGN's 72-column filing.)
    """
    lines = shape.shape[0]
    histogram = np.zeros(MAX_WRAP + 1, np.int64)
    candidates = longer = 0
    for line in range(lines):
        if shape[line, 0] != PROSE or table[line]:
            continue
        if shape[line, 1] > MAX_WRAP:
            longer += 1
        elif shape[line, 1] >= MIN_WRAP:
            histogram[shape[line, 1]] += 1
            candidates += 1
    if candidates < _LEAST_PAIRS or longer > candidates:
        return
    column, above = MAX_WRAP, 0
    while column > MIN_WRAP and above + histogram[column] <= candidates // 50:
        above += histogram[column]
        column -= 1
    full = pairs = 0
    for line in range(1, lines):
        if _may_join(data, bounds, shape, table, line):
            pairs += 1
            if _is_full(data, bounds, shape, line, column):
                joined[line] = True
                full += 1
    if full < _LEAST_PAIRS or 5 * full < 3 * pairs:
        joined[:] = False


@kernel()
def _may_join(data: np.ndarray, bounds: np.ndarray, shape: np.ndarray, table: np.ndarray, line: int) -> bool:
    """Two lines of text, the first long enough, the second neither indented further nor a list item."""
    before = line - 1
    if shape[line, 0] != PROSE or shape[before, 0] != PROSE or table[line] or table[before]:
        return False
    if shape[before, 1] < MIN_WRAP or shape[before, 1] > MAX_WRAP:
        return False
    hanging = before > 0 and shape[before - 1, 0] == PROSE and shape[before, 2] == shape[line, 2]
    if (
        shape[line, 2] > shape[before, 2] + 1
        and not hanging
        and not _is_item(data, bounds[before, 0], bounds[before, 1])
    ):
        return False
    # Scripts without spaces between words are not filled word by word.
    if data[bounds[line, 0] + shape[line, 2]] >= 0xE3 or data[bounds[before, 1] - 1] >= codes.NON_ASCII:
        return bool(data[bounds[before, 1] - 1] < codes.NON_ASCII) or _ends_in_quote(data, bounds[before, 1])
    return not _is_item(data, bounds[line, 0], bounds[line, 1])


@kernel()
def _ends_in_quote(data: np.ndarray, end: int) -> bool:
    """General punctuation (dashes, quotation marks: U+2010 to U+203F) at the end of a line."""
    return end >= 3 and data[end - 3] == 0xE2 and data[end - 2] == 0x80


@kernel()
def _is_item(data: np.ndarray, start: int, end: int) -> bool:
    """Whether a line starts like a list item: a bullet, or a number or letter with a dot or bracket, then a space."""
    at = start
    while at < end and (data[at] == codes.SPACE or data[at] == codes.TAB):
        at += 1
    if at + 1 >= end:
        return False
    if data[at] == codes.HYPHEN or data[at] == codes.ASTERISK or data[at] == codes.GREATER:
        return data[at + 1] == codes.SPACE
    if data[at] == 0xE2 and at + 2 < end and data[at + 1] == 0x80 and data[at + 2] == 0xA2:
        return True
    if data[at] == codes.LEFT_PAREN:
        at += 1
    size = 0
    while (
        at < end
        and size < 4
        and (codes.ZERO <= data[at] <= codes.NINE or codes.SMALL_A <= (data[at] | codes.CASE_BIT) <= codes.SMALL_Z)
    ):
        at += 1
        size += 1
    short = size == 1 or (size > 0 and codes.ZERO <= data[at - 1] <= codes.NINE)
    marked = at + 1 < end and (data[at] == codes.DOT or data[at] == codes.RIGHT_PAREN) and data[at + 1] == codes.SPACE
    return bool(short and marked)


@kernel()
def _is_full(data: np.ndarray, bounds: np.ndarray, shape: np.ndarray, line: int, column: int) -> bool:
    """Whether the first word of a line would not have fitted, within a small slack, on the line before."""
    at, end, size = bounds[line, 0] + shape[line, 2], bounds[line, 1], 0
    while at < end and data[at] != codes.SPACE:
        if data[at] & 0xC0 != 0x80:
            size += 1
        at += 1
    return bool(shape[line - 1, 1] + 1 + size > column - _SLACK)
