"""µP: the coordinate check, the export, and that nothing changes at the base width."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.handoff import UsageError
from recipes.pretrain.data import micro_batches, share_of
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

from .conftest import case, train_here

pytestmark = pytest.mark.train

RUN = ["parallel.sharding=none", "evaluate.max_samples=1", "evaluate.max_terms=0", "evaluate.samples=0"]


def changes(handoff, out, world, width, scaling, architecture, steps=3):
    """Mean change of each layer's output and of the logits after a few steps at a high rate."""
    shape = f"hidden_size: {width}, num_layers: 2, num_heads: {width // 16}, intermediate_size: {4 * width}"
    settings = [f"model={{architecture: {architecture}, {shape}}}", f"optimizer.scaling={scaling}", f"out={out / str(width)}",
                "optimizer.base_width=64", "optimizer.skip_sigma=0"]  # fmt: skip
    trainer = Trainer(open_handoff(str(handoff), [*RUN, *settings]), world)
    batches = micro_batches(trainer.samples, share_of(0, 1, 0, 8), 8)
    batch, outputs = {name: torch.from_numpy(values) for name, values in batches[0].items()}, []
    for block in trainer.trainable.blocks:
        block.register_forward_hook(lambda m, i, o: outputs.append((o[0] if isinstance(o, tuple) else o).detach()))

    def look():
        outputs.clear()
        with torch.no_grad():
            return [trainer.trainable.logits(batch), *outputs]

    before = look()
    for _ in range(steps):
        trainer.train_step(batches, 0.02, 0)
        trainer.step += 1
    return [float((a - b).abs().mean()) for a, b in zip(before, look(), strict=True)]


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_coordinates_change_as_much_at_every_width(handoff, tmp_path, world, architecture):
    """Of the logits and of both layers: about the same from width 64 to 256 with µP, many times as much without."""
    slopes = {}
    for scaling in ("none", "mup"):
        found = [changes(handoff, tmp_path / scaling, world, width, scaling, architecture) for width in (64, 128, 256)]
        logs = np.log2(np.array(found))
        slopes[scaling] = (logs[-1] - logs[0]) / math.log2(256 / 64)
    assert (np.abs(slopes["mup"]) < 0.5).all(), slopes
    assert slopes["none"][0] > 0.5, slopes
    assert (slopes["none"][1:] > 1.0).all(), slopes


def test_the_export_has_the_factor_in_its_last_norm(handoff, tmp_path, world):
    settings = [f"out={tmp_path}", "steps=3", "optimizer.scaling=mup", "optimizer.base_width=16"]
    trainer = Trainer(open_handoff(str(handoff), [*RUN, *settings]), world)
    ids = torch.arange(40, 80)[None]
    batch = {"inputs": ids, "positions": torch.arange(40)[None], "docs": torch.zeros_like(ids), "labels": ids}
    seen, finish = [], trainer._finish

    def noted():
        trainer.trainable.eval()
        with torch.no_grad():
            seen.append(trainer.trainable.logits(batch))
        return finish()

    trainer._finish = noted
    trainer.run()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.allclose(seen[0], model(ids).logits, atol=1e-5)
    assert float(seen[0].std()) > 1e-3


def test_at_the_base_width_nothing_changes(handoff, tmp_path, world):
    run = [*RUN, "steps=4", "export.huggingface=false"]
    found = train_here([case("plain", handoff, tmp_path, *run),
                        case("mup", handoff, tmp_path, *run, "optimizer.scaling=mup", "optimizer.base_width=64")], world)  # fmt: skip
    assert found["mup"]["losses"] == found["plain"]["losses"]


@pytest.mark.parametrize(
    "given",
    [["optimizer.name=muon"], ["model.architecture=bert", "objective.kind=masked"], ["model={init_from: BASE}"]],
)
def test_trainings_it_is_not_for(handoff, tmp_path, world, given):
    if "BASE" in given[0]:
        train_here([case("base", handoff, tmp_path, *RUN, "steps=1")], world)
        given = [given[0].replace("BASE", str(tmp_path / "base" / "model"))]
    settings = [f"out={tmp_path / 'out'}", *RUN, "optimizer.scaling=mup", *given]
    with pytest.raises(UsageError, match="mup is for causal models that start afresh, with adamw"):
        Trainer(open_handoff(str(handoff), settings), world)
