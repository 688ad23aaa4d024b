"""Formulas of Office (OMML) and of pages (MathML) in one line: `(x+a)^n=∑_(k=0)^n (n k)x^k a^(n-k)`.

The signs that Word draws itself, brackets, sums and roots, stand in attributes; without them `f(x)` is `fx` and `n(n-1)`
is `nn-1`. A page's formula that comes with its TeX is left to what reads TeX.
"""

import re
from collections.abc import Iterable
from html import escape
from html.entities import html5
from xml.etree.ElementTree import Element, ParseError, fromstring

from pipeline.extract.documents.parts import child_of, local, said

_SCRIPTED = re.compile(r"[_^]\w+$")
_LONGEST = 20_000
_ALT = re.compile(rb"<math\b[^<>]*?\balttext\s*=\s*[\"']([^\"'<>]*[\\^_{=][^\"'<>]*)[\"']")
"""TeX has one of these signs; words that describe a formula have none."""
_ENTITY = re.compile(r"&(?!lt;|gt;|amp;|quot;|apos;)(\w+);")
_INVISIBLE = dict.fromkeys(range(0x2061, 0x2065))
"""Signs between factors and behind functions that nothing draws."""
_BRACKETED = re.compile(r"\([^()]*\)")


def formula(element: Element) -> str:
    """The text of an element of OMML."""
    name = local(element)
    if name == "t":
        return element.text or ""
    if name.endswith("Pr"):
        return ""
    part = {local(child): formula(child) for child in element if not local(child).endswith("Pr")}
    base = part.get("e", "")
    match name:
        case "f" if _said(element, "type", "") == "noBar":
            return f"{part.get('num', '')} {part.get('den', '')}"
        case "f":
            return f"{_group(part.get('num', ''))}/{_group(part.get('den', ''))}"
        case "sSup" | "sSub" | "sSubSup":
            return _group(base) + _scripts(part)
        case "nary":
            return f"{_said(element, 'chr', '∫')}{_scripts(part)} {base}"
        case "rad":
            return f"{part.get('deg', '')}√{_group(base)}"
        case "func":
            gap = "" if base.startswith("(") else " "
            return f"{part.get('fName', '')}{gap}{base}"
        case "limLow" | "limUpp":
            return f"{base}{'_' if name == 'limLow' else '^'}{_group(part.get('lim', ''))}"
        case "d":
            inside = _said(element, "sepChr", "|").join(formula(child) for child in element if local(child) == "e")
            return f"{_said(element, 'begChr', '(')}{inside}{_said(element, 'endChr', ')')}"
        case "m" | "mr" | "eqArr":
            return ("; " if name != "mr" else " ").join(
                formula(child) for child in element if not local(child).endswith("Pr")
            )
    return _joined(map(formula, element))


def lined(markup: bytes) -> bytes:
    """The page with its formulas in MathML without TeX in one line; TeX in `alttext` goes where the reader looks for it."""
    parts, at = [], 0
    while (start := markup.find(b"<math", at)) >= 0 and (end := markup.find(b"</math>", start)) >= 0:
        parts += [markup[at:start], _in_line(markup[start : end + 7])]
        at = end + 7
    return b"".join([*parts, markup[at:]])


def _in_line(markup: bytes) -> bytes:
    if b"<annotation" in markup or len(markup) > _LONGEST:
        return markup
    if said := _ALT.match(markup):
        return b'<math><annotation encoding="application/x-tex">' + said[1] + b"</annotation></math>"
    text = _ENTITY.sub(lambda match: html5.get(match[1] + ";", ""), markup.decode("utf-8", "replace"))
    try:
        return f"<math><mi>{escape(_mathml(fromstring(text)))}</mi></math>".encode()
    except (ParseError, RecursionError, ValueError):
        return markup


def _mathml(element: Element) -> str:
    name, part = local(element), [_mathml(child) for child in element]
    if not part:
        return "" if name == "mspace" else " ".join((element.text or "").translate(_INVISIBLE).split())
    first, second, third = [*part, "", ""][:3]
    match name:
        case "mfrac":
            return f"{_group(first)}/{_group(second)}"
        case "mover" if not second.isalnum():
            return first + second
        case "msup" | "mover":
            return f"{_group(first)}^{_group(second)}"
        case "msub" | "munder":
            return f"{_group(first)}_{_group(second)}"
        case "msubsup" | "munderover":
            return f"{_group(first)}_{_group(second)}^{_group(third)}"
        case "msqrt":
            return f"√{_group(_joined(part))}"
        case "mroot":
            return f"{second}√{_group(first)}"
        case "mfenced":
            return element.get("open", "(") + element.get("separators", ",").join(part) + element.get("close", ")")
        case "mtable" | "mtr":
            return ("; " if name == "mtable" else " ").join(part)
    return _joined(part)


def _joined(pieces: Iterable[str]) -> str:
    joined = ""
    for piece in pieces:
        joined += f" {piece}" if piece[:1].isalnum() and _SCRIPTED.search(joined) else piece
    return joined


def _scripts(part: dict[str, str]) -> str:
    return "".join(f"{sign}{_group(part[name])}" for name, sign in (("sub", "_"), ("sup", "^")) if part.get(name))


def _group(text: str) -> str:
    text = text.strip()
    return text if text.isalnum() or len(text) < 2 or _BRACKETED.fullmatch(text) else f"({text})"


def _said(element: Element, name: str, otherwise: str) -> str:
    """A property of an element; Word leaves out the usual one."""
    holder = next((child for child in element if local(child).endswith("Pr")), None)
    one = child_of(holder, name)
    return otherwise if one is None else said(one, "val")
