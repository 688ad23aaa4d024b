"""Text of a page from its flat tree: blocks on lines, rows of tables on one line each, lists, code, formulas.

Every visible character of a block that is kept comes out once, in document order; white space is what HTML makes of it.
Where a page is broken by style, a form feed stands on a line of its own.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.cell_kinds import is_marker
from pipeline.kernels.html.html_tokens import is_letter
from pipeline.kernels.html.output import (
    BEGUN,
    BULLET,
    ESCAPE,
    FEED,
    GLUE,
    LINE,
    LISTS,
    MARK,
    NO_ITEM,
    PARAGRAPH,
    PENDING,
    SPACE,
    START,
    STYLE,
    TO,
    flush,
    put,
)
from pipeline.kernels.html.scripts import end_script, open_script
from pipeline.kernels.html.tables import (
    CELL,
    CLOSES,
    DATA,
    FIGURES,
    GRID,
    HEADER_CELL,
    ITEM,
    OPENS,
    ROW,
    TABLE,
    TEXT_CELL,
    is_cell,
    is_kept,
    space_at,
)  # fmt: skip
from pipeline.kernels.html.tree import (
    BEGIN,
    BOUNDARY,
    BREAK_AFTER,
    BREAK_BEFORE,
    END,
    FLAGS,
    PARENT,
    REVERSED,
    SPANS,
    STOP,
    TAG,
    TAGS,
    TEXT,
    TRAITS,
)  # fmt: skip
from pipeline.kernels.memory import Int, address, byte_at, put_byte

DROP_TABLES, TEXT_TABLES, MARKDOWN_TABLES = range(3)
"""What becomes of tables that hold data: left out, cells between tabs, rows of Markdown."""

_APART = np.full(256, LINE, np.uint8)
"""How block-level elements are set apart: by a line end, these by an empty line."""
for _name in (
    "p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote article section figure hr form fieldset details header footer nav "
    "main aside xmp plaintext listing"
).split():  # fmt: skip
    _APART[TAGS[_name]] = PARAGRAPH
_APART.flags.writeable = False
_BREAK, _ITEM, _LIST, _ORDERED, _PRE, _XMP, _LISTING, _QUOTE, _FORMULA, _SCRIPT = (
    TAGS[name] for name in ("br", "li", "ul", "ol", "pre", "xmp", "listing", "q", "annotation", "script")
)

_MOST_MARKER = 6
_WRAPPER = np.frombuffer(b"{\\displaystyle", np.uint8)


@kernel(nogil=True)
def render(
    nodes: np.ndarray,
    data: np.ndarray,
    block: np.ndarray,
    keep: np.ndarray,
    role: np.ndarray,
    column: np.ndarray,
    tables: int,
) -> np.ndarray:
    """uint8: the text of the blocks of a tree that are kept.

    `nodes` and `data` as `read_tree` gives them, `block` as `blocks`, `keep` bool[blocks], `role` and `column` as
    `find_tables`; the column of lists and tables serves to count, so that a second call needs new ones.

    Of a table that holds data all blocks are kept, when most of its text is, or none. Linear in nodes and text.
    """
    # Before a text: a line end or two, an item's indent and number, a form feed; in tables tabs, bounded by `find_tables`.
    out = np.empty(2 * len(data) + 64 * len(nodes) + 4096, np.uint8)
    state = np.zeros(12, np.int64)
    state[TO] = state[BEGUN] = address(out)
    state[MARK] = NO_ITEM
    outer = np.empty(len(nodes) + 1, np.int32)  # the open elements whose end matters
    depth, row, code_end, table_end = 0, 0, -1, -1
    while row < len(nodes):
        while depth and row >= nodes[outer[depth - 1], END]:
            depth -= 1
            _close(nodes, int(outer[depth]), state)
        end_script(state, row)
        tag = nodes[row, TAG]
        if tag == TEXT:
            if block[row] >= 0 and (row < table_end or keep[block[row]]):
                _put_text(nodes, data, row, row < code_end, state)
        elif tag == _BREAK:
            if row < code_end:
                flush(state)
                put(state, codes.LINE_FEED)
            else:
                state[PENDING] = PARAGRAPH if state[PENDING] >= LINE else LINE
        elif role[row] == GRID or role[row] == ITEM:
            _put_row(nodes, data, block, role, column, row, tables == MARKDOWN_TABLES, state)
            row = nodes[row, END]
            continue
        elif TRAITS[tag] & BOUNDARY or tag == _QUOTE or nodes[row, FLAGS] & (BREAK_BEFORE | BREAK_AFTER):
            _open(nodes, block, column, row, state)
            outer[depth] = row
            depth += 1
            if tag in (_PRE, _XMP, _LISTING):
                code_end = max(code_end, nodes[row, END])
            if role[row] == DATA or role[row] == FIGURES:
                kept = tables != DROP_TABLES and (row < table_end or is_kept(nodes, block, keep, row))
                table_end = max(table_end, nodes[row, END]) if kept else table_end
                row = row if kept else int(nodes[row, END]) - 1
        else:
            open_script(nodes, data, block, row, state)
        row += 1
    end_script(state, row)
    while depth:
        depth -= 1
        _close(nodes, outer[depth], state)
    return out[: state[TO] - state[BEGUN]]


@kernel()
def _is_list(nodes: np.ndarray, row: Int) -> int:
    return int(nodes[row, TAG] == _LIST or nodes[row, TAG] == _ORDERED)


@kernel()
def _set_apart(nodes: np.ndarray, row: Int, state: np.ndarray) -> None:
    if TRAITS[nodes[row, TAG]] & BOUNDARY:
        apart = LINE if state[LISTS] and _is_list(nodes, row) else _APART[nodes[row, TAG]]
        state[PENDING] = max(state[PENDING], apart)


@kernel()
def _open(nodes: np.ndarray, block: np.ndarray, column: np.ndarray, row: Int, state: np.ndarray) -> None:
    """What the start of an element asks for. A list's `column` counts its items."""
    tag = nodes[row, TAG]
    _set_apart(nodes, row, state)
    state[FEED] |= nodes[row, FLAGS] & BREAK_BEFORE
    if tag == _ITEM:
        state[MARK] = BULLET
        above = nodes[row, PARENT]
        if above >= 0 and nodes[above, TAG] == _ORDERED:
            first, step = nodes[above, SPANS], -1 if nodes[above, FLAGS] & REVERSED else 1
            if step < 0 and first == 1 and _is_first(nodes, above, row):
                column[above] = _items_in(nodes, above) - 1
            number = nodes[row, SPANS] if nodes[row, SPANS] else first + column[above]
            column[above] = number + step - first
            state[MARK], state[STYLE] = max(number, 0), nodes[above, FLAGS]
    elif _is_list(nodes, row):
        state[LISTS] += 1
    elif tag == ROW:
        state[GLUE] = 0
    elif tag == _QUOTE and row + 1 < nodes[row, END] and block[row + 1] >= 0:
        flush(state)
        put(state, codes.QUOTE)


@kernel()
def _is_first(nodes: np.ndarray, above: Int, row: Int) -> bool:
    """Whether nothing but text stands before a child of an element."""
    before = above + 1
    while nodes[before, TAG] == TEXT:
        before += 1
    return before == row


@kernel()
def _items_in(nodes: np.ndarray, above: Int) -> Int:
    """The items of a list: the first number of one that counts down and says no other."""
    count, row = 0, above + 1
    while row < nodes[above, END]:
        count += nodes[row, TAG] == _ITEM
        row = nodes[row, END]
    return count


@kernel()
def _close(nodes: np.ndarray, row: Int, state: np.ndarray) -> None:
    """What the end of an element asks for."""
    tag = nodes[row, TAG]
    if tag == _QUOTE and state[TO] > state[BEGUN]:
        put(state, codes.QUOTE)
    elif tag == _ITEM:
        state[MARK] = NO_ITEM
    elif _is_list(nodes, row):
        state[LISTS] -= 1
    elif tag == ROW:
        state[GLUE] = 0
    elif tag in (CELL, HEADER_CELL) and nodes[row, STOP] > nodes[row, BEGIN]:
        size, to = 0, state[TO]
        while size <= _MOST_MARKER and to - size > state[BEGUN] and byte_at(to - size - 1) != codes.LINE_FEED:
            size += 1
        state[GLUE] = is_marker(to - size, size)
    _set_apart(nodes, row, state)
    state[FEED] |= nodes[row, FLAGS] & BREAK_AFTER


@kernel()
def _put_text(nodes: np.ndarray, data: np.ndarray, row: Int, code: bool, state: np.ndarray) -> None:
    """Write a text node: white space becomes one space where something follows it; that of code stays."""
    place, stop = address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP]
    formula = nodes[row, PARENT] >= 0 and nodes[nodes[row, PARENT], TAG] in (_FORMULA, _SCRIPT)
    if formula:
        flush(state)
        put(state, codes.DOLLAR)
        state[START] = 1
        place, stop = _bare_formula(place, stop)
    if code:
        flush(state)
    elif state[PENDING] == 0 and state[TO] - state[BEGUN] >= 3 and place < stop:
        # Browsers part a bullet or the number of an item and the text of the next element by padding alone.
        state[PENDING] = SPACE if _is_bullet(state[TO] - 3) or _is_apart(state, place, stop) else 0
    while place < stop:
        gap = 0 if code else space_at(place, stop)
        if gap:
            state[PENDING] = max(state[PENDING], SPACE)
            place += gap
            continue
        if state[PENDING] or state[MARK] != NO_ITEM or state[FEED] or state[START]:
            flush(state)
        to = state[TO]
        if not code and (to == state[BEGUN] or byte_at(to - 1) <= codes.LINE_FEED):
            for _ in range(_marker(place, stop)):
                put_byte(to, byte_at(place))
                to, place = to + 1, place + 1
                state[PENDING] = SPACE
            if state[PENDING]:
                state[TO] = to
                continue
        while place < stop:
            byte = byte_at(place)
            if not code and (byte <= codes.SPACE or byte >= 0xC2) and space_at(place, stop):
                break
            if byte == codes.BAR and state[ESCAPE]:
                put_byte(to, codes.BACKSLASH)
                to += 1
            put_byte(to, byte)
            to += 1
            place += 1
        state[TO] = to
    if formula:
        put(state, codes.DOLLAR)
        state[PENDING] = 0


@kernel()
def _is_apart(state: np.ndarray, place: Int, stop: Int) -> bool | np.bool_:
    """Whether a text that begins with a word in a capital follows `(a)` at the start of a line, or a number such as `9.01`."""
    to = state[TO]
    if (
        stop - place < 2
        or not is_letter(byte_at(place))
        or byte_at(place) >= codes.SMALL_A
        or byte_at(place + 1) < codes.SMALL_A
    ):
        return False
    last, before = byte_at(to - 1), byte_at(to - 2)
    if codes.ZERO <= last <= codes.NINE:
        return codes.ZERO <= before <= codes.NINE and byte_at(to - 3) == codes.DOT
    begins = to - 3 == state[BEGUN] or byte_at(to - 4) <= codes.LINE_FEED
    return last == codes.RIGHT_PAREN and byte_at(to - 3) == codes.LEFT_PAREN and is_letter(before) and begins


@kernel()
def _is_bullet(place: Int) -> bool | np.bool_:
    """Whether three bytes are a bullet, a geometric shape or a box to tick."""
    second, third = byte_at(place + 1), byte_at(place + 2)
    shape = second == 0x97 or (second == 0x96 and third >= 0xA0)
    return byte_at(place) == 0xE2 and (
        shape or (second == 0x80 and third == 0xA2) or (second == 0x98 and 0x90 <= third <= 0x92)
    )


@kernel()
def _marker(place: Int, stop: Int) -> Int:
    """Bytes of a marker that a text begins with and that nothing parts from it: a bullet, `(a)` or `12.` before a capital."""
    if stop - place > 3 and _is_bullet(place):
        return 3 if space_at(place + 3, stop) == 0 else 0
    at, digits = place + (byte_at(place) == codes.LEFT_PAREN), 0
    first = at
    while at < stop and at - first < 4 and (is_letter(byte_at(at)) or codes.ZERO <= byte_at(at) <= codes.NINE):
        digits += byte_at(at) <= codes.NINE
        at += 1
    if at == first or at + 1 >= stop or not is_letter(byte_at(at + 1)) or byte_at(at + 1) >= codes.SMALL_A:
        return 0
    numbered = byte_at(at) == codes.DOT and digits == at - place
    return at + 1 - place if numbered or byte_at(at) == codes.RIGHT_PAREN else 0


@kernel()
def _bare_formula(place: Int, stop: Int) -> tuple[Int, Int]:
    """A formula's TeX without the braces and the `\\displaystyle` that some programs put around all they write."""
    while place < stop and space_at(place, stop):
        place += 1
    while place < stop and byte_at(stop - 1) <= codes.SPACE:
        stop -= 1
    wrapped = stop - place > 15 and byte_at(stop - 1) == codes.RIGHT_BRACE
    for at in range(len(_WRAPPER)):
        wrapped = wrapped and byte_at(place + at) == _WRAPPER[at]
    return (place + len(_WRAPPER), stop - 1) if wrapped else (place, stop)


@kernel()
def _put_row(
    nodes: np.ndarray,
    data: np.ndarray,
    block: np.ndarray,
    role: np.ndarray,
    column: np.ndarray,
    line: Int,
    markdown: bool,
    state: np.ndarray,
) -> None:
    """Write a row of a table on one line; nothing for one without text."""
    cell, at, before = line + 1, 0, 0  # `before`: the role of the cell before
    state[PENDING] = max(state[PENDING], LINE)
    state[GLUE] = 0
    while cell < nodes[line, END]:
        kind = role[cell] if is_cell(nodes, cell) else 0
        if not kind:
            cell = nodes[cell, END]
            continue
        if not before:
            flush(state)
            if markdown:
                put(state, codes.BAR)
                put(state, codes.SPACE)
        if kind != CLOSES and column[cell] > at:
            for _ in range(at, column[cell]):
                put(state, codes.SPACE if markdown or role[line] == ITEM else codes.TAB)
                if markdown:
                    put(state, codes.BAR)
                    put(state, codes.SPACE)
            at = column[cell]
        elif kind == TEXT_CELL and before and before != OPENS:
            put(state, codes.SPACE)
        before = kind
        state[START], state[ESCAPE] = 1, markdown
        for row in range(cell + 1, nodes[cell, END]):
            end_script(state, row)
            if nodes[row, TAG] == TEXT:
                if block[row] >= 0:
                    _put_text(nodes, data, row, False, state)
            elif nodes[row, TAG] == _BREAK or TRAITS[nodes[row, TAG]] & BOUNDARY:
                state[PENDING] = max(state[PENDING], SPACE)
            else:
                open_script(nodes, data, block, row, state)
        cell = nodes[cell, END]
        end_script(state, cell)
        state[PENDING] = state[ESCAPE] = 0
    if before and markdown:
        _end_markdown_row(nodes, column, line, state)
    state[START] = 0
    state[PENDING] = LINE


@kernel()
def _end_markdown_row(nodes: np.ndarray, column: np.ndarray, line: Int, state: np.ndarray) -> None:
    """End a row; after a table's first the line that makes it a heading."""
    put(state, codes.SPACE)
    put(state, codes.BAR)
    table = nodes[line, PARENT]
    while nodes[table, TAG] != TABLE:
        table = nodes[table, PARENT]
    if column[table]:
        put(state, codes.LINE_FEED)
        for _ in range(column[table]):
            for byte in (codes.BAR, codes.SPACE, codes.HYPHEN, codes.HYPHEN, codes.HYPHEN, codes.SPACE):
                put(state, byte)
        put(state, codes.BAR)
        column[table] = 0
