"""Elements of Office's XML by their names without namespaces: the same in its strict and its transitional form."""

from xml.etree.ElementTree import Element


def local(element: Element) -> str:
    """An element's name without its namespace; comments have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def said(element: Element, name: str) -> str:
    """An attribute, "" when it is not there."""
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def child_of(element: Element | None, name: str) -> Element | None:
    """The first child of this name."""
    return next((child for child in element if local(child) == name), None) if element is not None else None
