"""JSON: one object a line, where a bad line costs that line; or one value, whose objects are the rows."""

import io
import json
from collections.abc import Iterator
from typing import Any

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import look_up, record_of, text_of
from pipeline.ingest.streams import CHUNK, encoding_of, in_utf8

_BOM = b"\xef\xbb\xbf"
_SPACE = " \t\r\n,"
_BLANK = b" \t\r\n\f\v\x1e"
"""White space around a line, and the sign that begins a record of a JSON text sequence (RFC 7464)."""
_MOST_DIGITS = 4300
"""Digits of a whole number that Python reads; a longer one is read as a fraction is, and costs no row."""
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else float(digits))


@source_kind("jsonl", ".jsonl", ".ndjson", ".json")
def read_json(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """Every object of a file, whether one a line, in one array, or one after the other over several lines.

    Lines end at `\\n` alone: U+2028 may stand inside a string. UTF-16, as PowerShell writes it, is read too.
    """
    encoding = encoding_of(stream.peek(CHUNK)[:CHUNK])
    stream = in_utf8(stream, encoding if encoding.startswith("utf-16") else "utf-8")
    head = stream.peek(CHUNK)[:CHUNK].removeprefix(_BOM)
    yield from (_read_value if _is_one_value(head) else _read_lines)(stream, where)


def _is_one_value(head: bytes) -> bool:
    """Whether the first line that is not blank is no JSON value of its own, but the start of one."""
    line = head.lstrip().split(b"\n", 1)[0].strip()
    return line in (b"[", b"{") or line.startswith((b"[{", b"[ {")) or (line[:1] == b"{" and line[-1:] in b",[{")


def _read_lines(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    limit, number, blank = where.source.max_record_bytes, 0, 0
    while line := stream.readline(limit + 1):
        number += 1
        position = f"line={number}"
        if len(line) > limit:
            while line and not line.endswith(b"\n"):
                line = stream.readline(limit)
            yield where.bad("oversize", f"the line exceeds {limit:,} bytes", position, key=f"{where.name}#{position}")
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if line := line.strip(_BLANK):
            yield from _read_line(line, where, position)
        else:
            blank += 1
            where.pass_blank(blank)


def _read_line(line: bytes, where: Where, position: str) -> Iterator[Record]:
    if not line.strip(b"\0"):
        yield where.bad(
            "bad_json", "the line holds nothing but NULs, as a write that was cut off leaves", position, line
        )
        return
    try:
        values = _values(line)
    except UnicodeDecodeError as error:
        yield where.bad("bad_utf8", f"the line is not UTF-8: {error.reason} at byte {error.start}", position, line)
    except (ValueError, RecursionError) as error:
        yield where.bad("bad_json", f"the line is not JSON: {error}", position, line)
    else:
        for value in values:
            yield from _rows_of(value, where, position, line if len(values) == 1 else b"")


def _values(line: bytes) -> list[Any]:
    """The values of a line: nearly always one, but some programs write them one after the other without line ends."""
    try:
        return [json.loads(line)]
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    except UnicodeDecodeError:
        raise
    except ValueError:  # a number of thousands of digits
        pass
    text, values, at = line.decode(), [], 0
    while at < len(text):
        value, at = _DECODER.raw_decode(text, at)
        values.append(value)
        while at < len(text) and text[at] in _SPACE:
            at += 1
    return values


def _read_value(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """The elements of an array, or values one after the other, decoded as they come: memory holds one element."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    buffer, at, more, number, inside = text.read(CHUNK), 0, CHUNK, 0, False
    while True:
        while at < len(buffer) and (buffer[at] in _SPACE or (not inside and buffer[at] == "[")):
            inside = inside or buffer[at] == "["
            at += 1
        if at < len(buffer) and buffer[at] == "]":
            inside, at = False, at + 1
            continue
        try:
            if at >= len(buffer):
                raise ValueError("nothing is left")
            value, end = _DECODER.raw_decode(buffer, at)
            if end == len(buffer) and isinstance(value, int | float):
                raise ValueError("a number may go on")
        except (ValueError, RecursionError) as error:
            buffer, at = buffer[at:], 0
            chunk = text.read(more)
            if not chunk and not buffer.strip(_SPACE):
                return
            if not chunk or isinstance(error, RecursionError):
                raise DamagedInputError("bad_json", f"after {number:,} values: {error}") from error
            if len(buffer) > where.source.max_record_bytes:
                raise DamagedInputError("oversize", f"value {number + 1:,} exceeds the limit") from error
            buffer, more = buffer + chunk, max(CHUNK, len(buffer))
            continue
        number, at, more = number + 1, end, CHUNK
        yield from _rows_of(value, where, f"value={number}", b"")


def _rows_of(value: Any, where: Where, position: str, payload: bytes) -> Iterator[Record]:
    """The row that an object is; or, when it has no text of its own, the rows of the one list of objects in it, however deep, or
    those that are its values."""
    if value == []:
        return
    if not isinstance(value, dict):
        payload = payload or json.dumps(value).encode()
        yield where.bad("bad_json", f"a JSON {type(value).__name__}, not an object", position, payload)
        return
    text, inner = where.source.fields.text, [*value.values()]
    lists = [part for part in inner if isinstance(part, list) and part and isinstance(part[0], dict)]
    while inner and not lists:  # deeper ones only when their rows have text: any row may hold a list of other things
        inner = [part for outer in inner if isinstance(outer, dict) for part in outer.values()]
        lists = [part for part in inner if isinstance(part, list) and part and _has_text(part[0], text)]
    rows = [part for part in value.values() if _has_text(part, text)]
    lists = lists or ([rows] if len(rows) > 1 else [])  # rows under their names
    if len(lists) == 1 and not _has_text(value, text):
        for number, row in enumerate(lists[0], start=1):
            yield from _rows_of(row, where, f"{position};item={number}", b"")
        return
    yield record_of(value, where, position, payload)


def _has_text(row: Any, field: str) -> bool:
    return isinstance(row, dict) and text_of(look_up(row, field)) is not None
