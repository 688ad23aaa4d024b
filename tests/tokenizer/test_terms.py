"""Term lists are well formed, and the table tells tokens and borders."""

from pathlib import Path

import pytest

from tokenizer.encode import Encoder
from tokenizer.term_lists import load_terms, term_table


@pytest.mark.parametrize("domain", ["finance", "legal", "medical"])
def test_lists(domain: str):
    terms = load_terms(domain)
    assert len(terms) >= 100
    assert len({term.term for term in terms}) == len(terms)
    assert all(term.term == term.term.strip() and term.gloss and term.source for term in terms)


@pytest.mark.parametrize("domain", ["finance", "legal", "medical"])
def test_every_row_has_a_gloss_and_says_where_to_look_it_up(domain: str):
    """A source is the term's field, then publisher and title; what is in use and defined nowhere says so."""
    places = {
        "Wikipedia",
        "Wex",
        "US Courts",
        "SEC",
        "FASB",
        "Federal Reserve",
        "US Treasury",
        "US Congress",
        "US House",
    }
    places |= {"US National Archives", "CAMI"}
    for term in load_terms(domain):
        _, _, place = term.source.partition("; ")
        publisher, _, title = place.partition(": ")
        assert len(term.gloss) > 2, term
        assert (publisher in places and title) or place.startswith("Usage in "), term


def test_a_hundred_medical_abbreviations_have_a_source_that_was_looked_up():
    """CAMI is the Clinical Abbreviation and Acronym Meta-Inventory; the part that has the sense stands behind it."""
    looked_up = [term for term in load_terms("medical") if "; CAMI: " in term.source]
    assert len(looked_up) >= 100
    parts = {term.source.rpartition(": ")[2] for term in looked_up}
    assert parts <= {"Wikipedia", "Stetson", "Vanderbilt", "Berman", "Columbia"}
    assert {"po", "qid", "pc", "hs", "npo", "CABG"} <= {term.term for term in looked_up}


def test_a_list_of_ones_own(tmp_path: Path):
    place = tmp_path / "energy.tsv"
    place.write_text("term\tgloss\tsource\nkWh\tkilowatt-hour\tSI\n", encoding="utf-8")
    assert [term.term for term in load_terms(place)] == ["kWh"]
    place.write_text("term\tgloss\tsource\nkWh\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        load_terms(place)
    place.write_text("kWh\tkilowatt-hour\tSI\n", encoding="utf-8")
    with pytest.raises(ValueError, match="first line"):
        load_terms(place)


def test_table(files: dict):
    encoder = Encoder(files["gpt4"]["tokenizer.json"])
    table = term_table(encoder, ["net income", "EBITDA", "é"]).to_pylist()
    assert [row["term"] for row in table] == ["net income", "EBITDA", "é"]
    for row in table:
        assert row["aligned"]
        assert row["tokens_after_space"] == len(row["pieces"])
    assert "".join(table[0]["pieces"]) == " net income"


def test_a_token_across_the_border_is_seen(files: dict):
    encoder = Encoder(files["superwords"]["tokenizer.json"])
    tokens = [token.decode("utf-8", "ignore") for token in encoder.tokens]
    assert not term_table(encoder, ["company"]).to_pylist()[0]["aligned"] or not any(
        " company" in token and not token.startswith(" ") for token in tokens
    )
