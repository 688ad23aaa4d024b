"""Adapters on a continued model: only they learn, a resume is exact, and the merged export is the adapted model."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.handoff import UsageError
from recipes.pretrain import lora
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

from .conftest import case, train_here
from .test_resume import curve

pytestmark = pytest.mark.train

RUN = ["steps=6", "parallel.sharding=none", "evaluate.every_steps=6", "evaluate.max_samples=1", "evaluate.max_terms=0",
       "evaluate.samples=0", "micro_batch=8", "checkpoint.every_steps=2"]  # fmt: skip
ADAPTERS = "lora={rank: 4, alpha: 8}"


@pytest.fixture(scope="module")
def bases(handoff, tmp_path_factory, world):
    """A Llama and a GPT-2 that were trained for six steps."""
    out = tmp_path_factory.mktemp("bases")
    gpt2 = ["model={architecture: gpt2, hidden_size: 32, num_layers: 2, num_heads: 2, intermediate_size: 64}"]
    train_here([case("llama", handoff, out, *RUN), case("gpt2", handoff, out, *RUN, *gpt2)], world)
    return {name: out / name / "model" for name in ("llama", "gpt2")}


def trainer_of(handoff, base, out, world, *settings):
    settings = [f"out={out}", *RUN, f"model={{init_from: {base}}}", *settings]
    return Trainer(open_handoff(str(handoff), settings), world)


def logits(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.arange(40, 80)[None]).logits


def test_one_sentence_where_it_cannot_be(handoff, tmp_path, world, monkeypatch):
    with pytest.raises(UsageError, match=r"lora is for a model that is continued \(model.init_from\)"):
        Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *RUN, ADAPTERS]), world)
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    config = open_handoff(str(handoff), ["model={init_from: x}", ADAPTERS]).config
    with pytest.raises(UsageError, match="lora needs peft, which is not installed: pip install"):
        lora.adapt(None, None, config, world)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_merged_export_is_the_adapted_model(handoff, bases, tmp_path, world, name, precision):
    pytest.importorskip("peft")
    trainer = trainer_of(handoff, bases[name], tmp_path, world, ADAPTERS, f"parallel.precision={precision}")
    learns = {n for n, p in trainer.trainable.named_parameters() if p.requires_grad}
    assert learns
    assert all(".lora_" in n for n in learns)
    adapted, merge = [], lora.merge

    def noted(trainable):
        trainable.eval()
        whole = {n: p.full_tensor() if hasattr(p, "full_tensor") else p for n, p in trainable.named_parameters()}
        if precision == "fp32":
            batch = {"inputs": torch.arange(40, 80)[None], "positions": torch.arange(40)[None],
                     "docs": torch.zeros(1, 40, dtype=torch.int64), "labels": torch.zeros(1, 40, dtype=torch.int64)}  # fmt: skip
            with torch.no_grad():
                adapted.append(trainable.logits(batch))
        adapted.append(max(float(p.detach().abs().max()) for n, p in whole.items() if ".lora_B." in n))
        merge(trainable)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lora, "merge", noted)
        trainer.run()
    assert adapted[-1] > 1e-3  # B began at zero
    exported = logits(tmp_path / "model")
    if precision == "fp32":
        assert torch.allclose(adapted[0], exported, atol=1e-5)
    assert not torch.allclose(exported, logits(bases[name]), atol=1e-3)
    kept, base = (
        AutoModelForCausalLM.from_pretrained(f).get_input_embeddings().weight for f in (tmp_path / "model", bases[name])
    )
    assert torch.equal(kept, base)


def test_a_stopped_adapter_training_goes_on_bit_for_bit(handoff, bases, tmp_path, world):
    pytest.importorskip("peft")
    settings = [*RUN, f"model={{init_from: {bases['llama']}}}", "export.huggingface=false",
                "lora={rank: 2, targets: [q_proj, down_proj], embeddings: true}"]  # fmt: skip
    found = train_here([case("whole", handoff, tmp_path, *settings),
                        case("a", handoff, tmp_path, *settings, into="cut", stop_after=3),
                        case("b", handoff, tmp_path, *settings, into="cut"),
                        case("c", handoff, tmp_path, *settings, "lora.rank=3", into="cut"),
                        case("d", handoff, tmp_path, *settings, "lora=null", into="cut")], world)  # fmt: skip
    assert len(curve(tmp_path / "whole")) == 6
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    assert found["b"]["summary"]["finished"]
    assert "was made with another lora" in found["c"]["error"]
    assert "was made with another lora" in found["d"]["error"]


def test_targets_that_are_not_there_or_take_none(handoff, bases, tmp_path, world):
    pytest.importorskip("peft")
    with pytest.raises(UsageError, match="embedding and head take no adapter; lora"):
        trainer_of(handoff, bases["llama"], tmp_path, world, "lora={targets: [q_proj, lm_head]}")
    with pytest.raises(UsageError, match="on one process, with adamw"):
        trainer_of(handoff, bases["llama"], tmp_path, world, ADAPTERS, "optimizer.name=muon")
    with pytest.raises(UsageError, match=r"lora\.targets: .*no_such_proj"):
        trainer_of(handoff, bases["llama"], tmp_path, world, "lora={targets: [no_such_proj]}")
