"""What the recipe says about text that kept documents have in common: whole paragraphs, and long substrings."""

from pydantic import Field

from pipeline.apply.paragraphs import ParagraphSettings
from pipeline.apply.substrings import SubstringSettings
from pipeline.core.settings import Settings


class RepeatSettings(Settings):
    """Text that stands in several kept documents is cut from all but one. Nothing is looked for by default."""

    paragraphs: ParagraphSettings | None = Field(
        default=None, description="whole paragraphs: disclaimers, notices, navigation"
    )
    substrings: SubstringSettings | None = Field(
        default=None, description="exact substrings from a length on, across paragraphs, cut at word borders"
    )
