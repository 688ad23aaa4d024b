"""The record that a reader yields, the counts of what is not a document, and the context readers are given."""

import io
from collections import Counter
from dataclasses import dataclass, field

from pipeline.ingest.rights.snapshots import HostSnapshots
from pipeline.ingest.source import Source


@dataclass(slots=True)
class Record:
    """One document as read. `key` identifies it independently of its position: address, own id or member path."""

    key: str
    payload: bytes
    kind: str = "text"
    url: str | None = None
    title: str | None = None
    date: str | None = None
    licence: str | None = None
    rights: str | None = None
    robots: str | None = None
    terms: str | None = None
    locator: str | None = None
    parent: str | None = None
    content_type: str | None = None
    doc_type: str | None = None
    charset: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class FileNote:
    """What reading one file found besides its records."""

    kind: str = ""
    refused: str = ""
    """Why no reader takes it."""
    dialect: str = ""
    """How a CSV file was taken to be written."""
    limited: str = ""
    """Which limit ended the reading."""
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """Counts of one shard: documents read, and by reason the records that are not documents."""

    records: int = 0
    payload_bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    files: dict[str, FileNote] = field(default_factory=dict)
    """By path, every file of the shard that was opened."""

    def note(self, path: str) -> FileNote:
        """The note of a file."""
        return self.files.setdefault(path, FileNote())

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that are no documents."""
        self.skipped[reason] += count


@dataclass(frozen=True, slots=True)
class Where:
    """The context a reader is given beside its stream: the source, the tally and the name of the file or member."""

    source: Source
    tally: Tally
    name: str
    size: int | None = None
    prefix: str = ""
    """Locator of the archive member the stream is, or ""."""
    hosts: HostSnapshots = field(default_factory=HostSnapshots)
    """What hosts said in their robots.txt and tdmrep.json, as met so far in this file."""

    def locator(self, position: str) -> str:
        """`member=a.jsonl;line=7`, or only the position."""
        return f"{self.prefix};{position}" if self.prefix and position else self.prefix or position

    def pass_blank(self, count: int, what: str = "blank lines", least: int = 1) -> None:
        """Say that so many blank lines or rows were passed over, or records of at least `least` bytes that are no documents.
        Raises DamagedInputError (`too_many_records`) when they are more than the file may hold of records and than its bytes as
        stored have room for: reading them takes as long."""
        most = self.source.max_records or max(self.source.most_records(self.size), (self.size or 0) // least)
        if count > most:
            raise DamagedInputError("too_many_records", f"more than {most:,} {what}; max_records reads on", self.name)

    def whole(self, stream: io.BufferedIOBase, what: str, limit: int | None = None) -> bytes:
        """The rest of a stream. Raises DamagedInputError (`oversize`) beyond `limit`, or the source's `max_record_bytes`."""
        limit = limit or self.source.max_record_bytes
        payload = stream.read(limit + 1)
        if len(payload) > limit:
            raise DamagedInputError("oversize", f"the {what} exceeds {limit:,} bytes", self.name)
        return payload

    def bad(self, rule: str, detail: str, position: str, payload: bytes = b"", key: str | None = None) -> Record:
        """A quarantined record. Without a key of its own its bytes identify it, and its position only if it has none."""
        return Record(
            key=key if key is not None else f"{self.name}#{rule if payload else position}",
            payload=payload,
            locator=self.locator(position) or None,
            reason=f"ingest.{rule}",
            detail=detail,
        )


class DamagedInputError(Exception):
    """A stream is cut, corrupt or longer than its limit. `rule` becomes the reason, `key` the key of the quarantined record
    (None: the file and "damage"); records before it stand."""

    def __init__(self, rule: str, detail: str, key: str | None = None) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
        self.key = key
