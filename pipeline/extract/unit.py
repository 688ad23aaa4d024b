"""What extracting one payload gives, and how it is refused."""

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


class RefusalError(Exception):
    """The payload cannot be made a document: quarantined as `extract.<rule>`."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
