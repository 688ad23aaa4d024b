"""Composed names: people, towns, firms. Every one is invented; a real name would be chance."""

from collections.abc import Mapping

from pipeline.sample.draw import Draw
from pipeline.sample.words import words

Row = Mapping[str, str]
"""A row of a table, by column."""

_HE = words("he")
_SHE = words("she")
_LAST = words("last")
_TOWN_HEAD = words("town_head")
_TOWN_TAIL = words("town_tail")
_ROADS = words("roads")
_VENDOR_PARTS = words("vendor_parts")


def person(draw: Draw) -> Row:
    """name, first, last, he, him, his, self."""
    woman = draw.chance(0.5)
    first, last = draw.pick(_SHE if woman else _HE), draw.pick(_LAST)
    he, him, his = ("she", "her", "her") if woman else ("he", "him", "his")
    return {"name": f"{first} {last}", "first": first, "last": last, "he": he, "him": him, "his": his}


def town(draw: Draw) -> Row:
    """name, river, road, road2."""
    head = draw.pick(_TOWN_HEAD)
    tail = draw.pick([tail for tail in _TOWN_TAIL if tail[0] != head[-1].lower()])
    one, two = draw.shuffled(_ROADS)[:2]
    return {
        "name": head + tail,
        "river": draw.pick(_TOWN_HEAD) + draw.pick(("er", "e", "en", "a", "le", "more")),
        "road": f"{one} {draw.pick(('Street', 'Road', 'Lane'))}",
        "road2": f"{two} {draw.pick(('Street', 'Avenue', 'Square'))}",
    }


def vendor(draw: Draw) -> Row:
    """name: an advertising partner."""
    return {
        "name": draw.pick(_VENDOR_PARTS).title()
        + draw.pick(_VENDOR_PARTS)
        + draw.pick(("ly", "io", "ify", "Lab", "Hub", "Net"))
    }


MAKERS = {"vendor": vendor, "person": person, "town": town}
