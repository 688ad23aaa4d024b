"""Page numbers and running headers of paged text, told by where they stand and how they repeat, never by a list of words.

Filings, PDFs and reports repeat at the edge of every page what a reader skips: "Table of Contents", a company's name, "F-12".
A line at the edge of a page is furniture when the same line stands at the edge of other pages, or when it differs from them
in one number that goes up with the pages. Lines are only cut from the edge inwards, so that a repeated line inside a page
stays, and a row of figures is only cut when it counts pages. The trade-off: a heading that opens every third page of a
report by chance goes too. What was cut is kept beside the document (see `Edit`).

Pages are parted by form feeds, which the readers write for `<PAGE>` marks, CSS page breaks and the pages of a PDF. Where
there is none, a run of lone numbers that go up by one at a page's distance shows where the pages end.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from statistics import median

from pipeline.extract.payload import Edit

EDGE = 5
"""Lines with text at the top and at the bottom of a page that may be furniture."""
LEAST_PAGES = 3
"""Pages on which the same line must stand."""
LOCAL_PAGES = 4
"""The same for a line that stands on less than a fifth of the pages, near each other: the header of one part."""
_NEAR = 3
"""Pages between two places of one running header: odd and even pages may have different ones, and plates may lack them."""
_LONGEST = 160
_INFERRED = 5
"""Lone numbers in a row from which they count as page numbers where no page is marked."""
_PAGE_CHARACTERS, _SHORT_PAGE = (800, 12_000), 150
"""What the middle page of a text without page marks may hold; the least where nothing but numbers is written there."""
_REGULAR = 0.25, 2.5
_MOSTLY = 0.8
"""Pages hold about as much as each other, chapters and notes do not: this share is within these multiples of the middle one."""
_INTERRUPTED = 0.08
"""Share of the page ends that interrupt a sentence."""

_NUMBER = re.compile(r"\d+")
_ROMAN = re.compile(r"[ivxl]+")
_TAIL = r"[^\n]*?(?<!\d)(\d{1,4})(?:[^\S\n]*(?:/|of|von|de|di|sur)[^\S\n]*\d{1,4}(?: [^\W\d_]+)?)?(?:[])*|.页_–—-]|[^\S\n])*$"
_SHORT = re.compile(
    rf"^[^\S\n]*(?=[^#\n][^\n]{{0,99}}$)(?:[-–—\[(*_|]*[^\S\n]*(\d{{1,4}})(?!\d)[^\n]*$|{_TAIL})", re.MULTILINE
)
"""A short line that begins or ends with a number or `7 of 60`, bare, in brackets or between dashes; no heading of Markdown."""
_ENDING = re.compile(_TAIL, re.MULTILINE)
"""The rest of one that begins with a number and ends with another."""
_PAGE_SHAPE = re.compile(r"(?i)\b(?:page|seite|página|pagina|p\.)|第|- |– |— | (?:of|von|de|sur|di) \d|/\d")
"""What is written around the numbers of pages and not around those of chapters."""
_WORD = re.compile(r"\b(?!pages?\b|of\b|seite\b|von\b|p\b)[^\W\d_]{2}", re.IGNORECASE)
_FIGURE_CELL = re.compile(r"(?:\t|  +)[$€£(\-–—\s]*\d[\d,.]*[)%\s]*(?=\t|  |$)")
_ENDS_OPEN = re.compile(r"[a-z,;]$")


@dataclass
class _Page:
    """The lines with text of one page: positions in the list of all lines."""

    lines: list[int] = field(default_factory=list)

    def edges(self) -> Iterator[tuple[str, list[int]]]:
        """The lines that may be furniture, from the edge inwards."""
        yield "top", self.lines[:EDGE]
        yield "bottom", self.lines[::-1][:EDGE]


def cut_furniture(text: str, separator: str = "\n") -> tuple[str, list[Edit]]:
    """The text without page furniture and form feeds, and what was cut, each different line once with its count.

    A sentence that a page break interrupts goes on: `separator` stands in place of the break.
    """
    if "\f" not in text:
        text = _with_inferred_pages(text)
        if "\f" not in text:
            return text, []
    lines = re.sub(r"[^\S\n]*\f[^\S\n]*", "\n\f\n", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    pages = _pages(lines)
    furniture = {line for _, line in _furniture(lines, pages)}
    cut: set[int] = set()
    for page in pages:
        for _, edge in page.edges():
            cut.update(takewhile(furniture.__contains__, edge))
    counts = Counter(" ".join(lines[line].split()) for line in sorted(cut))
    return _joined(lines, cut, separator), [Edit("page_furniture", line, count) for line, count in counts.items()]


def _pages(lines: list[str]) -> list[_Page]:
    pages = [_Page()]
    for number, line in enumerate(lines):
        if line == "\f":
            pages.append(_Page())
        elif line.strip():
            pages[-1].lines.append(number)
    return [page for page in pages if page.lines]


def _furniture(lines: list[str], pages: list[_Page]) -> set[tuple[int, int]]:
    """Pairs of page and line that repeat over pages, or count them."""
    same: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    counting: defaultdict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for side, edge in page.edges():
            for line in edge:
                words = " ".join(lines[line].split()).casefold()
                if len(words) > _LONGEST:
                    continue
                if not _FIGURE_CELL.search(lines[line].rstrip()):
                    same[side, words].append((number, line))
                for shape, offset in _page_numbers(words, number):
                    counting[side, shape, offset].append((number, line))
    furniture: set[tuple[int, int]] = set()
    for (_, words), places in same.items():
        if _NUMBER.fullmatch(words):
            continue
        found = len({page for page, _ in places})
        if found >= max(LEAST_PAGES, len(pages) // 2):
            furniture.update(places)
            continue
        places = [place for place in places if not _heads_a_table(lines, place[1])]
        furniture.update(places if found >= max(LEAST_PAGES, len(pages) // 5) else _runs(places, LOCAL_PAGES))
    for (_, shape, offset), places in counting.items():
        if _WORD.search(shape):  # "Note 3" can open pages in a row; a header with words stands on many pages
            if len(places) >= max(LEAST_PAGES, len(pages) // 3):
                furniture.update(places)
        elif shape == "#" and offset == 1 and len(pages) > 1:
            furniture.update(places)  # the only number of a short text is the page's own
        else:
            furniture.update(_runs(places, 2))
    return furniture


def _heads_a_table(lines: list[str], line: int) -> bool:
    """Whether a line is a row of a table, or stands over one: tables on pages in a row may have the same heading."""
    below = next((lines[at] for at in range(line + 1, len(lines)) if lines[at].strip()), "")
    return "\t" in lines[line] or "\t" in below


def _page_numbers(words: str, page: int) -> Iterator[tuple[str, int]]:
    """For each number of a line: the line without it, and how far the number is ahead of the page, counted from 0."""
    if _ROMAN.fullmatch(bare := words.strip("-–—[]()|*_. ")):
        yield "roman", _roman(bare) - page
    for match in _NUMBER.finditer(words):
        if len(match.group()) <= 4:
            yield words[: match.start()] + "#" + words[match.end() :], int(match.group()) - page


def _roman(numeral: str) -> int:
    values = [{"i": 1, "v": 5, "x": 10, "l": 50}[sign] for sign in numeral]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def _runs(places: list[tuple[int, int]], least: int) -> Iterator[tuple[int, int]]:
    """Those places that have others on pages nearby: runs of at least so many pages."""
    run: list[tuple[int, int]] = []
    for place in places:
        if run and place[0] - run[-1][0] > _NEAR:
            if len({page for page, _ in run}) >= least:
                yield from run
            run = []
        run.append(place)
    if len({page for page, _ in run}) >= least:
        yield from run


def _joined(lines: list[str], cut: set[int], separator: str) -> str:
    """The lines that stay; blank lines around a page break go when a sentence runs across it."""
    kept: list[str] = []
    broken = False
    for number, line in enumerate(lines):
        if line == "\f":
            broken = True
        elif number in cut:
            continue
        elif not broken:
            kept.append(line)
        elif line.strip():
            while kept and not kept[-1].strip():
                kept.pop()
            if not kept:
                kept.append(line)
            elif _ENDS_OPEN.search(kept[-1].rstrip()) and line.lstrip()[0].islower() and "\t" not in kept[-1] + line:
                kept[-1:] = (kept[-1].rstrip() + separator + line.lstrip()).split("\n")
            else:
                kept += ["", line]
            broken = False
    return "\n".join(kept)


def _with_inferred_pages(text: str) -> str:
    """The text with a form feed after each of a run of page numbers, or the same text."""
    smallest, largest = _PAGE_CHARACTERS
    if len(text) < _INFERRED * _SHORT_PAGE:
        return text
    numbered = list(_numbers_at_ends(text))
    found = [match for match, _ in numbered]
    values = {int(text[start:end]) for _, (start, end) in numbered}
    if sum(value - 1 in values or value - 2 in values for value in values) < _INFERRED - 1:
        return text  # no run is long enough, whatever stands beside the numbers
    ends: dict[tuple[str, int], int] = {}
    runs: list[tuple[int, int]] = []  # of each line how many are in its run, and the one before it there
    for number, (match, (start, end)) in enumerate(numbered):
        words = text[match.start() : start] + " # " + text[end : match.end()]
        shape = " ".join(sorted(words.split()))  # left and right pages may have the number at either end
        value = int(text[start:end])
        before = ends.get((shape, value - 1), ends.get((shape, value - 2), -1))
        runs.append((runs[before][0] + 1 if before >= 0 else 1, before))
        ends[shape, value] = number
    at = max(range(len(runs)), key=lambda one: runs[one][0], default=-1)
    longest: list[re.Match[str]] = []
    while at >= 0:
        longest.append(found[at])
        at = runs[at][1]
    longest.reverse()
    gaps = [after.start() - before.start() for before, after in pairwise(longest)]
    if len(longest) < _INFERRED:
        return text
    shape = _NUMBER.sub("#", longest[0].group())
    if not (smallest if _WORD.search(shape) else _SHORT_PAGE) <= median(gaps) <= largest:
        return text
    regular = sum(_REGULAR[0] * median(gaps) <= gap <= _REGULAR[1] * median(gaps) for gap in gaps)
    told = _PAGE_SHAPE.search(" ".join(longest[0].group().split())) is not None
    if regular < _MOSTLY * len(gaps) or not (told or _are_page_ends(text, [match.span() for match in longest])):
        return text
    parts, at = [], 0
    for match in longest:
        parts += [text[at : match.end()], "\n\f\n"]
        at = match.end()
    return "".join([*parts, text[at:]])


def _numbers_at_ends(text: str) -> Iterator[tuple[re.Match[str], tuple[int, int]]]:
    """Short lines that begin or end with a number, with the number's place: both places of one that does both ("10-K 7")."""
    for match in _SHORT.finditer(text):
        yield match, match.span(1 if match.group(1) else 2)
        if match.group(1) and (tail := _ENDING.match(text, match.end(1))):
            yield match, tail.span(1)


def _are_page_ends(text: str, places: list[tuple[int, int]]) -> bool:
    """Whether numbered lines end pages and do not head chapters: sentences run across them, or a running header stands beside."""
    interrupted = 0
    beside: Counter[str] = Counter()
    for start, end in places:
        before = [line.strip() for line in text[max(0, start - 600) : start].split("\n") if line.strip()][-2:]
        behind = [line.strip() for line in text[end : end + 600].split("\n")[1:] if line.strip()][:EDGE]
        open_end = any(len(line) > _LONGEST // 4 and _ENDS_OPEN.search(line) for line in before)
        interrupted += open_end and any(line[0].islower() for line in behind)
        beside.update({line for line in (*before[-1:], *behind[:1]) if len(line) <= _LONGEST // 2})
    repeated = max(beside.values(), default=0)
    return interrupted >= max(2, _INTERRUPTED * len(places)) or repeated >= max(_INFERRED, len(places) // 2)
