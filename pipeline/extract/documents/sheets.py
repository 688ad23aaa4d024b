"""Workbooks (xlsx, xlsb, xls, ods): each sheet under its name, a row a line, then charts and comments.

Cells are read by python-calamine (Rust, MIT), which knows what a number means but neither which rows are hidden nor how far
apart a few cells may lie. That is told from the sheet's XML beforehand, in pieces: half a second for a million cells.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.extract.documents.office import (
    Container,
    charts,
    comments,
    described,
    in_order,
)
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError
from pipeline.ingest.account import HIDDEN

_MOST_CELLS, _SPARSE = 10_000_000, 20
"""Cells that a sheet may span, or this many for each that is written."""
_MOST_XML, _PIECE = 2**31, 2**22
"""Bytes of a sheet's XML, and of what is looked at together."""
_ATTRIBUTES = rb"[^>]{0,400}"
_HIDES = rb"(?=" + _ATTRIBUTES + rb'\bhidden="(?:1|true)")(?!' + _ATTRIBUTES + rb"\boutlineLevel=)" + _ATTRIBUTES
_CELL = re.compile(rb"<(?:\w{1,8}:)?c " + _ATTRIBUTES + rb'?\br="([A-Z]{1,3})(\d{1,7})"')
_HIDDEN_ROW = re.compile(rb"<(?:\w{1,8}:)?row " + _HIDES + rb'?\br="(\d{1,7})"')
_HIDDEN_COLUMNS = re.compile(rb"<(?:\w{1,8}:)?col " + _HIDES + rb">")
_FILTERED = re.compile(rb"<(?:\w{1,8}:)?sheetPr " + _ATTRIBUTES + rb'\bfilterMode="(?:1|true)"')
_ODS_ROW = re.compile(rb"<table:table-row\b([^>]*?)(?:/>|>(.*?)</table:table-row>)", re.DOTALL)
_ODS_CELL = re.compile(
    rb"<table:(?:covered-)?table-cell\b([^>]*?)(?:/>|>(.*?)</table:(?:covered-)?table-cell>)", re.DOTALL
)
_ODS_COLUMN = re.compile(rb"<table:table-column\b([^>]*)>")
_REPEATED = re.compile(rb'\bnumber-(?:rows|columns)-repeated="(\d{1,7})"')
_COLLAPSED = b'visibility="collapse"'


@dataclass(slots=True)
class _Shape:
    """How far a sheet's cells lie apart, and its hidden rows and columns, counted from 1."""

    cells: int = 0
    rows: int = 0
    columns: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def extract_sheets(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A workbook. What its program hides is left out and counted: sheets, rows and columns. Rows that a filter hides and folded
    groups are one click away and stay."""
    import python_calamine

    container = Container(payload) if payload.startswith(b"PK") else None
    shapes = _shapes(container) if container is not None else {}
    found, hidden = [], {"sheets": 0, "rows": 0, "columns": 0}
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(payload))
        sheets = [sheet for sheet in book.sheets_metadata if str(sheet.typ).endswith("WorkSheet")]
        for sheet in sheets:
            if not str(sheet.visible).endswith("Visible"):
                hidden["sheets"] += 1
                continue
            lines = _lines(book.get_sheet_by_name(sheet.name), shapes.get(sheet.name, _Shape()), hidden)
            if lines:
                found.append("\n".join([sheet.name, "", *lines]))
    except Exception as error:  # the library's errors share no base
        locked = "password" in str(error).lower() or (
            payload.startswith(b"\xd0\xcf\x11\xe0") and b"E\0n\0c\0r\0y\0p" in payload
        )
        raise RefusalError("password" if locked else "bad_document", f"the workbook cannot be read: {error}") from error
    note = f"{len(sheets)} sheets"
    if any(hidden.values()):
        note += f"; {HIDDEN}: " + ", ".join(f"{count:,} {what}" for what, count in hidden.items() if count)
    if container is None:
        if not found:
            raise RefusalError("no_text", f"the document holds no text; {note}")
        return Extracted("\n\n".join(found), "sheets", tabular=True, note=note)
    found += charts(container, r"xl/charts/chart\d*\.xml")
    found += comments(container, r"xl/(?:threadedComments/.*|comments\d*)\.xml")
    meta = "docProps/core.xml" if "docProps/core.xml" in container.names else "meta.xml"
    return described(container, "\n\n".join(found), meta, "sheets", note)


def _lines(sheet: Any, shape: _Shape, hidden: dict[str, int]) -> list[str]:
    """The rows of a sheet that hold something, from its first filled column on; hidden ones are counted."""
    lines = []
    left = sheet.start[1] if sheet.start else 0
    shown = [at for at in range(sheet.width) if left + at + 1 not in shape.hidden_columns]
    hidden["columns"] += sheet.width - len(shown)
    for number, row in enumerate(
        sheet.iter_rows(), start=1
    ):  # empty rows at the top come, empty columns at the left do not
        if number in shape.hidden_rows:
            hidden["rows"] += any(map(_cell, row))
            continue
        row = row if len(shown) == len(row) else [row[at] for at in shown]
        line = "\t".join(map(_cell, row)).rstrip("\t")
        if line:
            lines.append(line)
    return lines


def _shapes(container: Container) -> dict[str, _Shape]:
    """The shape of each sheet by its name. Raises `RefusalError` for one with a few cells far apart: the library makes room for
    every cell between them."""
    names = {path: path for path in container.matching(r"xl/worksheets/[^/]*\.xml")}
    names |= {
        path: one.get("name", "") for one, path in in_order(container, "xl/workbook.xml", "sheet") if path in names
    }
    shapes = {name: _of_xlsx(container.pieces(path, _MOST_XML, _PIECE)) for path, name in names.items()}
    if "content.xml" in container.names:
        shapes |= _of_ods(container.read("content.xml"))
    for name, shape in shapes.items():
        if shape.rows * shape.columns > max(_MOST_CELLS, _SPARSE * shape.cells):
            raise RefusalError(
                "too_large", f"sheet {name} spans {shape.rows:,} rows and {shape.columns:,} columns for {shape.cells:,} cells; "
                f"the limit is {_MOST_CELLS:,} cells or {_SPARSE} for each that is there",
            )  # fmt: skip
    return shapes


def _of_xlsx(pieces: Iterator[bytes]) -> _Shape:
    shape, rest, letters, is_filtered = _Shape(), b"", set[bytes](), False
    for piece in pieces:
        piece, _, rest = (rest + piece).rpartition(b"<")  # a tag that is cut is looked at with the next piece
        rest = b"<" + rest
        places = _CELL.findall(piece)
        shape.cells += len(places)
        letters |= {column for column, _ in places}
        shape.rows = max(shape.rows, max(map(int, {row for _, row in places}), default=0))
        if b' hidden="' in piece:
            shape.hidden_rows |= set(map(int, _HIDDEN_ROW.findall(piece)))
            for column in _HIDDEN_COLUMNS.findall(piece):
                ends = (re.search(rb'\b%s="(\d{1,5})"' % name, column) for name in (b"min", b"max"))
                first, last = (int(end[1]) if end else 0 for end in ends)
                shape.hidden_columns |= set(range(first, last + 1)[:16_384])
        is_filtered = is_filtered or _FILTERED.search(piece) is not None
    shape.columns = max((_column(column) for column in letters), default=0)
    if is_filtered:
        shape.hidden_rows.clear()
    return shape


def _of_ods(content: bytes) -> dict[str, _Shape]:
    shapes = {}
    for table in content.split(b"<table:table ")[1:]:
        name, shape, row, column = re.search(rb'\btable:name="([^"]*)"', table), _Shape(), 1, 1
        for attributes in _ODS_COLUMN.findall(table):
            count = _repeated(attributes)
            if _COLLAPSED in attributes:
                shape.hidden_columns |= set(range(column, column + count)[:16_384])
            column += count
        for attributes, inside in _ODS_ROW.findall(table):
            count, width = _repeated(attributes), 0
            if b"<text:p" in inside or b"office:value" in inside:
                for cell, text in _ODS_CELL.findall(inside):
                    width += _repeated(cell)
                    if text or b"office:value" in cell:
                        shape.columns, shape.cells = max(shape.columns, width), shape.cells + 1
                shape.rows = row + count - 1
                if _COLLAPSED in attributes:
                    shape.hidden_rows |= set(range(row, row + count)[:1_048_576])
            row += count
        shapes[name[1].decode("utf-8", "replace") if name else ""] = shape
    return shapes


def _repeated(attributes: bytes) -> int:
    count = _REPEATED.search(attributes)
    return int(count[1]) if count else 1


def _column(letters: bytes) -> int:
    """The number of a column, A is 1."""
    return sum((letter - 64) * 26**place for place, letter in enumerate(reversed(letters)))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return " ".join(str(value).split())
