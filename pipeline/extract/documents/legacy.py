"""Word and PowerPoint files from before 2007, and RTF: their text, by the published formats (MS-DOC, MS-PPT, RTF 1.9).

The old Office files are streams inside an OLE2 container, which olefile (BSD) opens. Text stands in them in a few places; the
rest of these formats, how it looks, is not read.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any

from pipeline.extract.documents.office import MAX_PART_BYTES
from pipeline.extract.documents.parts import FONTS, marked, sign_of
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError
from pipeline.kernels.html.symbols import MOST

_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
_TEXT_CHARS, _TEXT_BYTES, _TEXT_LIST, _NOTES, _MASTERS = 0x0FA0, 0x0FA8, 0x0FF0, 0x03F0, (0x03F8, 0x0FC9)
"""Records of MS-PPT: text in UTF-16, in Latin-1, the texts of placeholders, notes, main and handout masters."""
_LONG = 40


def opened(payload: bytes) -> Any:
    """An OLE2 container. Raises RefusalError when it is none, or its document is locked."""
    import olefile

    try:
        container: Any = olefile.OleFileIO(payload)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise RefusalError("bad_document", f"its container is damaged: {error}") from error
    if container.exists("EncryptedPackage"):
        raise RefusalError("password", "the document is locked by a password")
    return container


def stream_of(container: Any, name: str | list[str]) -> bytes:
    """A stream of the container, b"" when it is not there or damaged."""
    try:
        return container.openstream(name).read(MAX_PART_BYTES) if container.exists(name) else b""
    except (OSError, ValueError, IndexError):
        return b""


def _said(container: Any, text: str, kind: str) -> Extracted:
    meta = container.get_metadata()

    def string(value: Any) -> str | None:
        return (value.decode("cp1252", "replace") if isinstance(value, bytes) else value or "").strip("\0 ") or None

    author = string(meta.author)
    created = meta.create_time
    date = created.date().isoformat() if hasattr(created, "date") and created.year > 1980 else None
    if not text.strip():
        raise RefusalError("no_text", "the document holds no text")
    note = f"author {author}" if author else None
    return Extracted(text, kind, title=string(meta.title), tabular=True, date=date, note=note)


def extract_doc(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A Word 97 to 2003 document: text and notes; headers and footers are left out."""
    container = opened(payload)
    main = stream_of(container, "WordDocument")
    try:
        flags = struct.unpack_from("<H", main, 0x0A)[0]
        if flags & 0x0100:
            raise RefusalError("password", "the document is locked by a password")
        table = stream_of(container, "1Table" if flags & 0x0200 else "0Table")
        # Characters of text, footnotes, headers, macros, comments, endnotes and text boxes, one after the other.
        counts = struct.unpack_from("<7i", main, 0x4C)
        text = "".join(_pieces(main, table))
    except struct.error as error:
        raise RefusalError("bad_document", f"not a Word document of 1997 or later: {error}") from error
    ends = [sum(counts[: at + 1]) for at in range(7)]
    text = text[: ends[1]] + text[ends[2] : ends[6]]
    while (plain := _FIELD.sub(lambda found: found[1] or "", text)) != text:
        text = plain
    text = (
        text.replace("\x07\x07", "\n")
        .replace("\x07", "\t")
        .replace("\r", "\n\n")
        .replace("\x0b", "\n")
        .replace("\x0c", "\n\n")
    )
    return _said(container, re.sub("[\x00-\x08\x0e-\x1f]", "", text), "doc")


def _pieces(main: bytes, table: bytes) -> Iterator[str]:
    """The pieces of text in the order of the document, by the piece table."""
    start, size = struct.unpack_from("<II", main, 0x01A2)
    clx, at = table[start : start + size], 0
    while at < len(clx) and clx[at] == 1:  # formatting, of no interest
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    length = struct.unpack_from("<I", clx, at + 1)[0]
    plc = clx[at + 5 : at + 5 + length]
    count = (len(plc) - 4) // 12
    places = struct.unpack_from(f"<{count + 1}i", plc, 0)
    for number in range(count):
        offset = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * number + 2)[0]
        size = places[number + 1] - places[number]
        if offset & 0x40000000:
            at = (offset & 0x3FFFFFFF) // 2
            yield main[at : at + size].decode("cp1252", "replace")
        else:
            yield main[offset : offset + 2 * size].decode("utf-16-le", "replace")


def extract_ppt(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A PowerPoint 97 to 2003 presentation, in the order of the file; masters are left out, and copies of long texts, which an
    earlier save left behind."""
    container = opened(payload)
    texts: list[str] = []
    for text in _atoms(stream_of(container, "PowerPoint Document")):
        plain = text.replace("\r", "\n").replace("\x0b", " ").strip()
        if plain and (len(plain) < _LONG or plain not in texts):
            texts.append(plain)
    return _said(container, re.sub("[\x00-\x08\x0e-\x1f]", "", "\n\n".join(texts)), "ppt")


def _atoms(data: bytes) -> Iterator[str]:
    """The texts of the records, from containers of every depth."""
    at = 0
    while at + 8 <= len(data):
        version, kind, length = struct.unpack_from("<HHI", data, at)
        at += 8
        # The list of texts of masters is instance 1; notes that belong to no slide are their master.
        is_master = kind in _MASTERS or (kind == _TEXT_LIST and version >> 4 == 1)
        is_master = is_master or (kind == _NOTES and data[at + 8 : at + 12] == b"\0\0\0\0")
        if version & 0xF == 0xF and not is_master:  # a container: its records follow
            continue
        body = data[at : at + length]
        if kind == _TEXT_CHARS:
            yield body.decode("utf-16-le", "replace")
        elif kind == _TEXT_BYTES:
            yield body.decode("latin-1")
        at += length


_RTF = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-f]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.IGNORECASE
)
_RTF_FONT = re.compile(rb"\{\\f(\d+)\b[^;]{0,200}?\b(Wingdings(?: [23])?|Webdings|Symbol);", re.IGNORECASE)
_RTF_SIGNS = {
    "par": "\n\n", "line": "\n", "tab": "\t", "cell": "\t", "row": "\n", "page": "\n\n", "sect": "\n\n", "emdash": "—",
    "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ",
    "enspace": " ",
}  # fmt: skip
_RTF_RAISED = {"super": "^", "sub": "_", "nosupersub": ""}
_RTF_SKIPPED = frozenset(
    "fonttbl colortbl stylesheet info pict object header footer headerl headerr headerf footerl footerr footerf fldinst "
    "themedata colorschememapping latentstyles datastore xmlnstbl listtable listoverridetable rsidtbl generator operator".split()
)


def extract_rtf(payload: bytes, settings: ExtractSettings) -> Extracted:
    """An RTF document: its text, table cells parted by tabs."""
    if not payload.startswith(b"{\\rtf"):
        raise RefusalError("bad_document", "it does not begin like RTF")
    page = re.search(rb"\\ansicpg(\d{3,5})", payload[:4096])
    code = f"cp{page[1].decode()}" if page else "cp1252"
    try:
        b"".decode(code)
    except LookupError:
        code = "cp1252"
    fonts = {number.decode(): FONTS[name.decode().lower()] for number, name in _RTF_FONT.findall(payload)}
    reader = _Rtf(code, fonts)
    for match in _RTF.finditer(payload):
        reader.take(match)
    found = reader.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    title = re.search(rb"\{\\title ([^{}\\]+)\}", payload[:65536])
    if not found.strip():
        raise RefusalError("no_text", "the document holds no text")
    return Extracted(found, code, title=title[1].decode(code, "replace") if title else None, tabular=True)


class _Rtf:
    """The state of reading RTF: groups that are skipped, and bytes that a `\\u` stands for already."""

    def __init__(self, code: str, fonts: dict[str, int]) -> None:
        self._code = code
        self._parts = self._body = list[str]()
        self._notes: list[list[str]] = []
        self._raw = bytearray()
        self._stack: list[tuple[bool, int, str, bool, str, list[str]]] = []
        self._skipped, self._width, self._left, self._opening = False, 1, 0, False
        self._font, self._fonts = "", fonts
        self._hidden = False
        self._mark = ""
        """What raised or lowered text is marked by, until there is some."""

    @property
    def text(self) -> str:
        """What was read so far, then the notes."""
        self._flush()
        return "\n\n".join("".join(parts) for parts in (self._body, *self._notes) if parts)

    def _flush(self) -> None:
        """Bytes written as `\\'e9` are decoded together: in some code pages two are one sign."""
        if self._raw:
            self._parts.append(self._raw.decode(self._code, "replace"))
            self._raw.clear()

    def take(self, match: re.Match[bytes]) -> None:
        """Take in one token."""
        word, number, sign, symbol, brace, text = match.groups()
        if sign is not None:
            if not self._skipped and not self._hidden and not self._left:
                if font := self._fonts.get(self._font):
                    self._parts.append(sign_of(font, int(sign, 16)))
                else:
                    self._raw += bytes([int(sign, 16)])
            self._left = max(0, self._left - 1)
            return
        self._flush()
        opening, self._opening = self._opening, brace == b"{"
        if brace == b"{":
            self._stack.append((self._skipped, self._width, self._font, self._hidden, self._mark, self._parts))
        elif brace == b"}":
            state = self._stack.pop() if self._stack else (False, 1, "", False, "", self._body)
            self._skipped, self._width, self._font, self._hidden, self._mark, self._parts = state
        elif symbol is not None:
            self._skipped = self._skipped or (symbol == b"*" and opening)
            if not self._skipped and not self._hidden:
                self._parts.append({b"~": " ", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\"}.get(symbol, ""))
        elif word is not None:
            self._word(word.decode().lower(), number, opening)
        elif text is not None and not self._skipped and not self._hidden:
            font, behind = self._fonts.get(self._font, 0), text[self._left :]
            drawn = font and len(behind) <= MOST  # longer text was never meant to be drawn
            said = "".join(sign_of(font, byte) for byte in behind) if drawn else behind.decode(self._code, "replace")
            self._parts.append(marked(self._mark, "".join(self._parts[-1:]), said))
            self._mark = ""
            self._left = max(0, self._left - len(text))

    def _word(self, name: str, number: bytes | None, opening: bool) -> None:
        self._skipped = self._skipped or (opening and name in _RTF_SKIPPED)
        if name == "uc":
            self._width = int(number or 1)
        elif self._skipped:
            return
        elif name == "footnote":  # it stands in the middle of the sentence that it is a note to
            self._parts = []
            self._notes.append(self._parts)
        elif name == "f":
            self._font = (number or b"").decode()
        elif name == "u":
            point, font = int(number or 0) % 65536, self._fonts.get(self._font, 0)
            if not self._hidden:
                self._parts.append(sign_of(font, point) if font and (point < 256 or point >= 0xF000) else chr(point))
            self._left = self._width
        elif name in _RTF_RAISED:
            self._mark = "" if number == b"0" else _RTF_RAISED[name]
        elif name in ("v", "deleted"):
            self._hidden = number != b"0"
        elif name == "plain":
            self._hidden, self._mark = False, ""
        elif name in _RTF_SIGNS and not self._hidden:
            self._parts.append(_RTF_SIGNS[name])
