"""Which extractor a kind of document has."""

import json
import posixpath
import re
from urllib.parse import unquote

from pipeline.extract.documents.legacy import extract_doc, extract_ppt, extract_rtf
from pipeline.extract.documents.office import (
    Container,
    Extractor,
    described,
    extract_docx,
    extract_odf,
    extract_pptx,
)
from pipeline.extract.documents.parts import local
from pipeline.extract.documents.pdf import extract_pdf
from pipeline.extract.documents.sheets import extract_sheets
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import extract_html
from pipeline.extract.payload import Extracted, RefusalError

_TIMES = re.compile(r"(?:\d+:)?\d+:\d\d[.,]\d{3} --> .*")
_TAG = re.compile(r"</?[a-z][^<>]*>|\{\\[^}]*\}")


def extract_epub(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A book: the pages of its spine in their order."""
    container = Container(payload)
    root = next(
        (
            one.get("full-path", "")
            for one in container.xml("META-INF/container.xml").iter()
            if local(one) == "rootfile"
        ),
        "",
    )
    package, folder = container.xml(root), posixpath.dirname(root)
    hrefs = {item.get("id"): unquote(item.get("href", "")) for item in package.iter() if local(item) == "item"}
    pages = []
    whole = settings.model_copy(update={"main_content": False})
    for item in package.iter():
        page = container.read(posixpath.normpath(posixpath.join(folder, hrefs.get(item.get("idref"), ""))))
        if local(item) == "itemref" and page:
            pages.append(extract_html(page, None, whole).text)
    return described(container, "\n\n".join(page for page in pages if page.strip()), root, "epub")


def extract_notebook(payload: bytes, settings: ExtractSettings) -> Extracted:
    """A Jupyter notebook: the cells' sources, text and code, without outputs."""
    try:
        found = json.loads(payload)
        cells = (
            found["cells"] if "cells" in found else [cell for sheet in found["worksheets"] for cell in sheet["cells"]]
        )
        sources = [cell.get("source", cell.get("input", "")) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RefusalError("bad_document", f"not a notebook: {error!r}"[:200]) from error
    texts = ["".join(source) if isinstance(source, list) else str(source) for source in sources]
    return Extracted("\n\n".join(text for text in texts if text.strip()), "utf-8", note=f"{len(cells)} cells")


def extract_subtitles(payload: bytes, settings: ExtractSettings) -> Extracted:
    """WebVTT or SubRip: what is said, without numbers, times and marks."""
    said = []
    for block in re.split(r"\n\s*\n", payload.decode("utf-8-sig", "replace").replace("\r\n", "\n")):
        lines = block.split("\n")
        at = next((at for at, line in enumerate(lines) if _TIMES.match(line.strip())), None)
        if at is not None:
            said.append(_TAG.sub("", " ".join(line.strip() for line in lines[at + 1 :])).strip())
    return Extracted("\n".join(line for line in said if line), "utf-8")


EXTRACTORS: dict[str, Extractor] = {
    "pdf": extract_pdf,
    "docx": extract_docx,
    "doc": extract_doc,
    "ppt": extract_ppt,
    "rtf": extract_rtf,
    "pptx": extract_pptx,
    "odt": extract_odf,
    "odp": extract_odf,
    "xlsx": extract_sheets,
    "xls": extract_sheets,
    "ods": extract_sheets,
    "epub": extract_epub,
    "ipynb": extract_notebook,
    "subtitles": extract_subtitles,
}
"""By the kind that ingest gives a record."""


def extract_document(payload: bytes, kind: str, settings: ExtractSettings) -> Extracted:
    """The text of a document. Raises RefusalError, as `not_installed` when the extra `documents` is not there."""
    try:
        found = EXTRACTORS[kind](payload, settings)
    except ModuleNotFoundError as error:
        detail = f"files of kind {kind} need {error.name}: pip install 'domain-corpus[documents]'"
        raise RefusalError("not_installed", detail) from error
    found.markup = found.text.encode("utf-8", "replace")  # what counts as raw text: not the bytes of a container
    return found
