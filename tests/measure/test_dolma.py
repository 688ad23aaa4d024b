"""The shape of a text equals plain Python on random Unicode and on real text."""

import re
import statistics
import zlib

import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.kernels.text.phrases import automaton
from pipeline.kernels.text.stop_words import STOP_WORDS
from pipeline.kernels.text.text_shape import LONGEST_WORD, MATCH_BYTES, SLOTS, WINDOW
from pipeline.measure.judges.dolma import Dolma, dolma
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts
from tests.kernels.test_words import python_words

BOILERPLATE = ["privacy policy", "terms of use", "uses cookies", "log in", "all rights reserved"]


def compressed(raw: bytes) -> int:
    """A greedy search for repeats, as an encoder of deflate makes with one candidate a position."""
    slots: dict[int, int] = {}
    at, size = 0, 0
    while at + 4 <= len(raw):
        four = raw[at : at + 4]
        key = ((int.from_bytes(four, "little") * 2654435761) & (2**64 - 1)) >> 18 & (SLOTS - 1)
        before = slots.get(key)
        slots[key] = at
        if before is not None and at - before <= WINDOW and raw[before : before + 4] == four:
            length = 4
            while at + length < len(raw) and raw[before + length] == raw[at + length]:
                length += 1
            size, at = size + MATCH_BYTES, at + length
        else:
            size, at = size + 1, at + 1
    return size + len(raw) - at


def plain(text: str) -> dict[str, float | None]:
    spoken, tokens, lines, raw = text.split(), python_words(text), text.split("\n"), text.encode()
    stops = {form for word in STOP_WORDS["en"] for form in (word, word.capitalize(), word.upper())}
    furniture = [line for line in lines if any(phrase in line.lower() for phrase in BOILERPLATE)]

    def share(part: float, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "symbol_word_ratio": share(text.count("#") + text.count("…"), len(spoken)),
        "median_word_length": statistics.median(min(len(w), LONGEST_WORD) for w in spoken) if spoken else None,
        "bullet_line_frac": sum(line.startswith(("*", "-")) for line in lines) / len(lines),
        "ellipsis_line_frac": sum(line.endswith("…") for line in lines) / len(lines),
        "curly_bracket_frac": share(text.count("{") + text.count("}"), len(text)),
        "url_char_frac": share(sum(len(m) for m in re.findall(r"(?:https?://|www\.)\S*", text)), len(text)),
        "digit_frac": share(sum(c in "0123456789" for c in text), len(text)),
        "letter_frac": share(sum(c.isalpha() for c in text), len(text)),
        "stop_word_frac": share(sum(token in stops for token in tokens), len(tokens)),
        "compressed_frac": share(compressed(raw), len(raw)),
        "chars_per_token": share(len(text), len(tokens)),
        "boilerplate_frac": share(sum(len(line.encode()) for line in furniture), len(raw)),
    }


def measured(documents: list[str]) -> list[dict]:
    return dolma.run(batch(documents), Dolma()).to_pylist()


@relaxed
@given(texts)
def test_equals_plain_python_on_random_text(text):
    documents = [text, "", text + text, "* " + text]
    assert measured(documents) == [plain(document) for document in documents]


@few_or_many
def test_equals_plain_python_on_real_text(limit):
    documents = real_texts(limit, 6_000)
    for found, expected in zip(measured(documents), map(plain, documents), strict=True):
        share = found.pop("boilerplate_frac")
        assert (share or 0) >= (expected.pop("boilerplate_frac") or 0)  # the judge knows more phrases than this test
        assert found == expected


def test_estimate_follows_deflate():
    documents = [*real_texts(60, 6_000), "same again " * 300]
    estimated = [found["compressed_frac"] for found in measured(documents)]
    deflated = [len(zlib.compress(text.encode(), 6)) / len(text.encode()) for text in documents]
    assert statistics.correlation(estimated, deflated) > 0.8
    assert estimated[-1] < 0.05


@relaxed
@given(texts)
def test_phrases_are_found_as_in_lower_cased_text(text):
    phrases = (*BOILERPLATE, "use", "cookies", "javascript", "kk")
    moves, marks = automaton(tuple((phrase, 1 << at) for at, phrase in enumerate(phrases)))
    state = found = 0
    for byte in text.encode():
        state = int(moves[state, byte])
        found |= int(marks[state])
    assert [phrase for at, phrase in enumerate(phrases) if found >> at & 1] == [
        phrase for phrase in phrases if phrase in text.lower()
    ]


def test_rules_fire_on_what_they_are_for():
    settings = Dolma(
        max_url_char_frac=0.5, max_boilerplate_frac=0.5, max_curly_bracket_frac=0.02, min_compressed_frac=0.1
    )
    documents = [
        "The bank raised its forecast for the year on Monday.",
        "https://example.com/a/very/long/address/of/a/page and more",
        "Log in | Privacy policy | Contact us",
        "function() { return {}; }",
        "again and " * 100,
    ]
    signals = pa.table(dolma.run(batch(documents), settings.without_thresholds()))
    rules = {
        name: [at for at, hit in enumerate(mask.to_pylist()) if hit]
        for name, mask in dolma.rules(signals, settings).items()
    }
    assert rules == {
        "max_url_char_frac": [1], "max_boilerplate_frac": [2], "max_curly_bracket_frac": [3], "min_compressed_frac": [4],
    }  # fmt: skip


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_measured(name):
    assert measured([ADVERSARIAL[name]])[0]["compressed_frac"] is not None
