"""XML to text: the character data, a line per element that holds text of its own, no entities but XML's five."""

import html
from xml.parsers import expat

from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError

_INLINE = (
    "b i u em strong sup sub a ref span term inline quotedText enum num header citation date shortTitle small italic bold sc "
    "monospace underline overline strike xref ext-link uri email styled-content named-content inline-formula"
)
"""Elements that do not start a line: marks within running text, in USLM, JATS and in general."""
_HEADINGS = frozenset(("title", "dc:title", "article-title", "invention-title"))


def extract_xml(payload: bytes, charset: str | None, settings: ExtractSettings) -> Extracted:
    """Text of an XML document, or of one element cut out of it.

    The document type that JATS and others name is not read; entities of HTML that it would declare are known.

    Raises `RefusalError`: `xml_dtd` (entities are declared), `bad_xml`, `too_deep`, `too_many_nodes`.
    """
    reader = _Reader(settings)
    encoding = None if payload[:5].lstrip().startswith(b"<?xml") else (charset or "utf-8")
    try:
        parser = expat.ParserCreate(encoding)
        reader.attach(parser)
        parser.Parse(payload, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise RefusalError("bad_xml", f"not well formed: {error}") from error
    title = " ".join(reader.title.split())[:1000]
    return Extracted(
        text="".join(reader.parts), encoding=(reader.declared or encoding or "utf-8").lower(), title=title or None
    )


class _Reader:
    """Handlers that collect text."""

    def __init__(self, settings: ExtractSettings) -> None:
        self.parts: list[str] = []
        self.title = ""
        self.declared: str | None = None
        self._inline = frozenset(_INLINE.split())
        self._skip = frozenset(settings.xml_skip)
        self._settings = settings
        self._depth = self._nodes = self._skipping = 0
        self._title_at = 0

    def attach(self, parser: expat.XMLParserType) -> None:
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse
        parser.SkippedEntityHandler = self._skipped  # type: ignore[attr-defined]

    def _declare(self, version: str, encoding: str | None, standalone: int) -> None:
        self.declared = encoding

    def _refuse(self, *_: object) -> None:
        raise RefusalError("xml_dtd", "the document declares entities")

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self._text(html.unescape(f"&{name};"))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._nodes += 1
        if self._depth > self._settings.max_depth:
            raise RefusalError("too_deep", f"elements nest deeper than {self._settings.max_depth:,}")
        if self._nodes > self._settings.max_nodes:
            raise RefusalError("too_many_nodes", f"more than {self._settings.max_nodes:,} elements")
        local = name.rpartition(":")[2]
        if not self.title and not self._title_at and (name in _HEADINGS or local in _HEADINGS):
            self._title_at = self._depth
        if self._skipping or local in self._skip:
            self._skipping += 1
        elif local not in self._inline:
            self.parts.append("\n")

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth < self._title_at:
            self._title_at = 0
        if self._skipping:
            self._skipping -= 1
        elif name.rpartition(":")[2] not in self._inline:
            self.parts.append("\n")

    def _text(self, data: str) -> None:
        if self._title_at:
            self.title += data
        if not self._skipping:
            # White space is layout in XML: a line end within running text is a space.
            self.parts.append(data if "\n" not in data else _unbroken(data))


def _unbroken(data: str) -> str:
    words = " ".join(data.split())
    return (" " if data[:1].isspace() else "") + words + (" " if words and data[-1:].isspace() else "")
