"""What the recipe says about text that kept documents have in common: whole paragraphs, and long substrings."""

from pipeline.apply.paragraphs import ParagraphSettings
from pipeline.apply.substrings import SubstringSettings
from pipeline.core.settings import Settings


class RepeatSettings(Settings):
    """Text that stands in several kept documents is cut from all but one. Nothing is looked for by default."""

    paragraphs: ParagraphSettings | None = None
    """Whole paragraphs: disclaimers, notices, navigation."""
    substrings: SubstringSettings | None = None
    """Exact substrings from a length on, across paragraphs, cut at word borders."""
