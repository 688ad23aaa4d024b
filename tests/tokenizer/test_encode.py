"""Ids equal those of `tokenizers` and of the saved transformers tokenizer; nothing is lost and nothing injected."""

import os
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from pipeline.kernels.bpe.pretokens import PRESETS
from tests.tokenizer.conftest import TEXT, TEXTS
from tokenizer.encode import Encoder
from tokenizer.merge import Model
from tokenizer.save import save


def reference(content: bytes) -> Tokenizer:
    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.encode_special_tokens = True
    return tokenizer


def rows(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    ids, ends = encoder.encode_column(pa.array(texts, pa.string()))
    return [part.tolist() for part in np.split(ids, ends[:-1])] if texts else []


@pytest.fixture(scope="module")
def pairs(files: dict[str, dict[str, bytes]]) -> dict[str, tuple[Encoder, Tokenizer]]:
    return {
        preset: (Encoder(content["tokenizer.json"]), reference(content["tokenizer.json"]))
        for preset, content in files.items()
    }


@pytest.mark.parametrize("preset", PRESETS)
@given(texts=st.lists(TEXT, max_size=4))
@settings(deadline=None)
def test_ids_are_those_of_the_reference(pairs: dict, preset: str, texts: list[str]):
    encoder, tokenizer = pairs[preset]
    assert rows(encoder, texts) == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_long_pretokens_and_a_full_cache(pairs: dict):
    rng = random.Random(1)
    texts = ["".join(rng.choice("abc") for _ in range(size)) for size in (15, 16, 17, 47, 48, 49, 50, 500, 5000)]
    texts += [" ".join("".join(rng.choice("abcde") for _ in range(rng.randrange(1, 9))) for _ in range(3000))]
    texts += ["a" * 3000, "ab" * 1500, "12" * 700, "😀" * 200]
    for encoder, tokenizer in pairs.values():
        want = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        small = Encoder.__new__(Encoder)
        small.__dict__.update(encoder.__dict__)
        small._cache, small._pool, small._fill = (
            np.zeros(4 * 64, np.uint64),
            np.empty(64, np.uint32),
            np.zeros(2, np.int64),
        )
        assert rows(encoder, texts) == rows(small, texts) == rows(encoder, texts) == want


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "abc" * 333_333, "1" * 1_000_000, " " * 1_000_000, "@" * 1_000_000, "e\u0301" * 333_333]
)
def test_a_million_of_one_letter_is_not_quadratic(pairs: dict, text: str):
    for encoder, _ in pairs.values():
        ids, ends = encoder.encode_column(pa.array([text]))
        assert encoder.decode(ids) == text.encode()
        assert ends.tolist() == [len(ids)]


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_come_back(pairs: dict, data: bytes):
    for encoder, _ in pairs.values():
        ids, ends = encoder.encode_column(pa.array([b"x", data, b""]))
        assert encoder.decode(ids[ends[0] : ends[1]]) == data


def test_a_document_cannot_inject_a_special(pairs: dict):
    for encoder, _ in pairs.values():
        ids, _ = encoder.encode_column(pa.array(["<|endoftext|> and <|pad|><extra_id_0>"]))
        assert not set(ids.tolist()) & set(encoder.specials.values())


def test_slices_and_nulls(pairs: dict):
    encoder, tokenizer = pairs["gpt4"]
    column = pa.array(["left out", TEXTS[0], None, TEXTS[1], "left out"])[1:4]
    ids, ends = encoder.encode_column(column)
    want = [tokenizer.encode(text, add_special_tokens=False).ids for text in (TEXTS[0], TEXTS[1])]
    assert ids.tolist() == want[0] + want[1]
    assert ends.tolist() == [len(want[0]), len(want[0]), len(ids)]


def test_the_folder_opens_in_transformers(files: dict, pairs: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformers import AutoTokenizer

    for preset, content in files.items():
        folder = tmp_path / preset
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
        loaded = AutoTokenizer.from_pretrained(str(folder))
        encoder, _ = pairs[preset]
        assert (loaded.eos_token_id, loaded.pad_token_id, loaded.mask_token) == (0, 1, "<|mask|>")
        assert len(loaded) == encoder.vocab_size
        assert [loaded(text)["input_ids"] for text in TEXTS] == rows(encoder, TEXTS)
        assert [loaded.decode(ids) for ids in rows(encoder, TEXTS)] == TEXTS
        assert loaded.convert_tokens_to_ids("<extra_id_1>") == encoder.specials["<extra_id_1>"]


def test_the_same_model_gives_the_same_bytes(models: dict[str, Model], files: dict):
    assert {preset: save(model) for preset, model in models.items()} == files


def test_another_kind_of_tokenizer_is_refused(files: dict):
    content = files["gpt4"]["tokenizer.json"]
    with pytest.raises(ValueError, match="splits by"):
        Encoder(content.replace(b"{1,3}", b"{1,4}"))
    with pytest.raises(ValueError, match="dropout"):
        Encoder(content.replace(b'"dropout": null', b'"dropout": 0.1'))


@pytest.mark.skipif("CORPORA" not in os.environ, reason="CORPORA is not set: no real text")
def test_real_text_in_every_language(pairs: dict):
    from bench.corpora import SETS, documents

    for name in SETS:
        texts = [text[:5000] for text in islice(documents(name), 0, 8_000, 211)]
        for preset in ("gpt4", "gpt4_digits_right_to_left", "bloomberg"):
            encoder, tokenizer = pairs[preset]
            assert rows(encoder, texts) == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
