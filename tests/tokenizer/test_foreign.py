"""Tokenizers of other makers, built here with `tokenizers` in their form: GPT-2's and Llama-3's are read and extended."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.tokenizer.conftest import TEXT, TEXTS
from tests.tokenizer.extension import extended
from tokenizer.count import count_batch
from tokenizer.encode import Encoder

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DOMAIN = "basis points and covenants, basis points, amortization schedules; covenants amortization " * 20


def build(kind: str) -> bytes:
    """A small tokenizer.json as the makers of GPT-2 and Llama-3 published theirs."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    if kind == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        steps = [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>"] if kind == "gpt2" else ["<|begin_of_text|>", "<|end_of_text|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if kind == "llama3":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
        )
    return tokenizer.to_str().encode()


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    return {kind: build(kind) for kind in ("gpt2", "llama3")}


def reference(content: bytes) -> Tokenizer:
    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.mark.parametrize("kind", ["gpt2", "llama3"])
@given(text=TEXT)
@settings(deadline=None)
def test_ids_are_those_of_the_reference(built: dict[str, bytes], kind: str, text: str):
    encoder, tokenizer = Encoder(built[kind]), reference(built[kind])
    assert encoder.preset == kind
    for sample in (text, text + "'ſ it's IT'LL we've\n\n  1234567 " + text):
        ids, _ = encoder.encode_column(pa.array([sample]))
        assert ids.tolist() == tokenizer.encode(sample, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["gpt2", "llama3"])
def test_they_are_extended(built: dict[str, bytes], kind: str):
    made = extended(built[kind], count_batch(pa.array([DOMAIN]), kind), 20)
    before, after = Encoder(built[kind]), Encoder(made.tokenizer_json)
    assert json.loads(made.tokenizer_json)["pre_tokenizer"] == json.loads(built[kind])["pre_tokenizer"]
    assert len(after.encode_column(pa.array([DOMAIN]))[0]) < 0.6 * len(before.encode_column(pa.array([DOMAIN]))[0])
    tokenizer = reference(made.tokenizer_json)
    for sample in (*TEXTS, DOMAIN):
        ids, _ = after.encode_column(pa.array([sample]))
        assert ids.tolist() == tokenizer.encode(sample, add_special_tokens=False).ids
        old = before.encode_column(pa.array([sample]))[0]
        spelled = np.concatenate([made.pieces[made.ids.index(n)] if n in made.ids else [n] for n in ids.tolist()])
        assert before.decode(spelled.astype(np.uint32)) == before.decode(old)


def test_what_cannot_be_read_is_said(built: dict[str, bytes]):
    description = json.loads(built["llama3"])
    gone = description["model"]["merges"].pop()
    with pytest.raises(ValueError, match=r"ignore_merges, and its merges do not make 1 of its tokens"):
        Encoder(json.dumps(description).encode())
    assert gone
    description = json.loads(built["gpt2"])
    description["pre_tokenizer"]["add_prefix_space"] = True
    with pytest.raises(ValueError, match="space before the text"):
        Encoder(json.dumps(description).encode())
