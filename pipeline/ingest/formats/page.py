"""A file or archive member that is one document: HTML page, plain text or Markdown, with its front matter taken off."""

import io
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where
from pipeline.ingest.sniff import is_page, kind_of

_MIME = {"html": "text/html", "text": "text/plain", "xml": "application/xml"}
_FRONT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:(?P<fence>---|\+\+\+)[ \t]*\r?\n(?P<fields>.{0,65536}?)\r?\n(?:(?P=fence)|\.\.\.)"
    rb"|(?P<object>\{[ \t\r]*\n.{0,65536}?\n\})(?=\s*\n[ \t\r]*\n))[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
_HOLDS_TAGS = re.compile(r"\.(?:md|markdown|rst|adoc|org|log)$", re.IGNORECASE)


@source_kind("html", ".html", ".htm", ".xhtml")
def read_html(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """A page by its name."""
    return _read_page(stream, where, "html")


@source_kind("text", ".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".org", ".log")
def read_text(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """Plain text by its name."""
    return _read_page(stream, where, "text")


def _read_page(stream: io.BufferedIOBase, where: Where, kind: str) -> Iterator[Record]:
    """One record; `kind` is what the name says (html or text), the content may say otherwise."""
    payload = where.whole(stream, "file")
    fields, body = front_matter(payload)
    found = kind_of(_MIME[kind], body)
    if found in ("binary", "other"):
        detail = f"the content is {'binary' if found == 'binary' else 'not text of this kind'}"
        yield where.bad("not_text", detail, "", payload)
        return
    # A .txt that starts with a tag is HTML only when its source calls it so: prose may quote markup. Markdown and logs hold tags.
    if kind == "text" and (where.source.kind == "text" or (_HOLDS_TAGS.search(where.name) and not is_page(body))):
        found = "text"
    yield Record(
        key=where.name,
        payload=body,
        kind=found,
        title=_said(fields, "title"),
        date=_said(fields, "date"),
        licence=_said(fields, "license") or _said(fields, "licence"),
        locator=where.prefix or None,
        content_type=_MIME[found],
    )


def front_matter(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Fields of the YAML (`---`), TOML (`+++`) or JSON (`{`) block that opens a page, and the page without it.

    A block that is no mapping is text: many a letter begins with a rule.

    >>> front_matter(b"---\\ntitle: Tides\\n---\\nThe moon.")
    ({'title': 'Tides'}, b'The moon.')
    """
    if not (match := _FRONT.match(payload)):
        return {}, payload
    try:
        text = (match["fields"] or match["object"]).decode()
        fields = tomllib.loads(text) if match["fence"] == b"+++" else yaml.safe_load(text)  # JSON is YAML
    except (ValueError, yaml.YAMLError, RecursionError):
        return {}, payload
    return (fields, payload[match.end() :]) if isinstance(fields, dict) else ({}, payload)


def _said(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return str(value) if isinstance(value, str | int | float) or hasattr(value, "isoformat") else None
