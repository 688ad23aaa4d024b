"""Continuing public checkpoints from one recipe: their own tokenizer through shards, plan and hand-off to training."""

import json
import random
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen3Config

from pipeline.errors import UsageError
from pipeline.handoff import parse_manifest
from pipeline.kernels.bpe.pretokens import PRESETS
from pipeline.run import main
from pipeline.tokens.existing import read_folder
from pipeline.tokens.vocabulary import TokenizerSettings
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

from .build import texts

pytestmark = pytest.mark.train
SMALL: dict[str, Any] = {
    "vocab_size": 384,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
KINDS = {
    # eos, other special tokens, the pattern's preset, whether text is composed, the model
    "llama": ("<|end_of_text|>", ["<|begin_of_text|>"], "llama3", False,
              LlamaConfig(**SMALL, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)),
    "qwen3": ("<|endoftext|>", ["<|im_start|>"], "llama3_digits_1", True,
              Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True)),
    "gpt2": ("<|endoftext|>", [], "gpt2", False, GPT2Config(vocab_size=384, n_embd=32, n_layer=2, n_head=2)),
}  # fmt: skip


def public_model(folder, kind):
    """A small model with a tokenizer of its family's real format; returns the end-of-text token."""
    eos, others, preset, composed, config = KINDS[kind]
    made = Tokenizer(models.BPE())
    if preset == "gpt2":
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(PRESETS[preset].pattern), "isolated")
        made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    if composed:
        made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=370, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts(3, 300, "river"), trainer)
    made.add_special_tokens([*others, eos])  # behind the merges, as in all three families
    if others and kind == "llama":
        bos = made.token_to_id(others[0])
        made.post_processor = processors.TemplateProcessing(single=f"{others[0]} $A", special_tokens=[(others[0], bos)])
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    named = {"eos_token": eos, "tokenizer_class": "PreTrainedTokenizerFast"}
    if kind == "llama":
        named["bos_token"] = {"content": others[0], "lstrip": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return eos


def write_corpus(folder):
    rng = random.Random(0)
    words = ["amortization", "covenants", "Café", "subordinated", "e\u0301toile", "debentures", "2024"]
    for name, seed, extra in (("domain", 5, words), ("general", 6, [])):
        rows = []
        for at, text in enumerate(texts(seed, 400, name)):
            rows.append(json.dumps({"text": f"{text} {' '.join(rng.choices(extra, k=30)) if extra else ''} {at}"}))
        (folder / f"{name}.jsonl").write_text("\n".join(rows))


RECIPE = """
name: continued
use: here
sources:
  here:
    - {name: domain, kind: jsonl, path: PATH/domain.jsonl, role: domain, licence: CC0-1.0}
    - {name: general, kind: jsonl, path: PATH/general.jsonl, role: general, licence: CC0-1.0}
curate:
  - exact
tokenizer: {from: PATH/base, extend: EXTEND}
pretrain:
  steps: 3
  global_batch: 4
  micro_batch: 4
  model: {init_from: PATH/base}
  objective: {sequence_length: 64}
  parallel: {sharding: none}
  evaluate: {max_samples: 2, max_terms: 0, samples: 0}
"""


@pytest.mark.parametrize(("kind", "extend"), [("llama", 12), ("qwen3", 12), ("gpt2", 12), ("qwen3", 0)])
def test_a_public_checkpoint_is_continued_from_one_recipe(tmp_path, world, capsys, kind, extend):
    eos = public_model(tmp_path / "base", kind)
    write_corpus(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("PATH", str(tmp_path)).replace("EXTEND", str(extend)))
    out = tmp_path / "out"
    assert main([str(tmp_path / "r.yaml"), "--out", str(out), "--ray", "none", "--no-train", "--json"]) == 0
    capsys.readouterr()
    manifest = parse_manifest((out / "handoff" / "manifest.json").read_text())
    base = Tokenizer.from_file(str(tmp_path / "base" / "tokenizer.json"))
    ours = Tokenizer.from_file(str(out / "tokenizer" / "tokenizer.json"))
    assert manifest.tokenizer.eos_id == base.token_to_id(eos) == ours.token_to_id(eos)
    assert ours.get_vocab_size() == base.get_vocab_size() + extend
    if extend:
        assert any(token not in base.get_vocab() for token in ours.get_vocab())
    else:
        assert ours.get_vocab() == base.get_vocab()
    # the shards hold what the tokenizer itself gives for the kept texts
    kept = {json.loads(line)["text"].strip() for line in (tmp_path / "domain.jsonl").read_text().splitlines()}
    expected = {tuple(ours.encode(text, add_special_tokens=False).ids) for text in kept}
    (shard,) = [s for source in manifest.sources if source.name == "domain" for s in source.splits["train"]]
    tokens = np.fromfile(out / shard.path, "<u2")
    ends = np.fromfile(f"{out / shard.path}.index", "<u8")
    found = [tuple(part[:-1].tolist()) for part in np.split(tokens, ends[:-1].astype(int))]
    assert len(found) > 100
    assert set(found) <= expected
    trainer = Trainer(open_handoff(str(out / "handoff"), []), world)
    before = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    rows = trainer.trainable.model.get_input_embeddings().weight
    assert torch.equal(rows[:300], before.get_input_embeddings().weight[:300])
    assert trainer.run()["finished"]
    AutoModelForCausalLM.from_pretrained(out / "train" / "model")


def test_what_cannot_be_kept_is_refused(tmp_path):
    public_model(tmp_path / "base", "gpt2")
    with pytest.raises(ValueError, match="needs `from`"):
        TokenizerSettings(extend=5)
    with pytest.raises(ValueError, match="its own vocab_size"):
        TokenizerSettings.model_validate({"from": str(tmp_path / "base"), "vocab_size": 5000})
    with pytest.raises(ValueError, match=r"no tokenizer\.json"):
        TokenizerSettings.model_validate({"from": str(tmp_path)})
    (tmp_path / "base" / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UsageError, match="names no eos_token"):
        read_folder(str(tmp_path / "base"))
