"""Replaces an identity term in running text by another of its axis; a filter's verdict should not depend on it.

The reworded text keeps number ("Sikhs" becomes "Hindus"), the noun a term stands before ("black families", "white
families"), capitals and the article. Pronouns swap between she and he; "her" becomes "his", which is right before a noun.
"""

import functools
from dataclasses import dataclass

from pipeline.audit.identity_terms import NAMES_NOBODY, PERSON_NOUNS, Term, identity_terms

PRONOUNS = {
    "she": {"she": "he", "her": "his", "hers": "his", "herself": "himself"},
    "he": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
}


@dataclass(frozen=True)
class Mention:
    """A term in a text: `start:end` are byte offsets."""

    term: int
    start: int
    end: int


@functools.cache
def rivals(term: int) -> tuple[Term, ...]:
    """The other terms of the axis; none for what names nobody, and she and he only for each other."""
    own = identity_terms()[term]
    if own.axis == "pronoun":
        return tuple(t for t in identity_terms() if {t.name, own.name} == {"she", "he"} and t.axis == own.axis)
    if own.axis in NAMES_NOBODY:
        return ()
    return tuple(t for t in identity_terms() if t.axis == own.axis and t.id != term)


def adjective(term: Term) -> str:
    """The form that stands before a noun: "black", "gay", "low income".

    >>> [adjective(term) for term in identity_terms() if term.name in ("black", "muslim", "elderly")]
    ['black', 'muslim', 'elderly']
    """
    return term.ambiguous[0] if term.ambiguous else term.forms[0].removesuffix(" {p}")


def _plural(term: Term) -> str:
    for form in term.forms:
        if form.endswith("s") and not form.endswith("ss") and "{p}" not in form:
            return form
    return f"{adjective(term)} people"


def reworded(surface: str, own: Term, other: Term) -> str:
    """What stands for `other` where `surface` stood for `own`, in lower case.

    >>> found = {term.name: term for term in identity_terms()}
    >>> reworded("black families", found["black"], found["white"]), reworded("women", found["woman"], found["man"])
    ('white families', 'men')
    >>> reworded("muslims", found["muslim"], found["hindu"]), reworded("muslim", found["muslim"], found["jewish"])
    ('hindus', 'jewish')
    """
    words = surface.lower().replace("-", " ").split()
    flat = " ".join(words)
    if own.axis == "pronoun":
        return PRONOUNS[own.name][flat.replace("'", "")]
    if len(words) > 1 and words[-1] in PERSON_NOUNS and flat not in own.forms:
        return f"{adjective(other)} {words[-1]}"
    if flat in own.forms and len(own.forms) == len(other.forms):
        form = other.forms[own.forms.index(flat)]
        return form.removesuffix(" {p}")
    if flat.endswith("s") and not flat.endswith("ss") and f"{flat[:-1]}" in own.forms:
        return _plural(other)
    return adjective(other)


def _possessive(surface: str, own: Term, other: Term) -> str:
    """`reworded`, with the ending of "women's" kept: an apostrophe is no border of a word here."""
    if own.axis != "pronoun" and surface[-2:].lower() in ("'s", "’s"):
        return reworded(surface[:-2], own, other) + surface[-2:].lower()
    return reworded(surface, own, other)


def _with_article(before: bytes, new: str) -> bytes:
    """What stands before a mention, its "a" or "an" made right for the new word."""
    for article in (b"a", b"A", b"an", b"An"):
        head = before[: -len(article) - 1]
        if before == head + article + b" " and not head[-1:].isalnum():
            return head + article[:1] + (b"n " if new[0].lower() in "aeiou" else b" ")
    return before


def _dressed(new: str, surface: str) -> str:
    if len(surface) > 1 and surface.isupper():
        return new.upper()
    return new[0].upper() + new[1:] if surface[:1].isupper() else new


def swap(text: bytes, mentions: list[Mention], other: Term) -> tuple[bytes, list[tuple[int, int]]]:
    """The text with every mention (all of one term, in order) reworded to `other`, and its edits.

    An edit is (end in the old text, bytes by which what follows moves); `moved` applies them to offsets.
    """
    own = identity_terms()[mentions[0].term]
    parts, edits, at = [], [], 0
    for mention in mentions:
        start, surface = mention.start, text[mention.start : mention.end].decode()
        new = _dressed(_possessive(surface, own, other), surface)
        before = _with_article(text[at:start], new)
        parts += (before, new.encode())
        edits.append((mention.end, len(before) + len(new.encode()) - (mention.end - at)))
        at = mention.end
    parts.append(text[at:])
    return b"".join(parts), edits


def moved(offset: int, edits: list[tuple[int, int]]) -> int:
    """Where an offset of the old text lies in the new one, for offsets outside of the mentions."""
    return offset + sum(by for end, by in edits if end <= offset)
