"""Documents of programs: words right and words found against expected text, pages and files a CPU second, nothing lost.

Input: `${CORPORA}/documents/documents_a.tar.zst`, 116 files of 20 formats and the Markdown that their projects expect of some.
That Markdown is another tool's output: it names the kind of every chart and the authors of comments, repeats merged cells and
counts lists, none of which is in the text. So recall has a ceiling below one that is the same for every side.
Peers, where they are installed: kreuzberg 4 (Rust, all formats), markitdown (Python), pdf_oxide (Rust, PDF), and PDFium's own
order of text. Each file in a process of its own would be fairer to crashes; here a side that raises has no words of that file.
"""

import io
import re
import statistics
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import zstandard

from bench.corpora import root
from pipeline.extract.documents.kinds import EXTRACTORS, extract_document
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import RefusalError
from pipeline.ingest.kinds import kind_of_name

ROUNDS = 3
FILE = "documents/documents_a.tar.zst"
_WORD = re.compile(r"\w+")
_MARKDOWN = ((re.compile(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)", re.DOTALL), ""), (re.compile(r"\]\([^)]*\)"), "]"))

Side = Callable[[bytes, str], str]


def files() -> dict[str, bytes]:
    """Every file of the set by its path."""
    with open(root() / FILE, "rb") as packed:
        data = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(packed).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: f.read() for m in archive if (f := archive.extractfile(m)) is not None}


def expected(path: str, there: dict[str, bytes]) -> str | None:
    """The text that is expected of a file, without Markdown's signs."""
    pure = PurePosixPath(path)
    data = there.get(f"{path}.md", there.get(str(pure.with_suffix(".md"))))
    if data is None:
        return None
    text = data.decode("utf-8", "replace")
    for pattern, instead in _MARKDOWN:
        text = pattern.sub(instead, text)
    return text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("\\_", "_")


def words(text: str) -> Counter[str]:
    """Words in lower case with their counts."""
    return Counter(word.lower() for word in _WORD.findall(text))


def ours(data: bytes, path: str) -> str:
    """Our text, "" where a reason was given."""
    try:
        return extract_document(data, kind_of_name(path) or "", _SETTINGS).text
    except RefusalError:
        return ""


_SETTINGS = ExtractSettings.model_validate({})


def kreuzberg(data: bytes, path: str) -> str:
    """kreuzberg's text."""
    from kreuzberg import detect_mime_type_from_path, extract_bytes_sync  # pyright: ignore[reportMissingImports]

    try:
        return extract_bytes_sync(data, mime_type=detect_mime_type_from_path(path)).content
    except Exception:  # noqa: BLE001 - a file that a peer refuses has no words
        return ""


def markitdown(data: bytes, path: str) -> str:
    """markitdown's Markdown."""
    from markitdown import MarkItDown  # pyright: ignore[reportMissingImports]

    try:
        return MarkItDown().convert_stream(io.BytesIO(data), file_extension=PurePosixPath(path).suffix).text_content
    except Exception:  # noqa: BLE001
        return ""


def bare_pdfium(data: bytes, path: str) -> str:
    """PDFium's text as it comes."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    except pypdfium2.PdfiumError:
        return ""


def pdf_oxide(data: bytes, path: str) -> str:
    """pdf_oxide's text."""
    from pdf_oxide import PdfDocument  # pyright: ignore[reportMissingImports]

    try:
        document = PdfDocument.from_bytes(data)
        return "\n".join(document.extract_text(number) for number in range(document.page_count()))
    except Exception:  # noqa: BLE001
        return ""


def installed(sides: dict[str, Side]) -> dict[str, Side]:
    """The sides whose library is there."""
    found = {}
    for name, side in sides.items():
        try:
            side(b"", "a.pdf")
        except ModuleNotFoundError:
            continue
        found[name] = side
    return found


def quality(side: Side, paths: list[str], there: dict[str, bytes]) -> dict[str, float]:
    """Means over the files that have expected text: recall, precision, F1 of words."""
    recalls, precisions = [], []
    for path in paths:
        wanted, got = words(expected(path, there) or ""), words(side(there[path], path))
        common = (wanted & got).total()
        recalls.append(common / max(1, wanted.total()))
        precisions.append(common / max(1, got.total()))
    pairs = zip(recalls, precisions, strict=True)
    f1 = statistics.mean(2 * r * p / (r + p) if r + p else 0.0 for r, p in pairs)
    return {"recall": statistics.mean(recalls), "precision": statistics.mean(precisions), "f1": f1, "files": len(paths)}


def pages_per_second(side: Side, there: dict[str, bytes]) -> float:
    """Pages of the filings' PDFs a CPU second, median of rounds."""
    import pypdfium2

    pdfs = [path for path in there if path.startswith("sec_pdf/") and "INTEL_2023_8K" not in path]
    pages = sum(len(pypdfium2.PdfDocument(there[path])) for path in pdfs)
    speeds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for path in pdfs:
            side(there[path], path)
        speeds.append(pages / (time.process_time() - start))
    return statistics.median(speeds)


def run() -> dict[str, Any]:
    """Words by format against every side that is installed; speed on PDF."""
    there = {path.removeprefix("./"): data for path, data in files().items()}
    kinds: dict[str, list[str]] = {}
    for path in sorted(there):
        if kind_of_name(path) in EXTRACTORS and expected(path, there) is not None:
            kinds.setdefault(PurePosixPath(path).suffix[1:], []).append(path)
    sides = installed(
        {"ours": ours, "kreuzberg": kreuzberg, "markitdown": markitdown, "PDFium": bare_pdfium, "pdf_oxide": pdf_oxide}
    )
    table = {
        kind: {
            name: quality(side, paths, there)
            for name, side in sides.items()
            if kind == "pdf" or name not in ("PDFium", "pdf_oxide")
        }
        for kind, paths in kinds.items()
    }
    speeds = {name: pages_per_second(side, there) for name, side in sides.items() if name != "markitdown"}
    without = [path for path in there if kind_of_name(path) in EXTRACTORS and not ours(there[path], path)]
    for kind, row in table.items():
        for name, found in row.items():
            shown = ", ".join(f"{what} {found[what]:.3f}" for what in ("recall", "precision", "f1"))
            print(f"{kind:6} {name:11} {shown} over {found['files']} files")
    return {
        "unit": "PDF pages per CPU second",
        "ours": speeds["ours"],
        "peer": speeds.get("kreuzberg"),
        "ratio": speeds["ours"] / speeds["kreuzberg"] if "kreuzberg" in speeds else None,
        "peer_name": "kreuzberg",
        "speeds": {name: round(speed, 1) for name, speed in speeds.items()},
        "words": table,
        "refused_with_a_reason": without,
        "versions": versions(),
        "input": f"{len(there)} files of {FILE}",
        "rounds": ROUNDS,
    }


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    from pipeline.core.fingerprint import library_versions

    found = library_versions(["pypdfium2", "python-calamine", "olefile", "kreuzberg", "markitdown", "pdf_oxide"])
    return {name: version for name, version in found.items() if version != "absent"}
