"""Formulas of Office (OMML) in one line: `(x+a)^n=∑_(k=0)^n (n k)x^k a^(n-k)`.

The signs that Word draws itself, brackets, sums and roots, stand in attributes; without them `f(x)` is `fx` and `n(n-1)`
is `nn-1`.
"""

import re
from xml.etree.ElementTree import Element

from pipeline.extract.documents.parts import child_of, local, said

_SCRIPTED = re.compile(r"[_^]\w+$")
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
    joined = ""
    for piece in map(formula, element):
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
