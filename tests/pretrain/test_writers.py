"""TensorBoard and Weights & Biases, where installed: every metric at its step, and closed, so that none is lost."""

import sys
import types

import pytest

from pipeline.handoff import UsageError
from recipes.pretrain.handoff import open_handoff
from recipes.pretrain.loop import Trainer

pytestmark = pytest.mark.train
RUN = ["parallel.sharding=none", "steps=3", "evaluate.every_steps=3", "evaluate.max_samples=1",
       "export.huggingface=false"]  # fmt: skip


class Recorder:
    """A writer that keeps what it is told."""

    def __init__(self, *where, **named):
        self.where, self.named, self.told, self.closed = where, named, [], False

    def log(self, values, step):
        self.told += [(name, value, step) for name, value in values.items()]

    def add_scalar(self, name, value, step):
        self.told.append((name, value, step))

    def close(self):
        self.closed = True

    finish = close


@pytest.fixture
def writers(monkeypatch):
    """Stand-ins for both packages; the writers they made."""
    made = []

    def make(*where, **named):
        made.append(Recorder(*where, **named))
        return made[-1]

    wandb, tensorboard = types.ModuleType("wandb"), types.ModuleType("torch.utils.tensorboard")
    wandb.init = tensorboard.SummaryWriter = make
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", tensorboard)
    return made


@pytest.mark.parametrize("setting", ["report.tensorboard=true", "report.wandb=finance"])
def test_every_metric_reaches_the_writer(handoff, tmp_path, world, writers, setting):
    summary = Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *RUN, setting]), world).run()
    (writer,) = writers
    assert writer.closed
    steps = [step for name, _, step in writer.told if name == "loss"]
    assert steps == [1, 2, 3]
    assert {name for name, _, _ in writer.told} >= {"loss", "lr", "grad_norm", "tokens_per_s", "skipped"}
    held_out = {(name, step): value for name, value, step in writer.told if name.startswith("val/")}
    assert held_out["val/wiki/loss", 3] == summary["validation"]["wiki"]["loss"]
    assert ("val/wiki/loss", 0) in held_out
    if "wandb" in setting:
        assert writer.named["project"] == "finance"
        assert writer.named["dir"] == str(tmp_path)
    else:
        assert writer.where == (str(tmp_path / "tensorboard"),)


@pytest.mark.parametrize(
    ("setting", "package"), [("report.tensorboard=true", "tensorboard"), ("report.wandb=x", "wandb")]
)
def test_a_writer_that_is_not_installed_is_named(handoff, tmp_path, world, monkeypatch, setting, package):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=f"needs the package {package}, which is not installed"):
        Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *RUN, setting]), world).run()
