"""Reuters-21578: newswire in SGML, one record a story."""

import html
import io
import re
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where

_STORY = re.compile(rb"<REUTERS\b([^>]*)>(.*?)</REUTERS>", re.DOTALL)
_NEWID = re.compile(rb'NEWID="(\d+)"')
_LIMIT = 64 * 2**20


@source_kind("reuters", ".sgm", ".sgml")
def read_reuters(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """Every `<REUTERS>` element. The dateline and body are the text; the files are Latin-1."""
    payload = where.whole(stream, "file", _LIMIT)
    end = 0
    for story in _STORY.finditer(payload):
        end = story.end()
        number = _NEWID.search(story.group(1))
        body = _field(story.group(2), b"BODY") or _text_of_unprocessed(story.group(2))
        yield Record(
            key=f"NEWID={number.group(1).decode()}" if number else where.name,
            payload=body.encode(),
            title=_field(story.group(2), b"TITLE") or None,
            date=_field(story.group(2), b"DATE") or None,
            locator=where.locator(f"offset={story.start()}"),
            content_type="text/sgml",
            charset="utf-8",
        )
    if b"<REUTERS" in payload[end:]:
        yield where.bad("truncated", "the last story has no end", f"offset={end}", payload[end:])


def _field(story: bytes, name: bytes) -> str:
    opening = story.find(b"<" + name + b">")
    closing = story.find(b"</" + name + b">", opening)
    if opening < 0 or closing < 0:
        return ""
    return _unescaped(story[opening + len(name) + 2 : closing])


def _text_of_unprocessed(story: bytes) -> str:
    """Stories of type UNPROC and BRIEF have their text between the tags of TEXT."""
    match = re.search(rb"<TEXT[^>]*>(.*?)</TEXT>", story, re.DOTALL)
    return _unescaped(re.sub(rb"<[^>]*>", b"", match.group(1))) if match else ""


def _unescaped(raw: bytes) -> str:
    # The end-of-text control sign (&#3;) closes every body.
    return html.unescape(raw.replace(b"&#3;", b"").replace(b"&#2;", b"").decode("latin-1")).strip()
