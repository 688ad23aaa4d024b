"""WARC and WET files: one row per captured page, damage found and skipped over, never passed on as a shorter page.

FastWARC ends quietly inside a cut record, and raises on a corrupt one without going on. So lengths are checked
against the headers, the end of the file is looked at, and reading resumes at the next record that can be found.
HTTP headers are split by us: where a server sent bare line feeds, FastWARC 2.0 takes a third of the page for header.
"""

import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from pipeline.ingest.formats.arc import is_arc, read_arc
from pipeline.ingest.formats.capture import finish, read_response
from pipeline.ingest.formats.resync import Resync
from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where
from pipeline.ingest.streams import compression_of, decoded

_DOCUMENTS = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion


def read_warc(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every response, resource and conversion record of a seekable WARC stream; the others are counted."""
    resync = Resync(stream)
    start: int | None = 0
    while start is not None:
        last = start
        stream.seek(start)
        try:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.any_type, parse_http=False):
                last = start + record.stream_pos
                yield from _read_record(record, where, last)
        except (OSError, ValueError) as error:
            bad = resync.after(last)
            start = resync.next_record(bad)
            rule = "corrupt" if start is not None else "truncated"
            went = f"reading resumes at byte {start}" if start is not None else "nothing readable follows"
            yield where.bad(rule, f"{error} at byte {bad}; {went}", f"offset={bad}", key=f"{where.name}#{bad}")
        else:
            lost = resync.lost_tail(last)
            if lost is not None and lost != last:
                detail = f"the file ends inside the record that starts at byte {lost}"
                yield where.bad("truncated", detail, f"offset={lost}", key=f"{where.name}#{lost}")
            start = None


def _read_record(record: WarcRecord, where: Where, offset: int) -> Iterator[Record]:
    headers = record.headers
    position = f"offset={offset}"
    kind = (headers.get("WARC-Type") or "").strip().lower()
    if headers.get("Content-Length") is None or not kind:
        detail = "the record's header is cut, or lacks type or length"
        yield where.bad("truncated", detail, position, key=f"{where.name}#{offset}")
        return
    if not record.record_type & _DOCUMENTS:
        where.tally.skip(f"warc_{kind[:32]}")
        return
    url = (headers.get("WARC-Target-URI") or "").strip("<> ") or None
    row = Record(
        key=f"{record.record_id} {url}",
        payload=b"",
        url=url,
        date=headers.get("WARC-Date"),
        locator=where.locator(position),
    )
    _fill(record, row, where)
    if record.record_type == WarcRecordType.conversion:
        row.content_type, row.charset = "text/plain", "utf-8"
        yield row
    elif record.record_type == WarcRecordType.resource and not record.is_http:
        if (url or "").split(":", 1)[0] in ("dns", "whois"):
            where.tally.skip("dns")
        else:
            yield from finish(row, headers.get("Content-Type"), where)
    elif (headers.get("Content-Type") or "").startswith("text/dns"):
        where.tally.skip("dns")
    else:
        yield from read_response(row, where)


def _fill(record: WarcRecord, row: Record, where: Where) -> None:
    """Read the block within the limit; mark one that is shorter than the header says."""
    declared, limit = record.content_length, where.source.max_record_bytes
    if declared > limit:
        row.reason, row.detail = "ingest.oversize", f"the record has {declared:,} bytes, the limit is {limit:,}"
        return
    row.payload = record.reader.read()
    if len(row.payload) < declared:
        row.reason = "ingest.truncated"
        row.detail = f"the record ends after {len(row.payload):,} of {declared:,} bytes"


@source_kind("warc", ".warc", ".wet", ".wat", ".arc", seeks=True, unpacks=True)
def read_arc_or_warc(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """A WARC or an ARC file, by its first bytes; bzip2 and xz around it are undone in memory."""
    head = stream.read(6)
    stream.seek(0)
    if compression_of(head) in ("bz2", "xz"):
        unpacked = decoded(stream, where.size, where.source.max_expansion)
        stream = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the last reference, at the end of the file
        shutil.copyfileobj(unpacked, stream)
        stream.seek(0)
    yield from (read_arc if is_arc(stream) else read_warc)(stream, where)
