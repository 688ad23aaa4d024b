"""Plain twins of the kernels that choose the main content and write the text, over rows as lists."""

import re

from pipeline.kernels.html import output
from pipeline.kernels.html import render as render_kernel
from pipeline.kernels.html import tables as tables_kernel
from pipeline.kernels.html.tree import (
    BOUNDARY,
    BREAK_AFTER,
    BREAK_BEFORE,
    CAPITALS,
    END,
    FLAGS,
    LETTERED,
    LOWERED,
    PARENT,
    RAISED,
    REVERSED,
    ROMAN,
    SPANS,
    TAG,
    TEXT,
    TRAITS,
)  # fmt: skip
from tests.extract.tables_twin import SPACE, Page, is_marker

PARAGRAPH = (
    "p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote article section figure hr form fieldset details header footer nav main "
    "aside xmp plaintext listing"
).split()  # fmt: skip

BULLET = re.compile(rb"\xe2(?:\x80\xa2|\x96[\xa0-\xbf]|\x97[\x80-\xbf]|\x98[\x90-\x92])")
MARKER = re.compile(BULLET.pattern + rb"(?=.)|\(?[A-Za-z0-9]{1,4}\)(?=[A-Z])|[0-9]{1,4}\.(?=[A-Z])", re.S)


class Writer:
    """The text so far and what must stand before the next sign."""

    def __init__(self) -> None:
        self.out = b""
        self.pending = self.lists = 0
        self.feed = self.glue = self.start = self.escape = False
        self.mark: int | None = None
        self.style = 0
        self.close: tuple[int, bytes] | None = None

    def apart(self, level: int) -> None:
        self.pending = max(self.pending, level)

    def flush(self) -> None:
        pending = 1 if self.glue else self.pending
        if self.out and self.feed:
            self.out += b"\n\n\f\n\n"
        elif self.out and pending > 1:
            self.out += b"\n" * (pending - 1)
        elif self.out and pending == 1 and not self.start and not self.out.endswith(b"\n"):
            self.out += b" "
        self.pending, self.feed, self.glue, self.start = 0, False, False, False
        if self.mark is not None:
            indent = "  " * max(0, min(self.lists - 1, output._DEEPEST))
            self.out += f"{indent}{'•' if self.mark < 0 else f'{numeral(self.mark, self.style)}.'} ".encode()
            self.mark = None

    def words(self, text: bytes) -> None:
        """Text whose white space is one space where something follows."""
        for at, word in enumerate(re.split(rb"(?:" + SPACE.pattern + rb")+", text)):
            if at:
                self.apart(1)
            if word:
                if self.pending or self.mark is not None or self.feed or self.start:
                    self.flush()
                marker = MARKER.match(word) if self.out[-1:] <= b"\n" else None
                if marker:
                    self.out += marker[0] + b" "
                    word = word[marker.end() :]
                self.out += word.replace(b"|", b"\\|") if self.escape else word

    def end_script(self, row: int) -> None:
        if self.close and row >= self.close[0]:
            self.out += self.close[1]
            self.close = None


def numeral(number: int, style: int) -> str:
    """An item's number as its list writes numbers."""
    words = str(number)
    if style & LETTERED and 0 < number <= 702:
        letters = "abcdefghijklmnopqrstuvwxyz"
        words = (letters[(number - 1) // 26 - 1] if number > 26 else "") + letters[(number - 1) % 26]
    elif style & ROMAN and 0 < number < 4000:
        words = "".join(
            "i ii iii iv v vi vii viii ix".split()[digit - 1].translate(str.maketrans("ivx", signs)) if digit else ""
            for digit, signs in zip(map(int, f"{number:04}"), ("m__", "cdm", "xlc", "ivx"), strict=True)
        )
    return words.upper() if style & CAPITALS else words


def render(page: Page, keep: list[bool], role: list[int], column: list[int], tables: int) -> bytes:
    to = Writer()
    opened: list[int] = []
    row = code_end = table_end = 0
    while row < len(page.rows):
        while opened and row >= page.rows[opened[-1]][END]:
            end_element(page, opened.pop(), to)
        to.end_script(row)
        tag, name = page.rows[row][TAG], page.name(row)
        if tag == TEXT:
            if page.block[row] >= 0 and (row < table_end or keep[page.block[row]]):
                put_text(page, row, row < code_end, to)
        elif name == "br":
            if row < code_end:
                to.flush()
                to.out += b"\n"
            else:
                to.pending = 3 if to.pending >= 2 else 2
        elif role[row] in (tables_kernel.GRID, tables_kernel.ITEM):
            put_row(page, row, role, column, tables == render_kernel.MARKDOWN_TABLES, to)
            row = page.rows[row][END]
            continue
        elif TRAITS[tag] & BOUNDARY or name == "q" or page.rows[row][FLAGS] & (BREAK_BEFORE | BREAK_AFTER):
            start_element(page, row, column, to)
            opened.append(row)
            code_end = max(code_end, page.rows[row][END]) if name in ("pre", "xmp", "listing") else code_end
            if role[row] in (tables_kernel.DATA, tables_kernel.FIGURES):
                texts = [one for one in page.inside(row) if page.rows[one][TAG] == TEXT and page.block[one] >= 0]
                balance = sum(len(page.text(one)) * (1 if keep[page.block[one]] else -1) for one in texts)
                if tables != render_kernel.DROP_TABLES and (row < table_end or balance >= 0):
                    table_end = max(table_end, page.rows[row][END])
                else:
                    row = page.rows[row][END] - 1
        else:
            start_script(page, row, to)
        row += 1
    to.end_script(row)
    while opened:
        end_element(page, opened.pop(), to)
    return to.out


def level(page: Page, row: int, to: Writer) -> int:
    if not TRAITS[page.rows[row][TAG]] & BOUNDARY:
        return 0
    return 2 if page.name(row) not in PARAGRAPH or (to.lists and page.name(row) in ("ul", "ol")) else 3


def start_element(page: Page, row: int, column: list[int], to: Writer) -> None:
    name, above = page.name(row), page.rows[row][PARENT]
    to.apart(level(page, row, to))
    to.feed |= bool(page.rows[row][FLAGS] & BREAK_BEFORE)
    if name == "li":
        number = -1
        if above >= 0 and page.name(above) == "ol":
            first, back = page.rows[above][SPANS], bool(page.rows[above][FLAGS] & REVERSED)
            if back and first == 1 and all(page.rows[one][TAG] == TEXT for one in range(above + 1, row)):
                items = [
                    one for one in page.inside(above) if page.name(one) == "li" and page.rows[one][PARENT] == above
                ]
                column[above] = len(items) - 1
            number = page.rows[row][SPANS] or first + column[above]
            column[above] = number + (-1 if back else 1) - first
            number, to.style = max(number, 0), page.rows[above][FLAGS]
        to.mark = number
    elif name in ("ul", "ol"):
        to.lists += 1
    elif name == "tr":
        to.glue = False
    elif name == "q" and page.inside(row) and page.block[row + 1] >= 0:
        to.flush()
        to.out += b'"'


def end_element(page: Page, row: int, to: Writer) -> None:
    name = page.name(row)
    if name == "q" and to.out:
        to.out += b'"'
    elif name == "li":
        to.mark = None
    elif name in ("ul", "ol"):
        to.lists -= 1
    elif name == "tr":
        to.glue = False
    elif name in ("td", "th") and page.text(row):
        to.glue = is_marker(to.out.rpartition(b"\n")[2])
    to.apart(level(page, row, to))
    to.feed |= bool(page.rows[row][FLAGS] & BREAK_AFTER)


def put_text(page: Page, row: int, code: bool, to: Writer) -> None:
    text, above = page.text(row), page.rows[row][PARENT]
    formula = above >= 0 and page.name(above) in ("annotation", "script")
    if formula:
        to.flush()
        to.out += b"$"
        to.start = True
        text = re.sub(rb"\A(?:" + SPACE.pattern + rb")+|[\0- ]+\Z", b"", text)
        if len(text) > 15 and text.startswith(b"{\\displaystyle") and text.endswith(b"}"):
            text = text[14:-1]
    if code:
        to.flush()
        to.out += text
    else:
        apart = re.match(rb"[A-Z][a-z\x7b-\xff]", text) and re.search(
            rb"(?:\.[0-9][0-9]|(?:\A|[\0-\n])\([A-Za-z]\))\Z", to.out
        )
        if not to.pending and text and (BULLET.match(to.out[-3:]) or (apart and len(to.out) >= 3)):
            to.apart(1)
        to.words(text)
    if formula:
        to.out += b"$"
        to.pending = 0


def start_script(page: Page, row: int, to: Writer) -> None:
    text, inner, flags = page.text(row), list(page.inside(row)), page.rows[row][FLAGS]
    raised, lowered = page.name(row) == "sup" or flags & RAISED, page.name(row) == "sub" or flags & LOWERED
    name = "sup" if raised else "sub" if lowered else ""
    if name not in ("sup", "sub") or to.pending or to.start or not to.out or not inner:
        return
    first = next((one for one in inner if page.rows[one][TAG] == TEXT), inner[-1])
    if page.block[first] < 0 or len(text) > 24 or to.out[-1] <= 0x20 or to.out[-1:] in (b"(", b"^", b"_"):
        return
    if name == "sup" and not re.search(rb"[A-Za-z]\Z", to.out) and is_fraction(page, row):
        to.out += b" " if to.out[-1:].isdigit() else b""
        return
    if name == "sub" and row >= 3 and is_fraction(page, row - 3):
        return
    body = text[1:] if text[:1] == b"-" else text
    if not re.match(rb"[A-Za-z0-9-]|\xe2\x88\x92", text) or (name == "sup" and re.fullmatch(rb"[A-Za-z]{2,}", body)):
        return
    if page.name(row + 1) == "a" and re.fullmatch(rb"[0-9]*", body):
        to.out += b"["
        to.close = (page.rows[row][END], b"]")
        return
    to.out += b"^" if name == "sup" else b"_"
    brackets = re.search(rb"[^A-Za-z0-9]", body) and len(body) > 1
    to.out += b"(" if brackets else b""
    to.close = (page.rows[row][END], b")" if brackets else to.close[1] if to.close else b"")  # of the one around it


def is_fraction(page: Page, row: int) -> bool:
    parts = range(row, min(row + 5, len(page.rows)))
    if [page.name(one) or page.rows[one][TAG] == TEXT for one in parts] != ["sup", True, True, "sub", True]:
        return False
    whole = page.rows[row][END] == row + 2 and page.rows[row + 3][END] == row + 5
    short = max(len(page.text(row)), len(page.text(row + 3))) <= 24
    digits = page.text(row).isdigit() and page.text(row + 3).isdigit()
    return whole and short and digits and page.text(row + 2) in (b"/", "\u2044".encode())


def put_row(page: Page, line: int, role: list[int], column: list[int], markdown: bool, to: Writer) -> None:
    cells, row = [], line + 1
    while row < page.rows[line][END]:
        if page.is_cell(row) and role[row]:
            cells.append(row)
        row = page.rows[row][END]
    to.apart(2)
    to.glue = False
    at = 0
    for number, cell in enumerate(cells):
        if number == 0:
            to.flush()
            to.out += b"| " if markdown else b""
        if role[cell] != tables_kernel.CLOSES and column[cell] > at:
            part = b" | " if markdown else b" " if role[line] == tables_kernel.ITEM else b"\t"
            to.out += part * (column[cell] - at)
            at = column[cell]
        elif role[cell] == tables_kernel.TEXT_CELL and number and role[cells[number - 1]] != tables_kernel.OPENS:
            to.out += b" "
        to.start, to.escape = True, markdown
        for inner in page.inside(cell):
            to.end_script(inner)
            if page.rows[inner][TAG] == TEXT:
                if page.block[inner] >= 0:
                    put_text(page, inner, False, to)
            elif page.name(inner) == "br" or TRAITS[page.rows[inner][TAG]] & BOUNDARY:
                to.apart(1)
            else:
                start_script(page, inner, to)
        to.end_script(page.rows[cell][END])
        to.pending, to.escape = 0, False
    if cells and markdown:
        to.out += b" |"
        table = next(up for up in ancestors(page, line) if page.name(up) == "table")
        if column[table]:
            to.out += b"\n" + b"| --- " * column[table] + b"|"
            column[table] = 0
    to.start = False
    to.pending = 2


def ancestors(page: Page, row: int) -> list[int]:
    found = []
    while (row := page.rows[row][PARENT]) >= 0:
        found.append(row)
    return found
