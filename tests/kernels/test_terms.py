"""Phrases by word-level hash trie: equal to a plain-Python twin on any text."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.term_trie import WORD_LOWER, build_trie, find_phrases, hash_phrase, hash_word

PHRASES = {("blind", "trust"): 9, ("blind",): 1, ("african", "american"): 2, ("american",): 3, ("dont",): 4, ("é",): 5}


def lower(char):
    low = char.lower()
    return low if len(low) == 1 else char


def words_of(text):
    """The twin of `split_words`."""
    words, start = [], None
    for at, char in enumerate(text + " "):
        inside = unicodedata.category(char)[0] in "LMN" and at < len(text)
        if inside:
            if start is None:
                start, letters = at, []
            letters.append(lower(char))
            end = at + 1
        elif start is not None and (char not in "'\u2019" or at == len(text)):
            words.append(("".join(letters), len(text[:start].encode()), len(text[:end].encode())))
            start = None
    return words


def phrases_of(text):
    """The twin of `find_phrases`: leftmost, longest, consuming."""
    words, found, at = words_of(text), [], 0
    while at < len(words):
        best = max(
            (n for n in (1, 2) if at + n <= len(words) and tuple(w[0] for w in words[at : at + n]) in PHRASES),
            default=0,
        )
        if best:
            key = tuple(w[0] for w in words[at : at + best])
            found.append((PHRASES[key], words[at][1], words[at + best - 1][2]))
            at += best
        else:
            at += 1
    return found


def found_in(text):
    offsets, data = text_buffers(pa.array(["x", text], pa.large_string()))
    rows, values, starts, ends, _ = find_phrases(offsets, data, WORD_LOWER, *build_trie(PHRASES))
    assert set(rows.tolist()) <= {1}
    return list(zip(values.tolist(), starts.tolist(), ends.tolist(), strict=True))


pieces = st.sampled_from(
    ["blind", "Trust", " ", "-", "African", "american", "don't", "É", "e\u0301", "\u2019", "\n", "straße", "7"]
)


@settings(deadline=None)  # the first call compiles
@given(st.one_of(st.lists(pieces).map("".join), st.text(alphabet=st.characters(exclude_categories=["Cs"]))))
def test_equals_its_twin(text):
    assert found_in(text) == phrases_of(text)
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    assert find_phrases(offsets, data, WORD_LOWER, *build_trie(PHRASES))[4].tolist() == [len(words_of(text))]


def test_the_longest_phrase_hides_what_is_inside():
    assert found_in("a blind trust, blind") == [(9, 2, 13), (1, 15, 20)]
    assert found_in("African-American") == [(2, 0, 16)]


def test_hashes_and_refusals():
    assert hash_word("ABC") == hash_word("abc") != hash_word("abd")
    assert hash_phrase(["a", "b"]) != hash_phrase(["b", "a"])
    with pytest.raises(ValueError, match="phrases have words"):
        build_trie({(): 1})


@pytest.mark.parametrize("unit", ["a", "blind ", "'", "1", "@", "\u0301", "\U0001f600"])
def test_a_megabyte_of_one_thing_is_read(unit):
    assert len(found_in(unit * (1_000_000 // len(unit.encode())))) == (166_666 if unit == "blind " else 0)
