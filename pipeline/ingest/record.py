"""What a reader yields, and the counts of what is no document."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.ingest.rights.snapshots import HostSnapshots
from pipeline.ingest.source import Source


@dataclass(slots=True)
class Record:
    """One document as found. `key` is its name in the world (address, own id, member path), never its position."""

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
    charset: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Tally:
    """What a shard held: documents read, and records that are no documents, by reason."""

    records: int = 0
    payload_bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that are no documents."""
        self.skipped[reason] += count


@dataclass(frozen=True, slots=True)
class Where:
    """What every reader is given beside its stream: the source, the tally and the name of the file or member."""

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
    """A stream is cut, corrupt or expands beyond its limit. `rule` becomes the reason; rows before it stand."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
