"""PDF to text by PDFium: lines joined into paragraphs, table rows with tabs between their cells, pages parted by form feeds.

PDFium gives characters in the order they were drawn, which in the files of word processors and of filing agents is the order of
reading, columns included. What it does not give is where a paragraph or a cell ends: that is told from the boxes of each word.
Of three libraries it had the best words (F1 .950 against .888 of kreuzberg and .873 of pdf_oxide, ten PDFs with expected text)
and took least time and memory; see docs/inputs.md.
"""

import ctypes
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError

PAGE_BREAK = "\n\f\n"
"""Between two pages: a line of its own."""
_GAP, _LEADING = 1.1, 1.7
"""A gap between two words of one line, and the distance of two lines of one paragraph, at most, in heights of the line."""
_LIGATURE = 0.6
"""What a ligature is wide at most, in heights of the line."""
_FULL = 0.82
"""A line this much as wide as the widest around it goes on in the next one."""
_GARBAGE = 0.3
"""A page with this share of signs without a meaning has a text layer that no one can read."""
_WORD = re.compile(r"\ufffe?[^\s\x00\x02\ufffe\xad]+[\x02\ufffe\xad]?")
_MEANINGLESS = re.compile("[\x01\x03-\x08\x0e-\x1f\ufffd\uffff\ue000-\uf8ff]")
_HYPHEN = "\x02"
"""What PDFium writes for a hyphen at the end of a line that splits a word; it leaves the line's end out then."""
_UNKNOWN = "\ufffd"
"""A sign that the file gives no meaning: inside a line PDFium writes a hyphen for it, too, mostly for the ligature of `fi`."""
_LAST_WORD, _FIRST_WORD, _LONGEST = re.compile(r"\w+\Z"), re.compile(r"\w+"), 64
_FIRST = frozenset("non self long short well".split())
"""First parts of words that are mostly written with a hyphen."""
_ENDINGS = frozenset(
    "er ers est ly ish ishly ishness age ages en ens ened ening ing ings ed ness less lessly lessness itude itudes itudinal "
    "itudinally evity hand hood same sense sensical chalant chalantly chalance plussed pareil entity entities".split()
)
"""What follows them in words that are written without one."""
_PREFIX, _SUFFIX = frozenset("$€£¥(") | {"$(", "($", "US$"}, frozenset(")%]") | {")%"}
_APART = _PREFIX | _SUFFIX
_HYPHENS = str.maketrans("\ufffe\xad", _HYPHEN * 2)
_BULLET = re.compile(r"[•●▪■◦○–—*-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,5})[.)]")
_HANGING = 20
"""Signs of the text behind a number that hangs before its paragraph, at least; behind a figure of a table stands another one."""
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


@dataclass(slots=True)
class Line:
    """Words on one height of a page: text with tabs between cells, and its box in points, y upwards."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    cells: list[tuple[float, float]] = field(default_factory=list)
    """Left and right ends of the cells that tabs part."""

    @property
    def height(self) -> float:
        """Height of the line's signs, at least a point."""
        return max(1.0, self.top - self.bottom)


def extract_pdf(payload: bytes, settings: ExtractSettings) -> Extracted:
    """The text of a PDF. Refusals: `password`, `bad_pdf`, and `scanned` when no page has a text layer that can be read."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(payload)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise RefusalError("password", "the PDF is locked by a password") from error
        raise RefusalError("bad_pdf", f"PDFium cannot open it: {error}") from error
    try:
        return _extracted(document, pdfium)
    finally:
        document.close()


def _extracted(document: Any, pdfium: Any) -> Extracted:
    pages, empty, garbage = [], 0, 0
    for number in range(len(document)):
        try:
            text = _page_text(document[number], pdfium.raw)
        except pdfium.PdfiumError:
            text = ""
        if text and len(_MEANINGLESS.findall(text)) > _GARBAGE * len(text):
            garbage, text = garbage + 1, ""
        elif not text:
            empty += 1
        pages.append(text)
    count = len(pages)
    if empty + garbage == count:
        what = f"{garbage} of {count} pages have a text layer of signs without meaning, {empty} none"
        raise RefusalError("scanned", f"no text can be read: {what}; text recognition is not done")
    said = document.get_metadata_dict()
    notes = [f"{count} pages"]
    notes += [f"{empty + garbage} of them without text that can be read"] if empty + garbage else []
    notes += [
        f"{name.lower()} {said[name].strip()}" for name in ("Author", "Producer") if (said.get(name) or "").strip()
    ]
    date = _DATE.match(said.get("CreationDate") or "")
    return Extracted(
        _without_hyphens(PAGE_BREAK.join(pages)),
        "pdf",
        title=(said.get("Title") or "").strip() or None,
        tabular=True,
        date="-".join(part for part in date.groups() if part) if date else None,
        note="; ".join(notes),
    )


def _page_text(page: Any, raw: Any) -> str:
    text_page = page.get_textpage()
    try:
        return joined(_lines(text_page, raw))
    finally:
        text_page.close()
        page.close()


def _lines(text_page: Any, raw: Any) -> list[Line]:
    """The lines of a page in drawing order; what PDFium breaks apart on one height, from left to right, is one line."""
    count = text_page.count_chars()
    text = text_page.get_text_range(0, count) if count else ""
    if len(text) != count:  # signs beyond the basic plane, or signs left out: places must be those of the page
        text = "".join(chr(raw.FPDFText_GetUnicode(text_page, at)) for at in range(count))
    spans = [match.span() for match in _WORD.finditer(text)]
    if not spans:
        return []
    first, last = _boxes(text_page, raw, [at for at, _ in spans]), _boxes(text_page, raw, [end - 1 for _, end in spans])
    left, right = first[:, 0], last[:, 1]
    low, high = np.minimum(first[:, 2], last[:, 2]), np.maximum(first[:, 3], last[:, 3])
    drawn = high - low
    height = np.maximum(drawn, 1.0)
    # A word is beside the one before when they share half of the lower one's height (a dash has hardly any), and it does not
    # begin left of its end; a little back is a sign drawn over another.
    shared = np.minimum(high[1:], high[:-1]) - np.maximum(low[1:], low[:-1])
    gaps = left[1:] - right[:-1]
    beside = (shared >= 0.5 * np.minimum(drawn[1:], drawn[:-1])) & (gaps > -height[:-1])
    words = [text[at:end] for at, end in spans]
    if "\ufffe" in text or "\xad" in text:
        words = [word[0].replace("\ufffe", _UNKNOWN) + word[1:].translate(_HYPHENS) for word in words]
    starts = np.array([0, *(np.flatnonzero(~beside) + 1)])
    gaps = gaps / np.maximum(height[1:], height[:-1])
    wide = np.maximum.reduceat(np.append(gaps, 0.0) * np.append(beside, False), starts) > _GAP
    boxes = zip(
        left[starts].tolist(), np.maximum.reduceat(right, starts).tolist(), np.minimum.reduceat(low, starts).tolist(),
        np.maximum.reduceat(high, starts).tolist(), strict=True,
    )  # fmt: skip
    lines, gaps = [], gaps.tolist()
    for at, end, box, is_wide in zip(
        starts.tolist(), [*starts[1:].tolist(), len(words)], boxes, wide.tolist(), strict=True
    ):
        row = words[at:end]
        if not is_wide and _APART.isdisjoint(row) and _HYPHEN not in (text := " ".join(row)):
            lines.append(Line(text, *box, cells=[(box[0], float(right[end - 1]))]))
            continue
        text, begins = line_text(row, gaps[at : end - 1])
        cells = [
            (float(left[at + one]), float(right[at + other - 1]))
            for one, other in itertools.pairwise([*begins, end - at])
        ]
        head, _, rest = text.partition("\t")
        if len(cells) == 2 and len(rest) > _HANGING and _BULLET.fullmatch(head):
            text, cells = text.replace("\t", " "), []  # a number that hangs before its paragraph
        lines.append(Line(text, *box, cells=cells))
    return lines


def _boxes(text_page: Any, raw: Any, places: list[int]) -> np.ndarray:
    """float64[n, 4]: left, right, bottom and top of the signs at these places, zeros where one has none."""
    found = np.zeros((len(places), 4))
    # Through addresses a call takes a third of the time that it takes through ctypes' own pointers.
    address = ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(ctypes.c_int, address, ctypes.c_int, address, address, address, address)
    box = kind(ctypes.cast(raw.FPDFText_GetCharBox, address).value or 0)
    page, at = ctypes.cast(text_page.raw, address).value, found.ctypes.data
    for place in places:
        box(page, place, at, at + 8, at + 16, at + 24)
        at += 32
    return found


def line_text(words: list[str], gaps: list[float]) -> tuple[str, list[int]]:
    """Words with a space or, over a wide gap, a tab between them, and with which words cells begin. A figure keeps its signs:
    `$ 5` is one cell."""
    for at, word in enumerate(words[:-1]):
        if word in _PREFIX:  # drawn at its column's left edge, far from the figure
            if at:
                gaps[at - 1] += max(gaps[at], 0.0)
            gaps[at] = -1.0
    parts, begins = [words[0]], [0]
    # After a sentence the space of justified text is wider.
    for at, (before, word, gap) in enumerate(zip(words, words[1:], gaps, strict=False), start=1):
        is_cell = gap > _GAP * (1 + (before[-1] in ".:;?!")) and word not in _SUFFIX
        if before[-1] == _HYPHEN and gap < _LIGATURE:
            parts[-1] = parts[-1][:-1] + _UNKNOWN
            gap, is_cell = -1.0, False
        parts += ["" if word in _SUFFIX or gap == -1.0 else "\t" if is_cell else " ", word]
        begins += [at] if is_cell else []
    return "".join(parts), begins


def align(lines: list[Line]) -> None:
    """Put an empty cell where a table's row has none: a figure of the second column stays there when the first is empty.

    The columns of a table are those of its fullest rows; a heading over several of them stands over the first.
    """
    start, second = 0, 0.0
    for at, line in enumerate(lines):
        is_prose = not line.cells[1:] and line.right > second > 0  # it reaches beyond the first column
        if at and (is_prose or not 0 < _step(lines[at - 1], line) <= 2 * _LEADING):
            _align_rows(lines[start:at])
            start, second = at, 0.0
        if line.cells[1:]:
            second = line.cells[1][0]
    _align_rows(lines[start:])


def _align_rows(lines: list[Line]) -> None:
    rows = [line for line in lines if len(line.cells) > 1]
    count = max((len(row.cells) for row in rows), default=0)
    full = [row.cells for row in rows if len(row.cells) == count]
    if count < 3 or len(full) < 2:
        return
    columns = [(min(left for left, _ in cells), max(right for _, right in cells)) for cells in zip(*full, strict=True)]
    if any(before[1] >= after[0] for before, after in itertools.pairwise(columns)):
        return
    for row in rows:
        places = [_column(cell, columns) for cell in row.cells]
        if len(places) < count and all(one < other for one, other in itertools.pairwise(places)):
            filled = dict(zip(places, row.text.split("\t"), strict=True))
            row.text = "\t".join(filled.get(place, "") for place in range(places[-1] + 1))


def _column(cell: tuple[float, float], columns: list[tuple[float, float]]) -> int:
    """The first column that a cell lies over, else the nearest."""
    return min(range(len(columns)), key=lambda at: (max(0.0, columns[at][0] - cell[1], cell[0] - columns[at][1]), at))


def joined(lines: list[Line]) -> str:
    """Lines as paragraphs and table rows: a row stands on a line of its own, a blank line parts paragraphs."""
    parts: list[str] = []
    before: Line | None = None
    align(lines)
    widest = _widths(lines)
    for at, line in enumerate(lines):
        if before is None or before.text.endswith(_HYPHEN):
            parts.append(line.text)
        elif "\t" in line.text or "\t" in before.text:
            near = _step(before, line) <= 2 * _LEADING
            parts.append(("\n" if near else "\n\n") + line.text)
        elif _goes_on(before, line, widest[at - 1]):
            first, is_split = line.text[:1], before.text.endswith("-") and before.text[-2:-1].isalpha()
            if is_split and (first.islower() or first.isupper()):
                parts[-1] = parts[-1][:-1] + _HYPHEN
                parts.append(line.text)
            else:
                parts.append(" " + line.text)
        else:
            parts.append(("\n" if 0 <= _step(before, line) <= _LEADING else "\n\n") + line.text)
        before = line
    return "".join(parts)


def _without_hyphens(text: str) -> str:
    """Words that a line's end split are whole again; a hyphen stays in those that the document writes with one elsewhere, before
    a name (Coca-Cola), and after a first part that is mostly written with one (self-made)."""

    parts = text.split(_HYPHEN)
    for at, (before, after) in enumerate(itertools.pairwise(parts)):
        first, second = _LAST_WORD.search(before[-_LONGEST:]), _FIRST_WORD.match(after)
        parts[at] += "-" if first is None or second is None or _has_hyphen(first[0], second[0], text) else ""
    return "".join(parts)


def _has_hyphen(first: str, second: str, text: str) -> bool:
    plain = first + second
    is_name = second[0].isupper() and not plain.isupper()  # a heading in capitals is split like any text
    return is_name or f"{first}-{second}" in text or (_is_compound(first.lower(), second, text) and plain not in text)


def _is_compound(first: str, second: str, text: str) -> bool:
    """Whether a word is mostly written with a hyphen after this first part. So many words begin with `co` that what follows must
    be a word of the document."""
    if first == "co":
        return re.search(rf"(?<![\w{_HYPHEN}-]){re.escape(second)}(?![\w{_HYPHEN}])", text) is not None
    return first in _FIRST and second.lower() not in _ENDINGS


def _widths(lines: list[Line]) -> list[float]:
    """For each line the right end of the widest of those around it that begin near its left end."""
    left, right = np.array([line.left for line in lines]), np.array([line.right for line in lines])
    height, widest = np.array([line.height for line in lines]), right.copy()
    right = np.where(
        ["\t" in line.text for line in lines], left, right
    )  # a table beside it says nothing of a paragraph
    for shift in range(1, min(7, len(lines))):
        near = np.abs(left[shift:] - left[:-shift])
        for own, other in ((slice(shift, None), slice(None, -shift)), (slice(None, -shift), slice(shift, None))):
            widest[own] = np.where(near < 6 * height[own], np.maximum(widest[own], right[other]), widest[own])
    return widest.tolist()


def _step(before: Line, line: Line) -> float:
    """How far the line is below the one before, in heights; negative when it is above, as in the next column."""
    return (before.bottom - line.bottom) / max(before.height, line.height)


def _goes_on(before: Line, line: Line, right: float) -> bool:
    """Whether a line carries the paragraph of the one before on."""
    step = _step(before, line)
    alike = 0.65 < before.height / line.height < 1.55
    if not alike or _BULLET.fullmatch(line.text.split(" ", 1)[0]):
        return False
    if step < -3:  # the next column: a sentence may go on there
        return line.text[:1].islower()
    full = before.right - before.left >= _FULL * (right - before.left)
    return 0.3 < step <= _LEADING and full and line.left <= before.right
