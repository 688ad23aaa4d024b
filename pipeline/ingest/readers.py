"""Chooses the reader of a file or archive member: by the source's kind, else by its name, else by its content."""

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.ingest.kinds import formats, kind_of_name
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import decoded

_PEEK = 4096


def read_stream(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """The records of one file or archive member; damage that ends it early adds one quarantined record."""
    asked = where.source.kind
    kind = asked if asked != "auto" else kind_of_name(where.name) or "text"
    try:
        if not formats()[kind].seeks:
            stream = decoded(stream, where.size, where.source.max_expansion)
            kind = _by_content(kind, asked, stream.peek(_PEEK)[:_PEEK])
        yield from formats()[kind].read(stream, where)
    except DamagedInputError as error:
        yield where.bad(error.rule, error.detail, "", key=error.key or f"{where.name}#damage")


def _by_content(kind: str, asked: str, head: bytes) -> str:
    """The kind whose first bytes these are. A file that is not of its recognisable kind is text."""
    known = formats()
    if not known[kind].recognises and (asked != "auto" or kind not in ("text", "html")):
        return kind
    for name, form in known.items():
        if form.recognises and asked in ("auto", name) and form.recognises(head):
            return name
    return "text" if known[kind].recognises else kind
