"""What the cards say that no run can know: who publishes the corpus, and how each source was obtained."""

from datetime import date
from typing import Literal

from pydantic import Field

from pipeline.core.settings import Settings

Origin = Literal["public_dataset", "licensed", "third_party", "crawled", "user_data", "synthetic", "other"]


class CardSettings(Settings):
    """Statements for the cards of a run. No document depends on them; the cards say "not stated" where nothing is given."""

    provider: str = ""
    """Who publishes the corpus and places the model on the market: name and address."""
    contact: str = ""
    """Address for questions and for complaints about rights: e-mail or web page."""
    representative: str = ""
    """Authorised representative in the European Union, of a provider outside it."""
    url: str | None = Field(default=None, pattern=r"^https?://")
    """Where the corpus is published."""
    published: date | None = None
    """When, as 2026-11-30."""
    placed_on_market: date | None = None
    """When the model was placed on the Union market."""
    code_of_practice: bool | None = None
    """Whether the provider signed the EU's code of practice for general-purpose AI."""
    licence: str = ""
    """Of the corpus as a collection; the texts keep their own."""
    version: str = Field(default="1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    """Of the corpus, as MAJOR.MINOR.PATCH."""
    origins: dict[str, Origin] = {}
    """How a source was obtained, by its name. Hub data sets and Common Crawl are public data sets, the live crawl and fetched
    EDGAR filings are crawled, without being said; of files only you know."""
