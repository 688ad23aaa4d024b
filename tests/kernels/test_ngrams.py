"""Hashed n-grams of sentences: the sums equal a plain-Python twin."""

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.ngram_training import feature_slots, fit_logistic
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.ngrams import (
    MAX_CLASSES,
    MAX_SENTENCE_WORDS,
    MAX_WORD_POINTS,
    MIN_SENTENCE_WORDS,
    SCOPE_SLOTS,
    sum_sentences,
)
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME, WORD_LOWER, hash_word

MASK = (1 << 64) - 1
RNG = np.random.default_rng(5)
WORD_WEIGHTS = RNG.integers(-127, 128, 1 << 12).astype(np.int8)
CHAR_WEIGHTS = RNG.integers(-127, 128, 1 << 10).astype(np.int8)
SCOPE_WEIGHTS = RNG.integers(-127, 128, SCOPE_SLOTS).astype(np.int8)
CLASS_OF = {
    hash_word(word): one for word, one in {"gay": 1, "idiot": 2, "don't": 7, "you": 10, "fool": 5, "a": 14}.items()
}
CLASSES = np.array(sorted(CLASS_OF), np.uint64), np.array([CLASS_OF[key] for key in sorted(CLASS_OF)], np.uint8)
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


def scopes_of(classes):
    if all(one > 6 for one in classes):
        return []
    every = (part for length in (1, 2, 3) for part in itertools.combinations(classes, length))
    return [sum(one << 4 * (len(part) - 1 - at) for at, one in enumerate(part)) for part in every]


def sums_of(text):
    """The twin of `sum_sentences` for one document."""
    rows = []
    for sentence in sentences_of(text):
        sums, sizes, classes = [0] * 5, [0] * 7, []
        for reading in (0, 1):
            previous = 0x6669727374
            for start, end in sentence:
                word = text[start:end]
                letters = [int(WORD_LOWER[ord(c)]) for c in word if unicodedata.category(c)[0] in "LMN"]
                value = FNV_BASIS
                for point in letters:
                    value = ((value ^ point) * FNV_PRIME) & MASK
                grams = True
                if not reading:
                    classes += [8] * (text[max(start - 1, 0) : start] in ('"', "\u201c"))
                    classes += [CLASS_OF.get(value, 0)] * (value in CLASS_OF)
                    sizes[6] |= 1 << CLASS_OF.get(value, 0)
                if word.isascii() and word.isdigit():
                    value, grams = 0x6E756D626572, False
                elif value in NEUTRAL:
                    if reading:
                        value, grams = 0x6E65757472616C, False
                elif value in LISTED and not reading:
                    sizes[5] += 1
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
        scopes = scopes_of(classes[:MAX_CLASSES])
        sums[4], sizes[4] = int(SCOPE_WEIGHTS[scopes].astype(int).sum()), len(scopes)
        start, end = len(text[: sentence[0][0]].encode()), len(text[: sentence[-1][1]].encode())
        rows.append((start, end, sums, sizes))
    return rows


def ours(texts):
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    found = sum_sentences(
        offsets, data, WORD_LOWER, WORD_WEIGHTS, CHAR_WEIGHTS, SCOPE_WEIGHTS, NEUTRAL, LISTED, *CLASSES
    )
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
        '"',
        "\u201ca ",
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
        bounds, slots, hits = feature_slots(offsets, data, WORD_LOWER, 1 << 12, 1 << 10, neutral, LISTED, *CLASSES)
        whole = ours([text])[0]
        if len(whole) != 1:
            return
        _, _, sums, sizes = whole[0]
        every = np.concatenate([WORD_WEIGHTS, CHAR_WEIGHTS, SCOPE_WEIGHTS]).astype(int)
        for part, where in enumerate((column, column + 1, 4)):
            mine = slots[bounds[0, part] : bounds[0, part + 1]]
            assert (every[mine].sum(), len(mine)) == (sums[where], sizes[where])
        assert hits[0] == sizes[5]


def test_training_separates_two_words():
    texts = ["good day"] * 50 + ["bad day"] * 50
    labels = np.array([0.0] * 50 + [1.0] * 50)
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    none, size = np.zeros(0, np.uint64), (1 << 12) + (1 << 10) + SCOPE_SLOTS
    read = feature_slots(offsets, data, WORD_LOWER, 1 << 12, 1 << 10, none, none, none, np.zeros(0, np.uint8))
    order = np.tile(np.arange(100), 5)
    weights, bias = fit_logistic(*read, labels, np.ones(100), order, size, 0.2, 0.0, 4.0)
    assert np.array_equal(weights, fit_logistic(*read, labels, np.ones(100), order, size, 0.2, 0.0, 4.0)[0])
    bounds, slots, _ = read
    scores = [
        bias
        + sum(
            weights[slots[low:high]].sum() / max(high - low, 1) ** 0.5 for low, high in itertools.pairwise(bounds[row])
        )
        for row in (0, 99)
    ]
    assert scores[0] < -1 < 1 < scores[1]


@pytest.mark.parametrize("unit", ["a", "1", "'", "word ", "\u0301", "😀"])
def test_a_megabyte_of_one_thing_is_read(unit):
    [rows] = ours([unit * (1_000_000 // len(unit.encode()))])
    assert len(rows) == (-(-200_000 // MAX_SENTENCE_WORDS) if unit == "word " else 0 if unit in ("'", "😀") else 1)
