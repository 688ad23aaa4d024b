"""Plain-Python twins of the line kernels: the same rules on str, one character or one expression at a time."""

import itertools
import re

from pipeline.kernels.text.hyphens import BEGINNINGS, ENDINGS, LINKS
from pipeline.kernels.text.layout import BLANK, MAX_WRAP, MIN_WRAP, PROSE, STRONG, WEAK

LINE_ENDS = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
SPACES = re.compile("[\xa0\u2000-\u200a\u202f]")
DROPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\xad\ufeff]")


def clean(text: str) -> str:
    lines = [DROPPED.sub("", SPACES.sub(" ", line)) for line in LINE_ENDS.split(text)]
    joined = "\n".join(line.rstrip(" \t") for line in lines)
    return re.sub(r"\n{3,}", "\n\n", joined).strip("\n")


def is_figure(cell: str) -> bool:
    digits = sum(sign in "0123456789" for sign in cell)
    letters = sum((sign.isascii() and sign.isalpha()) or ord(sign) >= 128 for sign in cell)
    if digits:
        return 2 * digits >= len(cell) and letters <= digits
    return len(cell) <= 3 and letters == 0


def shape(line: str) -> tuple[int, int, int]:
    """`(kind, characters, indent)`."""
    if not line:
        return BLANK, 0, 0
    body = line.lstrip(" \t")
    indent = len(line) - len(body)
    cells, cell, gap, dots = [], "", 0, 0
    for sign in body:
        if sign == " ":
            gap += 1
            continue
        dots = dots + 1 if sign == "." else 0
        if (sign in "\t|" or gap >= 3 or dots == 3 or (gap == 2 and sign in "0123456789$(")) and cell:
            cells.append(cell)
            cell = ""
        gap = 0
        if not (sign in "\t|" or dots >= 3):
            cell += sign
    cells += [cell] if cell else []
    longest = max(map(len, cells), default=0)
    bars = body.count("|")
    marks = sum(sign in "-=_+.*" for one in cells for sign in one)
    if longest > 80:
        return PROSE, len(line), indent
    alone = len(cells) == 1 and any(sign in "0123456789" for sign in cells[0]) and is_figure(cells[0])
    if any(map(is_figure, cells[1:])) or alone or (bars >= 2 and len(cells) >= 2):
        return STRONG, len(line), indent
    rule = marks >= 3 and marks >= len(line) - indent - len(cells) - bars and longest <= marks
    if not cells or rule or (len(cells) >= 2 and longest <= 60):
        return WEAK, len(line), indent
    return PROSE, len(line), indent


def tables(shapes: list[tuple[int, int, int]]) -> list[int]:
    numbers, number, line = [0] * len(shapes), 0, 0
    while line < len(shapes):
        if shapes[line][0] < WEAK:
            line += 1
            continue
        last, gap = line, 0
        for at in range(line, len(shapes)):
            kind, size, _ = shapes[at]
            gap = 0 if kind >= WEAK else gap + (kind == PROSE)
            if kind >= WEAK:
                last = at
            if gap > 2 or (kind == PROSE and size > 60):
                break
        if sum(shapes[at][0] == STRONG for at in range(line, last + 1)) >= 2:
            number += 1
            numbers[line : last + 1] = [number] * (last + 1 - line)
        line = last + 1
    return numbers


ITEM = re.compile(r"[ \t]*(?:[-*>] |\(?(?:[A-Za-z]|[0-9A-Za-z]{1,3}[0-9]|[0-9])[.)] )")


def is_item(line: str) -> bool:
    body = line.lstrip(" \t")
    return bool(ITEM.match(line)) or (body.startswith("\u2022") and len(body.encode()) > 2)


def may_join(lines: list[str], shapes: list[tuple[int, int, int]], numbers: list[int], at: int) -> bool:
    (kind, _, indent), (before_kind, size, before_indent) = shapes[at], shapes[at - 1]
    if kind != PROSE or before_kind != PROSE or numbers[at] or numbers[at - 1] or not MIN_WRAP <= size <= MAX_WRAP:
        return False
    hanging = at > 1 and shapes[at - 2][0] == PROSE and before_indent == indent
    if indent > before_indent + 1 and not hanging and not is_item(lines[at - 1]):
        return False
    ends_plain = lines[at - 1][-1].isascii()
    if lines[at][indent].encode()[0] >= 0xE3 or not ends_plain:
        return ends_plain or "\u2000" <= lines[at - 1][-1] <= "\u203f"
    return not is_item(lines[at])


def joins(lines: list[str], shapes: list[tuple[int, int, int]], numbers: list[int]) -> list[bool]:
    none = [False] * len(lines)
    sizes = [size for (kind, size, _), table in zip(shapes, numbers, strict=True) if kind == PROSE and not table]
    wrapped = sorted(size for size in sizes if MIN_WRAP <= size <= MAX_WRAP)
    if len(wrapped) < 4 or sum(size > MAX_WRAP for size in sizes) > len(wrapped):
        return none
    column = max(wrapped[len(wrapped) - 1 - len(wrapped) // 50], MIN_WRAP)
    pairs = [at for at in range(1, len(lines)) if may_join(lines, shapes, numbers, at)]
    full = [at for at in pairs if shapes[at - 1][1] + 1 + len(lines[at][shapes[at][2] :].split(" ")[0]) > column - 4]
    if len(full) < 4 or 5 * len(full) < 3 * len(pairs):
        return none
    return [at in set(full) for at in range(len(lines))]


def with_cells(lines: list[str], shapes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The shapes where tabs part cells: groups of lines with one are of a table."""
    out: list[tuple[int, int, int]] = []
    for _, group in itertools.groupby(zip(lines, shapes, strict=True), key=lambda pair: bool(pair[0])):
        pairs = list(group)
        tabs = any("\t" in line for line, _ in pairs)
        for line, (kind, size, indent) in pairs:
            out.append((STRONG if "\t" in line else WEAK if tabs and kind == PROSE else kind, size, indent))
    return out


def joined_at_hyphen(out: str, before: str, line: str, text: str) -> str:
    """What is written so far, ready for the line after one that may end in a hyphen."""
    ends, begins = re.search(r"([A-Za-z]*)([A-Za-z0-9])-\Z", before), re.match("([A-Za-z]*)", line)
    if not ends or not begins or (begins[1].lower() in LINKS.split() and line[0].islower()):
        return out + " "
    if not begins[1]:
        return out if line[:1] in set("0123456789") else out + " "
    if ends[2].isdigit():
        return out if line[0].islower() else out + " "
    if line[0].isupper():
        return out
    first, second = (ends[1] + ends[2]).lower(), begins[1].lower()
    known = {word.lower() for word in re.findall("[A-Za-z]+", text)}
    split = first in BEGINNINGS.split() or second in ENDINGS.split() or first + second in known
    return out[:-1] if split else out


def lay_out(text: str, unwrap: bool, tabular: bool = False) -> tuple[str, list[tuple[int, int]]]:
    """The new text and the byte ranges of its tables."""
    lines = text.split("\n")
    shapes = [shape(line) for line in lines]
    shapes = with_cells(lines, shapes) if tabular else shapes
    numbers = tables(shapes)
    joined = joins(lines, shapes, numbers) if unwrap else [False] * len(lines)
    out, spans = "", {}
    for at, line in enumerate(lines):
        if joined[at]:
            line = line.lstrip(" \t")
            out = joined_at_hyphen(out, lines[at - 1].lstrip(" \t"), line, text)
        elif at:
            out += "\n"
        start = len(out.encode())
        out += line
        if numbers[at]:
            spans[numbers[at]] = (spans.get(numbers[at], (start, 0))[0], len(out.encode()))
    return out, list(spans.values())
