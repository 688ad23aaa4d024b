"""Which tables of a page hold data, and in which column of the text each of their cells stands.

A page lays things out in tables, too: columns of prose, menus, bullets beside their paragraphs. What holds data is decided by
what the cells hold (`_judge`), never by class names.

A cell's column comes from the grid of HTML's table model, rowspan and colspan resolved. Filings give a figure three columns
of the grid: `$`, `1,234`, `)`, and put empty ones between. Signs in cells of their own join their figure, and columns of the
grid become one column of the text only where that cannot move a figure away from what stands above it (`_number_columns`).
"""

from typing import Any

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import count_byte
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.cell_kinds import BRACKET, CLOSING, ENDS, FIGURE, MARKER, OPENING, SHORT, STARTS, kind_of
from pipeline.kernels.html.html_tokens import is_space
from pipeline.kernels.html.tree import BEGIN, END, FLAGS, GONE, PARENT, PRESENTATION, SPANS, STOP, TAG, TAGS, TEXT
from pipeline.kernels.memory import Int, address, byte_at, put_byte

TABLE, ROW, CELL, HEADER_CELL = (TAGS[name] for name in ("table", "tr", "td", "th"))
_CAPTION, _HEAD, _BODY, _FOOT = (TAGS[name] for name in ("caption", "thead", "tbody", "tfoot"))
_PRE = TAGS["pre"]
_RICH = np.zeros(256, np.bool_)
"""Elements that hold more than the value of a cell: two of them in a cell speak for layout."""
for _name in "ul ol h1 h2 h3 h4 form pre article section".split():
    _RICH[TAGS[_name]] = True
_RICH.flags.writeable = False

DATA, FIGURES, GRID, ITEM = 1, 2, 3, 4
"""Roles of a table that holds data, of one that holds figures, of a row of one, of a row of a marker and its text."""
TEXT_CELL, OPENS, CLOSES = 5, 6, 7
"""Roles of cells: text with a column of its own; signs that join the cell after or before. 0: an empty cell, layout."""

MOST_COLUMNS = 1024
_LONG, _PROSE = 400, 60
"""Bytes from which a cell speaks for layout; from which text beside a marker is a paragraph."""
_REACH = 2
"""Columns of the grid that may lie between a sign and its figure."""
_WIDE = 3
"""Columns of the grid that a cell of labels or units may span."""


@kernel(nogil=True)
def find_tables(nodes: np.ndarray, data: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(role, column)`, int32[rows] each, of a tree and its blocks (see `tree`).

    `role` is 0 but for tables that hold data, their rows and their cells with text. `column` is the column of a cell in the
    text, from 0, and the number of columns of a table. Linear in the nodes.
    """
    role, column = np.zeros(len(nodes), np.int32), np.zeros(len(nodes), np.int32)
    start = np.empty(SHORT, np.uint8)
    for row in range(len(nodes)):
        if nodes[row, TAG] == TABLE:
            cells, lines, figures = _judge(nodes, data, block, role, row, start)
            if cells:
                role[row] = FIGURES if figures else DATA
                column[row] = _lay_grid(nodes, role, column, row, cells, lines)
    return role, column


@kernel()
def is_cell(nodes: np.ndarray, row: Int) -> bool:
    """Whether a node is a cell of a row."""
    tag = nodes[row, TAG]
    return tag in (CELL, HEADER_CELL) and nodes[row, PARENT] >= 0 and nodes[nodes[row, PARENT], TAG] == ROW


@kernel()
def is_kept(nodes: np.ndarray, block: np.ndarray, keep: np.ndarray, table: Int) -> bool:
    """Whether at least half of a table's text is in blocks that are kept."""
    balance = 0
    for row in range(table, nodes[table, END]):
        if nodes[row, TAG] == TEXT and block[row] >= 0:
            size = nodes[row, STOP] - nodes[row, BEGIN]
            balance += size if keep[block[row]] else -size
    return balance >= 0


@kernel()
def _judge(
    nodes: np.ndarray, data: np.ndarray, block: np.ndarray, role: np.ndarray, table: Int, start: np.ndarray
) -> tuple[Int, Int, bool]:
    """`(cells, rows, whether a quarter are figures)` of a table that holds data, no cells of another.

    The roles of its rows and cells are set.

    It has no code of several lines, a row of two filled cells that are not a marker and its text, and either a quarter of its
    cells are figures, or headings say what its columns are and less than half its text is in long cells, or most cells are
    short and plain.
    """
    if nodes[table, FLAGS] & PRESENTATION:
        return 0, 0, False
    cells = lines = filled = figures = rich = total = long = several = headed = code = 0
    row, line = table + 1, -1
    texts, nested, marker, prose = 0, False, False, False  # of the row at hand
    end = nodes[table, END]
    while row <= end:
        tag = nodes[row, TAG] if row < end else ROW
        if tag == ROW:
            if line >= 0:
                item = texts == 2 and marker and prose
                role[line] = 0 if nested else ITEM if item else GRID
                several += texts >= 2 and not item and not nested
            lines += 1
            texts, nested, marker, prose, line = 0, False, False, False, row
        elif tag == TABLE:  # not in a cell: what the parser moved
            row = nodes[row, END]
            continue
        elif tag in (_CAPTION, _HEAD):
            headed += 1
        elif is_cell(nodes, row):
            cells += 1
            headed += tag == HEADER_CELL
            inner, plain = _inside(nodes, row)
            nested |= inner
            code += not inner and _is_code(nodes, data, row)
            size, kind = (0, 0) if inner else _measure(nodes, data, block, row, start)
            role[row] = kind
            if size:
                filled += 1
                figures += kind & FIGURE != 0
                rich += not plain
                total += size
                long += size if size > _LONG else 0
                marker |= texts == 0 and kind & MARKER != 0
                prose = size >= _PROSE
                texts += 1
            row = nodes[row, END]
            continue
        row += 1
    holds = (
        several > 0
        and code == 0
        and (
            4 * figures >= filled
            or (headed > 0 and 2 * long <= total and 2 * rich <= filled)
            or (several > 1 and 3 * long <= total and 4 * rich <= filled)
            or (rich == 0 and total <= 300)
        )
    )
    if not holds:
        row = table
        while row < end:
            role[row] = 0
            row = nodes[row, END] if row > table and (nodes[row, TAG] == TABLE or is_cell(nodes, row)) else row + 1
        return 0, 0, False
    return cells, lines, 4 * figures >= filled


@kernel()
def _inside(nodes: np.ndarray, cell: Int) -> tuple[bool, bool | np.bool_]:
    """`(a table, plain)`: whether a cell holds a table, and at most one element that speaks for layout."""
    rich = 0
    for row in range(cell + 1, nodes[cell, END]):
        if nodes[row, TAG] == TABLE:
            return True, False
        rich += int(_RICH[nodes[row, TAG]])
    return False, rich < 2


@kernel()
def _is_code(nodes: np.ndarray, data: np.ndarray, cell: Int) -> bool:
    """Whether a cell holds preformatted text of three lines or more: as a row of a table it would lose them."""
    text = address(data)
    for row in range(cell + 1, nodes[cell, END]):
        first, last = text + nodes[row, BEGIN], text + nodes[row, STOP] - 1
        if nodes[row, TAG] == _PRE and count_byte(first, last, codes.LINE_FEED) > 1:
            return True
    return False


@kernel()
def _measure(nodes: np.ndarray, data: np.ndarray, block: np.ndarray, cell: Int, start: np.ndarray) -> tuple[Int, Int]:
    """`(bytes, kind)` of a cell's text, white space left out; its first bytes lie in `start`. Kinds are bits."""
    text, head = address(data), address(start)
    size = 0
    for row in range(cell + 1, nodes[cell, END]):
        if nodes[row, TAG] != TEXT or block[row] < 0:
            continue
        place, stop = text + nodes[row, BEGIN], text + nodes[row, STOP]
        while place < stop:
            gap = space_at(place, stop)
            if not gap and size < SHORT:
                put_byte(head + size, byte_at(place))
            size += gap == 0
            place += gap if gap else 1
    return size, kind_of(start, size) if size else 0


@kernel()
def space_at(place: Int, stop: Int) -> Int:
    """Bytes of the white space character at `place`, 0 of another: ASCII's, no-break spaces, U+2000 to U+200B, U+FEFF."""
    byte = byte_at(place)
    if byte <= codes.SPACE:
        return int(is_space(byte))
    if byte == 0xC2 and place + 1 < stop:
        return 2 if byte_at(place + 1) == 0xA0 else 0
    if place + 2 < stop and ((byte == 0xE2 and byte_at(place + 1) == 0x80) or byte == 0xEF):
        last = byte_at(place + 2)
        if byte == 0xEF:
            return 3 if byte_at(place + 1) == 0xBB and last == 0xBF else 0
        return 3 if last <= 0x8B or last == 0xAF else 0
    return 0


_NODE, _LINE, _FIRST, _LAST, _SIGN, _VALUE = range(6)
"""Columns of a grid: a cell's node, its line, its first column, one past its last, the column of the sign before it or -1,
whether it is a figure."""


@kernel()
def _lay_grid(nodes: np.ndarray, role: np.ndarray, column: np.ndarray, table: Int, cells: Int, lines: Int) -> Int:
    """Set the columns and final roles of a table's cells; the number of its columns."""
    grid = np.empty((cells, 6), np.int32)
    busy = np.zeros(MOST_COLUMNS, np.int32)  # the line from which a column is free again
    row, line, at, width, count = table + 1, 0, 0, 0, 0
    while row < nodes[table, END]:
        tag = nodes[row, TAG]
        if tag in (_HEAD, _BODY, _FOOT):  # no cell reaches out of its group of rows
            for taken in range(width):
                busy[taken] = 0
        elif tag == ROW:
            line, at = line + 1, 0
        elif tag == TABLE or is_cell(nodes, row):
            if tag != TABLE and (role[row] or not nodes[row, FLAGS] & GONE):  # `display: none` leaves no place
                while at < MOST_COLUMNS - 1 and busy[at] > line:
                    at += 1
                last = min(at + (nodes[row, SPANS] & 0xFFFF), MOST_COLUMNS)
                down = nodes[row, SPANS] >> 16
                if down != 1:
                    for taken in range(at, last):
                        busy[taken] = line + down if down else lines + 1
                grid[count, _NODE], grid[count, _LINE], grid[count, _SIGN] = row, line, -1
                grid[count, _FIRST], grid[count, _LAST] = at, last
                grid[count, _VALUE] = role[row] & FIGURE
                count += 1
                at, width = min(last, MOST_COLUMNS - 1), max(width, last)
            row = nodes[row, END]
            continue
        row += 1
    _join_signs(role, grid, count)
    return _number_columns(role, column, grid, count, width, lines)


@kernel()
def _join_signs(role: np.ndarray, grid: np.ndarray, count: Int) -> None:
    """Turn the kinds of cells into roles: a sign joins its figure, unless its column says something else than the figure's.

    A closing sign may be the heading of a column of figures. A currency sign may be a label or a unit: in another row words
    stand in its column, and a text of its own in that of the figure.
    """
    figures, words = np.zeros(MOST_COLUMNS, np.bool_), _columns_of_words(role, grid, count)
    for cell in range(count):
        figures[grid[cell, _FIRST]] |= role[grid[cell, _NODE]] & FIGURE != 0
    follows, line, starts = 0, -1, False  # of the filled cell after: where it begins, and whether it begins a figure
    for cell in range(count - 1, -1, -1):
        kind = role[grid[cell, _NODE]]
        if not kind:
            continue
        near = line == grid[cell, _LINE] and follows - grid[cell, _LAST] <= _REACH
        joins = kind & OPENING and near and starts
        wide, gap = grid[cell, _LAST] - grid[cell, _FIRST], follows - grid[cell, _LAST]
        if joins and wide <= _WIDE and gap >= 0 and not kind & BRACKET:
            joins = words[grid[cell, _FIRST], wide] >> gap & 1 == 0
        starts = joins or (kind & STARTS and not kind & CLOSING)
        follows, line = grid[cell, _FIRST], grid[cell, _LINE]
        if joins:
            role[grid[cell, _NODE]] = -OPENS
    before, line, ends, sign = 0, -1, False, -1
    for cell in range(count):
        kind = role[grid[cell, _NODE]]
        if not kind:
            continue
        near = line == grid[cell, _LINE] and grid[cell, _FIRST] - before <= _REACH
        if kind == -OPENS:
            sign = sign if near and sign >= 0 else grid[cell, _FIRST]
            role[grid[cell, _NODE]] = OPENS
            ends = False
        else:
            joins = kind & CLOSING and near and ends and not figures[grid[cell, _FIRST]]
            role[grid[cell, _NODE]] = CLOSES if joins else TEXT_CELL
            grid[cell, _SIGN] = sign if near and not joins else -1
            ends = joins or kind & ENDS
            sign = -1
        before, line = grid[cell, _LAST], grid[cell, _LINE]


@kernel()
def _columns_of_words(role: np.ndarray, grid: np.ndarray, count: Int) -> np.ndarray:
    """For columns of the grid and the widths of words in them: a bit for each place behind where the next text stands."""
    words = np.zeros((MOST_COLUMNS, _WIDE + 1), np.uint8)
    first = last = 0  # of the filled cell after, where it is no sign
    line = -1
    for cell in range(count - 1, -1, -1):
        kind = role[grid[cell, _NODE]]
        if not kind:
            continue
        behind, wide = grid[cell, _LAST], grid[cell, _LAST] - grid[cell, _FIRST]
        if line == grid[cell, _LINE] and wide <= _WIDE and not kind & (FIGURE | OPENING | CLOSING):
            for at in range(_REACH + 1):
                if first <= behind + at < last:
                    words[grid[cell, _FIRST], wide] |= 1 << at
        first, last, line = grid[cell, _FIRST], behind, -1 if kind & OPENING else grid[cell, _LINE]
    return words


@kernel()
def _number_columns(role: np.ndarray, column: np.ndarray, grid: np.ndarray, count: Int, width: Int, lines: Int) -> Any:
    """Number the columns of the text, give them to the cells, and return how many there are.

    A column of the grid goes on with the columns before it when no text begins in it; when no text begins in those; when
    every text that begins in those spans it, too; or when it is where figures stand whose sign stands in those, no row has
    text in both, and those hold nothing but such signs' figures or headings.
    """
    order, begins = np.empty(count, np.int32), np.zeros(width + 2, np.int32)
    for cell in range(count):
        begins[grid[cell, _FIRST] + 2] += 1
    for at in range(1, width + 2):
        begins[at] += begins[at - 1]
    for cell in range(count):
        order[begins[grid[cell, _FIRST] + 1]] = cell
        begins[grid[cell, _FIRST] + 1] += 1
    number_of, taken = np.empty(width + 1, np.int32), np.full(lines + 2, -1, np.int32)
    number, first, values = 0, 0, 0
    least = MOST_COLUMNS + 1  # where the first of the texts in this column ends
    for at in range(width):
        texts = opened = clash = 0
        for place in range(begins[at], begins[at + 1]):
            cell = order[place]
            if role[grid[cell, _NODE]] == TEXT_CELL:
                texts += 1
                opened += grid[cell, _SIGN] >= first
                clash += taken[grid[cell, _LINE]] == number
        if texts and least <= at and (clash or opened == 0 or (opened < texts and values)):
            number, first, values = number + 1, at, 0
            least = MOST_COLUMNS + 1
        number_of[at] = number
        for place in range(begins[at], begins[at + 1]):
            cell = order[place]
            if role[grid[cell, _NODE]] == TEXT_CELL:
                least = min(least, grid[cell, _LAST])
                values += grid[cell, _VALUE]
                taken[grid[cell, _LINE]] = number
    tabs, last, line = 0, 0, -1
    for cell in range(count - 1, -1, -1):
        node = grid[cell, _NODE]
        if role[node] == TEXT_CELL or line != grid[cell, _LINE]:
            tabs += number_of[grid[cell, _FIRST]] if line != grid[cell, _LINE] else 0
            last, line = number_of[grid[cell, _FIRST]], grid[cell, _LINE]
        column[node] = last
    if tabs <= 16 * count + 64:
        return number + 1
    number, line = 0, -1
    for cell in range(count):  # a table made to have no end of tabs: its cells follow one another
        last = last + 1 if line == grid[cell, _LINE] else 0
        line = grid[cell, _LINE]
        column[grid[cell, _NODE]] = last
        number = max(number, last)
    return number + 1
