"""From a stream to the reader of its kind: by the source, else by name, else by content."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pipeline.ingest.files import kind_of_name
from pipeline.ingest.formats.edgar import is_submission, read_submission
from pipeline.ingest.formats.jsonl import read_jsonl
from pipeline.ingest.formats.page import read_page
from pipeline.ingest.formats.parquet import read_parquet
from pipeline.ingest.formats.reuters import read_reuters
from pipeline.ingest.formats.table import read_csv
from pipeline.ingest.formats.tar import read_tar
from pipeline.ingest.formats.warc import read_arc_or_warc
from pipeline.ingest.formats.xml import read_xml
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import decoded

_PEEK = 4096


def read_stream(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """The records of one file or archive member; an end by damage adds one quarantined record."""
    kind = where.source.kind if where.source.kind != "auto" else kind_of_name(where.name) or "text"
    try:
        if kind == "warc":
            yield from read_arc_or_warc(stream, where)
        elif kind == "parquet":
            yield from read_parquet(stream, where)
        else:
            yield from _read_decoded(kind, decoded(stream, where.size, where.source.max_expansion), where)
    except DamagedInputError as error:
        yield where.bad(error.rule, error.detail, "", key=f"{where.name}#damage")


def _read_decoded(kind: str, stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    if kind in ("text", "edgar", "html") and where.source.kind in ("auto", "edgar"):
        kind = "edgar" if is_submission(stream.peek(_PEEK)[:_PEEK]) else "text" if kind == "edgar" else kind
    if kind == "tar":
        yield from read_tar(stream, where, read_stream)
    elif kind in ("html", "text"):
        yield from read_page(stream, where, kind)
    else:
        yield from _READERS[kind](stream, where)


_READERS: dict[str, Callable[[io.BufferedReader, Where], Iterator[Record]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "xml": read_xml,
    "reuters": read_reuters,
    "edgar": read_submission,
}
