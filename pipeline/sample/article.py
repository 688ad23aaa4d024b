"""An article as the builders write it, before any markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Table = list[list[str]]
Block = tuple[str, str | Table]
"""("p" | "h2" | "li" | "pre", text) or ("table", rows)."""


@dataclass
class Article:
    """One page's content and its truth."""

    kind: str
    role: str  # domain | general | noise
    host: str
    path: str
    title: str
    blocks: Sequence[Block]
    author: str = ""
    date: str = ""  # ISO 8601
    look: str = "blog"  # the page template: filing | news | blog | plain
    expect: str = "drop"
    facts: Mapping[str, object] = field(default_factory=dict)
    language: str = "en"

    @property
    def url(self) -> str:
        """The address the crawl fetched it from."""
        return f"https://{self.host}{self.path}"


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, for paths."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split())[:70]
