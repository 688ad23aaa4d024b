"""Settings of extract: what counts as text of a page, and the limits that guard the parser."""

from typing import Literal

from pydantic import Field, PositiveInt

from pipeline.core.settings import Settings

Method = Literal["ours", "resiliparse", "trafilatura", "readability"]


class ExtractSettings(Settings):
    """Limits are bytes, tags and depth, never seconds: a time limit would make the output depend on the machine."""

    method: Method = Field(
        default="ours",
        description="what takes the text out of pages; trafilatura and readability need their packages (trafilatura, "
        "readability-lxml), take no part of the rules for tables and main content, and are there to compare with",
    )
    main_content: bool = Field(default=True, description="leave out navigation, footers and side bars of pages")
    tables: Literal["text", "markdown", "drop"] = Field(
        default="text", description="tables that hold data: cells between tabs, Markdown, or left out of the text"
    )
    comments: Literal["drop", "keep"] = Field(
        default="drop", description="readers' comments under a page's main content: left out, or kept beside it"
    )
    unwrap: bool = Field(default=True, description="join lines that were broken at a fixed column")
    mark_tables: bool = Field(
        default=True, description="mark tables and columns of figures, so that prose rules can skip them"
    )
    xml_skip: list[str] = Field(default=[], description="names of XML elements whose text is left out")
    max_payload_bytes: PositiveInt = Field(default=64 * 2**20, description="a larger payload is quarantined, unread")
    max_text_bytes: PositiveInt = Field(default=32 * 2**20, description="a longer text is quarantined")
    max_nodes: PositiveInt = Field(default=2_000_000, description="a page with more tags is quarantined, unparsed")
    max_depth: PositiveInt = Field(default=10_000, description="a page nested deeper is quarantined")
    max_replaced_frac: float = Field(
        default=0.01, ge=0, le=1, description="a payload is quarantined when more of its characters cannot be decoded"
    )
    min_main_chars: int = Field(
        default=500,
        ge=0,
        description="main content of fewer characters outside of links is doubted: the whole page but for its navigation is "
        "taken, unless the page has hardly more",
    )
    min_main_frac: float = Field(
        default=0.12,
        ge=0,
        le=1,
        description="the same for main content that is a smaller share of the page's text outside of links",
    )
