"""The table of identity terms the audit speaks of, and the phrases of finance that only look like them.

`identity_terms.tsv`: a stable id, the axis, the term, the forms that stand for it by themselves, and words that do so only
before a noun for people ("black" in "black families", not in "in the black"). `{p}` in a form stands for those nouns.
`lookalikes.tsv`: phrases that hide the term inside them (the longest phrase from the left wins).
"""

import csv
import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np

from pipeline.kernels.text.term_trie import WORD_LOWER, build_trie, find_phrases

PERSON_NOUNS = (
    "people person persons man men woman women guy guys girl girls boy boys lady ladies kid kids child children student students "
    "worker workers employee employees family families couple couples community communities folks adult adults male males "
    "female females american americans neighborhood neighborhoods household households voter voters friend friends "
    "patients individuals citizens residents youth teenager teenagers mother mothers father fathers applicant applicants "
    "borrower borrowers population populations guests"
).split()

TABLE_VERSION = 2
"""Goes up by one when a form is added or taken away: it enters the fingerprint of the judge `identity`."""


NAMES_NOBODY = ("person", "dialect")
"""Axes of words that name no group: grammatical persons for the table of pronouns, features of a dialect for its proxy."""


@dataclass(frozen=True)
class Term:
    """One row of the table. `forms` may hold `{p}`; `ambiguous` are single words."""

    id: int
    axis: str
    name: str
    forms: tuple[str, ...]
    ambiguous: tuple[str, ...]

    def phrases(self) -> list[tuple[str, ...]]:
        """Every sequence of words that counts as this term."""
        found = []
        for form in self.forms:
            if form.endswith(" {p}"):
                found += [(*form.split()[:-1], noun) for noun in PERSON_NOUNS]
            else:
                found.append(tuple(form.split()))
        return found


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("pipeline.audit").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


@functools.cache
def identity_terms() -> tuple[Term, ...]:
    """The table in the order of ids.

    >>> len({term.axis for term in identity_terms()}) >= 10
    True
    """
    return tuple(
        Term(
            int(row["id"]),
            row["axis"],
            row["term"],
            tuple(row["forms"].split("|")),
            tuple(word for word in row["ambiguous"].split("|") if word),
        )
        for row in _rows("identity_terms.tsv")
    )


@functools.cache
def lookalikes() -> tuple[tuple[str, ...], ...]:
    """Phrases that hide an identity term: `("blind", "trust")`."""
    return tuple(tuple(row["phrase"].split()) for row in _rows("lookalikes.tsv"))


@functools.cache
def identity_trie() -> tuple[np.ndarray, np.ndarray]:
    """The table as a trie for `find_phrases`; the value of a look-alike is the number of terms.

    The first term wins a form two terms share; a longer form of either still wins over a shorter one.
    """
    terms = identity_terms()
    phrases: dict[tuple[str, ...], int] = {}
    for words in lookalikes():
        phrases[words] = len(terms)
    for term in terms:
        for words in term.phrases():
            phrases.setdefault(words, term.id)
    return build_trie(phrases)


def find_terms(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mentions of identity terms: arrays of row, term id, start and end byte within the row."""
    rows, found, starts, ends, _ = find_phrases(offsets, data, WORD_LOWER, *identity_trie())
    real = found < len(identity_terms())
    return rows[real], found[real], starts[real], ends[real]
