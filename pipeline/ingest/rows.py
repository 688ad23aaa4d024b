"""Records from named fields: JSON objects, Parquet rows, CSV rows and Hub rows all end here."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.ingest.record import Record, Where

_ABSENT = object()


def record_of(row: Mapping[str, Any], where: Where, position: str, payload: bytes = b"") -> Record:
    """The record of one row; `payload` is what to keep of the row when it has no text.

    A field may be nested (`payload.body`); a list of strings is one text, a paragraph each. Quarantined as `ingest.no_text`
    (field missing, null or no string), `ingest.bad_utf8` (bytes that are none) or `ingest.lone_surrogate`.
    """
    fields = where.source.fields
    own, url = _string(row, fields.id), _string(row, fields.url)
    key = own or url or where.name
    value = look_up(row, fields.text)
    text = text_of(value)
    if text is None:
        what = "is missing" if value is _ABSENT else f"holds {type(value).__name__}, not a string"
        payload = payload or json.dumps(row, default=str, sort_keys=True).encode()
        return where.bad("no_text", f"field '{fields.text}' {what}; {columns_of(row)}", position, payload, key)
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        sign, kept = ord(text[error.start]), text.encode("utf-8", "surrogatepass")
        if 0xDC80 <= sign <= 0xDCFF:  # a byte that a decoder let through as half a pair
            detail = f"the text is not UTF-8: byte 0x{sign - 0xDC00:02x} at character {error.start}; name its encoding"
            return where.bad("bad_utf8", detail, position, kept, key)
        return where.bad("lone_surrogate", f"half a surrogate pair at character {error.start}", position, kept, key)
    if len(encoded) > (limit := where.source.max_record_bytes):
        return where.bad("oversize", f"the text has {len(encoded):,} bytes, the limit is {limit:,}", position, b"", key)
    return Record(
        key=key,
        payload=encoded,
        kind="html" if fields.html else "text",
        url=url,
        title=_string(row, fields.title),
        date=_string(row, fields.date),
        licence=_string(row, fields.licence) or (_string(row, "license") if fields.licence == "licence" else None),
        rights=_string(row, fields.rights),
        robots=_string(row, "robots"),
        terms=_string(row, "terms"),
        locator=where.locator(position),
        charset="utf-8",
    )


def look_up(row: Mapping[str, Any], name: str) -> Any:
    """The value of a field, a nested one by its path `a.b`; `_ABSENT` when there is none."""
    value: Any = row.get(name, _ABSENT)
    if value is _ABSENT and "." in name:
        value = row
        for part in name.split("."):
            value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
    return value


def text_of(value: Any) -> str | None:
    """A string, the paragraphs of a list of strings, or bytes in UTF-8 as one text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "\n\n".join(value)
    return None


def columns_of(row: Mapping[str, Any]) -> str:
    """What a row has in place of a text: its fields, and the one whose string is longest.

    >>> columns_of({"n": 1, "body": "a long story", "by": {"name": "Li"}})
    'the row has: body, by, by.name, n; the longest strings are in body'
    """
    flat = {str(name): value for name, value in row.items()}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": found for inner, found in value.items()}
    names = sorted(flat)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    strings = {name: len(text) for name, value in flat.items() if (text := text_of(value))}
    longest = f"; the longest strings are in {max(strings, key=lambda name: strings[name])}" if strings else ""
    return f"the row has: {', '.join(names[:12])}{more}{longest}"


def named_row(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """A row from columns of which several may have one name: their different strings are one text, in order.

    >>> named_row(["id", "text", "text"], ["1", "first", "second"])
    {'id': '1', 'text': 'first\\n\\nsecond'}
    """
    row: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if name not in row or row[name] in (None, ""):
            row[name] = value
        elif value not in (None, "", row[name]):
            row[name] = f"{row[name]}\n\n{value}"
    return row


def cursor_rows(cursor: Any, where: Where) -> Iterator[Record]:
    """The rows of a query that was executed (DB-API 2.0), by its columns' names."""
    names, number = [column[0] for column in cursor.description or ()], 0
    while rows := cursor.fetchmany(1024):
        for row in rows:
            number += 1
            yield record_of(named_row(names, row), where, f"row={number}")


def _string(row: Mapping[str, Any], name: str | None) -> str | None:
    value: Any = look_up(row, name) if name else None
    if value is None or value is _ABSENT or value == "":
        return None
    return value if isinstance(value, str) else str(value)
