"""More merges on an old tokenizer: old ids stand, new tokens are used, embeddings are means."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tokenizers import Tokenizer

from tests.tokenizer.conftest import TEXT, TEXTS
from tests.tokenizer.extension import Extension, extended
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.extend import extend
from tokenizer.merge import train
from tokenizer.save import save

DOMAIN = ["basis points and covenants, basis points, amortization schedules; covenants amortization " * 20]


def grown_embeddings(old: np.ndarray, ids: Sequence[int], pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Embeddings for the extended vocabulary: old rows as they are, row `ids[i]` the mean of the rows `pieces[i]`.

    `old` is float[V, d] with V at most the largest new id; a padded matrix is cut by the caller. Computed in float64,
    returned in the old type.
    """
    new = np.zeros((max([len(old), *(number + 1 for number in ids)]), old.shape[1]), old.dtype)
    new[: len(old)] = old
    for number, parts in zip(ids, pieces, strict=True):
        new[number] = old[list(parts)].astype(np.float64).mean(axis=0).astype(old.dtype)
    return new


@pytest.fixture(scope="module")
def base() -> bytes:
    return save(train(count_batch(pa.array(TEXTS), "gpt4"), 350, ["<|endoftext|>", "<a special>"]))["tokenizer.json"]


@pytest.fixture(scope="module")
def extension(base: bytes) -> Extension:
    return extended(base, count_batch(pa.array(DOMAIN), "gpt4"), 20)


def test_old_tokens_keep_their_ids(base: bytes, extension: Extension):
    old, new = json.loads(base)["model"], json.loads(extension.tokenizer_json)["model"]
    assert old["vocab"].items() <= new["vocab"].items()
    assert new["merges"][: len(old["merges"])] == old["merges"]
    assert len(new["vocab"]) == len(old["vocab"]) + 20
    assert (extension.ids, extension.pruned) == (list(range(350, 370)), [])


def test_domain_text_gets_shorter_and_all_tokens_are_used(base: bytes, extension: Extension):
    before, after = Encoder(base), Encoder(extension.tokenizer_json)
    ids = [encoder.encode_column(pa.array(DOMAIN))[0] for encoder in (before, after)]
    assert len(ids[1]) < 0.6 * len(ids[0])
    assert after.decode(ids[1]) == before.decode(ids[0]) == DOMAIN[0].encode()
    assert after.unreachable() == []


@given(text=TEXT)
@settings(deadline=None)
def test_ids_are_those_of_the_reference(extension: Extension, text: str):
    tokenizer = Tokenizer.from_str(extension.tokenizer_json.decode())
    tokenizer.encode_special_tokens = True
    for sample in (text, DOMAIN[0][:200] + text):
        ids, _ = Encoder(extension.tokenizer_json).encode_column(pa.array([sample]))
        assert ids.tolist() == tokenizer.encode(sample, add_special_tokens=False).ids


def test_pieces_spell_the_new_tokens(base: bytes, extension: Extension):
    before, after = Encoder(base), Encoder(extension.tokenizer_json)
    spelled = [b"".join(before.tokens[piece] for piece in pieces) for pieces in extension.pieces]
    assert spelled == [after.tokens[number] for number in extension.ids]
    assert all(len(pieces) > 1 for pieces in extension.pieces)
    old = np.arange(700, dtype=np.float32).reshape(350, 2)
    grown = grown_embeddings(old, extension.ids, extension.pieces)
    assert grown.dtype == np.float32
    assert np.array_equal(grown[:350], old)
    assert np.allclose(grown[350], old[extension.pieces[0]].mean(axis=0))


def test_training_on_is_training_longer():
    counts = count_batch(pa.array(TEXTS), "gpt4")
    short, long = (save(train(counts, size, ["<|endoftext|>"]))["tokenizer.json"] for size in (300, 380))
    assert json.loads(extend(short, counts, 80)) == json.loads(long)


def test_fewer_tokens_come_out_where_no_pair_is_frequent(base: bytes):
    assert 0 < len(extended(base, count_batch(pa.array(DOMAIN), "gpt4"), 1000).ids) < 1000


def test_presets_must_agree(base: bytes):
    with pytest.raises(ValueError, match="gpt4_digits_1"):
        extend(base, count_batch(pa.array(DOMAIN), "gpt4_digits_1"), 4)


def with_dead_tokens(base: bytes) -> tuple[bytes, list[int]]:
    """The base without the merges that make three of its tokens, and without those that need them: nothing makes them."""
    description = json.loads(base)
    model = description["model"]
    used = {part for pair in model["merges"] for part in pair}
    dead = [name for name in model["vocab"] if len(name) > 2 and name not in used and not name.startswith("<")][:3]
    model["merges"] = [pair for pair in model["merges"] if "".join(pair) not in dead]
    return json.dumps(description).encode(), sorted(model["vocab"][name] for name in dead)


def test_tokens_that_no_text_reaches_give_their_ids_to_new_ones(base: bytes):
    pruned_base, dead = with_dead_tokens(base)
    assert Encoder(pruned_base).unreachable() == dead
    counts = count_batch(pa.array(DOMAIN), "gpt4")
    made = extended(pruned_base, counts, 20)
    assert made.pruned == dead
    assert made.ids == [*dead, *range(350, 367)]
    after, before = Encoder(made.tokenizer_json), Encoder(pruned_base)
    assert after.unreachable() == []
    assert after.vocab_size == 367
    text = pa.array(["中文文本 12345"])
    assert after.encode_column(text)[0].tolist() == before.encode_column(text)[0].tolist()
    tokenizer = Tokenizer.from_str(made.tokenizer_json.decode())
    tokenizer.encode_special_tokens = True
    for sample in (*TEXTS, *DOMAIN):
        ids = after.encode_column(pa.array([sample]))[0].tolist()
        assert ids == tokenizer.encode(sample, add_special_tokens=False).ids
    old = np.arange(700, dtype=np.float32).reshape(350, 2)
    grown = grown_embeddings(old, made.ids, made.pieces)
    assert grown.shape == (367, 2)
    assert np.allclose(grown[dead[0]], old[made.pieces[0]].mean(axis=0))
    few = extended(pruned_base, counts, 2)
    assert (few.pruned, Encoder(few.tokenizer_json).unreachable()) == (dead[:2], dead[2:])
