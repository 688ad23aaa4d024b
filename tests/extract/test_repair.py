"""Repairs of text that its source damaged: only what the text itself proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.repair import repair


@pytest.mark.parametrize(
    ("damaged", "right"),
    [
        ("Smith &amp; Wesson &lt;SWHC&gt;", "Smith & Wesson <SWHC>"),
        ("It&#39;s &quot;fine&quot;&nbsp;now", 'It\'s "fine"\u00a0now'),
        ("5 &#x20AC; a head, 3 &ge; 2", "5 € a head, 3 ≥ 2"),
        ("Escaped twice: &amp;lt;b&amp;gt;", "Escaped twice: &lt;b&gt;"),
        ("Müller &amp; Söhne", "Müller & Söhne"),
    ],
)
def test_escaped_text_is_decoded_once(damaged, right):
    text, edits = repair(damaged, entities=True)
    assert text == right
    assert {edit.rule for edit in edits} == {"entities"}
    assert repair(damaged, entities=False) == (damaged, [])


@pytest.mark.parametrize(
    "text",
    [
        "Write &amp; for an ampersand, as in Q & A or R & D.",
        "The tag <b>bold</b> is written &lt;b&gt;.",
        "AT&T; and R&D; are companies",
        "fish & chips",
        "a &nosuchentity; b",
    ],
)
def test_text_about_entities_stays(text):
    assert repair(text, entities=True) == (text, [])


@pytest.mark.parametrize("right", ["The company’s café — €5", "naïve résumé", "Привет, мир", "“Quoted”", "Škoda, Łódź"])
def test_double_encoded_utf8_is_undone(right):
    damaged = (
        right.encode().decode("cp1252", "surrogateescape") if right.isascii() else right.encode().decode("latin-1")
    )
    text, edits = repair(f"{damaged}\nAnother line.", entities=True)
    assert text == f"{right}\nAnother line."
    assert [(edit.rule, edit.count) for edit in edits] == [("double_encoded", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "SÃO PAULO",
        "São Tomé à Â ici",
        "Ærø, Åse, Ö",
        "façade, señor, Übung",
        "Ю. А. Гагарин",
        "±5 °C, §7, ½",
        "Ã est une lettre",
    ],
)
def test_good_text_in_other_languages_stays(text):
    assert repair(text, entities=True) == (text, [])


@given(st.text(max_size=200))
def test_repairing_twice_changes_no_more_double_encoding(text):
    once, _ = repair(text, entities=False)
    assert repair(once, entities=False)[0] == repair(repair(once, entities=False)[0], entities=False)[0]
