"""Plain twin of the kernel that finds tables and gives their cells columns, over rows as lists."""

import itertools
import re

import numpy as np

from pipeline.kernels.html import tables as tables_kernel
from pipeline.kernels.html.tree import (
    BEGIN,
    END,
    FLAGS,
    GONE,
    PARENT,
    PRESENTATION,
    SPANS,
    STOP,
    TAG,
    TAGS,
    TEXT,
)  # fmt: skip

SPACE = re.compile(rb"[ \t\n\f\r]|\xc2\xa0|\xe2\x80[\x80-\x8b\xaf]|\xef\xbb\xbf")
NAMES = {number: name for name, number in TAGS.items()}
DASH = rb"(?:-|\xe2\x80[\x90-\x95]|\xe2\x88\x92)"


class Page:
    """A tree with its blocks."""

    def __init__(self, nodes: np.ndarray, data: np.ndarray, block: np.ndarray) -> None:
        self.rows, self.data, self.block = nodes.tolist(), data.tobytes(), block.tolist()

    def name(self, row: int) -> str:
        return NAMES.get(self.rows[row][TAG], "")

    def inside(self, row: int) -> range:
        return range(row + 1, self.rows[row][END])

    def text(self, row: int) -> bytes:
        return self.data[self.rows[row][BEGIN] : self.rows[row][STOP]]

    def is_cell(self, row: int) -> bool:
        parent = self.rows[row][PARENT]
        return self.name(row) in ("td", "th") and parent >= 0 and self.name(parent) == "tr"

    def parts(self, table: int) -> list[int]:
        """What is in a table, but not in its cells or in other tables: rows, cells, groups."""
        found, row = [], table + 1
        while row < self.rows[table][END]:
            found.append(row)
            row = self.rows[row][END] if self.name(row) == "table" or self.is_cell(row) else row + 1
        return found


def is_marker(text: bytes) -> bool:
    if not 1 <= len(text) <= 6:
        return False
    signs = len(re.findall(rb"[A-Za-z0-9]", text))
    if text[-1:] in (b".", b")"):
        return 1 <= signs <= 4
    return len(text) <= 3 and not re.search(rb"[)%]", text) and signs == (text in (b"o",))


def kinds(text: bytes) -> set[str]:
    """What a cell's text without white space looks like."""
    if len(text) > 32 or not text:
        return set()
    digits, letters = (len(re.findall(pattern, text)) for pattern in (rb"[0-9]", rb"[A-Za-z]"))
    dash = re.match(DASH, text)
    nil = bool(dash) and len(text) in (len(dash[0]), 2 * len(dash[0]))
    found = {"marker"} if is_marker(text) else set()
    if nil or (digits and 2 * digits + 2 >= len(text) and letters <= 2 and not re.fullmatch(rb"[12][0-9]{3}", text)):
        found.add("figure")
    if nil or (digits and (dash or re.match(rb"[0-9.(]", text))):
        found.add("starts")
    if nil or (digits and re.search(rb"[0-9)%.]\Z", text)):
        found.add("ends")
    if re.fullmatch(rb"[)%\]]+", text):
        found.add("closing")
    sign = re.search(rb"([$(]|\xc2[\xa2-\xa5]|\xe2\x82[\xa0-\xff])\Z", text)
    if sign and not digits and not dash and len(text) <= 6 and not re.search(rb"[)%\]]", text):
        found.add("opening")
    return found


def find_tables(page: Page) -> tuple[list[int], list[int]]:
    role, column = [0] * len(page.rows), [0] * len(page.rows)
    for table in range(len(page.rows)):
        if page.name(table) == "table" and not page.rows[table][FLAGS] & PRESENTATION:
            judge(page, table, role, column)
    return role, column


def bare(page: Page, cell: int) -> bytes:
    return b"".join(
        SPACE.sub(b"", page.text(row))
        for row in page.inside(cell)
        if page.rows[row][TAG] == TEXT and page.block[row] >= 0
    )


def judge(page: Page, table: int, role: list[int], column: list[int]) -> None:
    parts = page.parts(table)
    cells = {cell: bare(page, cell) for cell in parts if page.is_cell(cell)}
    nested = {cell for cell in cells if any(page.name(row) == "table" for row in page.inside(cell))}
    filled = [cell for cell in cells if cells[cell] and cell not in nested]
    rich = [
        cell
        for cell in filled
        if sum(page.name(row) in "ul ol h1 h2 h3 h4 form pre article section".split() for row in page.inside(cell)) > 1
    ]
    figures = [cell for cell in filled if "figure" in kinds(cells[cell])]
    headed = any(page.name(row) in ("caption", "thead") or (page.name(row) == "th" and row in cells) for row in parts)
    lines = [row for row in parts if page.name(row) == "tr"]
    roles, several = {}, 0
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else page.rows[table][END]
        own = [cell for cell in cells if line < cell < following]
        texts = [cell for cell in own if cell in filled]
        item = len(texts) == 2 and "marker" in kinds(cells[texts[0]]) and len(cells[texts[1]]) >= 60
        if nested.isdisjoint(own):
            roles[line] = tables_kernel.ITEM if item else tables_kernel.GRID
            several += len(texts) > 1 and not item
    total = sum(len(cells[cell]) for cell in filled)
    long = sum(len(cells[cell]) for cell in filled if len(cells[cell]) > 400)
    many = 4 * len(figures) >= len(filled)
    plain = several > 1 and 3 * long <= total and 4 * len(rich) <= len(filled)
    told = headed and 2 * long <= total and 2 * len(rich) <= len(filled)
    code = any(
        page.name(row) == "pre" and page.text(row)[:-1].count(b"\n") > 1
        for cell in cells
        if cell not in nested
        for row in page.inside(cell)
    )
    if code or not several or not (many or plain or told or (not rich and total <= 300)):
        return
    role[table] = tables_kernel.FIGURES if many else tables_kernel.DATA
    for line, value in roles.items():
        role[line] = value
    lay_grid(page, table, {cell: b"" if cell in nested else text for cell, text in cells.items()}, role, column)


def lay_grid(page: Page, table: int, cells: dict[int, bytes], role: list[int], column: list[int]) -> None:
    """Give columns and roles to cells: each is (first column, one past the last) of the grid, by line."""
    most, taken = tables_kernel.MOST_COLUMNS, {}
    grid: list[dict[int, tuple[int, int]]] = []
    at = 0
    for row in page.parts(table):
        if page.name(row) in ("thead", "tbody", "tfoot"):
            taken.clear()
        elif page.name(row) == "tr":
            grid.append({})
            at = 0
        elif row in cells and (cells[row] or not page.rows[row][FLAGS] & GONE):
            while at < most - 1 and taken.get(at, 0) >= len(grid):
                at += 1
            last = min(at + (page.rows[row][SPANS] & 0xFFFF), most)
            down = page.rows[row][SPANS] >> 16
            if down != 1:
                taken |= {one: len(grid) + down - 1 if down else 10**9 for one in range(at, last)}
            grid[-1][row] = (at, last)
            at = min(last, most - 1)
    spans = {cell: span for line in grid for cell, span in line.items()}
    values = {cell for cell in spans if "figure" in kinds(cells[cell])}
    figured = {spans[cell][0] for cell in values}
    signs: dict[int, int] = {}
    words: set[tuple[int, int, int]] = set()  # of words beside a text: their span, and a column of that text
    for line in grid:
        filled = [cell for cell in line if cells[cell]]
        for cell, following in itertools.pairwise(filled):
            if "opening" not in kinds(cells[following]) and not kinds(cells[cell]) & {"figure", "opening", "closing"}:
                words |= {(*line[cell], at) for at in range(*line[following])}
    for line in grid:
        join_signs([cell for cell in line if cells[cell]], cells, line, figured, words, role, signs)
    number_columns(grid, spans, values, signs, role, column)
    column[table] = 1 + max((column[cell] for line in grid for cell in line), default=0)
    column[table] = max(column[table], 1)


def join_signs(
    filled: list[int],
    cells: dict[int, bytes],
    line: dict[int, tuple[int, int]],
    figured: set[int],
    words: set[tuple[int, int, int]],
    role: list[int],
    signs: dict[int, int],
) -> None:
    """Roles of a line's filled cells; `signs`: of a text behind a sign the column of the first such sign."""
    opens, starts = set(), False
    for cell, following in reversed(list(zip(filled, [*filled[1:], None], strict=False))):
        near = following is not None and line[following][0] - line[cell][1] <= 2
        joins = "opening" in kinds(cells[cell]) and near and starts
        first, last = line[cell]
        if joins and following and last - first <= 3 and line[following][0] >= last and not cells[cell].endswith(b"("):
            joins = (first, last, line[following][0]) not in words
        starts = joins or ("starts" in kinds(cells[cell]) and "closing" not in kinds(cells[cell]))
        if joins:
            opens.add(cell)
    ends, sign = False, -1
    for before, cell in zip([None, *filled], filled, strict=False):
        near = before is not None and line[cell][0] - line[before][1] <= 2
        if cell in opens:
            sign = sign if near and sign >= 0 else line[cell][0]
            role[cell], ends = tables_kernel.OPENS, False
            continue
        joins = "closing" in kinds(cells[cell]) and near and ends and line[cell][0] not in figured
        role[cell] = tables_kernel.CLOSES if joins else tables_kernel.TEXT_CELL
        if near and not joins and sign >= 0:
            signs[cell] = sign
        ends, sign = joins or "ends" in kinds(cells[cell]), -1


def number_columns(
    grid: list[dict[int, tuple[int, int]]],
    spans: dict[int, tuple[int, int]],
    values: set[int],
    signs: dict[int, int],
    role: list[int],
    column: list[int],
) -> None:
    width = max((last for _, last in spans.values()), default=0)
    line_of = {cell: at for at, line in enumerate(grid) for cell in line}
    begins: dict[int, list[int]] = {}
    for cell in spans:
        if role[cell] == tables_kernel.TEXT_CELL:
            begins.setdefault(spans[cell][0], []).append(cell)
    numbers, number, first, group = [], 0, 0, []
    for at in range(width):
        texts = begins.get(at, [])
        opened = [cell for cell in texts if signs.get(cell, -1) >= first]
        clash = {line_of[cell] for cell in texts} & {line_of[cell] for cell in group}
        spanned = not group or min(spans[cell][1] for cell in group) > at
        if texts and not spanned and (clash or not opened or (len(opened) < len(texts) and values & set(group))):
            number, first, group = number + 1, at, []
        numbers.append(number)
        group = group + texts
    tabs = sum(numbers[spans[list(line)[-1]][0]] for line in grid if line)
    for line in grid:
        last = None
        for at, cell in reversed(list(enumerate(line))):
            if role[cell] == tables_kernel.TEXT_CELL or last is None:
                last = numbers[spans[cell][0]]
            column[cell] = last if tabs <= 16 * len(spans) + 64 else at
