"""ARC files, the format before WARC: a line of header, then the HTTP response as captured."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.ingest.formats.capture import read_response
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import decoded

_LINE = 2**16


def is_arc(stream: BinaryIO) -> bool:
    """Whether the (gzipped or plain) stream starts like an ARC file; leaves it at its start."""
    stream.seek(0)
    try:
        head = decoded(stream, None, 1).read(11)
    except DamagedInputError:
        head = b""
    stream.seek(0)
    return head == b"filedesc://"


def read_arc(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every page with status 200; other records are counted."""
    lines = decoded(stream, where.size, where.source.max_expansion)
    while header := lines.readline(_LINE):
        if not header.strip():
            continue
        parts = header.split()
        if len(parts) < 5 or not parts[-1].isdigit():
            raise DamagedInputError("corrupt", f"not an ARC record header: {header[:80]!r}")
        length, limit = int(parts[-1]), where.source.max_record_bytes
        url, date = b" ".join(parts[:-4]).decode("utf-8", "replace"), parts[-3].decode("latin-1")
        if length > limit:
            _skip(lines, length)
            yield where.bad("oversize", f"the record has {length:,} bytes, the limit is {limit:,}", "", key=url)
            continue
        block = lines.read(length)
        if url.startswith("filedesc://"):
            where.tally.skip("arc_filedesc")
            continue
        yield from _read_block(block, length, url, date, where)


def _read_block(block: bytes, length: int, url: str, date: str, where: Where) -> Iterator[Record]:
    if not block.startswith(b"HTTP"):
        where.tally.skip("arc_not_http")
        return
    row = Record(f"{date} {url}", block, url=url, date=date, locator=where.locator(f"url={url}"))
    if len(block) < length:
        row.reason, row.detail = "ingest.truncated", f"the record ends after {len(block):,} of {length:,} bytes"
    yield from read_response(row, where)


def _skip(stream: io.BufferedReader, count: int) -> None:
    while count > 0 and (chunk := stream.read(min(count, 2**20))):
        count -= len(chunk)
