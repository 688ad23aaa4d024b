"""Hashed n-grams of sentences: the sums equal a plain-Python twin."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.ngrams import (
    MAX_SENTENCE_WORDS,
    MAX_WORD_POINTS,
    MIN_SENTENCE_WORDS,
    feature_slots,
    fit_logistic,
    sum_sentences,
)
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME, WORD_LOWER, hash_word

MASK = (1 << 64) - 1
RNG = np.random.default_rng(5)
WORD_WEIGHTS = RNG.integers(-127, 128, 1 << 12).astype(np.int8)
CHAR_WEIGHTS = RNG.integers(-127, 128, 1 << 10).astype(np.int8)
NEUTRAL = np.array(sorted(hash_word(word) for word in ("gay", "é")), np.uint64)
LISTED = np.array(sorted(hash_word(word) for word in ("idiot", "fool")), np.uint64)


def words_of(text):
    words, start = [], None
    for at, char in enumerate(text + " "):
        inside = unicodedata.category(char)[0] in "LMN" and at < len(text)
        if inside:
            if start is None:
                start = at
            end = at + 1
        elif start is not None and (char not in "'\u2019" or at == len(text)):
            words.append((start, end))
            start = None
    return words


def sentences_of(text):
    words, found, begin = words_of(text), [], 0
    for at in range(len(words) - 1):
        gap = text[words[at][1] : words[at + 1][0]]
        ends = "\n" in gap or any(gap[i] in ".!?" and gap[i + 1] in " \n\"')" for i in range(len(gap) - 1))
        if at + 1 - begin >= MAX_SENTENCE_WORDS or (at + 1 - begin >= MIN_SENTENCE_WORDS and ends):
            found.append(words[begin : at + 1])
            begin = at + 1
    if words:
        if found and len(words) - begin < MIN_SENTENCE_WORDS:
            found[-1] = found[-1] + words[begin:]
        else:
            found.append(words[begin:])
    return found


def slot(value, size):
    mixed = value * 0x9E3779B97F4A7C15 & MASK
    return (mixed ^ mixed >> 32) & (size - 1)


def pair(left, right):
    return ((left ^ left >> 31) * FNV_PRIME + right) & MASK


def sums_of(text):
    """The twin of `sum_sentences` for one document."""
    rows = []
    for sentence in sentences_of(text):
        sums, sizes = [0, 0, 0, 0], [0, 0, 0, 0, 0]
        for reading in (0, 1):
            previous = 0x6669727374
            for start, end in sentence:
                word = text[start:end]
                letters = [int(WORD_LOWER[ord(c)]) for c in word if unicodedata.category(c)[0] in "LMN"]
                value = FNV_BASIS
                for point in letters:
                    value = ((value ^ point) * FNV_PRIME) & MASK
                grams = True
                if word.isascii() and word.isdigit():
                    value, grams = 0x6E756D626572, False
                elif value in NEUTRAL:
                    if reading:
                        value, grams = 0x6E65757472616C, False
                elif value in LISTED and not reading:
                    sizes[4] += 1
                sums[2 * reading] += int(WORD_WEIGHTS[slot(value, 1 << 12)])
                sums[2 * reading] += int(WORD_WEIGHTS[slot(pair(previous, value), 1 << 12)])
                sizes[2 * reading] += 2
                previous = value
                if grams:
                    points = [0x3C, *letters[:MAX_WORD_POINTS], 0x3E]
                    for length in (3, 4, 5):
                        for at in range(len(points) - length + 1):
                            key = FNV_BASIS
                            for point in points[at : at + length]:
                                key = ((key ^ point) * FNV_PRIME) & MASK
                            sums[2 * reading + 1] += int(CHAR_WEIGHTS[slot(key, 1 << 10)])
                            sizes[2 * reading + 1] += 1
        start, end = len(text[: sentence[0][0]].encode()), len(text[: sentence[-1][1]].encode())
        rows.append((start, end, sums, sizes))
    return rows


def ours(texts):
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    found = sum_sentences(offsets, data, WORD_LOWER, WORD_WEIGHTS, CHAR_WEIGHTS, NEUTRAL, LISTED)
    per_row = [[] for _ in texts]
    for row, start, end, sums, sizes in zip(*(array.tolist() for array in found), strict=True):
        per_row[row].append((start, end, sums, sizes))
    return per_row


pieces = st.sampled_from(
    [
        "you ",
        "Idiot",
        " gay ",
        "1988 ",
        "don't ",
        ". ",
        "!\n",
        "é",
        "ß",
        "e\u0301 ",
        "fool ",
        "a b c d e f g. ",
        "漢字 ",
    ]
)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.one_of(st.lists(pieces, max_size=60).map("".join), st.text(st.characters(exclude_categories=["Cs"]))))
)
def test_equals_its_twin(texts):
    assert ours(texts) == [sums_of(text) for text in texts]


@settings(deadline=None)
@given(st.lists(pieces, min_size=1, max_size=5).map("".join))
def test_training_reads_the_features_that_scoring_sums(text):
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    for neutral, column in ((np.zeros(0, np.uint64), 0), (NEUTRAL, 2)):
        slots = feature_slots(offsets, data, WORD_LOWER, 1 << 12, 1 << 10, neutral, LISTED)
        whole = ours([text])[0]
        if len(whole) != 1:
            return
        _, _, sums, sizes = whole[0]
        assert int(WORD_WEIGHTS[slots[1]].astype(int).sum()) == sums[column]
        assert int(CHAR_WEIGHTS[slots[3]].astype(int).sum()) == sums[column + 1]
        assert (len(slots[1]), len(slots[3]), int(slots[4][0])) == (sizes[column], sizes[column + 1], sizes[4])


def test_training_separates_two_words():
    texts = ["good day"] * 50 + ["bad day"] * 50
    labels = np.array([0.0] * 50 + [1.0] * 50)
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    slots = feature_slots(offsets, data, WORD_LOWER, 1 << 12, 1 << 10, np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    order = np.tile(np.arange(100), 5)
    word, char, bias = fit_logistic(*slots, labels, np.ones(100), order, 1 << 12, 1 << 10, 0.2, 0.0, 0.5, 4.0)
    again = fit_logistic(*slots, labels, np.ones(100), order, 1 << 12, 1 << 10, 0.2, 0.0, 0.5, 4.0)
    assert np.array_equal(word, again[0])
    assert np.array_equal(char, again[1])
    scores = [
        bias
        + word[slots[1][slots[0][i] : slots[0][i + 1]]].sum() / 2
        + char[slots[3][slots[2][i] : slots[2][i + 1]]].sum() / 4
        for i in (0, 99)
    ]
    assert scores[0] < -1 < 1 < scores[1]


@pytest.mark.parametrize("unit", ["a", "1", "'", "word ", "\u0301", "😀"])
def test_a_megabyte_of_one_thing_is_read(unit):
    [rows] = ours([unit * (1_000_000 // len(unit.encode()))])
    assert len(rows) == (-(-200_000 // MAX_SENTENCE_WORDS) if unit == "word " else 0 if unit in ("'", "😀") else 1)
