"""Bytes to text, of documents, of links in fetched pages and of what is shown of a raw page: the encoding that a page declares is
used only if its bytes are valid in it."""

import codecs
import re
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,256}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_XML_DECLARED = re.compile(rb"<\?xml[^>]{0,128}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{1,40})")
META_BYTES = 4096
"""Where a declaration is looked for; the HTML standard asks for the first 1,024 bytes, pages are less exact."""

# Python's codec for each label (what `map_encoding_to_html5` returns) to the wider one that pages really use.
_CODECS = {"gbk": "gb18030", "big5": "big5hkscs", "euc_kr": "cp949", "shift_jis": "cp932", "iso8859-11": "cp874"}
_MULTIBYTE = ("gb18030", "big5hkscs", "cp949", "cp932", "euc_jp", "iso2022_jp")
_ASCII = bytes(range(0x80))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A payload as text. `replaced` of its characters could not be decoded and became U+FFFD."""

    text: str
    encoding: str
    replaced: int = 0


def decode_payload(payload: bytes, charset: str | None, is_markup: bool) -> Decoded:
    """The text of a payload, never failing; the caller judges `replaced`.

    Byte-order mark, then UTF-8 if the bytes are valid, then what transport and page declare and what resiliparse's
    detector finds, each only if the bytes are valid in it. UTF-8 with a few bad bytes stays UTF-8.

    >>> decode_payload("caf\\u00e9 \\u20ac".encode("cp1252"), "utf-8", False)
    Decoded(text='café €', encoding='cp1252', replaced=0)
    """
    for mark, name in _BOMS:
        if payload.startswith(mark):
            return _with_replacements(payload[len(mark) :], name)
    wide = _wide(payload)
    if wide:
        return _with_replacements(payload, wide)
    # One byte is found many times faster than two, and next to no page has it.
    if b"\x1b" in payload and b"\x1b$" in payload and "iso2022_jp" in _declared(payload, charset, is_markup):
        return _with_replacements(payload, "iso2022_jp")
    try:
        return Decoded(payload.decode(), "utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(payload, _declared(payload, charset, is_markup))


def _declared(payload: bytes, charset: str | None, is_markup: bool) -> list[str]:
    """What transport and page say, in this order."""
    return [name for name in (codec_of(charset), _declared_inside(payload) if is_markup else None) if name]


def codec_of(label: str | None) -> str | None:
    """The Python codec for an encoding label as the web means it (latin-1 is cp1252), or None.

    >>> codec_of("ISO-8859-1"), codec_of("gb2312"), codec_of("rot13")
    ('cp1252', 'gb18030', None)
    """
    if not label or not label.isascii():
        return None
    name = map_encoding_to_html5(label.strip().lower(), False)
    return _CODECS.get(name, name) if name else None


def _declared_inside(payload: bytes) -> str | None:
    head = payload[:META_BYTES]
    found = _META.search(head) or _XML_DECLARED.match(head)
    name = codec_of(found.group(1).decode("ascii")) if found else None
    # Bytes in which this declaration could be read are not UTF-16.
    return None if name and name.startswith("utf-16") else name


def _decode_legacy(payload: bytes, declared: list[str]) -> Decoded:
    """Bytes that are not valid UTF-8; they stay UTF-8 when at least eight in nine of the high ones are valid."""
    broken = payload.decode("utf-8", "replace")
    replaced = broken.count("\ufffd") - payload.count(b"\xef\xbf\xbd")
    valid = len(payload.translate(None, _ASCII)) - replaced
    if valid >= 8 * replaced:
        return Decoded(broken, "utf-8", replaced)
    detected = codec_of(detect_encoding(payload, from_html_meta=False))
    names = [name for name in declared if name != "utf-8"]
    if detected in _MULTIBYTE:
        names.insert(0, detected)
    elif detected and detected != "utf-8":
        names.append(detected)
    for name in dict.fromkeys(names):
        try:
            text = payload.decode(name)
            return Decoded(text, "cp1252" if _reads_same(payload, text) else name)
        except (UnicodeDecodeError, LookupError):
            continue
    attempts = [_with_replacements(payload, name) for name in dict.fromkeys([*names[:2], "cp1252"])]
    attempts.append(Decoded(broken, "utf-8", replaced))
    return min(attempts, key=lambda attempt: attempt.replaced)


def _reads_same(payload: bytes, text: str) -> bool:
    """Whether the commonest encoding gives the same text: then it is named, whatever rare one was guessed."""
    try:
        return payload.decode("cp1252") == text
    except UnicodeDecodeError:
        return False


def _with_replacements(payload: bytes, name: str) -> Decoded:
    text = payload.decode(name, "replace")
    replaced = text.count("\ufffd")
    if replaced:
        replaced -= min(replaced, payload.count("\ufffd".encode(name, "ignore") or b"\xef\xbf\xbd"))
    return Decoded(text, name, replaced)


def _wide(payload: bytes) -> str | None:
    """UTF-16 without a byte-order mark, by its zeros."""
    head = payload[:1024]
    if b"\0" not in head or len(head) < 16:
        return None
    even, odd, half = head[::2].count(0), head[1::2].count(0), len(head) // 2
    if odd > 0.8 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.8 * half and odd < 0.05 * half else None
