"""Main content by rule: which blocks of a page are kept when no classifier says so.

Subtrees whose element or class says that they are navigation, comments, adverts and the like are left out, unless much of the
page's prose lies in them. Of the rest the innermost element that holds nearly all prose is the main content, with the page's
first heading before it; in it, blocks that are mostly links go, those of tables of figures excepted.
"""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.html import tree
from pipeline.kernels.html.tables import DATA, FIGURES, space_at
from pipeline.kernels.html.tree import BEGIN, END, MARKS, STOP, TAG, TAGS
from pipeline.kernels.memory import Int, address

_TITLE, _LINK = TAGS["h1"], TAGS["a"]
_APART = np.zeros(256, np.bool_)
for _name in "nav footer aside form menu dialog button".split():
    _APART[TAGS[_name]] = True
_APART.flags.writeable = False
_NOISE = (
    tree.COMMENT
    | tree.NAVIGATION
    | tree.FOOT
    | tree.SIDE
    | tree.RELATED
    | tree.SUBSCRIBE
    | tree.SHARE
    | tree.ADVERT
    | tree.META
)
_PROSE, _PROSE_LINKS = 80, 0.3
"""Bytes from which a block is prose, and the share of links from which it is none."""
_MOST_LINKS = 0.7
"""Share of links up to which a block is kept."""
_MUCH, _MANY_COMMENTS = 0.4, 0.7
"""Share of the page's prose from which a subtree is not left out for its name; of comments, which can be most of a page."""
_NEARLY_ALL = 0.9


@kernel(nogil=True)
def main_blocks(
    nodes: np.ndarray, data: np.ndarray, block: np.ndarray, count: int, role: np.ndarray, least: int, share: float
) -> np.ndarray:
    """bool[count]: the blocks of main content.

    `nodes`, `data`, `block`, `count` and `role` as `read_tree`, `blocks` and `find_tables` give them. Where the main content
    has less than `least` bytes, or less than `share` of the page's text, it is all but what elements say is navigation.
    """
    size, linked, first, fixed = _measure_blocks(nodes, data, block, count, role)
    prose = np.zeros(len(nodes) + 1, np.int64)  # bytes of prose and tables of figures in the rows before
    number = 0
    for row in range(len(nodes)):
        prose[row + 1] = prose[row]
        if number < count and first[number] == row:
            if fixed[number] or (size[number] >= _PROSE and linked[number] < _PROSE_LINKS * size[number]):
                prose[row + 1] += size[number]
            number += 1
    out, top = _left_out(nodes, prose, False)
    title = top
    for row in range(top - 1, -1, -1):
        title = row if nodes[row, TAG] == _TITLE else title
    keep = np.zeros(count, np.bool_)
    kept = whole = 0
    for number in range(count):
        row = first[number]
        whole += size[number]
        if out[row]:
            continue
        if top <= row < nodes[top, END]:
            keep[number] = fixed[number] or linked[number] <= _MOST_LINKS * size[number]
        else:
            keep[number] = title < top and title <= row < nodes[title, END]
        kept += size[number] if keep[number] else 0
    if kept < least or kept < share * whole:
        out, top = _left_out(nodes, prose, True)
        rest = 0
        for number in range(count):
            rest += 0 if out[first[number]] else size[number]
        if rest > kept:
            for number in range(count):
                keep[number] = not out[first[number]]
    return keep


@kernel()
def _measure_blocks(
    nodes: np.ndarray, data: np.ndarray, block: np.ndarray, count: int, role: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bytes of each block and of the links in it, its first row, and whether it belongs to a table that stays as it is."""
    size, linked, first = np.zeros(count, np.int32), np.zeros(count, np.int32), np.full(count, -1, np.int32)
    fixed = np.zeros(count, np.bool_)
    link_end = table_end = 0
    for row in range(len(nodes)):
        if nodes[row, TAG] == _LINK:
            link_end = max(link_end, nodes[row, END])
        elif role[row] == FIGURES:
            table_end = max(table_end, nodes[row, END])
        number = block[row]
        if number < 0:
            continue
        if first[number] < 0:
            first[number] = row
        length = _signs(address(data) + nodes[row, BEGIN], address(data) + nodes[row, STOP])
        size[number] += length
        linked[number] += length if row < link_end else 0
        fixed[number] = row < table_end
    for row in range(len(nodes)):
        if role[row] == DATA:
            _fix_table(nodes, block, size, linked, fixed, row)
    return size, linked, first, fixed


@kernel()
def _fix_table(
    nodes: np.ndarray, block: np.ndarray, size: np.ndarray, linked: np.ndarray, fixed: np.ndarray, table: Int
) -> None:
    """A table of words stays as it is when it is not all links."""
    first = last = -1
    for row in range(table, nodes[table, END]):
        if block[row] >= 0:
            first = block[row] if first < 0 else first
            last = block[row]
    if first < 0:
        return
    words = links = 0
    for number in range(first, last + 1):
        words += size[number]
        links += linked[number]
    for number in range(first, last + 1):
        fixed[number] |= links <= _MOST_LINKS * words


@kernel()
def _left_out(nodes: np.ndarray, prose: np.ndarray, by_element: bool) -> tuple[np.ndarray, Int]:
    """`(out, top)`: bool[rows], what is left out for its name; the row of the element that holds nearly all other prose."""
    rows = len(nodes)
    out, left = np.zeros(rows, np.bool_), np.zeros(rows + 1, np.int64)
    total, row = prose[rows], 0
    while row < rows:  # comments are no measure of what is much
        here = prose[nodes[row, END]] - prose[row]
        comments = nodes[row, MARKS] & tree.COMMENT and here <= _MANY_COMMENTS * prose[rows]
        total -= here if comments else 0
        row = nodes[row, END] if comments else row + 1
    row = 0
    while row < rows:
        here = prose[nodes[row, END]] - prose[row]
        named = nodes[row, MARKS] & _NOISE and not nodes[row, MARKS] & tree.BODY and not by_element
        if (_APART[nodes[row, TAG]] or named) and (by_element or here <= _MUCH * total):
            for inside in range(row, nodes[row, END]):
                out[inside] = True
                left[inside + 1] = left[row]
            row = nodes[row, END]
        else:
            left[row + 1] = left[row] + prose[row + 1] - prose[row]
            row += 1
    top, child = 0, 1
    while top < rows and child < nodes[top, END]:
        inner = left[nodes[child, END]] - left[child]
        if inner and inner >= _NEARLY_ALL * (left[nodes[top, END]] - left[top]):
            top, child = child, child + 1
        else:
            child = nodes[child, END]
    return out, top


@kernel()
def _signs(place: Int, stop: Int) -> Int:
    """Bytes of a text with its white space collapsed."""
    total, gap = 0, 1
    while place < stop:
        before, gap = gap, space_at(place, stop)
        total += int(gap == 0 or before == 0)
        place += gap if gap else 1
    return total
