"""Each objective learns the planted pattern; what is exported is the model that was trained."""

import hashlib
import json
import shutil

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from pipeline.handoff import UsageError, build_manifest, dump_manifest
from pipeline.report.collect import training_curve
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

pytestmark = pytest.mark.train

SETTINGS = ["parallel.sharding=none", "evaluate.every_steps=100", "checkpoint.every_steps=1000", "global_batch=16",
            "micro_batch=16", "report.every_steps=5"]  # fmt: skip


def train(handoff, out, world, *settings):
    trainer = Trainer(open_handoff(str(handoff), [f"out={out}", *SETTINGS, *settings]), world)
    return trainer, trainer.run()


@pytest.mark.parametrize(
    ("architecture", "steps", "goal"),
    # a uniform guess over the 200 tokens is a loss of 5.3; knowing only which words there are, about 3
    [
        ("llama", 40, 1.2),
        pytest.param("bert", 160, 2.6, marks=pytest.mark.slow),
        pytest.param("t5", 120, 2.6, marks=pytest.mark.slow),
        pytest.param("bart", 120, 2.0, marks=pytest.mark.slow),
    ],
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
        ("bert", "masked", AutoModelForMaskedLM),
        ("roberta", "masked", AutoModelForMaskedLM),
        ("modernbert", "masked", AutoModelForMaskedLM),
        ("t5", "spans", AutoModelForSeq2SeqLM),
        ("bart", "infilling", AutoModelForSeq2SeqLM),
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
    if architecture in ("t5", "bart"):
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


def extended(handoff, folder):
    """A copy of the run folder whose tokenizer has two tokens more, at the end."""
    shutil.copytree(handoff.parent, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer/tokenizer.json"))
    tokenizer.add_tokens([" company counts", " river"])
    tokenizer.save(str(folder / "tokenizer/tokenizer.json"))
    fields = json.loads((folder / "handoff/manifest.json").read_text())
    digest = hashlib.sha256((folder / "tokenizer/tokenizer.json").read_bytes()).hexdigest()
    info = {**fields["tokenizer"], "sha256": digest, "vocab_size": tokenizer.get_vocab_size(), "padded_vocab_size": 384}
    manifest = build_manifest(tokenizer=info, sources=fields["sources"])
    (folder / "handoff/manifest.json").write_text(dump_manifest(manifest))
    return folder / "handoff", tokenizer


def test_continuing_from_an_exported_model(handoff, tmp_path, world):
    _, first = train(handoff, tmp_path / "base", world, "steps=20", "evaluate.every_steps=20")
    more, tokenizer = extended(handoff, tmp_path / "more")
    settings = [
        "steps=2",
        "evaluate.every_steps=2",
        f"model.init_from={tmp_path / 'base' / 'model'}",
        "model.preset=null",
    ]
    trainer, second = train(more, tmp_path / "continued", world, *settings, "optimizer.learning_rate=1e-9")
    for source, loss in second["validation_before"].items():
        # the old text reads as before; the softmax has two tokens more that look like their pieces
        assert loss["loss"] == pytest.approx(first["validation"][source]["loss"], abs=0.3)
    table = trainer.trainable.model.get_input_embeddings().weight
    assert table.shape[0] == 384
    new = tokenizer.token_to_id(" river")
    pieces = Tokenizer.from_file(str(handoff.parent / "tokenizer/tokenizer.json")).encode(" river").ids
    assert torch.allclose(table[new], table[pieces].mean(0), atol=1e-6)


def test_the_replayed_share_is_the_mixs_and_the_report_says_it(handoff, tmp_path, world):
    train(handoff, tmp_path / "base", world, "steps=1")
    init = ["model.preset=null", f"model.init_from={tmp_path / 'base' / 'model'}"]
    trainer, summary = train(handoff, tmp_path / "more", world, "steps=12", "evaluate.every_steps=12", *init)
    sources = trainer.handoff.manifest.sources
    roles = [trainer.samples.windows[trainer.samples.locate(k)[0]].name for k in range(trainer.consumed)]
    general = sum(name == "wiki" for name in roles) / len(roles)
    asked = next(source.weight for source in sources if source.role == "general")
    assert summary["shares"] == pytest.approx({"domain": 1 - general, "general": general}, abs=1e-12)
    assert abs(general - asked) <= max(0.001, 1 / len(roles))
    card = (tmp_path / "more" / "model" / "README.md").read_text()
    assert f"It continues the model `model`; {general:.1%} of its samples replay general text." in card
    assert "replay" not in (tmp_path / "base" / "model" / "README.md").read_text()
    stated = training_curve({"summary": summary, "processes": 1, "curve": []}).note
    assert f"{general:.1%} of its samples replay general text" in stated


def test_a_tokenizer_that_is_no_extension_is_refused(handoff, tmp_path, world):
    train(handoff, tmp_path / "base", world, "steps=1")
    path = tmp_path / "base" / "model" / "tokenizer.json"
    path.write_text(path.read_text().replace('"id": 4,', '"id": 4000,').replace("<sep>", "<SEP>"))
    settings = ["steps=1", f"model.init_from={tmp_path / 'base' / 'model'}", "model.preset=null"]
    with pytest.raises(UsageError, match="no extension"):
        train(handoff, tmp_path / "continued", world, *settings)


def test_a_finished_run_says_so(handoff, tmp_path, world):
    train(handoff, tmp_path, world, "steps=2", "export.huggingface=false")
    _, summary = train(handoff, tmp_path, world, "steps=2", "export.huggingface=false")
    assert summary["already_finished"]
