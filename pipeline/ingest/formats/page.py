"""A file or archive member that is one document: HTML page, plain text or XML."""

import io
from collections.abc import Iterator

from pipeline.ingest.record import Record, Where
from pipeline.ingest.sniff import kind_of

_MIME = {"html": "text/html", "text": "text/plain", "xml": "application/xml"}


def read_page(stream: io.BufferedIOBase, where: Where, kind: str) -> Iterator[Record]:
    """One record; `kind` is what the name says (html, text, xml), the content may say otherwise."""
    limit = where.source.max_record_bytes
    payload = stream.read(limit + 1)
    if len(payload) > limit:
        yield where.bad("oversize", f"the file exceeds {limit:,} bytes", "", key=where.name)
        return
    found = kind_of(_MIME[kind], payload)
    if found in ("binary", "other"):
        where.tally.skip("not_text")
        return
    # A .txt that starts with a tag is HTML only when its source calls it so: prose may quote markup.
    if kind == "text" and where.source.kind == "text":
        found = "text"
    yield Record(key=where.name, payload=payload, kind=found, locator=where.prefix or None, content_type=_MIME[found])
