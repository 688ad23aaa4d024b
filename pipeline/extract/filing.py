"""What is special about SEC filings: the marks of ASCII submissions, the kind of document, and where its items begin.

The marks are those of the EDGAR Filer Manual: `<PAGE>` parts pages, `<TABLE>`, `<CAPTION>`, `<S>` and `<C>` describe a
table's columns, `<FN>` opens its footnotes, which `<F1>` numbers. They are layout, not text.

Items are found by their headings. Of all chains of headings in the form's order the one with most items and text counts, so
that a table of contents and references to items do not. A heading that a report leaves out is no section.
"""

import re
from collections import Counter
from typing import NamedTuple

from pipeline.extract.payload import Edit


class Section(NamedTuple):
    """Bytes `start:end` of a text: `1A`, `part2item1a`, `5.02`, `cover`, `signatures`."""

    name: str
    start: int
    end: int


_MARKED = re.compile(r"^[ \t]*<PAGE>|<S>[^\S\n]+<C>|^[^\S\n]*<CAPTION>[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
_LAYOUT = r"</?(?:TABLE|CAPTION|S|C|FN)>|</(?:PAGE|F\d{1,2})>"
_LAYOUT_LINE = re.compile(rf"^[^\S\n]*(?:(?:{_LAYOUT})[^\S\n]*)+(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_LAYOUT_MARK = re.compile(_LAYOUT, re.IGNORECASE)
_PAGE_MARK = re.compile(r"<PAGE>(?:[^\S\n]*((?:[A-Z]{1,2}-)?\d{1,4}|[ivxl]{1,7})[^\S\n]*(?=\n|\Z))?", re.IGNORECASE)
"""The mark, and the number of the page behind it on its line."""
_FOOTNOTE = re.compile(r"<F(\d{1,2})>", re.IGNORECASE)
_UUENCODED = re.compile(r"^begin [0-7]{3,4} [^\n]+\n(?:[!-`][ -`]{0,80}\n)+?(?:`\n)?end[^\S\n]*$", re.MULTILINE)

_FORM = re.compile(
    r"^[^\S\n]*FORM[^\S\n]+(10-?K(?:SB|405)?|10-?Q(?:SB)?|8-?K|20-?F|40-?F|6-?K|S-[1348]|DEF 14A)(/A)?\b[^\n]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
_EXHIBIT = re.compile(
    r"^[^\S\n]*EXHIBIT[^\S\n]+(?:NO\.?[^\S\n]*)?(\d{1,3}(?:\.\d{1,3})?)\b", re.IGNORECASE | re.MULTILINE
)
_COVER_CHARACTERS = 6_000

_ITEM = re.compile(
    r"^[^\S\n]*(?:part[^\S\n]+(i{1,3}|iv)\b[\s.,:;–—-]*)?items?[^\S\n]*(\d{1,2}\.\d\d|\d{1,2}[^\S\n]?[a-c]?(?![a-z0-9]))",
    re.I | re.M,
)
_PART = re.compile(r"^[^\S\n]*part[^\S\n]+(i{1,3}|iv)\b", re.IGNORECASE | re.MULTILINE)
_SIGNATURES = re.compile(r"^[^\S\n]*signatures?[^\S\n]*:?[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
_REFERENCE = re.compile(r"[^\S\n]*(?:of|in|to|above|below|and|or|,|\)|through)\b", re.IGNORECASE)


def unmark(text: str) -> tuple[str, list[Edit]]:
    """The text of an ASCII submission without its marks: form feeds for pages, columns where they stood.

    Text without such marks comes back as it is.
    """
    if "<" not in text and "begin " not in text:
        return text, []
    edits = []
    text, parts = _UUENCODED.subn("", text)
    if parts:
        edits.append(Edit("uuencoded", "a uuencoded file", parts))
    if "<" not in text or not _MARKED.search(text):
        return text, edits
    numbers = Counter(number for number in _PAGE_MARK.findall(text) if number)
    edits += [Edit("page_furniture", number, count) for number, count in numbers.items()]
    text, pages = _PAGE_MARK.subn("\n\f\n", text)
    text, lines = _LAYOUT_LINE.subn("", text)
    text, marks = _LAYOUT_MARK.subn(lambda mark: " " * len(mark.group()), text)
    text = _FOOTNOTE.sub(r"(\1)", text)
    edits.append(Edit("table_marks", "<PAGE> <TABLE> <CAPTION> <S> <C> <FN>", pages + lines + marks))
    return text, edits


def document_type(text: str) -> str | None:
    """The form or exhibit a filing's page is, by its cover: `10-K`, `EX-99.1`; None where it names none.

    >>> document_type("SECURITIES AND EXCHANGE COMMISSION\\nFORM 10-Q\\n"), document_type("Exhibit 99.1\\nNews")
    ('10-Q', 'EX-99.1')
    """
    cover = text[:_COVER_CHARACTERS]
    exhibit = _EXHIBIT.search(cover[:300])
    if exhibit:
        return f"EX-{exhibit.group(1)}"
    form = _FORM.search(cover)
    if form is None or "exchange commission" not in cover.casefold():
        return None
    name = re.sub(r"^(10|8|20|40|6)-?(?=[A-Z])", r"\1-", form.group(1).upper())
    return name + (form.group(2) or "").upper()


def sections_of(text: str, form: str | None) -> list[Section]:
    """The items of a 10-K, 10-Q or 8-K in order, bytes of the UTF-8 text; `cover` before and `signatures` behind them.

    A 10-Q numbers its items anew in each part: `part1item2`. Other forms have no sections.
    """
    kind = next((kind for kind in ("10-K", "10-Q", "8-K") if (form or "").upper().startswith(kind)), None)
    if kind is None:
        return []
    chain = _longest_chain(_headings(text, kind), len(text), kind)
    if not chain:
        return []
    signed = [match.start() for match in _SIGNATURES.finditer(text) if match.start() > chain[-1][1]]
    starts = [("cover", 0), *chain, *([("signatures", signed[0])] if signed else [])]
    ends = [start for _, start in starts[1:]] + [len(text)]
    in_bytes = _byte_positions(text, [*(start for _, start in starts), len(text)])
    return [
        Section(name, in_bytes[start], in_bytes[end])
        for (name, start), end in zip(starts, ends, strict=True)
        if end > start
    ]


def _headings(text: str, kind: str) -> list[tuple[str, int]]:
    """Every line that could be the heading of an item, with its name; a mention inside a sentence is none."""
    parts = [(match.start(), match.group(1).lower()) for match in _PART.finditer(text)]
    found = []
    for match in _ITEM.finditer(text):
        if _REFERENCE.match(text, match.end()):
            continue
        item = re.sub(r"\s", "", match.group(2)).upper()
        if ("." in item) and kind != "8-K":
            continue
        if kind == "10-Q":
            part = (match.group(1) or next((p for at, p in reversed(parts) if at <= match.start()), "i")).lower()
            item = f"part{2 if part == 'ii' else 1}item{item.lower()}"
        found.append((item, match.start()))
    return found


def _rank(item: str, kind: str) -> tuple[int, ...]:
    """Where an item stands in the order of its form."""
    if kind == "8-K":
        return tuple(int(part) for part in item.rstrip("ABC").split("."))
    part, _, number = item.rpartition("item")
    digits = number.rstrip("ABCabc")
    return (int(part[-1]) if part else 0, int(digits), ord(number[-1].upper()) if number != digits else 0)


def _longest_chain(headings: list[tuple[str, int]], end: int, kind: str) -> list[tuple[str, int]]:
    """The chain of headings in the form's order with most items, each with text of its own; of two the one that covers more.

    A heading in a table of contents is followed by the next at once; it counts as little as the text behind it.
    """
    best: list[tuple[float, int]] = []
    by_rank: dict[
        tuple[int, ...], int
    ] = {}  # the best heading of each rank so far: there are few ranks, and any number of lines
    for here, (item, at) in enumerate(headings):
        following = headings[here + 1][1] if here + 1 < len(headings) else end
        own, rank = 1 + min(following - at, 2_000) / 400, _rank(item, kind)
        lower = (other for known, other in by_rank.items() if known < rank)
        before = max(lower, key=lambda other: (best[other][0], -other), default=-1)
        best.append((own + best[before][0] if before >= 0 else own, before))
        if rank not in by_rank or best[here][0] > best[by_rank[rank]][0]:
            by_rank[rank] = here
    chain: list[tuple[str, int]] = []
    at = max(range(len(best)), key=lambda one: best[one][0], default=-1)
    while at >= 0:
        chain.append(headings[at])
        at = best[at][1]
    return chain[::-1]


def _byte_positions(text: str, places: list[int]) -> dict[int, int]:
    """Where characters begin in the UTF-8 text."""
    found, at, size = {}, 0, 0
    for place in sorted(set(places)):
        size += len(text[at:place].encode("utf-8", "replace"))
        at = place
        found[place] = size
    return found
