"""Each objective learns the planted pattern; what is exported is the model that was trained."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from recipes.pretrain.handoff import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.parallel import start_world, stop_world

pytestmark = pytest.mark.train

SETTINGS = ["parallel.sharding=none", "evaluate.every_steps=100", "checkpoint.every_steps=1000", "global_batch=16",
            "micro_batch=16", "report.every_steps=5"]  # fmt: skip


@pytest.fixture(scope="module")
def world():
    yield start_world()
    stop_world()


def train(handoff, out, world, *settings):
    trainer = Trainer(open_handoff(str(handoff), [f"out={out}", *SETTINGS, *settings]), world)
    return trainer, trainer.run()


@pytest.mark.parametrize(
    ("architecture", "steps", "goal"),
    # a uniform guess over the 200 tokens is a loss of 5.3; knowing only which words there are, about 3
    [("llama", 40, 1.2), ("bert", 160, 2.6), ("t5", 120, 2.6), ("bart", 120, 2.0)],
)
def test_the_planted_pattern_is_learnt(handoff, tmp_path, world, architecture, steps, goal):
    settings = [f"steps={steps}", f"evaluate.every_steps={steps}", "optimizer.learning_rate=0.004"]
    if architecture != "llama":
        settings += [f"model.architecture={architecture}", "objective.kind=null"]
    kinds = {"llama": "causal", "bert": "masked", "t5": "spans", "bart": "infilling"}
    _, summary = train(
        handoff, tmp_path, world, *settings, f"objective.kind={kinds[architecture]}", "export.huggingface=false"
    )
    for source, after in summary["validation"].items():
        assert after["loss"] < goal, (source, summary["validation_before"][source]["loss"], after["loss"])
        assert (after["bits_per_byte"] is not None) == (architecture == "llama")


@pytest.mark.parametrize(
    ("architecture", "kind", "auto"),
    [
        ("llama", "causal", AutoModelForCausalLM),
        ("qwen3", "causal", AutoModelForCausalLM),
        ("gpt2", "causal", AutoModelForCausalLM),
        ("modernbert", "masked", AutoModelForMaskedLM),
        ("t5", "spans", AutoModelForSeq2SeqLM),
    ],
)
def test_the_export_gives_the_same_logits(handoff, tmp_path, world, architecture, kind, auto):
    settings = ["steps=2", f"model.architecture={architecture}", f"objective.kind={kind}"]
    trainer, summary = train(handoff, tmp_path, world, *settings)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    loaded = auto.from_pretrained(tmp_path / "model").eval()
    ids = torch.tensor([[0, *tokenizer("the company counts one two three")["input_ids"]]])
    trainer.trainable.eval()
    batch = {"inputs": ids, "docs": torch.zeros_like(ids), "positions": torch.arange(ids.shape[1])[None]}
    extra = {}
    if architecture == "t5":
        batch |= {"decoder_inputs": ids, "decoder_docs": batch["docs"], "decoder_positions": batch["positions"]}
        extra = {"decoder_input_ids": ids}
    with torch.no_grad():
        ours = trainer.trainable.logits(batch)
        theirs = loaded(input_ids=ids, attention_mask=torch.ones_like(ids), **extra).logits
    assert torch.allclose(ours, theirs, atol=1e-5)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "CC0-1.0" in card
    assert f"{summary['parameters']:,}" in card


def test_the_exported_model_writes_the_pattern(handoff, tmp_path, world):
    train(handoff, tmp_path, world, "steps=60", "optimizer.learning_rate=0.005")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    prompt = torch.tensor([[0, *tokenizer("the river counts two three")["input_ids"]]])
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False)
    assert "four five six" in tokenizer.decode(out[0])
    metrics = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "loss", "tokens", "lr", "grad_norm", "tokens_per_s", "mfu", "eta_s"} <= set(metrics[1])
    assert metrics[1]["mfu"] is None  # an unknown device has no utilisation


def test_a_finished_run_says_so(handoff, tmp_path, world):
    train(handoff, tmp_path, world, "steps=2", "export.huggingface=false")
    _, summary = train(handoff, tmp_path, world, "steps=2", "export.huggingface=false")
    assert summary["already_finished"]
