"""The judgement: what a report says of a tokenizer adds up, and other tokenizers stand beside it."""

import json

import numpy as np
import pyarrow as pa
import pytest

from bench.tokens_saved import truncate
from bench.unigram import train_unigram
from tests.tokenizer.conftest import TEXTS
from tokenizer.check import measure
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.judge import cut_vocabulary, judge, to_json
from tokenizer.merge import train
from tokenizer.save import save

TEXT = {"news": pa.array(TEXTS[:2] * 3), "law": pa.array(TEXTS[2:])}


@pytest.fixture(scope="module")
def large() -> bytes:
    counts = count_batch(pa.array(TEXTS * 3), "gpt4")
    return save(train(counts, 420, ["<|endoftext|>"]))["tokenizer.json"]


def test_it_adds_up(large: bytes):
    made = judge(large, TEXT)
    encoder = Encoder(large)
    assert made.total.num_tokens == sum(measure(encoder, part).num_tokens for part in TEXT.values())
    assert made.lossless == {"law": True, "news": True}
    assert made.unreachable == 0
    assert 0 < made.dead < 420
    assert made.dead == int((made.total.used[1:] == 0).sum())
    assert made.bits[420] == pytest.approx(made.total.num_tokens * np.log2(420))
    assert made.best_vocab_size in made.bits
    assert json.loads(json.dumps(to_json(made)))["sources"]["news"]["lossless"] is True


def test_a_cut_vocabulary_is_the_smaller_training():
    model = train(count_batch(pa.array(TEXTS * 3), "gpt4"), 420, ["<|endoftext|>"])
    large = save(model)["tokenizer.json"]
    for size in (257, 300, 400, 420):
        smaller = Encoder(save(truncate(model, size))["tokenizer.json"])
        cut = Encoder(cut_vocabulary(large, size))
        for part in TEXT.values():
            assert cut.encode_column(part)[0].tolist() == smaller.encode_column(part)[0].tolist()


def test_references_by_file(large: bytes):
    small = save(train(count_batch(pa.array(["the river runs to the sea"] * 4), "gpt4"), 270))["tokenizer.json"]
    unigram = train_unigram(TEXTS * 3, "bloomberg", 300, ["<|endoftext|>"])
    made = judge(large, TEXT, {"itself": large, "river": small, "unigram": unigram}, domain_tokens=1e9)
    found = {one.name: one for one in made.references}
    assert found["itself"].nsl == 1.0
    assert found["itself"].bytes_per_token == made.total.bytes_per_token
    assert found["itself"].tokens_per_word == made.total.tokens_per_word
    assert set(found["itself"].nsl_by_source.values()) == {1.0}
    assert found["river"].nsl < 0.8
    assert found["river"].shattered_share > found["itself"].shattered_share
    assert found["river"].advice.choice == "extend"
    assert found["unigram"].vocab_size >= 256
    assert found["unigram"].nsl > 0


def test_an_empty_corpus_is_judged(large: bytes):
    made = judge(large, {}, {"itself": large})
    assert made.total.num_tokens == 0
    assert made.references[0].nsl == 0
