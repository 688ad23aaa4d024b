"""WARC, WET and WAT files: one row per captured page; damage costs the record it is in, and is never passed on as a shorter page.

Records are cut here and not by a library: a record ends where its compressed member ends, even when its header declares more,
and one whose header declares less than there is costs itself alone. A record that goes on in a member that begins no record of
its own (bgzip, pzstd: blocks of a fixed size) is read on.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.ingest.formats.arc import is_arc, read_arc
from pipeline.ingest.formats.capture import finish, read_response
from pipeline.ingest.formats.unpacking import MARK, Members
from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import compression_of, decoded

MAX_HEAD = 2**16
_DOCUMENTS = ("response", "resource", "conversion")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LOOK = 64
"""Bytes after a block that are looked at."""
_MARK_BYTES = 16
"""A mark of the next record may lie across two pieces."""
_BLANK = re.compile(rb"[\r\n\0]+")
_NEXT = re.compile(rb"(?<=\n)WARC/[01]\.\d+\r?\n")


class _Text:
    """The unpacked bytes of the current member and, when a record goes on there, of those after it."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self.data, self.at, self.base = b"", 0, 0
        self.ended = self.waiting = self.is_next = self.is_told = False
        self.passed = 0
        """Records that are no documents."""
        self.damage: DamagedInputError | None = None
        """What is wrong with the member, or with the one after it (`is_next`); `is_told` when a record's row says so."""
        self._first = b""

    def begin(self, first: bytes = b"") -> None:
        """Read a new member from its start."""
        self.data, self.at, self.base = first, 0, 0
        self.ended = self.waiting = self.is_next = self.is_told = False
        self.damage = None

    @property
    def is_plain(self) -> bool:
        """Whether the file is not compressed."""
        return self._members.compression is None

    @property
    def position(self) -> str:
        """`offset=12` of the record that is next: its byte in a plain file; in a compressed one its member's, then its place in
        the member when it is not the first there (`offset=12;at=400`)."""
        inside = self.base + self.at
        if self._members.compression is None:
            return f"offset={self._members.offset + inside}"
        return f"offset={self._members.offset}{f';at={inside}' if inside else ''}"

    def skip_blank(self) -> bool:
        """Pass over line ends and padding; False when nothing else is left of the member."""
        while True:
            match = _BLANK.match(self.data, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.data):
                return True
            if not self.has(1):
                return False

    def has(self, count: int) -> bool:
        """Whether so many bytes are there, after reading more of the member."""
        missing = count - (len(self.data) - self.at)
        if missing <= 0:
            return True
        if self.ended or not (more := self._more()):
            return False
        parts = [self.data[self.at :], more]
        missing -= len(more)
        while missing > 0 and (more := self._more()):
            parts.append(more)
            missing -= len(more)
        self.base += self.at
        self.data, self.at = b"".join(parts), 0
        return missing <= 0

    def _more(self) -> bytes:
        if self.ended:
            return b""
        try:
            more = self._members.read()
        except DamagedInputError as error:
            self.damage, more = error, b""
        self.ended = not more
        return more

    def back_to_record(self, block: bytes) -> bool:
        """Go back to the first record that a block, declared longer than it is, swallowed; False when it holds none."""
        joined = block + self.data[self.at :]
        swallowed = _NEXT.search(joined, 0, len(block) + _MARK_BYTES)
        if swallowed is None or swallowed.start() >= len(block):
            return False
        self.base += self.at - len(block)
        self.data, self.at = joined, swallowed.start()
        return True

    def goes_on(self) -> bool:
        """Whether the next member carries this one on: it begins no record of its own. If it does, it waits in `waiting`."""
        if self.damage or self._members.compression is None:
            return False
        try:
            if not self._members.next():
                return False
            first = self._members.read()
        except DamagedInputError as error:
            self.damage, self.is_next = error, True
            return False
        if first.startswith(MARK) or not first.strip(b"\r\n"):
            self.waiting, self._first = True, first
            return False
        self.base += self.at
        self.data, self.at, self.ended = self.data[self.at :] + first, 0, False
        return True

    def take_waiting(self) -> bytes:
        """The first bytes of the member that waits."""
        self.waiting = False
        return self._first


def read_warc(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every response, resource and conversion record of a seekable WARC stream; the others are counted."""
    members = Members(stream)
    text = _Text(members)
    while True:
        try:
            if not text.waiting and not members.next():
                return
        except DamagedInputError as error:
            text.begin()
            text.damage = error
        else:
            text.begin(text.take_waiting() if text.waiting else b"")
            yield from _read_member(text, where)
        if text.damage is not None:
            bad, error = members.offset, text.damage
            resumed = members.resume() if members.compression else None
            went = f"reading resumes at byte {resumed}" if resumed is not None else "nothing readable follows"
            if not text.is_told:
                yield where.bad(error.rule, f"{error.detail}; {went}", f"offset={bad}", key=f"{where.name}#{bad}")
            if resumed is None:
                return
            text.begin()


def _read_member(text: _Text, where: Where) -> Iterator[Record]:
    """The records of one member. Damage of the member stays in `text.damage` unless a record of it says so."""
    while True:
        if not text.skip_blank():
            return
        position = text.position
        fields = _read_head(text)
        if fields is None:
            yield from _skip_junk(text, where, position)
            continue
        yield from _read_record(fields, text, where, position)


def _read_head(text: _Text) -> dict[str, str] | None:
    """The header's fields by lower-case name, the first of each; None when no header is here. Leaves `text` behind it."""
    text.has(2048)
    end = _END_OF_HEAD.search(text.data, text.at)
    if end is None:
        while not text.has(MAX_HEAD) and text.goes_on():
            pass
        end = _END_OF_HEAD.search(text.data, text.at, text.at + MAX_HEAD)
    if end is None or not text.data.startswith(MARK, text.at):
        return None
    lines = text.data[text.at : end.start()].decode("utf-8", "replace").split("\n")
    fields: dict[str, str] = {}
    last = ""
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and last:  # a folded field
            fields[last] += " " + line.strip()
            continue
        name, _, value = line.partition(":")
        last = name.strip().lower()
        fields.setdefault(last, value.strip())
    text.at = end.end()
    return fields


def _skip_junk(text: _Text, where: Where, position: str) -> Iterator[Record]:
    """One quarantined row for bytes that are no record, up to the next record of the member or its end."""
    rule = "truncated" if text.data.startswith(MARK, text.at) else "corrupt"
    count = _to_next(text)
    if text.damage is None:
        detail = f"{count:,} bytes at {position} are no WARC record"
        yield where.bad(rule, detail, position, key=f"{where.name}#{position}")


def _to_next(text: _Text) -> int:
    """Pass over bytes up to the next record of the member, or its end; returns how many. Memory holds one piece."""
    count, kept = 0, 1
    while text.has(kept + 1):
        found = _NEXT.search(text.data, text.at + kept)
        end = found.start() if found else max(text.at, len(text.data) - _MARK_BYTES)
        count, text.at = count + end - text.at, end
        if found:
            return count
        kept = len(text.data) - text.at
    count, text.at = count + len(text.data) - text.at, len(text.data)
    return count


def _read_record(fields: dict[str, str], text: _Text, where: Where, position: str) -> Iterator[Record]:
    kind = fields.get("warc-type", "").lower()
    declared = fields.get("content-length", "")
    if not kind or not declared.isdecimal():
        detail = "the record's header is cut, or lacks type or length"
        yield where.bad("truncated", detail, position, key=f"{where.name}#{position}")
        if not text.data.startswith(MARK, text.at):
            _to_next(text)
        return
    url = fields.get("warc-target-uri", "").strip("<> ") or None
    row = Record(
        key=f"{fields.get('warc-record-id', '')} {url}",
        payload=b"",
        url=url,
        date=fields.get("warc-date"),
        locator=where.locator(position),
    )
    _fill(row, int(declared), text, where)
    if kind not in _DOCUMENTS and row.reason is None:
        where.tally.skip(f"warc_{kind[:32]}")
        text.passed += 1
        where.pass_blank(text.passed, "records that are no documents", 16)
        return
    if row.reason is None and (cut := fields.get("warc-truncated")):
        row.detail = f"WARC-Truncated: {cut}"
        row.reason = None if where.source.keep_truncated else "ingest.truncated"
    content_type = fields.get("content-type", "")
    if kind == "conversion":
        row.content_type, row.charset = "text/plain", "utf-8"
        yield row
    elif kind not in _DOCUMENTS:
        yield row
    elif content_type.startswith("text/dns") or (url or "").split(":", 1)[0] in ("dns", "whois"):
        where.tally.skip("dns")
    elif kind == "resource" and not content_type.startswith("application/http"):
        yield from finish(row, content_type or None, where)
    else:
        yield from read_response(row, where)


def _fill(row: Record, declared: int, text: _Text, where: Where) -> None:
    """Read the block within the limit, and look at what follows it; a reason says what is wrong with the record."""
    limit = where.source.max_record_bytes
    if declared > limit:
        row.reason, row.detail = "ingest.oversize", f"the record has {declared:,} bytes, the limit is {limit:,}"
        if text.is_plain:  # nothing else says whether the length is right
            _to_next(text)
        else:
            _pass_over(text, declared)
        return
    while not text.has(declared) and text.goes_on():
        pass
    row.payload = text.data[text.at : text.at + declared]
    text.at += len(row.payload)
    own = None if text.is_next else text.damage
    if len(row.payload) < declared:
        row.reason = f"ingest.{own.rule}" if own else "ingest.truncated"
        row.detail = f"the record ends after {len(row.payload):,} of {declared:,} bytes"
        text.is_told = own is not None
        text.back_to_record(row.payload)
        return
    text.has(_LOOK)
    if (
        text.damage is not None and len(text.data) - text.at < _LOOK
    ):  # the checksum of the member, found wrong at its end
        row.reason, row.detail, text.is_told = f"ingest.{text.damage.rule}", text.damage.detail, True
    elif not _ends_well(text.data[text.at : text.at + _LOOK], plain=text.is_plain):
        if not text.back_to_record(row.payload):
            _to_next(text)
        row.reason, row.detail = (
            "ingest.bad_length",
            f"the record goes on after the {declared:,} bytes that it declares",
        )


def _ends_well(after: bytes, plain: bool) -> bool:
    """Whether what follows a block is the end of its record. Between plain records noise may follow, within a member none."""
    rest = after.lstrip(b"\r\n\0")
    return not rest or MARK.startswith(rest[:5]) or (plain and after.startswith(b"\r\n\r\n"))


def _pass_over(text: _Text, count: int) -> None:
    while count > 0 and (text.has(1) or text.goes_on()):
        step = min(count, len(text.data) - text.at)
        text.at, count = text.at + step, count - step


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
