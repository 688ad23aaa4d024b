"""Continued pre-training with an extended tokenizer: a local model's new rows are the means of their old pieces' rows."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.handoff import ObjectiveSettings, TokenizerInfo, UsageError
from recipes.pretrain.continued import new_tokens
from tests.tokenizer.extension import extended
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.merge import train
from tokenizer.save import save

from .whole import continued_model

pytestmark = pytest.mark.train
GENERAL = ["the river runs to the sea and the wind blows over the hills; été, naïve, 中文 " * 20]
DOMAIN = ["basis points and covenants, basis points, amortization; 債券 債券 債券 covenants " * 20]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local model with its tokenizer, one of whose tokens no merge makes."""
    folder = tmp_path_factory.mktemp("base")
    files = save(train(count_batch(pa.array(GENERAL), "gpt4"), 300, ["<|endoftext|>"]))
    description = json.loads(files["tokenizer.json"])
    used = {part for pair in description["model"]["merges"] for part in pair}
    dead = next(name for name in reversed(description["model"]["vocab"]) if len(name) > 2 and name not in used)
    description["model"]["merges"] = [p for p in description["model"]["merges"] if "".join(p) != dead]
    (folder / "tokenizer.json").write_text(json.dumps(description))
    config = LlamaConfig(vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=False)  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def info(vocab: int) -> TokenizerInfo:
    return TokenizerInfo(sha256="x", vocab_size=vocab, padded_vocab_size=384, eos_id=0)


def test_new_rows_are_the_means_of_their_pieces(base: Path, tmp_path: Path) -> None:
    content = (base / "tokenizer.json").read_bytes()
    made = extended(content, count_batch(pa.array(DOMAIN), "gpt4"), 30)
    assert len(made.pruned) == 1
    assert any(not _is_text(Encoder(made.tokenizer_json).tokens[at]) for at in made.ids), "no half character"
    (tmp_path / "tokenizer.json").write_bytes(made.tokenizer_json)
    before = LlamaForCausalLM.from_pretrained(base)
    after = continued_model(
        str(base), Tokenizer.from_file(str(tmp_path / "tokenizer.json")), info(330), ObjectiveSettings(kind="causal")
    )
    found = new_tokens(
        Tokenizer.from_file(str(base / "tokenizer.json")), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    )
    assert found == dict(zip(made.ids, made.pieces, strict=True))
    for name in ("get_input_embeddings", "get_output_embeddings"):
        old, new = getattr(before, name)().weight, getattr(after, name)().weight
        assert new.shape == (384, 16)
        for at, pieces in zip(made.ids, made.pieces, strict=True):
            assert torch.allclose(new[at], old[pieces].mean(0), atol=1e-6)
        kept = [at for at in range(300) if at not in made.ids]
        assert torch.equal(new[kept], old[kept])


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_another_tokenizer_is_refused(base: Path, tmp_path: Path) -> None:
    other = save(train(count_batch(pa.array(DOMAIN), "gpt4"), 320, ["<|endoftext|>"]))["tokenizer.json"]
    (tmp_path / "tokenizer.json").write_bytes(other)
    with pytest.raises(UsageError, match="is no extension of"):
        continued_model(
            str(base),
            Tokenizer.from_file(str(tmp_path / "tokenizer.json")),
            info(320),
            ObjectiveSettings(kind="causal"),
        )
