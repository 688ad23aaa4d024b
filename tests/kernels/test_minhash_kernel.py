"""The MinHash kernels against plain Python, on random Unicode, on real text and on what would break them."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.minhash import (
    _ALONE_RANGES,
    band_keys,
    lower_table,
    minhash_rows,
    permutations,
    scan_words,
    sketch_bytes,
    word_table,
)

M64 = 2**64 - 1


def fmix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & M64
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & M64
    return value ^ value >> 33


def words_of(text: str, keep_numerals: bool = True) -> list[str]:
    """Words by their definition: runs of letters, marks and numbers; scripts without spaces a character each."""
    words, run = [], ""

    def end() -> None:
        nonlocal run
        if run and not (not keep_numerals and run == "0" and words and words[-1] == "0"):
            words.append(run)
        run = ""

    for char in text:
        alone = any(first <= ord(char) <= last for first, last in _ALONE_RANGES)
        folded = char.lower()[0]
        if not keep_numerals and unicodedata.category(char) == "Nd":
            alone, folded = False, "0"
        if unicodedata.category(char)[0] not in "LMN":
            end()
        elif alone:
            end()
            words.append(folded)
        elif not (not keep_numerals and folded == "0" and run.endswith("0")):
            run += folded
    end()
    return words


def hash_word(word: str) -> int:
    hashed = 0x2545F4914F6CDD1D
    for char in word:
        hashed = (hashed ^ ord(char)) * 0x9FB21C651E98DF25 & M64
        hashed ^= hashed >> 29
    figure = all(unicodedata.category(char)[0] == "N" for char in word) and not any(
        first <= ord(char) <= last for char in word for first, last in _ALONE_RANGES
    )
    return fmix(hashed) & ~1 | figure


def minima_of(words: list[str], ngram: int, weight: int, a: np.ndarray, b: np.ndarray) -> tuple[list[int], int]:
    hashed, shingles = [hash_word(word) for word in words], []
    for i in range(len(words) - ngram + 1):
        mixed = hashed[i]
        for following in hashed[i + 1 : i + ngram]:
            mixed = (mixed * 0xD6E8FEB86659FD93 + following) & M64
        copies = weight if any(word & 1 for word in hashed[i : i + ngram]) else 1
        shingles += [fmix((mixed + copy * 0xD6E8FEB86659FD93) & M64) >> 32 for copy in range(copies)]
    ranks = [
        min(((x * int(p) + int(q)) & 0xFFFFFFFF for x in shingles), default=0xFFFFFFFF)
        for p, q in zip(a, b, strict=True)
    ]
    return ranks, max(len(words) - ngram + 1, 0)


def signatures(texts: list[str], ngram: int = 5, count: int = 112, keep_numerals: bool = True, weight: int = 1):
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    a, b = permutations(count, 1)
    minima, number = np.empty((len(texts), count), np.uint32), np.empty(len(texts), np.int32)
    minhash_rows(offsets, data, word_table(keep_numerals), not keep_numerals, ngram, weight, a, b, minima, number)
    return minima, number


def check(texts: list[str], ngram: int, keep_numerals: bool, weight: int = 1) -> None:
    minima, number = signatures(texts, ngram, 7, keep_numerals, weight)
    for row, text in enumerate(texts):
        expected = minima_of(words_of(text, keep_numerals), ngram, weight, *permutations(7, 1))
        assert (minima[row].tolist(), number[row]) == expected


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5), st.integers(1, 4), st.booleans(), st.integers(1, 3))
@example(["a 1,234.56 b 12.5% c 00 0", "x0 00y 2024Q3 ٣٤"], 2, False, 2)
@example(["今日は2024年 ภาษาไทย naïve İstanbul ΣΊΣΥΦΟΣ", "Ⅻ ½ x½"], 2, True, 3)
def test_equals_plain_python_on_random_unicode(texts: list[str], ngram: int, keep_numerals: bool, weight: int):
    check(texts, ngram, keep_numerals, weight)


def test_equals_plain_python_across_blocks():
    """Texts longer than the kernel's block of words: no shingle lost or doubled at the seam."""
    rng = np.random.default_rng(3)
    check([" ".join(f"w{rng.integers(50)}" for _ in range(count)) for count in (2046, 2052, 2053, 4500)], 5, True, 2)


@pytest.mark.skipif("CORPORA" not in os.environ, reason="set CORPORA to the folder of corpora")
@pytest.mark.parametrize("name", ["general/bbc_news", "multilingual/wikipedia_ko_zh"])
def test_equals_plain_python_on_real_text(name: str):
    path = Path(os.environ["CORPORA"]) / f"{name}.jsonl.zst"
    raw = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb")).read(300_000)
    texts = [json.loads(line)["text"] for line in raw.split(b"\n")[:60][:-1]]
    check([text[:4000] for text in texts], 5, True)
    check([text[:4000] for text in texts[:10]], 5, False)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_utf8_do_not_break_it(raw: bytes):
    words = np.empty(200, np.uint64)
    at, count = scan_words(np.frombuffer(raw, np.uint8), 0, len(raw), word_table(), False, words, 0)
    assert at == len(raw)
    assert count <= len(raw)


@pytest.mark.parametrize(
    ("unit", "words"),
    [("a", 1), ("7", 1), ("@", 0), ("\u0301", 1), ("😀", 0), ("字", 333_333), ("a ", 500_000), ("0 ", 500_000)],
)
def test_adversarial_megabyte_stays_linear(unit: str, words: int):
    text = unit * (1_000_000 // len(unit.encode()))
    _, number = signatures([text])
    assert number[0] == max(words - 4, 0)


def test_rows_agree_as_often_as_the_jaccard_similarity():
    """MinHash's law, per permutation pair: over many document pairs the share of equal rows is the similarity."""
    rng = np.random.default_rng(11)
    texts, expected = [], []
    for pair in range(300):
        share = (pair % 10) / 10
        words = [f"p{pair}w{i}" for i in range(200)]
        common = int(200 * 2 * share / (1 + share))
        other = words[:common] + [f"p{pair}x{i}" for i in range(200 - common)]
        texts += [" ".join(rng.permutation(words)), " ".join(rng.permutation(other))]
        expected.append(common / (400 - common))
    minima, _ = signatures(texts, ngram=1)
    equal = (minima[::2] == minima[1::2]).mean(axis=1)
    error = equal - np.array(expected)
    deviation = np.sqrt(np.array(expected) * (1 - np.array(expected)) / 112)
    assert abs(error.mean()) < 4 * deviation.mean() / np.sqrt(300)  # unbiased
    middle = deviation > 0
    assert 0.85 < (error[middle] / deviation[middle]).std() < 1.15  # and as exact as independent rows would be
    sketch = sketch_bytes(minima)
    chance = (sketch[::20] == sketch[1::20]).mean()  # pairs with nothing in common
    assert 0.5 / 256 < chance < 2 / 256


def test_band_keys_differ_between_bands_and_follow_their_rows():
    minima = np.zeros((2, 112), np.uint32)
    minima[1, 8] = 1
    keys = band_keys(minima, 8)
    assert keys.shape == (2, 14)
    assert len(np.unique(keys)) == 15  # equal rows give other keys in other bands; only band 1 differs
    assert (keys[0] == keys[1]).tolist() == [True, False] + [True] * 12


def test_lower_table_is_python_lower():
    table = lower_table()
    assert all(table[point] == ord(chr(point).lower()[0]) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
