"""Superwords: words first, phrases on top; the ids are the reference's, and phrases make text shorter."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from tokenizers import Tokenizer

from tests.tokenizer.conftest import TEXT
from tokenizer.check import lost_rows
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.merge import Model, train
from tokenizer.save import save
from tokenizer.superwords import PHRASES, WORDS, train_superwords

LINES = [
    "as a result of the sale the company reported net income of the year as a result of the offer",
    "net income of the year rose, as a result of higher rates; the company's net income of the year fell",
    "the company reported a net loss of the year in the third quarter of the year",
] * 4


def counts(preset: str):
    return count_batch(pa.array(LINES), preset)


@pytest.fixture(scope="module")
def model() -> Model:
    return train_superwords(counts(WORDS), counts(PHRASES), 360, ["<|endoftext|>"])


@pytest.fixture(scope="module")
def encoder(model: Model) -> Encoder:
    return Encoder(save(model)["tokenizer.json"])


def test_words_first_then_whole_words_joined(model: Model):
    words = train(counts(WORDS), 300, ["<|endoftext|>"])
    first = round(360 * 0.5) if 360 * 0.5 > 257 else 257
    assert model.tokens[:first] == words.tokens[:first]
    joined = [token for token in model.tokens[first:] if b" " in token[1:]]
    assert joined
    assert all(b" " not in token[1:] for token in model.tokens[:first])


def test_text_gets_shorter_and_nothing_is_lost(encoder: Encoder):
    plain = Encoder(save(train(counts(WORDS), 360, ["<|endoftext|>"]))["tokenizer.json"])
    text = pa.array(LINES)
    assert len(encoder.encode_column(text)[0]) < 0.8 * len(plain.encode_column(text)[0])
    assert lost_rows(encoder, text) == []
    assert encoder.unreachable() == []


@given(text=TEXT)
@settings(deadline=None)
def test_ids_are_those_of_the_reference(encoder: Encoder, model: Model, text: str):
    tokenizer = Tokenizer.from_str(save(model)["tokenizer.json"].decode())
    tokenizer.encode_special_tokens = True
    for sample in (text, LINES[1] + text + LINES[0]):
        ids, _ = encoder.encode_column(pa.array([sample]))
        assert ids.tolist() == tokenizer.encode(sample, add_special_tokens=False).ids


def test_counts_of_other_presets_are_refused():
    with pytest.raises(ValueError, match="expected counts of gpt4 and of superwords, got those of superwords"):
        train_superwords(counts(PHRASES), counts(PHRASES), 300)


def test_says_when_fewer_tokens_came_out():
    model = train_superwords(counts(WORDS), counts(PHRASES), 5000)
    assert model.shortfall == 5000 - len(model) > 0
