"""Office files to text: XML in a zip container (docx, pptx, odt, odp and the charts and comments of xlsx).

Written here because text is all that is wanted: one walk over the parts, in the order of reading, finds what libraries that
model pages leave out (text boxes, charts, comments, notes), in a tenth of their time.
"""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from pipeline.extract.documents.formulas import formula
from pipeline.extract.documents.lists import number_slide, number_word
from pipeline.extract.documents.parts import FONTS, child_of, local, marked, number_of, said, sign_of, value_of
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError
from pipeline.ingest.account import HIDDEN

MAX_PART_BYTES = 2**28
"""Of one part of a container, unpacked."""
_SKIPPED = frozenset(
    "instrText delText moveFrom rPr pPr sectPr tblPr trPr tcPr Fallback binData tracked-changes sequence-decls forms "
    "note-citation bookmark-start scripts automatic-styles font-face-decls".split()
)
_PARAGRAPHS, _TABLES, _ROWS = ("p", "h"), ("tbl", "table"), ("tr", "table-row")
_CELLS, _SIGNS = (
    ("tc", "table-cell", "covered-table-cell"),
    {"tab": " ", "br": "\n", "cr": "\n", "line-break": "\n", "noBreakHyphen": "-", "s": " "},
)
_MOST_COLUMNS = 1024
"""Repeated columns that are believed: a sheet's empty rest is one cell, repeated."""
_RAISED = {"superscript": "^", "subscript": "_"}
_NUMBER = re.compile(r"(\d+)")


class Container:
    """The parts of a zipped document."""

    def __init__(self, payload: bytes) -> None:
        if payload.startswith(b"\xd0\xcf\x11\xe0"):
            raise RefusalError("password", "the document is locked by a password")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(payload))
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise RefusalError("bad_document", f"its container is damaged: {error}") from error
        self.names = self._zip.namelist()

    def read(self, name: str) -> bytes:
        """The bytes of a part, b"" when it is not there."""
        if name not in self.names:
            return b""
        return b"".join(self.pieces(name, MAX_PART_BYTES, MAX_PART_BYTES))

    def pieces(self, name: str, limit: int, size: int) -> Iterator[bytes]:
        """The bytes of a part that is there, `size` at a time. Raises RefusalError when it has more than `limit`."""
        try:
            if self._zip.getinfo(name).file_size > limit:
                raise RefusalError("too_large", f"the part {name} has more than {limit:,} bytes")
            with self._zip.open(name) as part:
                while piece := part.read(size):
                    yield piece
        except RuntimeError as error:
            raise RefusalError("password", f"the part {name} is locked by a password") from error
        except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, EOFError) as error:
            raise RefusalError("bad_document", f"the part {name} is damaged: {error}") from error

    def xml(self, name: str) -> ElementTree.Element:
        """A part's root; an empty element when it is not there. Office files declare no entities: who does is refused."""
        data = self.read(name)
        if not data:
            return ElementTree.Element("none")
        if b"<!ENTITY" in data[:4096]:
            raise RefusalError("xml_dtd", f"the part {name} declares entities")
        try:
            return ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            raise RefusalError("bad_document", f"the part {name} is not well formed: {error}") from error

    def matching(self, pattern: str) -> list[str]:
        """Parts whose names match, in the order of the numbers in them."""
        found = [name for name in self.names if re.fullmatch(pattern, name)]
        return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in _NUMBER.split(name)])


def blocks(element: ElementTree.Element, mixed: bool = False) -> list[str]:
    """Paragraphs and tables under an element, a table's rows one a line with tabs between cells.

    `mixed`: text stands between elements (ODF), not in elements of its own (`t`, OOXML).
    """
    name = local(element)
    if name in _SKIPPED:
        return []
    if name == "AlternateContent":
        return next((found for child in element if (found := blocks(child, mixed))), [])
    if name in _PARAGRAPHS:
        inside: list[str] = []
        text = _run(element, mixed, inside).strip()
        return [text, *inside] if text else inside
    if name in _TABLES:
        rows = [_row(row, mixed) for row in _inside(element, _ROWS)]
        return ["\n".join(row for row in rows if row.strip())] if any(row.strip() for row in rows) else []
    return [block for child in element for block in blocks(child, mixed)]


def _inside(element: ElementTree.Element, wanted: tuple[str, ...]) -> Iterator[ElementTree.Element]:
    """The rows of a table or the cells of a row, also within controls and groups; those of a table in a cell are not theirs."""
    for child in element:
        if local(child) in wanted:
            yield child
        elif local(child) not in _TABLES:
            yield from _inside(child, wanted)


def _row(row: ElementTree.Element, mixed: bool) -> str:
    """Cells between tabs, each in its column: a cell over several columns has empty ones behind it."""
    cells = [""] * _columns(value_of(child_of(row, "trPr"), "gridBefore"), 0)
    for cell in _inside(row, _CELLS):
        text = " ".join(" ".join(blocks(cell, mixed)).split())
        cells += [text] * _columns(said(cell, "number-columns-repeated"), 1)
        cells += [""] * (_columns(value_of(child_of(cell, "tcPr"), "gridSpan"), 1) - 1)
    return "\t".join(cells).rstrip("\t")


def _columns(text: str, otherwise: int) -> int:
    return min(number_of(text, otherwise), _MOST_COLUMNS)


def _run(element: ElementTree.Element, mixed: bool, inside: list[str]) -> str:
    """The text of a paragraph; paragraphs inside it (text boxes, notes) go to `inside`."""
    parts = [element.text or ""] if mixed else []
    for child in element:
        name = local(child)
        if name == "t" and not mixed:
            parts.append(child.text or "")
        elif name in _SIGNS:
            parts.append(_SIGNS[name])
        elif name in (*_PARAGRAPHS, *_TABLES, "txbxContent", "text-box", "note-body", "annotation", "AlternateContent"):
            inside += blocks(child, mixed)
        elif name == "sym" and (font := FONTS.get(said(child, "font").lower())):
            parts.append(sign_of(font, _code(said(child, "char"))))
        elif name in ("oMath", "oMathPara"):
            parts.append(formula(child))
        elif name == "r":
            sign = _RAISED.get(value_of(child_of(child, "rPr"), "vertAlign"), "")
            parts.append(marked(sign, "".join(parts[-1:]), _run(child, mixed, inside)))
        elif name not in _SKIPPED and not (name == "fld" and child.get("type") == "slidenum"):
            parts.append(_run(child, mixed, inside))
        if mixed:
            parts.append(child.tail or "")
    text = "".join(parts)
    return re.sub(r"[ \t\r\n]+", " ", text) if mixed and local(element) in _PARAGRAPHS else text


def _code(digits: str) -> int:
    return int(digits, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,4}", digits) else 0


def charts(container: Container, pattern: str) -> list[str]:
    """The titles and the cached figures of charts: a row a category, a column a series."""
    found = []
    for name in container.matching(pattern):
        root = container.xml(name)
        found += [
            " ".join(block.split()) for title in root.iter() if local(title) == "title" for block in blocks(title)
        ]
        series = [element for element in root.iter() if local(element) == "ser"]
        columns = [_points(one, ("cat", "xVal")) for one in series[:1]] + [
            _points(one, ("val", "yVal")) for one in series
        ]
        heads = ["", *(" ".join(_points(one, ("tx",))) for one in series)]
        rows = [
            heads,
            *(
                [column[at] if at < len(column) else "" for column in columns]
                for at in range(max(map(len, columns), default=0))
            ),
        ]
        found += ["\n".join("\t".join(row) for row in rows)] if series else []
    return found


def _points(series: ElementTree.Element, names: tuple[str, ...]) -> list[str]:
    holders = [child for child in series if local(child) in names]
    return [_figure(value.text or "") for holder in holders for value in holder.iter() if local(value) == "v"]


def _figure(text: str) -> str:
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


def comments(container: Container, pattern: str) -> list[str]:
    """The texts of comments; Excel writes a threaded one a second time, after a notice."""
    found = []
    for name in container.matching(pattern):
        for holder in container.xml(name).iter():
            if local(holder) in ("text", "txBody"):
                text = " ".join("".join(part for part in holder.itertext()).split())
                found.append(text.rpartition("Comment: ")[2] if text.startswith("[Threaded comment]") else text)
    return [text for text in dict.fromkeys(found) if text]


def described(container: Container, text: str, meta: str, kind: str, note: str = "") -> Extracted:
    """The text with the title, date and author that the container's metadata name."""
    if not text.strip():
        raise RefusalError("no_text", "; ".join(part for part in ("the document holds no text", note) if part))
    said: dict[str, str] = {}
    for element in container.xml(meta).iter():
        if element.text and element.text.strip():
            said.setdefault(local(element), element.text.strip())
    date = (said.get("created") or said.get("creation-date") or said.get("date") or "")[:10]
    notes = [note, f"author {said['creator']}" if said.get("creator") else ""]
    return Extracted(
        text,
        kind,
        title=said.get("title"),
        tabular=True,
        date=date or None,
        note="; ".join(n for n in notes if n) or None,
    )


def extract_docx(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A Word document: body, then notes, comments and charts. Headers and footers are its pages' furniture."""
    container = Container(payload)
    main = next(iter(container.matching(r"word/document\d*\.xml")), "word/document.xml")
    body, styles = container.xml(main), container.xml("word/styles.xml")
    number_word(body, container.xml("word/numbering.xml"), styles)
    unseen = _hidden_styles(styles)
    found, hidden = [], 0
    for root in (body, *(container.xml(f"word/{part}.xml") for part in ("footnotes", "endnotes", "comments"))):
        hidden += _drop_hidden(root, unseen)
        found += blocks(root)
    found += charts(container, r"word/charts/chart\d*\.xml")
    note = f"{HIDDEN}: {hidden:,} words" if hidden else ""
    return described(container, "\n\n".join(found), "docProps/core.xml", "docx", note)


def _drop_hidden(root: ElementTree.Element, styles: set[str]) -> int:
    """Empty the runs of a part of a Word document that are hidden text; how many words they held."""
    words, all_of_it = 0, False
    for element in root.iter():
        if local(element) == "p":
            all_of_it = value_of(child_of(element, "pPr"), "pStyle") in styles
        elif local(element) == "r" and _is_hidden(
            element, all_of_it or value_of(child_of(element, "rPr"), "rStyle") in styles
        ):
            words += len("".join(element.itertext()).split())
            element[:] = [part for part in element if local(part) == "rPr"]
    return words


def _hidden_styles(styles: ElementTree.Element) -> set[str]:
    """The names of styles that hide text, and of those based on them."""
    based: dict[str, list[ElementTree.Element]] = {}
    for style in styles:
        based.setdefault(value_of(style, "basedOn"), []).append(style)
    found, waiting = set[str](), [style for style in styles if _is_hidden(style, False)]
    while waiting:
        name = said(waiting.pop(), "styleId")
        if name and name not in found:
            found.add(name)
            waiting += [style for style in based.get(name, ()) if _is_hidden(style, True)]
    return found


def _is_hidden(element: ElementTree.Element, otherwise: bool) -> bool:
    """Whether a style or run is hidden: by its own word, `otherwise` when it has none."""
    own = child_of(child_of(element, "rPr"), "vanish")
    return otherwise if own is None else said(own, "val") not in ("0", "false", "off")


def extract_pptx(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A presentation: each slide with its charts, notes and comments, slides parted by form feeds."""
    container = Container(payload)
    slides = []
    names = [path for _, path in in_order(container, "ppt/presentation.xml", "sldId")]
    names = names or container.matching(r"ppt/slides/slide\d+\.xml")
    for name in names:
        slide = container.xml(name)
        number_slide(slide)
        found = blocks(slide)
        folder, last = posixpath.split(name)
        for relation in container.xml(f"{folder}/_rels/{last}.rels"):
            target = posixpath.normpath(posixpath.join(folder, relation.get("Target", "")))
            if "/charts/chart" in target:
                found += charts(container, re.escape(target))
            elif "/notesSlides/" in target:
                found += blocks(container.xml(target))
            elif "/comments/" in target:
                found += comments(container, re.escape(target))
        slides.append("\n\n".join(found))
    return described(container, "\n\f\n".join(slides), "docProps/core.xml", "pptx", f"{len(names)} slides")


def in_order(container: Container, part: str, name: str) -> list[tuple[ElementTree.Element, str]]:
    """The elements of this name in a presentation or workbook and the parts that they stand for, in its order."""
    folder, last = posixpath.split(part)
    targets = {
        relation.get("Id"): relation.get("Target", "") for relation in container.xml(f"{folder}/_rels/{last}.rels")
    }
    found = []
    for element in container.xml(part).iter():
        if local(element) == name:
            wanted = next((value for key, value in element.items() if key.endswith("}id")), None)
            # "/xl/worksheets/sheet1.xml" begins at the container's root
            found.append(
                (element, posixpath.normpath(posixpath.join("/", folder, targets.get(wanted, ""))).lstrip("/"))
            )
    return [(element, path) for element, path in found if path in container.names]


def extract_odf(payload: bytes, settings: ExtractSettings) -> Extracted:
    """An OpenDocument text or presentation, with the charts embedded in it."""
    container = Container(payload)
    found = blocks(container.xml("content.xml"), mixed=True)
    for name in container.matching(r"Object \d+/content\.xml"):
        found += blocks(container.xml(name), mixed=True)
    return described(container, "\n\n".join(found), "meta.xml", "odf")


Extractor = Callable[[bytes, ExtractSettings], Extracted]
