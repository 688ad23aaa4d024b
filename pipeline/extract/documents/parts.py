"""Elements of Office's XML by their names without namespaces: the same in its strict and its transitional form."""

from xml.etree.ElementTree import Element

from pipeline.kernels.html.symbols import SIGNS


def local(element: Element) -> str:
    """An element's name without its namespace; comments have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def said(element: Element, name: str) -> str:
    """An attribute, "" when it is not there."""
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def child_of(element: Element | None, name: str) -> Element | None:
    """The first child of this name."""
    return next((child for child in element if local(child) == name), None) if element is not None else None


def value_of(element: Element | None, name: str) -> str:
    """The `val` of a child, "" when there is none."""
    child = child_of(element, name)
    return said(child, "val") if child is not None else ""


def number_of(text: str, otherwise: int) -> int:
    """A count that an attribute gives; absurd ones are as good as none."""
    return int(text) if text.isdecimal() and len(text) < 7 else otherwise


_ORDINALS = frozenset("st nd rd th tm sm".split())
"""Raised by custom, and no power."""


def marked(sign: str, before: str, text: str) -> str:
    """Raised (`^`) or lowered (`_`) text with its sign, behind a letter or figure (10^9, H_2O), not in 1st; no sign: as it is."""
    if not sign or not before[-1:].isalnum() or not text.strip().isalnum() or text.lower() in _ORDINALS:
        return text
    return sign + text


FONTS = {"wingdings": 1, "wingdings 2": 2, "wingdings 3": 3, "webdings": 4, "symbol": 5}
"""Fonts that draw letters as signs, by their rows in `SIGNS`."""


def sign_of(font: int, letter: int) -> str:
    """What a font of signs draws for a letter, whose code may lie in the private area; "" for a mere drawing."""
    point = int(SIGNS[font, letter - 0xF000 if 0xF000 <= letter < 0xF100 else letter & 0xFF])
    return chr(point) if point else ""
