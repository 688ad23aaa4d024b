"""The result of extracting one payload, its refusal, and a cache of results for payloads that occur again."""

from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.ingest.encoding import Decoded, decode_payload


class Edit(NamedTuple):
    """What extract cut from a document or changed in it: the rule, one text it concerned, and how often."""

    rule: str
    text: str
    count: int


@dataclass(slots=True)
class Extracted:
    """Text as the parser gave it, not yet normalised. `markup` is the payload in UTF-8 when it was not already."""

    text: str
    encoding: str
    title: str | None = None
    markup: bytes | None = None
    tabular: bool = False
    """Tabs in the text separate the cells of tables."""
    edits: list[Edit] = field(default_factory=list)
    doc_type: str | None = None
    """Form or exhibit of a filing, where the page itself names it."""
    date: str | None = None
    """When the page says that it was published, ISO 8601 as the page has it."""
    author: str | None = None
    language: str | None = None
    """As the page declares it, not trusted."""
    origin: str | None = None
    """Where in the page the text is from: "page", or "json-ld" where that has much more than is visible."""
    note: str | None = None
    """What the file says of itself: pages, author, program."""


class RefusalError(Exception):
    """The payload cannot be made a document: quarantined as `extract.<rule>`."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail


def decode_within(payload: bytes, charset: str | None, is_markup: bool, max_replaced_frac: float) -> Decoded:
    """`decode_payload`, or `RefusalError` (`undecodable`) when too many characters cannot be decoded."""
    decoded = decode_payload(payload, charset, is_markup)
    if decoded.replaced > max_replaced_frac * len(decoded.text):
        share = f"{decoded.replaced:,} of {len(decoded.text):,} characters"
        raise RefusalError("undecodable", f"{share} cannot be read, at best as {decoded.encoding}")
    return decoded


Key = tuple[bytes, str | None, str | None]
"""Digest of a payload, its kind, its declared charset: what its text is a function of, settings apart."""
KNOWN_BYTES = 2**26
"""Most text that a shard keeps for payloads that come again."""


class Known:
    """Results by payload digest within one shard: crawls hold the same page under several addresses."""

    def __init__(self) -> None:
        self._found: dict[Key, Extracted] = {}
        self._bytes = 0

    def get(self, key: Key) -> Extracted | None:
        """The earlier result for the same bytes, kind and charset, or None."""
        return self._found.get(key)

    def keep(self, key: Key, found: Extracted) -> None:
        """Remember, within `KNOWN_BYTES`; the oldest go first."""
        self._found[key] = found
        self._bytes += _size(found)
        while self._bytes > KNOWN_BYTES:
            self._bytes -= _size(self._found.pop(next(iter(self._found))))


def _size(found: Extracted) -> int:
    return len(found.text) + len(found.markup or b"")
