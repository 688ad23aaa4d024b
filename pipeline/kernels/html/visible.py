"""Which nodes of a page's tree are seen, and the blocks that they make."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_space
from pipeline.kernels.html.tree import (
    ARIA_HIDDEN,
    BEGIN,
    BOUNDARY,
    DRAWN,
    END,
    FLAGS,
    HIDDEN,
    STOP,
    TAG,
    TAGS,
    TEX,
    TEXT,
    TRAITS,
    UNSEEN,
)
from pipeline.kernels.memory import Int, address, byte_at

_ANNOTATION, _MATHML, _NOSCRIPT, _SCRIPT, _PRE, _CELL = (
    TAGS[name] for name in ("annotation", "math", "noscript", "script", "pre", "td")
)


@kernel(nogil=True)
def blocks(nodes: np.ndarray, data: np.ndarray, all_text: bool) -> tuple[np.ndarray, int]:
    """`(block, count)`: int32[rows], the number of the block that a text node belongs to, and how many there are.

    A block is the longest run of text nodes without the start or end of a block-level element between them. -1: no text
    node, one in a run of nothing but white space, or one that no reader sees: in scripts, forms' fields, the page's head,
    hidden elements, inline XBRL's header. A formula in MathML and TeX is seen as TeX. With `all_text` hidden elements and
    `noscript` are seen.
    """
    rows, text = nodes.shape[0], address(data)
    block = np.full(rows, -1, np.int32)
    ends = np.zeros(rows + 1, np.bool_)  # a block-level element ends before this row
    count, first, numbered = 0, 0, False  # `first`: where this run starts
    formula_end = tex = row = 0
    while row < rows:
        tag = nodes[row, TAG]
        boundary = TRAITS[tag] & BOUNDARY
        if ends[row] or boundary:
            first, numbered = row, False
        if boundary:
            ends[nodes[row, END]] = True
        if tag == TEXT:
            if not numbered and _has_sign(text + nodes[row, BEGIN], text + nodes[row, STOP]):
                for before in range(first, row):
                    block[before] = count if block[before] == -2 else block[before]
                numbered = True
                count += 1
            block[row] = count - 1 if numbered else -2
        elif tag == _MATHML and row >= formula_end:
            formula_end, tex = nodes[row, END], _tex_in(nodes, row)
            row = tex if tex else row
        elif (
            is_unseen(nodes, row, all_text)
            or (tag == _ANNOTATION and row != tex)
            or (tag == _CELL and _numbers_lines(nodes, data, row))
        ):
            row = nodes[row, END] - 1
        row += 1
        if tex and row == nodes[tex, END]:
            row, tex = formula_end, 0
    for row in range(rows):
        block[row] = max(block[row], -1)
    return block, count


_DECORATION = 200
"""Bytes of text up to which `aria-hidden` hides: icons and the drawn form of formulas, not a page behind a dialogue."""


@kernel()
def is_unseen(nodes: np.ndarray, row: Int, all_text: bool) -> bool:
    """Whether nothing inside an element is text of the page. A hidden formula is: what is drawn in its stead is a picture."""
    tag, flags = nodes[row, TAG], nodes[row, FLAGS]
    if TRAITS[tag] & UNSEEN:
        return not (all_text and tag == _NOSCRIPT) and not (tag == _SCRIPT and flags & TEX)
    if flags & DRAWN and _tex_follows(nodes, row):
        return True
    formula = row + 1 < nodes[row, END] and nodes[row + 1, TAG] == _MATHML
    if all_text or formula or not flags & (HIDDEN | ARIA_HIDDEN):
        return False
    return flags & HIDDEN != 0 or nodes[row, STOP] - nodes[row, BEGIN] <= _DECORATION


@kernel()
def _tex_follows(nodes: np.ndarray, row: Int) -> bool:
    """Whether the element after this one is a script with the formula in TeX that is drawn here."""
    after = nodes[row, END]
    while after < len(nodes) and nodes[after, TAG] == TEXT:
        after += 1
    return after < len(nodes) and nodes[after, TAG] == _SCRIPT and nodes[after, FLAGS] & TEX != 0


@kernel()
def _numbers_lines(nodes: np.ndarray, data: np.ndarray, cell: Int) -> bool:
    """Whether a cell holds nothing but the numbers of the lines of code in the cell beside it: two numbers, a line each."""
    place, stop, lines = address(data) + nodes[cell, BEGIN], address(data) + nodes[cell, STOP], 0
    while place < stop and (is_space(byte_at(place)) or codes.ZERO <= byte_at(place) <= codes.NINE):
        lines += byte_at(place) == codes.LINE_FEED
        place += 1
    beside = nodes[cell, END]
    if place < stop or lines == 0:
        return False
    while beside < len(nodes) and nodes[beside, TAG] == TEXT:
        beside += 1
    if beside >= len(nodes) or nodes[beside, TAG] != _CELL:
        return False
    for row in range(beside, nodes[beside, END]):
        if nodes[row, TAG] == _PRE:
            return True
    return False


@kernel()
def _tex_in(nodes: np.ndarray, formula: Int) -> Int:
    """The annotation of a formula that is in TeX; 0 when there is none."""
    for row in range(formula, nodes[formula, END]):
        if nodes[row, TAG] == _ANNOTATION and nodes[row, FLAGS] & TEX:
            return row
    return 0


@kernel()
def _has_sign(place: Int, end: Int) -> bool:
    """Whether there is more than white space (no-break spaces are white space, too)."""
    while place < end:
        if byte_at(place) == 0xC2 and place + 1 < end and byte_at(place + 1) == 0xA0:
            place += 2
        elif is_space(byte_at(place)):
            place += 1
        else:
            return True
    return False
