"""WARC and WET files: one row per captured page, damage found and skipped over, never passed on as a shorter page.

FastWARC ends quietly inside a cut record, and raises on a corrupt one without going on. So lengths are checked
against the headers, the end of the file is looked at, and reading resumes at the next record that can be found.
"""

import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from pipeline.ingest.arc import is_arc, read_arc
from pipeline.ingest.http import decode_body
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.resync import Resync
from pipeline.ingest.sniff import kind_of, split_content_type
from pipeline.ingest.streams import compression_of, decoded

_DOCUMENTS = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
_RIGHTS = ("X-Robots-Tag", "TDM-Reservation", "TDM-Policy", "Content-Usage")
"""Headers by which a site reserves rights: robots meta headers, the W3C TDM reservation protocol, IETF AI preferences."""


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
    if record.record_id is None or headers.get("Content-Length") is None or not headers.get("WARC-Type"):
        detail = "the record's header is cut or lacks its type, id or length"
        yield where.bad("truncated", detail, position, key=f"{where.name}#{offset}")
        return
    if not record.record_type & _DOCUMENTS:
        where.tally.skip(f"warc_{headers.get('WARC-Type', '').strip().lower()[:32]}")
        return
    url = (headers.get("WARC-Target-URI") or "").strip("<> ") or None
    row = Record(
        key=f"{record.record_id} {url}",
        payload=b"",
        url=url,
        date=headers.get("WARC-Date"),
        locator=where.locator(position),
    )
    if record.record_type == WarcRecordType.conversion:
        row.content_type = "text/plain"
        row.charset = "utf-8"
        _fill(record, row, where)
        yield row
        return
    yield from _read_capture(record, row, where)


def _read_capture(record: WarcRecord, row: Record, where: Where) -> Iterator[Record]:
    """A response (with its HTTP header) or a resource (without)."""
    http = None
    declared = record.headers.get("Content-Type")
    if record.is_http:
        try:
            record.parse_http()
        except (OSError, ValueError) as error:
            row.reason, row.detail = "ingest.bad_http", f"the HTTP header cannot be read: {error}"
            yield row
            return
        http = record.http_headers
        if http is None:
            row.reason, row.detail = "ingest.bad_http", "the record has no HTTP header"
            yield row
            return
        declared = http.get("Content-Type")
        if http.status_code not in (None, 200, 203):
            where.tally.skip(f"http_{http.status_code // 100}xx")
            return
        row.rights = _rights(http)
    elif (row.url or "").split(":", 1)[0] in ("dns", "whois"):
        where.tally.skip("dns")
        return
    mime, row.charset = split_content_type(declared)
    row.content_type = mime or None
    _fill(record, row, where)
    if http is not None and row.payload and row.reason in (None, "ingest.truncated"):
        _decode(row, http.get("Transfer-Encoding"), http.get("Content-Encoding"), where)
    kind = kind_of(mime, row.payload)
    if kind in ("binary", "other") and row.reason is None:
        where.tally.skip("not_text")
        return
    row.kind = kind if kind in ("html", "xml") else "text"
    yield row


def _fill(record: WarcRecord, row: Record, where: Where) -> None:
    """Read the body within the limit; mark a body shorter than the header says."""
    declared, limit = record.content_length, where.source.max_record_bytes
    if declared > limit:
        row.reason, row.detail = "ingest.oversize", f"the record has {declared:,} bytes, the limit is {limit:,}"
        return
    row.payload = record.reader.read()
    if len(row.payload) < declared:
        row.reason = "ingest.truncated"
        row.detail = f"the record ends after {len(row.payload):,} of {declared:,} bytes"


def _decode(row: Record, transfer: str | None, content: str | None, where: Where) -> None:
    try:
        row.payload = decode_body(row.payload, transfer, content, where.source.max_record_bytes)
    except DamagedInputError as error:
        if row.reason is None:
            row.reason, row.detail = f"ingest.{error.rule}", error.detail


def _rights(http: object) -> str | None:
    get = http.get  # type: ignore[attr-defined]
    found = [f"{name.lower()}: {value}" for name in _RIGHTS if (value := get(name))]
    return "; ".join(found) or None


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
