"""CSV and TSV: one record a row, by the header's names, in whatever dialect the file is written.

Excel writes semicolons where the comma is the decimal sign, UTF-16 or the machine's own code page, and a line `sep=;` first.
A dialect is told from the first 200 lines: of all delimiters and ways of quoting, the one under which most rows have as many
fields as the header. What was chosen stands in the account of files.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding

from pipeline.ingest.formats.jsonl import read_json
from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import named_row, record_of
from pipeline.ingest.source import CsvDialect
from pipeline.ingest.streams import CHUNK, encoding_of, in_utf8

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_STATED = {"shift_jis": "cp932", "utf-8": "cp1252", "ascii": "cp1252", "iso8859-1": "cp1252"}
_QUOTED = {"": "no quotes", '"': "quotes", "'": "single quotes"}
_APOSTROPHE = re.compile(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", re.MULTILINE)
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[?\s*\{\s*"[^"\n]*"\s*:')
"""How JSON begins, and no header of a table."""
_ROWS = 200
"""Rows that are looked at."""
_FOR_QUOTES = 0.2
_TITLES = 10
"""Lines that may stand above a header."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `quote` is "" when nothing is quoted."""

    delimiter: str
    quote: str
    escape: str = ""
    """What stands before a quotation mark inside a quoted field; "" where it is doubled."""

    def rows(self, lines: Iterator[str]) -> "Iterator[list[str]]":
        """A `csv.reader`."""
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, escapechar=self.escape or None)

    def count(self, sample: str) -> int:
        """Rows of a sample."""
        return sum(1 for row in self.rows(iter(sample.splitlines(True))) if any(row))

    def fit(self, sample: str) -> tuple[float, int]:
        """(share of rows with as many fields as the header, these fields), higher is better; (0, 0) when nothing is split."""
        try:
            rows = [len(row) for row in itertools.islice(self.rows(iter(sample.splitlines(True))), _ROWS) if any(row)]
        except csv.Error:
            return 0.0, 0
        if not rows or rows[0] < 2:
            return 0.0, 0
        # Rows joined by a quotation mark that is none are fewer and longer; some rows of any file are ragged.
        bonus = _FOR_QUOTES if self.quote else 0.0
        return rows.count(rows[0]) / len(rows) + bonus, rows[0]


def dialect_of(sample: str, wanted: CsvDialect, name: str = "") -> Dialect:
    """The dialect under which a sample of whole lines is a table; what the recipe says comes first.

    >>> dialect_of("id;text\\n1;one, two\\n2;three, four\\n", CsvDialect())
    Dialect(delimiter=';', quote='"', escape='')
    """
    tabbed = ".tsv" in name.lower()
    signs = [wanted.delimiter] if wanted.delimiter else ["\t", ",", ";", "|"] if tabbed else list(_DELIMITERS)
    quotes = ['"', "", "'"][: 3 if _APOSTROPHE.search(sample) else 2] if wanted.quote is None else [wanted.quote]
    # Ties go to the first. A tab-separated file quotes nothing by custom: a lone quotation mark must not swallow rows.
    tried = [
        Dialect(sign, quote, escape)
        for sign in signs
        for quote in quotes
        for escape in (["", "\\"] if quote and f"\\{quote}" in sample else [""])
    ]
    best = max(tried, key=lambda dialect: dialect.fit(sample))
    bare = Dialect(best.delimiter, "")
    if best.quote and wanted.quote is None and bare.fit(sample)[0] == 1.0 and bare.count(sample) > best.count(sample):
        return bare  # every line is a row by itself, and a quotation mark that none closes would join some
    if best.delimiter == "\t" and wanted.quote is None and not _is_quoted(sample):
        return Dialect("\t", "")
    return best if best.fit(sample)[1] else tried[0]


def _splits(line: str) -> Iterator[list[str]]:
    """A line as the fields that each delimiter makes of it; none for a field beyond the limit, which is refused later."""
    for sign in _DELIMITERS:
        try:
            yield next(csv.reader([line], delimiter=sign), [])
        except csv.Error:
            yield []


def _blank_lead(lines: list[str]) -> int:
    """Blank what stands before the header: lines of white space, and comments that are not split as the next line is. Returns
    the header's place."""
    first = next((at for at, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    above = lines[first - 1] if first else ""
    pairs = zip(_splits(above), _splits(lines[first]), strict=True) if above.startswith("#") else ()
    if any(1 < len(names) == len(row) for names, row in pairs):
        first -= 1
        lines[first] = above.lstrip("# ")
    lines[:first] = ["\n"] * first
    return first


def _blank_titles(lines: list[str], first: int, text: str) -> None:
    """Blank the titles above the header, which is the first of the leading lines that names the text field."""
    for at in range(first, min(first + _TITLES, len(lines))):
        if any(text in map(str.strip, names) for names in _splits(lines[at])):
            lines[first:at] = ["\n"] * (at - first)
            return


def _is_quoted(sample: str) -> bool:
    """Whether fields of a tab-separated sample stand in quotes: as many of them end with one as begin with one."""
    fields = [field for line in sample.splitlines() for field in line.split("\t") if field]
    begin, both = sum(field[0] == '"' for field in fields), sum(field[0] == field[-1] == '"' for field in fields)
    return begin > 0 and both == begin and all(len(field) > 1 for field in fields if field[0] == '"')


@source_kind("csv", ".csv", ".tsv", ".tab", ".psv")
def read_csv(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """Every row under the header. A row with another number of fields, or with bytes of another encoding, is quarantined.

    Blank lines, titles and comments (`#`) above the header and a line `sep=;` are left out; columns of one name are one text;
    line breaks in names are spaces. Fields that a row has beyond the header's count if they are not empty.
    """
    # `csv` keeps one process-wide limit; a longer field raises and ends the file as damaged.
    csv.field_size_limit(min(where.source.max_record_bytes, 2**31 - 1))
    wanted, head = where.source.csv, stream.peek(CHUNK)
    if _JSON.match(head):
        yield from read_json(stream, where)
        return
    encoding = wanted.encoding or _code_page(head) or "utf-8"
    lines = io.TextIOWrapper(in_utf8(stream, encoding), encoding="utf-8-sig", errors="surrogateescape", newline="")
    buffered = list(itertools.islice(lines, _ROWS))
    first = _blank_lead(buffered)
    if said := _SEPARATOR.fullmatch(buffered[first].strip("\r\n")) if buffered else None:
        wanted = wanted.model_copy(update={"delimiter": wanted.delimiter or said[1]})
        buffered[first] = "\n"
    _blank_titles(buffered, first, where.source.fields.text)
    dialect = dialect_of("".join(buffered), wanted, where.name)
    if not where.prefix:
        sign = _DELIMITERS.get(dialect.delimiter, dialect.delimiter)
        quoting = _QUOTED.get(dialect.quote, dialect.quote) + (", backslash" if dialect.escape else "")
        where.tally.note(where.name).dialect = f"{encoding}, {sign}, {quoting}"
    rows = dialect.rows(itertools.chain(buffered, lines))
    names: list[str] = []
    blank = 0
    while (row := _next(rows)) is not None:
        position = f"line={rows.line_num}"  # type: ignore[attr-defined]
        if not any(row):
            blank += 1
            where.pass_blank(blank)
            continue
        if not names and len(row) > 1 and sum(map(bool, row)) == 1 and where.source.fields.text not in row:
            continue  # a title above the table
        if not names:
            names = [" ".join(name.split()) for name in row]
            continue
        extra = row[len(names) :]
        if len(row) < len(names) or any(extra):
            detail = f"the row has {len(row)} fields, the header {len(names)}"
            yield where.bad("bad_csv", detail, position, dialect.delimiter.join(row).encode("utf-8", "surrogateescape"))
            continue
        yield record_of(named_row(names, row[: len(names)]), where, position)


def _code_page(head: bytes) -> str:
    """`encoding_of`, and for what is not Unicode the code page that the letters speak for. Latin-2 differs from Windows-1252 in
    few letters: it takes twenty to believe it."""
    found = encoding_of(head)
    if found != "cp1252":
        return found
    name = detect_encoding(head) or "cp1252"
    guess = _STATED.get(name, name)
    few = sum(byte > 0x7F for byte in head) < 20
    return found if few and guess in ("iso8859-2", "cp1250") else guess


def _next(rows: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(rows, None)
    except csv.Error as error:
        raise DamagedInputError("bad_csv", f"line {rows.line_num + 1}: {error}") from error  # type: ignore[attr-defined]
