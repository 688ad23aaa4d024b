"""Vocabulary and merges equal those of Hugging Face's trainer, ties, runs and shared tokens included."""

import json
import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from bench.tokens_saved import truncate
from pipeline.kernels.bpe.pretokens import PRESETS
from tests.tokenizer.conftest import TEXTS
from tokenizer.count import count_batch, merge_counts
from tokenizer.merge import train
from tokenizer.save import tokenizer_json


def reference(texts: list[str], preset: str, vocab_size: int, specials: list[str], min_frequency: int) -> dict:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRESETS[preset].pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())["model"]


def assert_equal(texts: list[str], preset: str, vocab_size: int, specials: list[str], min_frequency: int) -> None:
    model = train(count_batch(pa.array(texts, pa.string()), preset), vocab_size, specials, min_frequency)
    found, wanted = tokenizer_json(model)["model"], reference(texts, preset, vocab_size, specials, min_frequency)
    assert found["merges"] == [list(pair) for pair in wanted["merges"]]
    assert found["vocab"] == wanted["vocab"]
    assert model.shortfall == vocab_size - len(wanted["vocab"])


@given(
    words=st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=30),
    vocab_size=st.integers(258, 330),
    min_frequency=st.integers(0, 3),
)
@settings(deadline=None, max_examples=300)
def test_ties_runs_and_shared_tokens(words: list[str], vocab_size: int, min_frequency: int):
    assert_equal([" ".join(words)], "gpt4", vocab_size, ["<|endoftext|>", "abc"], min_frequency)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset(preset: str):
    assert_equal(TEXTS, preset, 400, ["<|endoftext|>"], 2)


@pytest.mark.skipif("CORPORA" not in os.environ, reason="CORPORA is not set: no real text")
@pytest.mark.parametrize("name", ["bbc", "korean_chinese"])
def test_real_text(name: str):
    from bench.corpora import documents

    assert_equal(list(documents(name))[::9], "gpt4", 6000, ["<|endoftext|>"], 2)


def test_the_way_of_adding_up_does_not_matter():
    parts = [count_batch(pa.array([text]), "gpt4") for text in TEXTS]
    whole = train(count_batch(pa.array(TEXTS), "gpt4"), 400)
    assert train(merge_counts(parts[::-1]), 400) == whole
    assert train(merge_counts([merge_counts(parts[:2]), merge_counts(parts[2:])]), 400) == whole


def test_one_pretoken_of_a_million_letters():
    assert [len(token) for token in train(count_batch(pa.array(["a" * 2**20]), "gpt4"), 276).tokens[256:]] == [
        2**power for power in range(1, 20)
    ]


def test_says_when_fewer_tokens_came_out():
    model = train(count_batch(pa.array(["abab"]), "gpt4"), 500, ["<|endoftext|>"])
    assert (len(model), model.asked, model.shortfall) == (258, 500, 242)
    assert train(count_batch(pa.array([], pa.string()), "gpt4"), 256).shortfall == 0


@pytest.mark.parametrize(
    ("size", "specials", "message"),
    [(256, ["<|endoftext|>"], "less than"), (300, ["<|a|>", "<|a|>"], "must differ"), (300, ["a"], "two characters")],
)
def test_impossible_requests_are_errors(size: int, specials: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        train(count_batch(pa.array(["abab"]), "gpt4"), size, specials)


def test_a_truncated_model_is_the_smaller_training():
    counts = count_batch(pa.array(TEXTS), "gpt4")
    large = train(counts, 380, ["<|endoftext|>"])
    assert len(large) >= 350
    for size in range(257, len(large) + 1):
        assert truncate(large, size) == train(counts, size, ["<|endoftext|>"])
    for size in (256, len(large) + 1):
        with pytest.raises(ValueError, match="not between"):
            truncate(large, size)
