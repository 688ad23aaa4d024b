"""Counts of what a page is written like: the compiled kernel equals a plain-Python twin on made-up and on real text."""

import os
import re

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.classify.informative import CLASS_OF, CLASSES, KEYS
from pipeline.classify.sample import excerpt
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import page_counts as kernel

CLASS = {word: number for number, words in enumerate(CLASSES.values()) for word in words.split()}
UNIT, SIGN, OTHER, APOSTROPHE, QUOTE, ELLIPSIS = map(chr, range(0xE000, 0xE006))
MARKED = {"£": UNIT, "€": UNIT, "\u2019": APOSTROPHE, "\u201c": QUOTE, "\u201d": QUOTE, "\u2026": ELLIPSIS}


def marked(char):
    """A character as the kernel reads it: ASCII and signs as one mark, any other as a letter a byte."""
    point = ord(char)
    if point < 0x80 or char in MARKED:
        return MARKED.get(char, char)
    if point < 0xC0:
        return SIGN
    return OTHER if 0x2000 <= point < 0x2040 else "é" * len(char.encode())


def twin(text):
    """The counts in the order of the columns."""
    found = dict.fromkeys(range(kernel.FIRST_CLASS + len(CLASSES)), 0)
    found[kernel.BYTES] = len(text.encode())
    for line in text.split("\n"):
        size = len(line.encode())
        found[kernel.LINES] += size > 0
        found[kernel.SHORT_LINE_BYTES] += size if size <= kernel.SHORT_LINE else 0
        ends = re.search(rf"[.!?{ELLIPSIS}][ \t\r\f\v\"'){QUOTE}{APOSTROPHE}]*$", "".join(map(marked, line)))
        found[kernel.ENDED_LINE_BYTES] += size if ends else 0
    plain = "".join(map(marked, text))
    for match in re.finditer(rf"[A-Za-z0-9é](?:[A-Za-z0-9é]|['{APOSTROPHE}](?=[a-zé]))*", plain):
        word = re.sub(f"['{APOSTROPHE}]", "", match.group())
        digits = len(re.findall("[0-9]", word))
        found[kernel.WORDS] += 1
        found[kernel.CAPITAL_WORDS] += "A" <= word[0] <= "Z"
        found[kernel.NUMBERS] += "0" <= word[0] <= "9"
        found[kernel.DIGITS] += digits
        found[kernel.CAPITALS] += len(re.findall("[A-Z]", word))
        found[kernel.LETTERS] += len(word) - digits
        if word.lower() in CLASS:
            found[kernel.FIRST_CLASS + CLASS[word.lower()]] += 1
    for column, chars in (
        (kernel.COMMAS, ","), (kernel.PAUSES, ";:()"), (kernel.QUOTES, f'"{QUOTE}'), (kernel.UNITS, f"%${UNIT}"),
        (kernel.SYMBOLS, f"|<>=*_#~{{}}[]\\^/@+{SIGN}"), (kernel.CALLS, "!?"),
    ):  # fmt: skip
        found[column] = sum(plain.count(char) for char in chars)
    for match in re.finditer(rf"\.\.\.|[.!?{ELLIPSIS}]", plain):
        found[kernel.ELLIPSES] += match.group() in ("...", ELLIPSIS)
        found[kernel.SENTENCES] += plain[match.end() : match.end() + 1] in ("", *' \t\r\f\v\n"')
    return list(found.values())


def counted(texts):
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    return kernel.page_counts(offsets, data, kernel.KIND, kernel.MARKS, KEYS, CLASS_OF, len(CLASSES)).tolist()


PIECES = st.sampled_from(
    [
        "the",
        "Because",
        "click",
        "I'm",
        "don’t",
        "3.5%",
        "£2",
        "…",
        "...",
        ". ",
        "!",
        "?”",
        "株",
        "é",
        "©",
        "\n",
        ",",
        "'",
        '"',
        ")",
        "–",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.lists(PIECES).map("".join), max_size=4))
@example(
    ["It's what the study shows (“so”). Click HERE…\nI said: 5 % of €3!\n", "", "'a 'A", "....", "a’é", "x’" + "—"]
)
def test_kernel_equals_the_twin(texts):
    assert counted(texts) == [twin(text) for text in texts]


def test_a_long_text_is_read_in_pieces():
    text = "".join(f"Sentence {at} of the report is here, because it is long.\n" for at in range(2000))
    assert counted([text]) == [twin(excerpt(text.encode()).decode())]


def test_kernel_equals_the_twin_on_real_text():
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set")
    from bench.corpora import documents

    texts = [text[:9000] for name in ("wikipedia", "web_gold") for text in list(documents(name))[:150]]
    assert counted(texts) == [twin(excerpt(text.encode()).decode()) for text in texts]
