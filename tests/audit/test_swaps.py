"""Swapping identities in running text: the right words, and nothing else, change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.identity_terms import NAMES_NOBODY, find_terms, identity_terms
from pipeline.audit.swaps import Mention, adjective, moved, reworded, rivals, swap
from pipeline.audit.templates import CALM, HATEFUL, NOBODY, filled_templates
from pipeline.kernels.buffers import text_buffers

TERMS = {term.name: term for term in identity_terms()}


def mentions(text, name):
    import pyarrow as pa

    _, found, starts, ends = find_terms(*text_buffers(pa.array([text], pa.large_string())))
    return [
        Mention(TERMS[name].id, a, b)
        for t, a, b in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=True)
        if t == TERMS[name].id
    ]


@pytest.mark.parametrize(
    ("text", "own", "other", "expected"),
    [
        ("Black families and a black man moved in.", "black", "white", "White families and a white man moved in."),
        ("An elderly woman waited.", "elderly", "teenage", "A teenage woman waited."),
        ("He met a gay man.", "gay", "asexual", "He met an asexual man."),
        ("MUSLIM voters", "muslim", "hindu", "HINDU voters"),
        ("Muslims and Jews", "muslim", "hindu", "Hindus and Jews"),
        ("She lost her keys, she said.", "she", "he", "He lost his keys, he said."),
        ("He told him himself", "he", "she", "She told her herself"),
        ("the women's clinic", "woman", "man", "the men's clinic"),
        ("single mothers", "single_mother", "single_father", "single fathers"),
    ],
)
def test_reworded_texts_read_right(text, own, other, expected):
    assert swap(text.encode(), mentions(text, own), TERMS[other])[0].decode() == expected


def test_every_form_of_every_term_has_a_word_for_every_rival():
    for term in identity_terms():
        for words in term.phrases():
            for other in rivals(term.id):
                if term.axis == "pronoun" and term.name == "they":
                    continue
                assert reworded(" ".join(words), term, other).strip()


def test_rivals_share_the_axis_and_name_somebody():
    for term in identity_terms():
        assert all(other.axis == term.axis and other.id != term.id for other in rivals(term.id))
        assert not rivals(term.id) or term.axis not in NAMES_NOBODY
    assert rivals(TERMS["they"].id) == ()
    assert [other.name for other in rivals(TERMS["she"].id)] == ["he"]


around = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@settings(deadline=None)
@given(around, around, around, st.sampled_from(["muslim", "Sikhs", "JEWISH"]))
def test_what_is_not_a_mention_stays_and_offsets_follow(before, between, after, word):
    name = {"muslim": "muslim", "Sikhs": "sikh", "JEWISH": "jewish"}[word]
    parts = [before + ". ", word, " . " + between + " . ", word, " ." + after]
    text = "".join(parts).encode()
    starts = [len("".join(parts[:n]).encode()) for n in range(6)]
    found = [Mention(TERMS[name].id, starts[n], starts[n + 1]) for n in (1, 3)]
    new, edits = swap(text, found, TERMS["hindu"])
    for n in (0, 2, 4):
        piece = parts[n].encode()
        at = moved(starts[n], edits) if n else 0
        assert new[at : at + len(piece)] == piece
    assert len(new) == moved(len(text), edits)


def test_templates_are_even_and_hold_every_identity():
    found = filled_templates()
    assert sum(one.toxic for one in found) * 2 == len(found)
    assert len(CALM) == len(HATEFUL)
    named = {one.term for one in found} - {NOBODY}
    assert named == {t.id for t in identity_terms() if t.axis != "pronoun" and t.axis not in NAMES_NOBODY}
    assert all(adjective(identity_terms()[one.term]) in one.text for one in found if one.term != NOBODY)
