"""An archived HTTP response as a record: status, rights, encodings undone, kind by content."""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.ingest.formats.edgar import AMENDS, is_submission, submission
from pipeline.ingest.formats.http import Head, decode_body, split_response
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rights.signals import header_signals
from pipeline.ingest.rights.snapshots import is_snapshot
from pipeline.ingest.sniff import kind_of, split_content_type

_GOOD = (None, 200, 203)
_PICTURES = ("image/", "video/", "audio/", "font/")
_MEDIA = (*_PICTURES, "text/css", "text/javascript", "application/javascript", "application/x-javascript")
"""Types that a crawl's pages bring along by the million: counted, not quarantined one by one."""


def read_response(row: Record, where: Where) -> Iterator[Record]:
    """The page in a row whose payload is a whole response; other statuses and media are counted, not yielded."""
    parts = split_response(row.payload)
    if parts is None:
        if row.reason is None:
            row.reason, row.detail = "ingest.bad_http", "the record has no complete HTTP header"
        yield row
        return
    head, row.payload = parts
    if name := is_snapshot(row.url):
        where.tally.skip(name)
        _decode(row, head, where)
        _keep(row, head.status, where)
        return
    if head.status not in _GOOD:
        where.tally.skip(f"http_{(head.status or 0) // 100}xx")
        return
    row.rights = header_signals(head.fields)
    _compare_length(row, head)
    if row.payload:
        _decode(row, head, where)
    if row.reason is None and is_submission(row.payload[:4096]):  # as EDGAR serves it: several documents in one file
        inside = replace(where, name=row.url or where.name, prefix=row.locator or "")
        yield from submission(row.payload, inside, head.get(AMENDS.lower()) or "")
        return
    yield from finish(row, head.get("content-type"), where)


def finish(row: Record, content_type: str | None, where: Where) -> Iterator[Record]:
    """The row with its kind. Bodies that are not text are counted instead, and robots.txt and tdmrep.json are remembered."""
    if name := is_snapshot(row.url):
        where.tally.skip(name)
        _keep(row, None, where)
        return
    mime, row.charset = split_content_type(content_type)
    row.content_type = mime or None
    kind = "pdf" if row.payload.startswith(b"%PDF-") else kind_of(mime, row.payload)
    if kind in ("binary", "other") and row.reason is None:
        if mime.startswith(_MEDIA) and (kind == "other" or mime.startswith(_PICTURES)):
            where.tally.skip(f"not_text_{mime.partition('/')[0]}" if mime.startswith(_PICTURES) else "not_text_code")
            return
        what = "is binary" if kind == "binary" else "is not text"
        row.reason, row.detail = "ingest.not_text", f"a body declared as {mime or 'nothing'} {what}"
    row.kind = kind if kind in ("html", "xml", "pdf") else "text"
    yield row


def _compare_length(row: Record, head: Head) -> None:
    """Mark a body that is shorter than its Content-Length. Of a body that was decoded before it was archived, the length is
    of other bytes."""
    declared, coding = head.get("content-length") or "", (head.get("content-encoding") or "identity").lower()
    is_coded = coding == "identity" or (coding in ("gzip", "x-gzip") and row.payload.startswith(b"\x1f\x8b"))
    if row.reason is None and declared.isdecimal() and is_coded and not head.get("transfer-encoding"):
        if len(row.payload) < int(declared):
            row.reason = "ingest.truncated"
            row.detail = f"the body has {len(row.payload):,} of the {int(declared):,} bytes that its header declares"


def _decode(row: Record, head: Head, where: Where) -> None:
    try:
        row.payload = decode_body(
            row.payload, head.get("transfer-encoding"), head.get("content-encoding"), where.source.max_record_bytes
        )
    except DamagedInputError as error:
        if row.reason is None:
            row.reason, row.detail = f"ingest.{error.rule}", error.detail


def _keep(row: Record, status: int | None, where: Where) -> None:
    """A robots.txt or tdmrep.json is no document: it is the snapshot of the terms of its host's pages."""
    if row.reason is None:
        where.hosts.remember(row.url or "", status, row.payload)
