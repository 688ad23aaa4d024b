"""EDGAR full-text submissions: an SGML envelope, its header, and the documents in it, each a child record."""

import io
import re
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where
from pipeline.ingest.sniff import kind_of

_ENVELOPE = (
    b"<SEC-DOCUMENT>",
    b"<SEC-HEADER>",
    b"<IMS-DOCUMENT>",
    b"<SUBMISSION>",
    b"-----BEGIN PRIVACY-ENHANCED MESSAGE",
)
_DOCUMENT = re.compile(rb"<DOCUMENT>(.*?)(</DOCUMENT>|\Z)", re.DOTALL)
_TEXT = re.compile(rb"<TEXT>[ \t\r]*\n?(.*?)(?:\n?</TEXT>|\Z)", re.DOTALL)
_TAG = re.compile(rb"^<(TYPE|FILENAME|DESCRIPTION|SEQUENCE)>([^\r\n]*)", re.MULTILINE)
_HEADER = re.compile(
    rb"^[ \t]*(?:<(ACCESSION-NUMBER|CONFORMED-NAME|FILING-DATE|TYPE|CIK|PERIOD|ASSIGNED-SIC)>"
    rb"|(ACCESSION NUMBER|COMPANY CONFORMED NAME|FILED AS OF DATE|CONFORMED SUBMISSION TYPE|CENTRAL INDEX KEY"
    rb"|CONFORMED PERIOD OF REPORT|STANDARD INDUSTRIAL CLASSIFICATION):)[ \t]*([^\r\n]*)",
    re.MULTILINE,
)
_NAMES = {
    b"ACCESSION NUMBER": "accession", b"ACCESSION-NUMBER": "accession", b"COMPANY CONFORMED NAME": "company",
    b"CONFORMED-NAME": "company", b"FILED AS OF DATE": "filed", b"FILING-DATE": "filed", b"CENTRAL INDEX KEY": "cik",
    b"CIK": "cik", b"CONFORMED SUBMISSION TYPE": "form", b"TYPE": "form", b"CONFORMED PERIOD OF REPORT": "period",
    b"PERIOD": "period", b"STANDARD INDUSTRIAL CLASSIFICATION": "sic", b"ASSIGNED-SIC": "sic",
}  # fmt: skip
AMENDS = "X-Edgar-Amends"
"""Header field of a fetched submission: the accession of the filing that it amends."""
_UUENCODED = re.compile(rb"\s*(?:<[A-Z]+>\s*)?begin [0-7]{3,4} ")
_SKIPPED_TYPES = ("GRAPHIC", "ZIP", "EXCEL", "PDF", "COVER", "JSON")
_SKIPPED_WRAPPERS = re.compile(rb"\s*<(XBRL|XML|PDF|ZIP|JSON|EXCEL)>", re.IGNORECASE)


def is_submission(head: bytes, named: bool = False) -> bool:
    """Whether a file is an EDGAR submission, by its first bytes whatever its name."""
    return head.lstrip().startswith(_ENVELOPE)


@source_kind("edgar", ".nc", accepts=(".txt", ".sgml"), recognises=is_submission)
def read_submission(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """One child record per document of the submission that holds text; the others are counted by type.

    Address, title and date come from the header. A submission without documents is one quarantined record.
    """
    return submission(where.whole(stream, "submission"), where)


def submission(payload: bytes, where: Where, amends: str = "") -> Iterator[Record]:
    """The same of bytes; `amends` is the accession of the filing that this one amends, where that is known."""
    first = payload.find(b"<DOCUMENT>")
    header = _read_header(payload[: first if first >= 0 else len(payload)][: 2**20]) | {"amends": amends}
    accession = header.get("accession") or where.name
    count = 0
    for match in _DOCUMENT.finditer(payload):
        count += 1
        yield from _read_document(match, header, accession, where)
    if not count:
        yield where.bad("bad_edgar", "the submission has no <DOCUMENT>", "", payload, key=accession)


def _read_header(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _HEADER.finditer(head):
        name = _NAMES[match.group(1) or match.group(2)]
        found.setdefault(name, match.group(3).decode("latin-1").strip())
    return found


def _read_document(match: re.Match[bytes], header: dict[str, str], accession: str, where: Where) -> Iterator[Record]:
    start = match.start(1)
    text = _TEXT.search(match.group(1))
    lead = match.group(1)[: text.start() if text else 4096]
    tags = {name.decode(): value.decode("latin-1").strip() for name, value in _TAG.findall(lead)}
    form = tags.get("TYPE", "")
    body = text.group(1) if text else b""
    if form.upper().startswith((*_SKIPPED_TYPES, "EX-101", "EX-100")):
        where.tally.skip("edgar_attachment")
        return
    wrapper = _SKIPPED_WRAPPERS.match(body)
    if wrapper and not (wrapper.group(1).upper() == b"XBRL" and b"<html" in body[:4096].lower()):
        where.tally.skip("edgar_attachment")
        return
    if wrapper:  # inline XBRL: an HTML page inside <XBRL>
        body = body[wrapper.end() :].removesuffix(b"</XBRL>").strip()
    if _UUENCODED.match(body):  # a picture or PDF
        where.tally.skip("edgar_attachment")
        return
    kind = kind_of("", body)
    if kind in ("binary", "other"):
        where.tally.skip("edgar_attachment")
        return
    name = tags.get("FILENAME", "")
    position = f"offset={start}"
    record = Record(
        key=f"{accession}/{tags.get('SEQUENCE', '')}/{name}",
        payload=body,
        kind=kind,
        url=_address(header, accession, name),
        title=" ".join(part for part in (header.get("company"), form, tags.get("DESCRIPTION")) if part) or None,
        date=_iso(header.get("filed")),
        locator=where.locator(position),
        parent=accession,
        content_type="text/html" if kind == "html" else "text/plain",
        doc_type=form.upper() or None,
        detail=_said(header),
    )
    if not match.group(2):
        record.reason, record.detail = "ingest.truncated", "the submission ends inside this document"
    yield record


def _said(header: dict[str, str]) -> str:
    """What the header says of the filing: `accession: 0000320193-24-000123; cik: 320193; form: 10-K; …`."""
    said = header | {name: _iso(header.get(name)) or "" for name in ("period", "filed")}
    said["sic"] = header.get("sic", "").rpartition("[")[2].rstrip("] ")
    said["cik"] = header.get("cik", "").lstrip("0")
    names = ("accession", "cik", "form", "period", "filed", "sic", "amends")
    return "; ".join(f"{name}: {said[name]}" for name in names if said.get(name))


def _address(header: dict[str, str], accession: str, name: str) -> str | None:
    """Where EDGAR serves the document; the central index key is written there without leading zeros."""
    cik = header.get("cik", "").lstrip("0")
    if not cik.isdigit() or "accession" not in header:
        return None
    return f"https://www.sec.gov/Archives/edgar/data/{cik}/{accession.replace('-', '')}/{name}"


def _iso(date: str | None) -> str | None:
    """`20240131` as `2024-01-31`."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date and len(date) == 8 and date.isdigit() else date
