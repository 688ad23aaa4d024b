"""Identity terms: axes, look-alikes of finance, columns."""

import pyarrow as pa
import pytest

from bench.train_toxicity import neutral_words
from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms, lookalikes
from pipeline.measure.judges.identity import Identity, identity

NAMES = {term.id: term.name for term in identity_terms()}
GRAMMAR = {term.name for term in identity_terms() if term.axis in ("pronoun", *NAMES_NOBODY)}


def terms_in(text):
    batch = pa.record_batch({"text": pa.array([text], pa.large_string())})
    return {NAMES[at] for at in identity.run(batch, Identity())["terms"][0].as_py()} - GRAMMAR


def test_the_table_is_well_formed():
    terms = identity_terms()
    assert [term.id for term in terms] == list(range(len(terms)))
    assert len({term.axis for term in terms}) >= 10
    assert len({(term.axis, term.name) for term in terms}) == len(terms)
    assert {"queer", "black", "old", "muslim"} <= neutral_words()
    assert len(set(lookalikes())) == len(lookalikes())


@pytest.mark.parametrize(
    "text",
    [
        "Depreciation is computed on the straight-line method.",
        "The Black-Scholes model and a blind trust; minority interest in earnings.",
        "An old agreement, a white paper, the White House, a ten-year-old facility, black ink, fat tails.",
        "French fries were sold for Canadian dollars on the American Stock Exchange.",
        "The third straight quarter in the black.",
    ],
)
def test_look_alikes_of_finance_are_no_identities(text):
    assert terms_in(text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Black families and White people applied.", {"black", "white"}),
        ("An African-American woman and her Sikh neighbour", {"african_american", "woman", "sikh"}),
        ("QUEER, lesbian and wheelchair users", {"queer", "lesbian", "wheelchair"}),
        ("a single mother; the mothers", {"single_mother", "mother"}),
    ],
)
def test_identities_are_found(text, expected):
    assert terms_in(text) == expected


def test_columns_are_sorted_ids_with_counts():
    batch = pa.record_batch({"text": pa.array(["Jews and Muslims; a muslim", "", "gay"], pa.large_string())})
    found = identity.run(batch, Identity())
    assert [[NAMES[i] for i in row] for row in found["terms"].to_pylist()] == [["jewish_people", "muslim"], [], ["gay"]]
    assert found["mentions"].to_pylist() == [[1, 2], [], [1]]
    one_by_one = [identity.run(batch.slice(at, 1), Identity())["terms"][0].as_py() for at in range(3)]
    assert found["terms"].to_pylist() == one_by_one
