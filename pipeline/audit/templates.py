"""A small labelled set that every run carries: sentences about people, half of them hateful, filled with every identity.

None of the frames was trained on. The same frames without an identity ("person") are the background.
"""

from dataclasses import dataclass
from importlib import resources

from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms
from pipeline.audit.swaps import adjective

_TEXT = resources.files("pipeline.audit").joinpath("templates.txt").read_text(encoding="utf-8")
CALM, HATEFUL = (tuple(part.strip().splitlines()[1:]) for part in _TEXT.split("= ")[1:])
NOBODY = -1
"""The term of a sentence that names no identity."""


@dataclass(frozen=True)
class Filled:
    """A sentence with its label, its frame, and the term that fills it."""

    text: str
    toxic: bool
    frame: int
    term: int


def filled_templates() -> list[Filled]:
    """Every frame with "person's" place filled by every identity and by none, in a fixed order.

    >>> found = filled_templates()
    >>> sum(one.toxic for one in found) * 2 == len(found)
    True
    """
    found = []
    for frame, (text, toxic) in enumerate([*((t, False) for t in CALM), *((t, True) for t in HATEFUL)]):
        found.append(Filled(" ".join(text.format(i="").split()), toxic, frame, NOBODY))
        for term in identity_terms():
            if term.axis != "pronoun" and term.axis not in NAMES_NOBODY:
                found.append(Filled(text.format(i=adjective(term)), toxic, frame, term.id))
    return found
