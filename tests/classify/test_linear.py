"""Hashed word n-grams: the compiled kernels equal a plain-Python twin; learning is the same every time."""

import os
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.classify.model import SLOTS
from pipeline.classify.sample import excerpt
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.linear import NUMBER, WHOLE_BYTES, fit_logistic, gram_slots, mean_weights
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME, WORD_LOWER, hash_word

MASK = (1 << 64) - 1
WEIGHTS = np.random.default_rng(3).normal(size=SLOTS).astype(np.float16).astype(np.float32)


def alone(char):
    return 0x3040 <= ord(char) <= 0x30FF or 0x3400 <= ord(char) <= 0x9FFF or 0x20000 <= ord(char) <= 0x3FFFF


def words_of(text):
    """Words by the definition, one regular state at a time."""
    found, word = [], ""
    for char in text:
        letter = unicodedata.category(char)[0] in "LMN"
        if letter and not alone(char):
            word += char
            continue
        if char in "'\u2019" and word:
            continue
        if word:
            found.append(word)
            word = ""
        if letter:
            found.append(char)
    return [*found, word] if word else found


def slot(value):
    mixed = value * 0x9E3779B97F4A7C15 & MASK
    return (mixed ^ (mixed >> 32)) & (SLOTS - 1)


def slots_of(text):
    hashes = [NUMBER if word.isascii() and word.isdigit() else hash_word(word) for word in words_of(text)]
    found = []
    for at, value in enumerate(hashes):
        found.append(slot(value))
        if at:
            left = hashes[at - 1]
            found.append(slot(((left ^ (left >> 31)) * FNV_PRIME + value) & MASK))
    return list(dict.fromkeys(found))


def buffers(texts):
    return text_buffers(pa.array(texts, pa.large_string()))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab1 '’株é\u0301。\n", max_size=30), max_size=5
    )
)
@example(["don't 12 12a a'", "'", "株式会社 Inc", "", "x" * 5000, "１２"])
def test_kernels_equal_the_twin(texts):
    offsets, data = buffers(texts)
    borders, slots = gram_slots(offsets, data, WORD_LOWER, SLOTS, 0)
    means = mean_weights(borders, slots, WEIGHTS)
    for row, text in enumerate(texts):
        expected = slots_of(text)
        assert slots[borders[row] : borders[row + 1]].tolist() == expected
        assert means[row] == pytest.approx(np.mean(WEIGHTS[expected].astype(float)) if expected else 0.0, abs=1e-9)


def test_real_text_equals_the_twin():
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: no real text")
    from bench.corpora import documents

    texts = [text[:3000] for name in ("wikipedia", "xquad", "reuters") for text in list(documents(name))[:400:8]]
    borders, slots = gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 0)
    for row, text in enumerate(texts):
        assert slots[borders[row] : borders[row + 1]].tolist() == slots_of(text)


@pytest.mark.parametrize("unit", ["bond yields ", "é株😀 ", "\u00e9", "a b c d e f g "])
@pytest.mark.parametrize("more", [-1, 0, 1, 2, 3, 5000])
def test_a_long_text_is_read_as_its_excerpt(unit, more):
    text = (unit * (WHOLE_BYTES // len(unit.encode()) + 3000)).encode()[: WHOLE_BYTES + more].decode("utf-8", "ignore")
    cut = excerpt(text.encode()).decode()
    borders, slots = gram_slots(*buffers([text, cut]), WORD_LOWER, SLOTS, 0)
    assert slots[: borders[1]].tolist() == slots[borders[1] :].tolist() == slots_of(cut)


def test_a_rare_gram_counts_more_than_one_that_stands_everywhere():
    texts = [f"the bond {n}" for n in range(40)] + [f"the river {n}" for n in range(40)]
    borders, slots = gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 0)
    scale = np.ones(SLOTS)
    scale[slot(hash_word("the"))] = 0.0
    order = np.tile(np.random.default_rng(1).permutation(80), 5)
    weights, _ = fit_logistic(borders, slots, np.repeat([1.0, 0.0], 40), np.ones(80), order, scale, 1.0, 1e-4, 1.0)
    assert weights[slot(hash_word("the"))] == 0.0
    assert weights[slot(hash_word("bond"))] > 0 > weights[slot(hash_word("river"))]


def test_shuffling_keeps_the_words_and_loses_their_order():
    texts = [" ".join(f"w{n}x" for n in range(40))]
    _, plain = gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 0)
    _, mixed = gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 1)
    words = {slot(hash_word(f"w{n}x")) for n in range(40)}
    assert words <= set(plain.tolist())
    assert words <= set(mixed.tolist())
    assert len((set(plain.tolist()) - words) & set(mixed.tolist())) < 8
    assert gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 1)[1].tolist() == mixed.tolist()


@pytest.mark.parametrize("unit", ["a", "1", "@", "\u0301", "😀", "株", "'", "a'", " a"])
def test_a_megabyte_of_one_thing_is_linear(unit):
    text = unit * (1_000_000 // len(unit.encode()))
    borders, slots = gram_slots(*buffers([text]), WORD_LOWER, SLOTS, 0)
    assert np.isfinite(mean_weights(borders, slots, WEIGHTS)).all()
    assert borders[1] <= WHOLE_BYTES


def test_fitting_tells_the_sides_apart_and_is_the_same_every_time():
    texts = [f"bond yield dividend {n}" for n in range(40)] + [f"river song tree {n}" for n in range(40)]
    borders, slots = gram_slots(*buffers(texts), WORD_LOWER, SLOTS, 0)
    labels = np.repeat([1.0, 0.0], 40)
    order = np.tile(np.random.default_rng(1).permutation(80), 5)
    first = fit_logistic(borders, slots, labels, np.ones(80), order, np.ones(SLOTS), 1.0, 1e-4, 0.5)
    again = fit_logistic(borders, slots, labels, np.ones(80), order, np.ones(SLOTS), 1.0, 1e-4, 0.5)
    assert (first[0] == again[0]).all()
    assert first[1] == again[1]
    means = mean_weights(borders, slots, first[0].astype(np.float32))
    assert means[:40].min() > means[40:].max()


def test_hash_basis_is_the_terms_kernels():
    assert hash_word("a") == ((FNV_BASIS ^ ord("a")) * FNV_PRIME) & MASK
