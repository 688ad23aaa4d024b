"""A file or archive member that is one document: HTML page, plain text or XML."""

import io
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where
from pipeline.ingest.sniff import kind_of

_MIME = {"html": "text/html", "text": "text/plain", "xml": "application/xml"}


@source_kind("html", ".html", ".htm", ".xhtml")
def read_html(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """A page by its name."""
    return _read_page(stream, where, "html")


@source_kind("text", ".txt", ".text", ".md")
def read_text(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """Plain text by its name."""
    return _read_page(stream, where, "text")


def _read_page(stream: io.BufferedIOBase, where: Where, kind: str) -> Iterator[Record]:
    """One record; `kind` is what the name says (html or text), the content may say otherwise."""
    payload = where.whole(stream, "file")
    found = kind_of(_MIME[kind], payload)
    if found in ("binary", "other"):
        yield where.bad(
            "not_text", f"the content is {'binary' if found == 'binary' else 'not text of this kind'}", "", payload
        )
        return
    # A .txt that starts with a tag is HTML only when its source calls it so: prose may quote markup.
    if kind == "text" and where.source.kind == "text":
        found = "text"
    yield Record(key=where.name, payload=payload, kind=found, locator=where.prefix or None, content_type=_MIME[found])
