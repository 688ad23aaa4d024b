"""Tables of filings as they come out of extraction: every cell in its row, every figure under its heading, no word lost.

Truth is a plain reading of the page by another parser (lxml): each table that holds no other and has figures, as a grid with
rowspan and colspan resolved. Of a row all that counts is the text's signs without white space, so that `$ | 1,234` and `$1,234`
are the same. A figure is under its heading when reading up the columns of the text gives the heading that reading up the grid
gives. Companies are split in two by a hash of their name: rules were made on one half, the numbers are of the other.

With `--browser` the truth is what headless Chromium draws instead (`bench.browser`): cells by where they stand on the page, with
style sheets and HTML's error recovery as a reader sees them.
"""

import hashlib
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import accumulate, islice, pairwise
from typing import Any, NamedTuple

from lxml import html as lxml_html  # pyright: ignore[reportMissingImports]

from bench.browser import chromium_version, drawn
from bench.corpora import members, root
from bench.finance import NO_FILING, extracted
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.methods import readability, resiliparse, trafilatura

FILINGS = ("finance/edgar_filings_b.tar.zst", "finance/edgar_filings_html_a.tar.zst")
PACKAGES = ("resiliparse", "trafilatura", "readability-lxml", "html-to-markdown", "markdownify", "lxml")
KINDS = ("figure", "dash", "one digit", "text", "sign")
_DASH = re.compile(r"[-–—−]{1,2}")
_SIGN = re.compile(r"[$€£¥()%\]\[]{1,3}|[A-Z]{1,3}\$")
_FIGURE = re.compile(r"[$€£(]*[-–—−]?[$(]?[\d][\d,]*(\.\d+)?[%)x]*|[$€£(]*\.\d+[%)]*")
_YEAR = re.compile(r"(19|20)\d\d")
_WORD = re.compile(r"\w+")
_UNSEEN = ("script", "style", "head", "title", "ix:header", "noscript", "template")
_BREAK = re.compile(r"<br/?>")
_PARSER = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)


class Cell(NamedTuple):
    """A cell of a grid: its text without white space and the columns that it spans."""

    text: str
    first: int
    last: int

    @property
    def kind(self) -> str:
        """What the cell holds."""
        if _DASH.fullmatch(self.text):
            return "dash"
        if re.fullmatch(r"\d", self.text):
            return "one digit"
        if _FIGURE.fullmatch(self.text) and not _YEAR.fullmatch(self.text):
            return "figure"
        return "sign" if _SIGN.fullmatch(self.text) else "text"


NEAR = 100
"""Lines within which a row that lost cells stands behind the row before."""
Grid = list[list[Cell]]
"""The filled cells of a table by row."""


def bare(text: str) -> str:
    """Text without white space and what marks raised or stressed text.

    >>> bare("1,234\\xa0 (a)")
    '1,234(a)'
    """
    return re.sub(r"[\s\u200b\ufeff\xad*^_\\]+", "", text)


def seen(element: Any) -> bool:
    """Whether an element is drawn."""
    style = re.sub(r"\s", "", element.get("style") or "").lower()
    return isinstance(element.tag, str) and element.tag not in _UNSEEN and "display:none" not in style


def visible_text(element: Any) -> str:
    """The text of an element and what is in it, without what is never drawn; blocks and cells apart from each other."""
    parts: list[str] = []
    stack: list[Any] = [element]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif seen(item):
            apart = " " if item.tag in ("p", "div", "br", "td", "th", "tr", "li") else ""
            inner: list[Any] = [apart, item.text or ""]
            for child in item:
                inner += [child, child.tail or ""]
            stack += [apart, *reversed(inner)]
    return "".join(parts)


def grid_of(table: Any) -> Grid:
    """A table's cells with text, spans resolved as section 4.9.12 of the HTML standard says."""
    taken: dict[int, int] = {}
    rows: Grid = []
    lines = table.xpath("./tr|./thead/tr|./tbody/tr|./tfoot/tr")
    for line, row in enumerate(lines):
        at, cells = 0, []
        for cell in filter(seen, row.xpath("./td|./th")):
            while taken.get(at, 0) > line:
                at += 1
            across, down = (
                int(found[0]) if (found := re.findall(r"\d+", cell.get(name) or "1")) else 1
                for name in ("colspan", "rowspan")
            )
            for column in range(at, at + max(across, 1)):
                taken[column] = line + down if down else len(lines)
            text = bare(visible_text(cell)) if seen(row) else ""
            if text:
                cells.append(Cell(text, at, at + max(across, 1)))
            at += max(across, 1)
        rows += [cells] if cells else []
    return rows


def grids(page: Any) -> Iterator[Grid]:
    """The innermost tables of a page that hold figures and are drawn."""
    for table in page.iter("table"):
        if table.find(".//table") is not None or not all(map(seen, table.iterancestors())):
            continue
        rows = grid_of(table)
        if holds_figures(rows):
            yield rows


def holds_figures(rows: Grid) -> bool:
    """Whether a table has at least two rows of two filled cells, and two figures."""
    figures = sum(cell.kind in ("figure", "dash", "one digit") for row in rows for cell in row)
    return sum(len(row) > 1 for row in rows) > 1 and figures > 1


class Reading(NamedTuple):
    """Lines of an extracted text: its cells, its signs without white space, and where lines begin with which signs."""

    lines: list[list[str]]
    whole: dict[str, list[int]]
    labels: dict[str, list[int]]


def reading(text: str) -> Reading:
    """The lines of a text that have cells between tabs or bars."""
    lines = [
        [bare(cell) for cell in re.split(r"\t|(?<!\\)\|", line.strip(" |"))]
        for line in _BREAK.sub("", text).split("\n")
    ]
    whole, labels = defaultdict(list), defaultdict(list)
    for number, line in enumerate(lines):
        whole["".join(line)].append(number)
        labels[next((cell for cell in line if cell), "")].append(number)
    return Reading(lines, whole, labels)


def align(rows: list[list[Cell]], found: Reading) -> list[int | None]:
    """The line of the text that each row stands on: first rows and lines that are alike and like no other, in order; then,
    between two of those, the next line with the row's signs, or the next that begins with its first cell."""
    signs = ["".join(cell.text for cell in row) for row in rows]
    often = Counter(signs)
    sure = [
        (at, found.whole[one][0])
        for at, one in enumerate(signs)
        if often[one] == 1 and len(found.whole.get(one, [])) == 1
    ]
    anchors = [(-1, -1), *rising(sure), (len(rows), len(found.lines))]
    lines: list[int | None] = [None] * len(rows)
    for (first, begin), (last, end) in pairwise(anchors):
        if first >= 0:
            lines[first] = begin
        for at in range(first + 1, last):
            line = _next(found.whole.get(signs[at], []), begin, end)
            if line is None:
                lines[at] = _next(found.labels.get(rows[at][0].text, []), begin, min(end, begin + NEAR))
            else:
                lines[at] = begin = line
    return lines


def rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs with rising first numbers in which the second numbers rise, too.

    >>> rising([(0, 5), (1, 2), (2, 3), (3, 9)])
    [(1, 2), (2, 3), (3, 9)]
    """
    lasts: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (_, line) in enumerate(pairs):
        at = bisect_left(lasts, line)
        before.append(ends[at - 1] if at else -1)
        lasts[at:], ends[at:] = [line, *lasts[at + 1 :]], [number, *ends[at + 1 :]]
    chain, number = [], ends[-1] if ends else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _next(lines: list[int], after: int, end: int) -> int | None:
    at = bisect_left(lines, after + 1)
    return lines[at] if at < len(lines) and lines[at] < end else None


def columns_of(row: list[Cell], line: list[str]) -> list[int | None]:
    """The column in a line of the text of each cell of a row; None where it is lost."""
    ends, written = list(accumulate(map(len, line))), "".join(line)
    columns: list[int | None] = []
    at = 0
    for cell in row:
        start = written.find(cell.text, at)
        columns.append(bisect_left(ends, start + 1) if start >= 0 else None)
        at = start + len(cell.text) if start >= 0 else at
    return columns


def score(rows: Grid, lines: list[int | None], found: Reading) -> Counter[str]:
    """Cells of a table that the text has in their row, and figures that it has under their heading."""
    counts: Counter[str] = Counter(tables=1)
    placed = [
        [None] * len(row) if line is None else columns_of(row, found.lines[line])
        for row, line in zip(rows, lines, strict=True)
    ]
    for row, columns in zip(rows, placed, strict=True):
        for cell, column in zip(row, columns, strict=True):
            counts[f"{cell.kind} in"] += 1
            counts[f"{cell.kind} out"] += column is not None
        if len(row) > 1 and any(cell.kind == "figure" for cell in row[1:]):
            counts["rows in"] += 1
            counts["rows out"] += None not in columns
    for line, row in enumerate(rows):
        for cell, column in zip(row, placed[line], strict=True):
            above = heading(rows, line, cell)
            if cell.kind in ("figure", "dash", "one digit") and above and column is not None:
                high, at = above
                wanted = placed[high][at]
                following = [other for other in placed[high][at + 1 :] if other is not None]
                counts["headed in"] += 1
                counts["headed out"] += wanted is not None and wanted <= column < min(following, default=column + 1)
    return counts


def heading(rows: Grid, line: int, figure: Cell) -> tuple[int, int] | None:
    """The nearest heading above a figure: row and place of a text or a year, in a row of several, whose columns meet its own."""
    for high in range(line - 1, -1, -1):
        for at, cell in enumerate(rows[high]):
            meets = cell.first < figure.last and figure.first < cell.last
            if meets and len(rows[high]) > 1 and cell.first > 0 and (cell.kind == "text" or _YEAR.fullmatch(cell.text)):
                return high, at
    return None


def half(path: str) -> int:
    """0 for companies that rules were made on, 1 for the others."""
    parts = path.split("/")
    company = parts[3] if "10k_10q" in path else parts[-1].split("_")[0] if "/8k/" in path else ""
    return hashlib.sha256(company.encode()).digest()[0] & 1 if company else 0


def filings(which: int) -> list[tuple[str, bytes]]:
    """The HTML filings of one half."""
    return [
        (path, body)
        for name in FILINGS
        for path, body in members(root() / name)
        if path.lower().endswith((".htm", ".html")) and not NO_FILING.search(path) and half(path) == which
    ]


def ours(path: str, body: bytes) -> tuple[str, str]:
    """The text of the whole product path, and the page furniture that it cut."""
    rows = extracted([(path, body)], "html").select(["text", "edits"]).to_pylist()
    if not rows:
        return "", ""
    cut = [(edit["text"] + "\n") * edit["count"] for edit in rows[0]["edits"] if edit["rule"] == "page_furniture"]
    return rows[0]["text"], "".join(cut)


def html_to_markdown(page: str) -> str:
    from html_to_markdown import convert  # pyright: ignore[reportMissingImports]

    return str(getattr(found := convert(page), "content", found))


def markdownify(page: str) -> str:
    from markdownify import markdownify as convert  # pyright: ignore[reportMissingImports]

    return convert(page)


PEERS: dict[str, Callable[[str], str]] = {
    "resiliparse": partial(resiliparse, settings=ExtractSettings()),
    "trafilatura": partial(trafilatura, settings=ExtractSettings()),
    "readability": partial(readability, settings=ExtractSettings()),
    "html-to-markdown": html_to_markdown,
    "markdownify": markdownify,
}


class Truth(NamedTuple):
    """A filing, its tables and its visible words as another reader sees them."""

    path: str
    body: bytes
    grids: list[Grid]
    words: Counter[str]


def truth(path: str, body: bytes) -> Truth:
    """A filing read plainly by lxml."""
    page = lxml_html.fromstring(re.sub(rb"^\s*<\?xml[^>]*>", b"", body), parser=_PARSER)
    return Truth(path, body, list(grids(page)), Counter(_WORD.findall(visible_text(page))))


def drawn_truth(path: str, body: bytes) -> Truth:
    """A filing as Chromium draws it; a column is a pixel."""
    tables, text = drawn(body)
    rows = [
        [[Cell(signs, first, last) for cell, first, last in row if (signs := bare(cell))] for row in table]
        for table in tables
    ]
    return Truth(path, body, list(filter(holds_figures, rows)), Counter(_WORD.findall(text)))


def measure(truths: list[Truth], side: str) -> Counter[str]:
    """Cells, rows, figures under headings and words, in the pages and in one extractor's text of them."""
    counts: Counter[str] = Counter()
    for page in truths:
        text, cut = (
            ours(page.path, page.body) if side == "ours" else (PEERS[side](page.body.decode("utf-8", "replace")), "")
        )
        found = reading(text)
        lines = iter(align([row for rows in page.grids for row in rows], found))
        for rows in page.grids:
            counts += score(rows, list(islice(lines, len(rows))), found)
        written, furnishing = (Counter(_WORD.findall(part)) for part in (text, cut))
        wanted = page.words - furnishing
        counts["words in"] += wanted.total()
        counts["words out"] += (wanted & written).total()
        counts["words gained"] += (written - page.words).total()
        counts["furniture"] += furnishing.total()
    return counts


def shares(counts: Counter[str]) -> dict[str, float]:
    """Percentages of what was in the pages."""
    names = [*KINDS, "rows", "headed", "words"]
    return {name: 100 * counts[f"{name} out"] / max(1, counts[f"{name} in"]) for name in names}


def run(size_mb: int = 100, browser: bool = False) -> dict[str, Any]:
    """Shares of cells, rows, figures under their heading and words kept, on filings of the companies held out.

    Every eighth filing for peers, all with a size above 100; with `browser` that sample for ours, too.
    """
    items = sorted(filings(1), key=lambda item: hashlib.sha256(item[0].encode()).digest())
    small = items[:: 1 if size_mb > 100 else 8]
    read = drawn_truth if browser else truth
    sample = [read(*item) for item in small]
    results = {side: measure(sample, side) for side in ("ours", *PEERS)}
    held = results["ours"] if browser else measure([truth(*item) for item in items], "ours")
    shown = results if browser else {"ours, all held out": held, **results}
    columns = (*KINDS, "rows", "headed", "words")
    table = [[side, *(round(shares(counts)[name], 2) for name in columns)] for side, counts in shown.items()]
    ours_share, peer_share = shares(held)["figure"], shares(results["resiliparse"])["figure"]
    versions = {name: version(name) for name in PACKAGES} | ({"Chromium": chromium_version()} if browser else {})
    return {
        "name": "tables",
        "unit": "% of figures in their row",
        "ours": ours_share,
        "peer": peer_share,
        "ratio": ours_share / max(0.1, peer_share),
        "peer_name": "resiliparse",
        "versions": versions,
        "input": f"{len(small if browser else items)} filings, {held['tables']:,} tables; peers on {len(small)}",
        "rounds": 1,
        "counts": dict(held),
        "tables": {"cells": {"head": ["", *KINDS, "rows whole", "under their heading", "words"], "rows": table}},
    }
