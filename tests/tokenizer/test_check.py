"""Measures against values worked out by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest

from tests.tokenizer.conftest import TEXTS
from tokenizer.advise import advise
from tokenizer.check import (
    Quality,
    best_vocab_size,
    digit_fragmentation,
    lost_rows,
    measure,
    normalized_sequence_length,
    renyi_efficiency,
)
from tokenizer.encode import Encoder


@pytest.fixture(scope="module")
def encoder(files: dict) -> Encoder:
    return Encoder(files["gpt4"]["tokenizer.json"])


def test_renyi_efficiency():
    assert renyi_efficiency([3, 2, 1, 1]) == pytest.approx(0.8265064834, rel=1e-8)
    assert renyi_efficiency([5, 5, 5, 5]) == pytest.approx(1.0)
    assert renyi_efficiency([3, 2, 1, 1], alpha=1.0) == pytest.approx(
        -(3 / 7 * math.log(3 / 7) + 2 / 7 * math.log(2 / 7) + 2 / 7 * math.log(1 / 7)) / math.log(4)
    )
    assert renyi_efficiency([7]) == renyi_efficiency([0, 0]) == 0.0


def test_quality_by_hand():
    quality = Quality(2, 40, 5, np.array([4, 0, 6, 0]))
    assert (quality.num_tokens, quality.bytes_per_token, quality.tokens_per_word) == (10, 4.0, 2.0)
    assert quality.encoded_bits == 20.0
    assert quality.dead.tolist() == [1, 3]


def test_measure_counts_tokens_words_and_bytes(encoder: Encoder):
    quality = measure(encoder, pa.array(TEXTS))
    assert quality.num_tokens == len(encoder.encode_column(pa.array(TEXTS))[0])
    assert quality.num_words == sum(len(text.encode().split()) for text in TEXTS)
    assert quality.num_bytes == sum(len(text.encode()) for text in TEXTS)
    assert set(encoder.specials.values()) <= set(quality.dead.tolist())


def test_nothing_is_lost_and_everything_is_reachable(encoder: Encoder):
    assert lost_rows(encoder, pa.array(TEXTS)) == []
    assert encoder.unreachable() == []
    broken = Encoder.__new__(Encoder)
    broken.__dict__.update(encoder.__dict__)
    broken.tokens = [*encoder.tokens[:-1], b"xyzzy"]
    assert broken.unreachable() == [encoder.vocab_size - 1]


def test_normalized_sequence_length():
    assert normalized_sequence_length(50, 100) == 0.5


def test_digits_by_preset(files: dict):
    split = {
        preset: digit_fragmentation(Encoder(files[preset]["tokenizer.json"]), 6) for preset in ("gpt4", "gpt4_digits_1")
    }
    assert split["gpt4_digits_1"] == {digits: float(digits) for digits in range(1, 7)}
    assert all(1 <= split["gpt4"][digits] <= digits for digits in range(1, 7))


def test_best_vocabulary_size():
    assert best_vocab_size({1024: 100, 2048: 91, 4096: 84}) == 1024
    assert best_vocab_size({1024: 100, 2048: 90, 4096: 82}) == 4096


def test_advice():
    def quality(tokens: int) -> Quality:
        return Quality(1, 4000, 700, np.array([tokens]))

    assert advise(quality(1000), quality(1300), 0.2, 363e9).choice == "scratch"
    assert advise(quality(1000), quality(1300), 0.0, 1e9).choice == "extend"
    assert advise(quality(1000), quality(1000), 0.2, 1e9).choice == "extend"
    advice = advise(quality(1000), quality(1000), 0.01, 1e9)
    assert advice.choice == "continue"
    assert any("1.000 times" in line and "1.15" in line for line in advice.evidence)
