"""The scanner splits where the preset's regular expression does, on text and on bytes that are no text."""

import os
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from bench import bpe_sides
from pipeline.kernels.bpe.pretokens import (
    CLASSES,
    IS_BLANK,
    IS_LETTER,
    IS_NEWLINE,
    IS_NUMBER,
    PRESETS,
    count_pretokens,
    pretoken_ends,
)
from pipeline.kernels.buffers import text_buffers

SPLIT = {name: pre_tokenizers.Split(Regex(preset.pattern), "isolated") for name, preset in PRESETS.items()}
PIECES = [
    "a",
    "B",
    "é",
    "中",
    "1",
    "22",
    "９",
    "Ⅷ",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\u00a0",
    "'",
    "'s",
    "'LL",
    "'ſ",
    ".",
    "!?",
    "\u0301",
    "😀",
    "\x1c",
    "\u2028",
    "\u1c89",
    "\U000105c0",
    "\U00010d40",
    "\x85",
    "1234567",
    "net income",
]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=40).map("".join)


def ours(data: bytes, preset: str) -> list[bytes]:
    ends, counts = pretoken_ends(np.array([0, len(data)]), np.frombuffer(data, np.uint8), preset)
    assert counts.tolist() == [len(ends)]
    starts = [0, *ends.tolist()]
    return [data[start:end] for start, end in pairwise(starts)]


def reference(text: str, preset: str) -> list[bytes]:
    return [piece.encode() for piece, _ in SPLIT[preset].pre_tokenize_str(text)]


@pytest.mark.parametrize("preset", PRESETS)
@given(text=TEXT)
@settings(deadline=None)
def test_equals_the_regular_expression(preset: str, text: str):
    assert ours(text.encode(), preset) == reference(text, preset)


@pytest.mark.parametrize("preset", PRESETS)
@given(texts=st.lists(TEXT, max_size=8))
@settings(deadline=None)
def test_counts_are_those_of_the_regular_expression(preset: str, texts: list[str]):
    """Counting has an automaton of its own: rows begin at any alignment and end in any state."""
    found = count_pretokens(*text_buffers(pa.array(texts, pa.string())), preset)
    assert found.tolist() == [len(reference(text, preset)) for text in texts]


@pytest.mark.parametrize("preset", ["gpt4", "gpt4_digits_1"])
@given(text=TEXT, repeats=st.integers(1, 200), tail=TEXT)
@settings(deadline=None)
def test_a_long_text_is_counted_in_parts(preset: str, text: str, repeats: int, tail: str):
    """Parts begin where the state is known; texts without such a place, and of any alignment, count the same."""
    whole = text * repeats + tail
    found = count_pretokens(*text_buffers(pa.array(["a", whole, tail], pa.string())), preset)
    assert found.tolist() == [1, len(reference(whole, preset)), len(reference(tail, preset))]


def readable(data: bytes) -> tuple[str, list[int]]:
    """Plain-Python twin of decoding: a stray byte becomes one private-use sign; the bytes each character took."""
    text, sizes, at = [], [], 0
    while at < len(data):
        for size in (1, 2, 3, 4):
            try:
                text.append(data[at : at + size].decode())
            except UnicodeDecodeError:
                continue
            sizes.append(size)
            break
        else:
            text.append("\ue000")
            sizes.append(1)
        at += sizes[-1]
    return "".join(text), sizes


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "bloomberg"])
@given(parts=st.lists(st.one_of(st.binary(max_size=6), st.sampled_from(PIECES).map(str.encode)), max_size=20))
@settings(deadline=None)
def test_a_stray_byte_is_one_sign(preset: str, parts: list[bytes]):
    data = b"".join(parts)
    text, sizes = readable(data)
    want, at, character = [], 0, 0
    for piece, _ in SPLIT[preset].pre_tokenize_str(text):
        size = sum(sizes[character : character + len(piece)])
        want.append(data[at : at + size])
        at += size
        character += len(piece)
    assert ours(data, preset) == want


@pytest.mark.parametrize(
    ("pattern", "kinds"), [(r"\p{L}", [IS_LETTER]), (r"\p{N}", [IS_NUMBER]), (r"\s", [IS_BLANK, IS_NEWLINE])]
)
def test_classes_are_those_of_the_reference(pattern: str, kinds: list[int]):
    points = [point for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    left = pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str("".join(map(chr, points)))
    other = set().union(*(piece for piece, _ in left))
    assert {point for point in points if chr(point) not in other} == {p for p in points if CLASSES[p] in kinds}


@pytest.mark.parametrize(
    ("character", "count"),
    [
        ("a", 1),
        ("1", 333_334),
        (" ", 1),
        ("\n", 1),
        ("@", 1),
        ("\u0301", 1),
        ("😀", 1),
        ("中", 1),
        ("'", 1),
        ("1,", 2_000_000),
    ],
)
def test_a_million_of_one_character(character: str, count: int):
    data = np.frombuffer(character.encode() * 1_000_000, np.uint8)
    offsets = np.array([0, len(data)])
    assert count_pretokens(offsets, data).tolist() == [count]
    assert count_pretokens(offsets, data, "gpt4_digits_right_to_left").tolist() == [count]


def test_rows_slices_and_nulls():
    column = pa.array(["skip me", "a b", None, "", "1234", "x"])
    offsets, data = text_buffers(column[1:5])
    assert count_pretokens(offsets, data).tolist() == [2, 0, 0, 2]
    assert count_pretokens(offsets, data, "gpt4_digits_right_to_left").tolist() == [2, 0, 0, 2]
    assert ours(b"1234567", "gpt4_digits_right_to_left") == [b"1", b"234", b"567"]
    assert ours(b"1234567", "gpt4") == [b"123", b"456", b"7"]
    assert ours(b"net income rose 5%", "superwords") == [b"net income rose", b" ", b"5", b"%"]
    assert ours(b"net income rose 5%", "bloomberg") == [b"net income rose ", b"5", b"%"]


def test_the_bench_names_the_same_pattern():
    assert PRESETS["gpt4"].pattern == bpe_sides.PATTERN


@pytest.mark.skipif("CORPORA" not in os.environ, reason="CORPORA is not set: no real text")
@pytest.mark.parametrize("name", ["korean_chinese", "xquad", "earnings_calls"])
def test_equals_the_regular_expression_on_real_text(name: str):
    from bench.corpora import documents

    texts = [text[:20_000] for text in list(documents(name))[::97]]
    for preset in PRESETS:
        for text in texts:
            assert ours(text.encode(), preset) == reference(text, preset)
