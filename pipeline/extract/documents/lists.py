"""Labels of automatic lists and headings, which Word and PowerPoint count when they draw a page and do not store in its text.

They are written into the paragraphs before the text is read, so clause `2.1 (b)` of a contract is found by its number. Of
PowerPoint only what a slide says itself counts, not what it inherits from its layout. After 26 letters a list goes on with aa.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from pipeline.extract.documents.parts import child_of, local, number_of, said, value_of

_LEVEL = re.compile(r"%([1-9])")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_SLIDE = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(Period|ParenR|ParenBoth|Plain)")
_SLIDE_FORMATS = {"arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman",
                  "romanUc": "upperRoman"}  # fmt: skip
_SLIDE_SIGNS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}


@dataclass(slots=True)
class _Level:
    form: str = "decimal"
    text: str = ""
    start: int = 1
    style: str = ""


@dataclass(slots=True)
class _List:
    """An abstract list: its levels, and how far each was counted."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def label(self, level: int) -> str:
        """Count one on this level and say how it is written."""
        mine = self.levels.get(level, _Level())
        self.counts[level] = self.counts.get(level, mine.start - 1) + 1
        self.counts = {at: count for at, count in self.counts.items() if at <= level}
        if mine.form == "bullet":
            return "•"

        def written(match: re.Match[str]) -> str:
            at = int(match.group(1)) - 1
            other = self.levels.get(at, _Level())
            return numeral(self.counts.get(at, other.start), other.form)

        return _LEVEL.sub(written, mine.text).strip()


def numeral(number: int, form: str) -> str:
    """A number as Word's `numFmt` writes it, in figures where the form is none of these.

    >>> [numeral(4, form) for form in ("decimal", "decimalZero", "lowerLetter", "upperRoman")]
    ['4', '04', 'd', 'IV']
    """
    if form == "none":
        return ""
    if form == "decimalZero":
        return f"{number:02d}"
    written = str(number)
    if form.endswith("Letter") and number > 0:
        written = chr(97 + (number - 1) % 26) * min((number - 1) // 26 + 1, 10)
    elif form.endswith("Roman") and 0 < number < 5000:
        written = ""
        for value, sign in _ROMAN:
            written += sign * (number // value)
            number %= value
    return written.upper() if form.startswith("upper") else written


def number_word(root: Element, numbering: Element, styles: Element) -> None:
    """Write the labels into the paragraphs of a part of a Word document, in their order."""
    abstract = {said(one, "abstractNumId"): _list_of(one) for one in numbering if local(one) == "abstractNum"}
    lists, starts = {}, {}
    for one in numbering:
        if local(one) == "num":
            name = said(one, "numId")
            lists[name] = abstract.get(value_of(one, "abstractNumId"), _List())
            starts[name] = {
                number_of(said(over, "ilvl"), 0): number_of(value, 1)
                for over in one
                if local(over) == "lvlOverride" and (value := value_of(over, "startOverride"))
            }
    by_style = _styles(styles, lists)
    for paragraph in root.iter():
        if local(paragraph) != "p":
            continue
        properties = child_of(paragraph, "pPr")
        mine = child_of(properties, "numPr")
        name, level = by_style.get(value_of(properties, "pStyle"), ("", 0))
        if mine is not None:
            name, level = value_of(mine, "numId") or name, number_of(value_of(mine, "ilvl"), level)
        if name in lists:  # an empty paragraph counts, too
            lists[name].counts.update({at: start - 1 for at, start in starts.pop(name, {}).items()})
            label = lists[name].label(level)
            if any(local(part) in ("t", "oMath") and "".join(part.itertext()).strip() for part in paragraph.iter()):
                _put(paragraph, label)


def number_slide(root: Element) -> None:
    """Write the labels into the paragraphs of a slide that says itself how they are counted."""
    for body in root.iter():
        counts: dict[int, int] = defaultdict(int)
        for paragraph in body if local(body) in ("txBody", "txbxContent") else ():
            properties = child_of(paragraph, "pPr")
            level = number_of(properties.get("lvl", ""), 0) if properties is not None else 0
            mine = child_of(properties, "buAutoNum")
            counts = defaultdict(int, {at: count for at, count in counts.items() if at < level + (mine is not None)})
            kind = _SLIDE.fullmatch(mine.get("type", "")) if mine is not None else None
            if mine is None or kind is None or not any(local(part) == "t" for part in paragraph.iter()):
                continue
            counts[level] = counts[level] + 1 if counts[level] else number_of(mine.get("startAt", ""), 1)
            _put(paragraph, _SLIDE_SIGNS[kind[2]].format(numeral(counts[level], _SLIDE_FORMATS[kind[1]])))


def _list_of(abstract: Element) -> _List:
    levels = {}
    for one in abstract:
        if local(one) == "lvl":
            levels[number_of(said(one, "ilvl"), 0)] = _Level(
                value_of(one, "numFmt"),
                value_of(one, "lvlText"),
                number_of(value_of(one, "start"), 1),
                value_of(one, "pStyle"),
            )
    return _List(levels)


def _styles(styles: Element, lists: dict[str, _List]) -> dict[str, tuple[str, int]]:
    """Style -> (list, level); a style inherits from the one that it is based on."""
    found: dict[str, tuple[str, int]] = {}
    parents = {}
    for style in styles:
        name = said(style, "styleId")
        parents[name] = value_of(style, "basedOn")
        mine = child_of(child_of(style, "pPr"), "numPr")
        if mine is not None and (wanted := value_of(mine, "numId")):
            levels = lists[wanted].levels if wanted in lists else {}
            bound = next((at for at, level in levels.items() if level.style == name), 0)
            found[name] = wanted, number_of(value_of(mine, "ilvl"), bound)
    for name in parents:
        above, seen = parents[name], {name}
        while name not in found and above and above not in seen:
            if above in found:
                found[name] = found[above]
            seen.add(above)
            above = parents.get(above, "")
    return found


def _put(paragraph: Element, label: str) -> None:
    if not label:
        return
    space = paragraph.tag.rpartition("}")[0] + "}" if "}" in paragraph.tag else ""
    run = Element(f"{space}r")
    SubElement(run, f"{space}t").text = f"{label} "
    paragraph.insert(0, run)
