"""Text of a page from its flat tree: blocks on lines, rows of tables on one line each, lists, code, formulas.

Every visible character of a block that is kept comes out once, in document order; white space is what HTML makes of it.
Where a page is broken by style, a form feed stands on a line of its own.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter
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
    is_marker,
    space_at,
)  # fmt: skip
from pipeline.kernels.html.tree import (
    BEGIN,
    BOUNDARY,
    BREAK_AFTER,
    BREAK_BEFORE,
    CAPITALS,
    END,
    FLAGS,
    LETTERED,
    PARENT,
    REVERSED,
    ROMAN,
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

_NOTHING, _SPACE, _LINE, _PARAGRAPH = range(4)
"""What must stand before the next text."""
_APART = np.full(256, _LINE, np.uint8)
"""How block-level elements are set apart: by a line end, these by an empty line."""
for _name in (
    "p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote article section figure hr form fieldset details header footer nav "
    "main aside xmp plaintext listing"
).split():  # fmt: skip
    _APART[TAGS[_name]] = _PARAGRAPH
_APART.flags.writeable = False
_BREAK, _ITEM, _LIST, _ORDERED, _PRE, _XMP, _LISTING, _QUOTE, _SUP, _SUB, _LINK, _FORMULA, _SCRIPT = (
    TAGS[name]
    for name in ("br", "li", "ul", "ol", "pre", "xmp", "listing", "q", "sup", "sub", "a", "annotation", "script")
)

_TO, _BEGIN, _PENDING, _FEED, _GLUE, _START, _MARK, _LISTS, _SCRIPT_END, _SCRIPT_SIGN, _ESCAPE, _STYLE = range(12)
"""The state of writing: the addresses to write to and where the text begins; what is pending; whether a page ends; whether
what follows stays on the line; whether a cell begins; the number of the list item that begins, `_NO_ITEM` or `_BULLET`; how many
lists are open; where raised text ends, and with which sign; whether bars are escaped; the flags of the item's list."""
_NO_ITEM, _BULLET = -1, -2
_MOST_MARKER = 6
_WRAPPER = np.frombuffer(b"{\\displaystyle", np.uint8)
_ROMAN_VALUES = np.array([1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1], np.int64)
_ROMAN_SIGNS = np.array(
    [[*sign.encode().ljust(2, b"\0")] for sign in "m cm d cd c xc l xl x ix v iv i".split()], np.uint8
)
_DEEPEST = 8
"""Levels of lists that are indented."""
_SMALL = 24
"""Bytes up to which raised or lowered text is marked as such."""


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
    state[_TO] = state[_BEGIN] = address(out)
    state[_MARK] = _NO_ITEM
    outer = np.empty(len(nodes) + 1, np.int32)  # the open elements whose end matters
    depth, row, code_end, table_end = 0, 0, -1, -1
    while row < len(nodes):
        while depth and row >= nodes[outer[depth - 1], END]:
            depth -= 1
            _close(nodes, int(outer[depth]), state)
        _end_script(state, row)
        tag = nodes[row, TAG]
        if tag == TEXT:
            if block[row] >= 0 and (row < table_end or keep[block[row]]):
                _put_text(nodes, data, row, row < code_end, state)
        elif tag == _BREAK:
            if row < code_end:
                _flush(state)
                _put(state, codes.LINE_FEED)
            else:
                state[_PENDING] = _PARAGRAPH if state[_PENDING] >= _LINE else _LINE
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
            _open_script(nodes, data, block, row, state)
        row += 1
    _end_script(state, row)
    while depth:
        depth -= 1
        _close(nodes, outer[depth], state)
    return out[: state[_TO] - state[_BEGIN]]


@kernel()
def _is_list(nodes: np.ndarray, row: Int) -> int:
    return int(nodes[row, TAG] == _LIST or nodes[row, TAG] == _ORDERED)


@kernel()
def _set_apart(nodes: np.ndarray, row: Int, state: np.ndarray) -> None:
    if TRAITS[nodes[row, TAG]] & BOUNDARY:
        apart = _LINE if state[_LISTS] and _is_list(nodes, row) else _APART[nodes[row, TAG]]
        state[_PENDING] = max(state[_PENDING], apart)


@kernel()
def _open(nodes: np.ndarray, block: np.ndarray, column: np.ndarray, row: Int, state: np.ndarray) -> None:
    """What the start of an element asks for. A list's `column` counts its items."""
    tag = nodes[row, TAG]
    _set_apart(nodes, row, state)
    state[_FEED] |= nodes[row, FLAGS] & BREAK_BEFORE
    if tag == _ITEM:
        state[_MARK] = _BULLET
        above = nodes[row, PARENT]
        if above >= 0 and nodes[above, TAG] == _ORDERED:
            first, step = nodes[above, SPANS], -1 if nodes[above, FLAGS] & REVERSED else 1
            if step < 0 and first == 1 and _is_first(nodes, above, row):
                column[above] = _items_in(nodes, above) - 1
            number = nodes[row, SPANS] if nodes[row, SPANS] else first + column[above]
            column[above] = number + step - first
            state[_MARK], state[_STYLE] = max(number, 0), nodes[above, FLAGS]
    elif _is_list(nodes, row):
        state[_LISTS] += 1
    elif tag == ROW:
        state[_GLUE] = 0
    elif tag == _QUOTE and row + 1 < nodes[row, END] and block[row + 1] >= 0:
        _flush(state)
        _put(state, codes.QUOTE)


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
    if tag == _QUOTE and state[_TO] > state[_BEGIN]:
        _put(state, codes.QUOTE)
    elif tag == _ITEM:
        state[_MARK] = _NO_ITEM
    elif _is_list(nodes, row):
        state[_LISTS] -= 1
    elif tag == ROW:
        state[_GLUE] = 0
    elif tag in (CELL, HEADER_CELL) and nodes[row, STOP] > nodes[row, BEGIN]:
        size, to = 0, state[_TO]
        while size <= _MOST_MARKER and to - size > state[_BEGIN] and byte_at(to - size - 1) != codes.LINE_FEED:
            size += 1
        state[_GLUE] = is_marker(to - size, size)
    _set_apart(nodes, row, state)
    state[_FEED] |= nodes[row, FLAGS] & BREAK_AFTER


@kernel()
def _put(state: np.ndarray, byte: Int) -> None:
    put_byte(state[_TO], byte)
    state[_TO] += 1


@kernel()
def _flush(state: np.ndarray) -> None:
    """Write what must stand before the next sign: space or line ends, a form feed, an item's indent and marker."""
    pending, begun = state[_PENDING], state[_TO] > state[_BEGIN]
    if state[_GLUE]:
        pending = _SPACE
    if state[_FEED] and begun:
        for byte in (codes.LINE_FEED, codes.LINE_FEED, codes.FORM_FEED, codes.LINE_FEED, codes.LINE_FEED):
            _put(state, byte)
    elif begun and pending >= _LINE:
        for _ in range(pending - _SPACE):
            _put(state, codes.LINE_FEED)
    elif pending == _SPACE and begun and not state[_START] and byte_at(state[_TO] - 1) != codes.LINE_FEED:
        _put(state, codes.SPACE)
    state[_PENDING] = state[_FEED] = state[_GLUE] = state[_START] = 0
    number = state[_MARK]
    if number == _NO_ITEM:
        return
    state[_MARK] = _NO_ITEM
    for _ in range(2 * min(state[_LISTS] - 1, _DEEPEST)):
        _put(state, codes.SPACE)
    if number == _BULLET:
        for byte in (0xE2, 0x80, 0xA2):  # a bullet
            _put(state, byte)
    else:
        _put_number(state, number)
        _put(state, codes.DOT)
    _put(state, codes.SPACE)


@kernel()
def _put_number(state: np.ndarray, number: Int) -> None:
    """An item's number, in letters or Roman numerals where its list says so and has them."""
    capital = codes.CASE_BIT if state[_STYLE] & CAPITALS else 0
    if state[_STYLE] & LETTERED and 0 < number <= 26 * 27:
        if number > 26:
            _put(state, codes.SMALL_A - capital + (number - 1) // 26 - 1)
        _put(state, codes.SMALL_A - capital + (number - 1) % 26)
        return
    if state[_STYLE] & ROMAN and 0 < number < 4000:
        for at in range(len(_ROMAN_VALUES)):
            while number >= _ROMAN_VALUES[at]:
                number -= _ROMAN_VALUES[at]
                for sign in _ROMAN_SIGNS[at]:
                    if sign:
                        _put(state, sign - capital)
        return
    scale = 1
    while scale * 10 <= number:
        scale *= 10
    while scale:
        _put(state, codes.ZERO + number // scale % 10)
        scale //= 10


@kernel()
def _put_text(nodes: np.ndarray, data: np.ndarray, row: Int, code: bool, state: np.ndarray) -> None:
    """Write a text node: white space becomes one space where something follows it; that of code stays."""
    place, stop = address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP]
    formula = nodes[row, PARENT] >= 0 and nodes[nodes[row, PARENT], TAG] in (_FORMULA, _SCRIPT)
    if formula:
        _flush(state)
        _put(state, codes.DOLLAR)
        state[_START] = 1
        place, stop = _bare_formula(place, stop)
    if code:
        _flush(state)
    elif state[_PENDING] == 0 and state[_TO] - state[_BEGIN] >= 3 and place < stop:
        # Browsers part a bullet or the number of an item and the text of the next element by padding alone.
        state[_PENDING] = _SPACE if _is_bullet(state[_TO] - 3) or _is_apart(state, place, stop) else 0
    while place < stop:
        gap = 0 if code else space_at(place, stop)
        if gap:
            state[_PENDING] = max(state[_PENDING], _SPACE)
            place += gap
            continue
        if state[_PENDING] or state[_MARK] != _NO_ITEM or state[_FEED] or state[_START]:
            _flush(state)
        to = state[_TO]
        if not code and (to == state[_BEGIN] or byte_at(to - 1) <= codes.LINE_FEED):
            for _ in range(_marker(place, stop)):
                put_byte(to, byte_at(place))
                to, place = to + 1, place + 1
                state[_PENDING] = _SPACE
            if state[_PENDING]:
                state[_TO] = to
                continue
        while place < stop:
            byte = byte_at(place)
            if not code and (byte <= codes.SPACE or byte >= 0xC2) and space_at(place, stop):
                break
            if byte == codes.BAR and state[_ESCAPE]:
                put_byte(to, codes.BACKSLASH)
                to += 1
            put_byte(to, byte)
            to += 1
            place += 1
        state[_TO] = to
    if formula:
        _put(state, codes.DOLLAR)
        state[_PENDING] = 0


@kernel()
def _is_apart(state: np.ndarray, place: Int, stop: Int) -> bool | np.bool_:
    """Whether a text that begins with a word in a capital follows `(a)` at the start of a line, or a number such as `9.01`."""
    to = state[_TO]
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
    begins = to - 3 == state[_BEGIN] or byte_at(to - 4) <= codes.LINE_FEED
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
def _open_script(nodes: np.ndarray, data: np.ndarray, block: np.ndarray, row: Int, state: np.ndarray) -> None:
    """Mark raised and lowered text: `10^9`, `x^(n+1)`, `H_2O`, a note's link `[1]`; not `(1)`, `1st`, or what stands alone."""
    tag, to = nodes[row, TAG], state[_TO]
    if tag not in (_SUP, _SUB) or state[_PENDING] or state[_START] or to == state[_BEGIN] or row + 1 == nodes[row, END]:
        return
    text = row + 1
    while text < nodes[row, END] - 1 and nodes[text, TAG] != TEXT:
        text += 1
    place, stop, before = address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP], byte_at(to - 1)
    if block[text] < 0 or stop - place > _SMALL or before <= codes.SPACE or before == codes.LEFT_PAREN:
        return
    letters = digits = others = 0
    for at in range(place, stop):
        byte = byte_at(at)
        letters += is_letter(byte)
        digits += codes.ZERO <= byte <= codes.NINE
        others += not (byte == codes.HYPHEN and at == place)
    size, others = others, others - letters - digits
    first = byte_at(place) if size else codes.LEFT_PAREN
    link = nodes[row + 1, TAG] == _LINK
    minus = size > 2 and first == 0xE2 and byte_at(place + 1) == 0x88 and byte_at(place + 2) == 0x92
    plain = is_letter(first) or codes.ZERO <= first <= codes.NINE or first == codes.HYPHEN or minus
    if not plain or (tag == _SUP and letters == size and size > 1):
        return
    state[_SCRIPT_END] = nodes[row, END]
    if link and digits == size:
        _put(state, codes.LEFT_BRACKET)
        state[_SCRIPT_SIGN] = codes.RIGHT_BRACKET
        return
    _put(state, codes.CARET if tag == _SUP else codes.UNDERSCORE)
    if others and size > 1:
        _put(state, codes.LEFT_PAREN)
        state[_SCRIPT_SIGN] = codes.RIGHT_PAREN


@kernel()
def _end_script(state: np.ndarray, row: Int) -> None:
    """Write the bracket that closes raised or lowered text, where a node after it begins."""
    if state[_SCRIPT_END] and row >= state[_SCRIPT_END]:
        if state[_SCRIPT_SIGN]:
            _put(state, state[_SCRIPT_SIGN])
        state[_SCRIPT_END] = state[_SCRIPT_SIGN] = 0


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
    state[_PENDING] = max(state[_PENDING], _LINE)
    state[_GLUE] = 0
    while cell < nodes[line, END]:
        kind = role[cell] if is_cell(nodes, cell) else 0
        if not kind:
            cell = nodes[cell, END]
            continue
        if not before:
            _flush(state)
            if markdown:
                _put(state, codes.BAR)
                _put(state, codes.SPACE)
        if kind != CLOSES and column[cell] > at:
            for _ in range(at, column[cell]):
                _put(state, codes.SPACE if markdown or role[line] == ITEM else codes.TAB)
                if markdown:
                    _put(state, codes.BAR)
                    _put(state, codes.SPACE)
            at = column[cell]
        elif kind == TEXT_CELL and before and before != OPENS:
            _put(state, codes.SPACE)
        before = kind
        state[_START], state[_ESCAPE] = 1, markdown
        for row in range(cell + 1, nodes[cell, END]):
            _end_script(state, row)
            if nodes[row, TAG] == TEXT:
                if block[row] >= 0:
                    _put_text(nodes, data, row, False, state)
            elif nodes[row, TAG] == _BREAK or TRAITS[nodes[row, TAG]] & BOUNDARY:
                state[_PENDING] = max(state[_PENDING], _SPACE)
            else:
                _open_script(nodes, data, block, row, state)
        cell = nodes[cell, END]
        _end_script(state, cell)
        state[_PENDING] = state[_ESCAPE] = 0
    if before and markdown:
        _end_markdown_row(nodes, column, line, state)
    state[_START] = 0
    state[_PENDING] = _LINE


@kernel()
def _end_markdown_row(nodes: np.ndarray, column: np.ndarray, line: Int, state: np.ndarray) -> None:
    """End a row; after a table's first the line that makes it a heading."""
    _put(state, codes.SPACE)
    _put(state, codes.BAR)
    table = nodes[line, PARENT]
    while nodes[table, TAG] != TABLE:
        table = nodes[table, PARENT]
    if column[table]:
        _put(state, codes.LINE_FEED)
        for _ in range(column[table]):
            for byte in (codes.BAR, codes.SPACE, codes.HYPHEN, codes.HYPHEN, codes.HYPHEN, codes.SPACE):
                _put(state, byte)
        _put(state, codes.BAR)
        column[table] = 0
