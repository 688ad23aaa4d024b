"""XML files: one record a file, or one per element of a name. Text is taken out by extract."""

import io
from collections.abc import Iterator
from xml.parsers import expat

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where


@source_kind("xml", ".xml")
def read_xml(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """The whole document, or every outermost element named `source.element`, as raw XML.

    Quarantined: documents that declare a type or entities (`xml_dtd`: the way to entity bombs and to other files)
    and those that are not well formed (`bad_xml`).
    """
    payload = where.whole(stream, "file")
    element = where.source.element
    if element is None:
        yield Record(
            key=where.name, payload=payload, kind="xml", locator=where.prefix or None, content_type="application/xml"
        )
        return
    yield from _split(payload, element, where)


def _split(payload: bytes, element: str, where: Where) -> Iterator[Record]:
    ranges: list[tuple[int, int]] = []
    open_at: list[int] = []
    encoding = "utf-8"
    parser = expat.ParserCreate()

    def declared(version: str, name: str | None, standalone: int) -> None:
        nonlocal encoding
        encoding = name or encoding

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == element:
            open_at.append(parser.CurrentByteIndex)

    def end(name: str) -> None:
        if name.rpartition(":")[2] == element and open_at:
            begin = open_at.pop()
            if not open_at:
                close = payload.find(b">", parser.CurrentByteIndex)
                ranges.append((begin, close + 1))

    def refuse(*_: object) -> None:
        raise _DtdError

    parser.XmlDeclHandler = declared
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    problem: tuple[str, str] | None = None
    try:
        parser.Parse(payload, True)
    except _DtdError:
        problem = ("xml_dtd", "the document declares a type or entities")
    except (expat.ExpatError, ValueError, LookupError) as error:
        problem = ("bad_xml", f"not well formed: {error}")
    for begin, close in ranges:
        yield Record(
            key=where.name,
            payload=payload[begin:close],
            kind="xml",
            locator=where.locator(f"offset={begin}"),
            content_type="application/xml",
            charset=encoding.lower(),
        )
    if problem:
        yield where.bad(*problem, "", payload=b"" if ranges else payload, key=where.name)
    elif not ranges:
        where.tally.skip("xml_without_element")


class _DtdError(Exception):
    """Stops the parser at a document type declaration."""
