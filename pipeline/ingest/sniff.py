"""What a body is, by its content: declared MIME types are missing or wrong for one page in thirteen of a real crawl."""

import re

HEAD = 4096
"""Bytes looked at."""

_BINARY = (
    b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd",
    b"7z\xbc\xaf", b"Rar!", b"RIFF", b"OggS", b"\x00\x00\x00\x18ftyp", b"\x00\x00\x00 ftyp", b"wOFF", b"wOF2",
    b"\xd0\xcf\x11\xe0", b"\x7fELF", b"MZ\x90", b"{\\rtf", b"%!PS", b"\x00\x00\x01\x00", b"II*\x00",
    b"MM\x00*", b"\xca\xfe\xba\xbe", b"SQLite format",
)  # fmt: skip
_NO_CONTROL = bytes({*b"\b\t\n\v\f\r\x1b", *range(0x20, 0x100)})
"""Bytes that text is made of in any encoding; every tenth byte of compressed data is another."""
_BOM = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(
    rb"<(?:!doctype\s+html|document>|(?:html|head|body|title|meta|link|script|style|div|table|tr|td|p|br|h[1-6]|a|font|center|span"
    rb"|ul|ol|li|pre|iframe|frameset|nav|article|section|header|main|form|img|b|i|strong|em)(?![\w:.-]))",
    re.IGNORECASE,
)
"""How a page begins; `<PAGE>` and `<Links>` are no tags of HTML."""
_ASCII_TABLE = re.compile(rb"<table>(?!.*?<t[rdh][\s>])", re.IGNORECASE | re.DOTALL)
"""The mark before a table of figures in an ASCII filing: no row of HTML follows."""
_XML = re.compile(rb"\s*<\?xml\s", re.IGNORECASE)
_ROOT_IS_HTML = re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE)
_ROOT_BEGINS = re.compile(rb"(?:^|>)[ \t]*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE | re.MULTILINE)
"""The same where a line or other markup ends before it: prose may name the element."""
_LEAD = re.compile(rb"(?:\s+|<!--.{0,2048}?-->|<\?.{0,512}?\?>)*", re.DOTALL)


def sniff(payload: bytes) -> str:
    """`html`, `xml`, `text`, `binary` or `empty`, from the first `HEAD` bytes.

    >>> sniff(b"  <!-- x --><!DOCTYPE html><p>"), sniff(b"%PDF-1.4"), sniff(b"Revenue < cost"), sniff(b"")
    ('html', 'binary', 'text', 'empty')
    """
    head = payload[:HEAD]
    if not head.strip():
        return "empty"
    if head.startswith(_BINARY):
        return "binary"
    wide = head.startswith(_BOM[1:]) or _looks_wide(head)
    if wide:
        head = head.replace(b"\0", b"")
    elif head.count(b"\0") > len(head) // 64 or len(head.translate(None, _NO_CONTROL)) > len(head) // 32:
        return "binary"
    if head.startswith(_BOM):
        head = head[3:] if head.startswith(_BOM[0]) else head[2:]
    if _XML.match(head):
        return "html" if _ROOT_IS_HTML.search(head) else "xml"
    start = _begins(head)
    if (_HTML.match(head, start) and not _ASCII_TABLE.match(head, start)) or _ROOT_BEGINS.search(head):
        return "html"
    return "text"


def is_page(payload: bytes) -> bool:
    """Whether a whole page begins here, and not a text that holds tags."""
    return _ROOT_IS_HTML.match(payload, _begins(payload)) is not None


def _begins(head: bytes) -> int:
    """Where it begins behind white space, comments and processing instructions."""
    lead = _LEAD.match(head)
    return lead.end() if lead else 0


def _looks_wide(head: bytes) -> bool:
    """UTF-16 without a byte-order mark: nearly every other byte is zero, as in Western text."""
    half = len(head) // 2
    if half < 8:
        return False
    return (
        max(head[::2].count(0), head[1::2].count(0)) > 0.9 * half
        and min(head[::2].count(0), head[1::2].count(0)) < 0.05 * half
    )


_HTML_TYPES = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")
_XML_TYPES = ("text/xml", "application/xml")
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream", "unknown/unknown", "application/unknown", "*/*")


def split_content_type(header: str | None) -> tuple[str, str | None]:
    """`(MIME type, charset)` of a Content-Type header, lower case; unreadable ones give `("", None)`.

    >>> split_content_type('Text/HTML; Charset="UTF-8"')
    ('text/html', 'utf-8')
    """
    mime, _, parameters = (header or "").partition(";")
    charset = None
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower() or None
    return mime.strip().lower(), charset


def kind_of(mime: str, payload: bytes) -> str:
    """How extract is to read a body: `html`, `text`, `xml`; or `binary`, `other` for what is no document.

    Content wins over the declared type when it is plainly HTML or plainly binary.
    """
    content = sniff(payload)
    if content in ("binary", "html"):
        return content
    if mime in _HTML_TYPES:
        return "html"
    if content == "xml":
        return "xml" if mime in (*_XML_TYPES, *_UNTYPED) else "other"
    if mime == "text/plain" or mime in _UNTYPED:
        return "text"
    return "other"
