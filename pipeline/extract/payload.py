"""The result of extracting one payload, its refusal, and a cache of results for payloads that occur again."""

from dataclasses import dataclass


@dataclass(slots=True)
class Extracted:
    """Text as the parser gave it, not yet normalised. `markup` is the payload in UTF-8 when it was not already."""

    text: str
    encoding: str
    title: str | None = None
    markup: bytes | None = None
    tabular: bool = False
    """Tabs in the text separate the cells of tables."""
    date: str | None = None
    """When the page says that it was published, ISO 8601 as the page has it."""
    author: str | None = None
    language: str | None = None
    """As the page declares it, not trusted."""
    origin: str | None = None
    """Where in the page the text is from: "page", or "json-ld" where that has much more than is visible."""


class RefusalError(Exception):
    """The payload cannot be made a document: quarantined as `extract.<rule>`."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail


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
