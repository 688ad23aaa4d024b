"""Settings of extract: what counts as text of a page, and the limits that guard the parser."""

from typing import Literal

from pydantic import Field, PositiveInt

from pipeline.core.settings import Settings

Method = Literal["ours", "resiliparse", "trafilatura", "readability"]


class ExtractSettings(Settings):
    """Limits are bytes, tags and depth, never seconds: a time limit would make the output depend on the machine."""

    method: Method = "ours"
    """What takes the text out of pages; trafilatura and readability need their packages (trafilatura,
    readability-lxml), take no part of the rules for tables and main content, and are there to compare with."""
    main_content: bool = True
    """Leave out navigation, footers and side bars of pages."""
    tables: Literal["text", "markdown", "drop"] = "text"
    """Tables that hold data: cells between tabs, Markdown, or left out of the text."""
    comments: Literal["drop", "keep"] = "drop"
    """Readers' comments under a page's main content: left out, or kept beside it."""
    unwrap: bool = True
    """Join lines that were broken at a fixed column."""
    mark_tables: bool = True
    """Mark tables and columns of figures, so that prose rules can skip them."""
    xml_skip: list[str] = []
    """Names of XML elements whose text is left out."""
    max_payload_bytes: PositiveInt = 64 * 2**20
    """A larger payload is quarantined, unread."""
    max_text_bytes: PositiveInt = 32 * 2**20
    """A longer text is quarantined."""
    max_nodes: PositiveInt = 2_000_000
    """A page with more tags is quarantined, unparsed."""
    max_depth: PositiveInt = 10_000
    """A page nested deeper is quarantined."""
    max_replaced_frac: float = Field(default=0.01, ge=0, le=1)
    """A payload is quarantined when more of its characters cannot be decoded."""
    min_main_chars: int = Field(default=500, ge=0)
    """Main content of fewer characters outside of links is doubted: the whole page but for its navigation is taken,
    unless the page has hardly more."""
    min_main_frac: float = Field(default=0.12, ge=0, le=1)
    """The same for main content that is a smaller share of the page's text outside of links."""
