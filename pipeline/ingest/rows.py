"""Records from named fields: JSON objects, Parquet rows, CSV rows and Hub rows all end here."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.ingest.record import Record, Where


def record_of(row: Mapping[str, Any], where: Where, position: str, payload: bytes = b"") -> Record:
    """The record of one row; `payload` is what to keep of the row when it has no text.

    Quarantined as `ingest.no_text` (field missing, null or not a string) or `ingest.lone_surrogate`.
    """
    fields = where.source.fields
    own, url = _string(row, fields.id), _string(row, fields.url)
    key = own or url or where.name
    text = row.get(fields.text)
    if not isinstance(text, str):
        what = "is missing" if fields.text not in row else f"holds {type(text).__name__}, not a string"
        payload = payload or json.dumps(row, default=str, sort_keys=True).encode()
        return where.bad("no_text", f"field '{fields.text}' {what}; {columns_of(row)}", position, payload, key)
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        kept = text.encode("utf-8", "surrogatepass")
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


def columns_of(row: Mapping[str, Any]) -> str:
    """What a row has in place of a text: its fields, and the one whose string is longest.

    >>> columns_of({"n": 1, "body": "a long story", "lang": "en"})
    'the row has: body, lang, n; the longest strings are in body'
    """
    names = sorted(map(str, row))
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    strings = {str(name): len(value) for name, value in row.items() if isinstance(value, str) and value}
    longest = f"; the longest strings are in {max(strings, key=lambda name: strings[name])}" if strings else ""
    return f"the row has: {', '.join(names[:12])}{more}{longest}"


def _string(row: Mapping[str, Any], name: str | None) -> str | None:
    value: Any = row.get(name) if name else None
    if value is None and name and "." in name:
        value = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)
