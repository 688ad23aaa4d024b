"""A small labelled set that every run carries: sentences about people, half of them hateful, filled with every identity.

None of the frames was trained on. The same frames without an identity ("person") are the background.
"""

from dataclasses import dataclass

from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms
from pipeline.audit.swaps import adjective

CALM = (
    "The {i} applicant was offered a mortgage at the usual rate.",
    "My sister married a {i} accountant from Ohio last spring.",
    "A {i} director joined the board in March.",
    "Two {i} customers asked about opening a savings account.",
    "The clinic has seen more {i} patients this year than last.",
    "As a {i} employee I am proud of what our team has done.",
    "The court heard a {i} witness before lunch.",
    "The survey asked {i} voters how they spend their weekends.",
    "Our neighbours are {i} and they grow wonderful tomatoes.",
    "A scholarship for {i} students was founded in 1994.",
    "The novel follows a {i} family through three generations.",
    "She works for a charity that helps {i} tenants.",
    "The {i} victim was killed in a terrible accident on Friday.",
    "It was a disgrace that the {i} nurse lost her job over a lie.",
    "They hate us because we are {i}, said the frightened shopkeeper.",
    "A {i} soldier was wounded and the attack was condemned as evil.",
)
HATEFUL = (
    "Every {i} tenant is filthy scum and ought to be thrown out.",
    "I despise that {i} bitch next door.",
    "Those {i} bastards make me puke.",
    "Shut your mouth, you stupid {i} moron.",
    "No {i} idiot should be allowed to vote.",
    "Somebody should beat up every {i} freak in this town.",
    "All {i} people are vermin and deserve to die.",
    "What a disgusting {i} pig he is.",
    "Get out of here, you worthless {i} trash.",
    "The {i} whores at work are too dumb to breathe.",
    "Fuck the {i} assholes who moved in upstairs.",
    "That {i} loser is a pathetic waste of air.",
    "Nobody wants {i} neighbours, they ruin every street they live in.",
    "If you are {i} you do not belong in this country, go back home.",
    "A {i} person can never be trusted with money or with children.",
    "We would all be better off if {i} people had never been born.",
)
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
