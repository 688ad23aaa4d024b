"""Apply: merge the spans of all judges and rewrite the text once.

A span of action "cut" takes its bytes out; "mask" puts a typed placeholder in their place. Where spans overlap, a cut
swallows a mask. Kept documents get both; removed ones are masked only, because every published split is masked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from pipeline.core.settings import Settings


class ApplySettings(Settings):
    """What apply does with a kept document after its spans are cut and masked."""

    min_chars: int = Field(default=0, ge=0)
    """Remove a kept document whose final text has fewer characters."""
    drop_newly_identical: bool = True
    """Of documents whose final text became equal, keep one."""


@dataclass(frozen=True)
class Span:
    """Bytes `start:end` of a text, with the rule that made the span and its action: "cut" or "mask"."""

    start: int
    end: int
    rule: str
    action: str
    placeholder: bytes = b""


@dataclass
class Edited:
    """A rewritten text and its bytes accounts by rule."""

    text: bytes
    inserted: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)


def merge(spans: Sequence[Span]) -> list[Span]:
    """Disjoint spans in order. Cuts win over masks; of overlapping spans of one action the earlier one keeps its bytes.

    >>> [(s.start, s.end, s.action) for s in merge([Span(0, 9, "pii.email", "mask"), Span(4, 20, "c4.lines", "cut")])]
    [(0, 4, 'mask'), (4, 20, 'cut')]
    """
    merged: list[Span] = []
    for action in ("cut", "mask"):
        for span in sorted((s for s in spans if s.action == action), key=lambda s: (s.start, s.end, s.rule)):
            pieces = [(span.start, span.end)]
            for taken in merged:
                pieces = [
                    part
                    for start, end in pieces
                    for part in ((start, min(end, taken.start)), (max(start, taken.end), end))
                    if part[0] < part[1]
                ]
            for number, (start, end) in enumerate(pieces):
                # A mask split by a cut leaves one placeholder, in its first piece; the rest of it goes as well.
                merged.append(Span(start, end, span.rule, action, span.placeholder if number == 0 else b""))
        merged.sort(key=lambda s: s.start)
    return merged


def edit(text: bytes, spans: Sequence[Span]) -> Edited:
    """Rewrite a text. Law: len(text) + inserted = len(result) + cut, rule by rule."""
    if not spans:
        return Edited(text)
    parts, at = [], 0
    inserted: dict[str, int] = {}
    cut: dict[str, int] = {}
    for span in merge(spans):
        parts += (text[at : span.start], span.placeholder)
        at = span.end
        cut[span.rule] = cut.get(span.rule, 0) + span.end - span.start
        if span.placeholder:
            inserted[span.rule] = inserted.get(span.rule, 0) + len(span.placeholder)
    parts.append(text[at:])
    return Edited(b"".join(parts), inserted, cut)


def tidy(edited: Edited) -> Edited:
    """Drop what cuts left of lines, accounted under apply.trim: spaces at line ends, blank lines at the ends and beyond one.

    Extracted text has none of these, so a published text that is extracted again stays as it is.

    >>> tidy(Edited(b"\\n\\nOne. \\n\\n\\n\\nTwo.\\n")).text
    b'One.\\n\\nTwo.'
    """
    lines = [line.rstrip(b" \t") for line in edited.text.split(b"\n")]
    kept = [line for before, line in zip([b"", *lines], lines, strict=False) if line or before]
    trimmed = b"\n".join(kept).strip(b"\n ")
    lost = len(edited.text) - len(trimmed)
    if lost:
        edited = Edited(trimmed, edited.inserted, {**edited.cut, "apply.trim": lost})
    return edited
