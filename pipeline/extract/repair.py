"""Text that its source damaged before we saw it: escaped twice, or decoded by the wrong table.

A repair must be provable from the text alone. Entities are decoded once where the source plainly escaped its text: it has
entities and hardly a bare ampersand. UTF-8 that was read as a single-byte encoding is undone by ftfy, which asks that the
result be valid UTF-8 and the original an unlikely text; line by line, so that one bad paragraph cannot change another.
Every repair is counted beside the document (see `Edit`).
"""

import html
import re

from ftfy import TextFixerConfig, fix_encoding

from pipeline.extract.payload import Edit

_PROVABLE = TextFixerConfig(restore_byte_a0=False, replace_lossy_sequences=False)
"""Without ftfy's guesses at bytes that are gone."""
_ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-f]{2,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_MOST_BARE = 0.05
"""Ampersands that are no entity, as a share of the entities, up to which the source counts as escaped."""
_DOUBLE_ENCODED = re.compile(
    r"[\u00c2-\u00f4\u0102\u0103\u010e-\u0111\u0393\u03c0\u0413\u0420\u0421\u0432][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u2122\u0400-\u045f]"
)
"""A lead byte of UTF-8 as the usual single-byte encodings show it, and a byte that may follow it."""


def repair(text: str, entities: bool) -> tuple[str, list[Edit]]:
    """The text with double-encoded UTF-8 undone and, where asked, its entities decoded; and what was changed, with counts."""
    edits = []
    if entities and "&" in text and (decoded := _decode_entities(text)):
        text, counts = decoded
        edits += [Edit("entities", entity, count) for entity, count in counts.items()]
    if not text.isascii() and _DOUBLE_ENCODED.search(text):
        lines = text.split("\n")
        mended = [fix_encoding(line, _PROVABLE) if _DOUBLE_ENCODED.search(line) else line for line in lines]
        changed = sum(before != after for before, after in zip(lines, mended, strict=True))
        if changed:
            text = "\n".join(mended)
            edits.append(Edit("double_encoded", "a line of UTF-8 read as another encoding", changed))
    return text, edits


def _decode_entities(text: str) -> tuple[str, dict[str, int]] | None:
    """The text with each entity decoded once; None where the source did not escape its text."""
    counts: dict[str, int] = {}

    def decode(match: re.Match[str]) -> str:
        sign = html.unescape(match.group())
        if sign == match.group():
            return sign  # no entity of HTML
        counts[match.group()] = counts.get(match.group(), 0) + 1
        return sign

    decoded = _ENTITY.sub(decode, text)
    entities = sum(counts.values())
    bare = text.count("&") - entities
    if (
        not entities
        or bare > _MOST_BARE * entities
        or ("&lt;" in counts and re.search(r"<[a-z/!]", text, re.IGNORECASE))
    ):
        return None
    return decoded, counts
