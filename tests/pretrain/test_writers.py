"""TensorBoard and Weights & Biases, where installed: every metric at its step, and closed, so that none is lost."""

import json
import shutil
import struct
import sys
import types

import numpy as np
import pytest

from pipeline.handoff import UsageError
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

pytestmark = pytest.mark.train
RUN = ["parallel.sharding=none", "steps=3", "evaluate.every_steps=3", "evaluate.max_samples=1",
       "export.huggingface=false"]  # fmt: skip


class Recorder:
    """A writer that keeps what it is told."""

    def __init__(self, *where, **named):
        self.where, self.named, self.told, self.closed, self.id = where, named, [], False, "a1b2"

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
        assert writer.named["config"]["optimizer"]["learning_rate"] == 5e-3
    else:
        assert writer.where == (str(tmp_path / "tensorboard"),)


def test_a_resumed_training_is_the_same_run(handoff, tmp_path, world, writers):
    for steps in (2, 3):
        settings = [f"out={tmp_path}", *RUN, f"steps={steps}", "report.wandb=finance"]
        Trainer(open_handoff(str(handoff), settings), world).run()
    first, second = writers
    assert "id" not in first.named
    assert (second.named["id"], second.named["resume"]) == ("a1b2", "allow")


@pytest.fixture
def interrupted(handoff, tmp_path, world, monkeypatch):
    """Train with a real writer to step 4, lose the last checkpoint, and train on from step 2; returns the folder."""

    def train(setting):
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_SILENT", "true")
        for steps in (4, 6):
            settings = [*RUN, f"out={tmp_path}", f"steps={steps}", "checkpoint.every_steps=2", setting]
            Trainer(open_handoff(str(handoff), settings), world).run()
            shutil.rmtree(tmp_path / "checkpoints/step-00000004", ignore_errors=True)
        return tmp_path

    return train


def written(folder):
    """{metric: [(step, value)]} of metrics.jsonl, in the order of the steps."""
    out = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        metrics = json.loads(line)
        flat = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        for name, found in metrics.get("val", {}).items():
            flat |= {f"val/{name}/{key}": value for key, value in found.items()}
        flat |= {f"cloze/{key}": value for key, value in metrics.get("cloze", {}).items()}
        for name, value in flat.items():
            out.setdefault(name, []).append((metrics["step"], value))
    return out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_metrics_jsonl_says(interrupted):
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = interrupted("report.tensorboard=true")
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    wanted = written(folder)
    assert [step for step, _ in wanted["loss"]] == [1, 2, 3, 4, 5, 6]
    assert sorted(events.Tags()["scalars"]) == sorted(wanted)
    for name, values in wanted.items():
        told = [(event.step, event.value) for event in events.Scalars(name)]
        assert told == [(step, float(np.float32(value))) for step, value in values], name


def log_records(path):
    """The records of a LevelDB log with Weights & Biases' header of seven bytes: 32 KiB blocks of pieces, each behind
    its checksum, length and kind (1 whole, 2 first, 3 middle, 4 last)."""
    data = path.read_bytes()
    at, record = 7, b""
    while at + 7 <= len(data):
        left = 32_768 - at % 32_768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


@pytest.mark.filterwarnings("ignore")
def test_wandb_keeps_what_metrics_jsonl_says(interrupted):
    pytest.importorskip("wandb", reason="the package wandb is not installed")
    from wandb.proto import wandb_internal_pb2

    folder = interrupted("report.wandb=finance")
    told, ids, configs = {}, set(), []
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for raw in log_records(path):
            record = wandb_internal_pb2.Record.FromString(raw)
            if record.HasField("run"):
                ids.add(record.run.run_id)
                configs += [item.value_json for item in record.run.config.update if item.key == "optimizer"]
            for item in record.history.item:
                name = "/".join(item.nested_key) or item.key
                told.setdefault(name, {})[record.history.step.num] = json.loads(item.value_json)
    assert len(ids) == 1
    assert json.loads(configs[0])["learning_rate"] == 5e-3
    wanted = written(folder)
    assert wanted.keys() <= told.keys()
    timing = {"tokens_per_s", "data_wait_ms", "eta_s"}  # of steps 3 and 4, both times
    for name in wanted.keys() - timing:
        assert dict(wanted[name]).items() <= told[name].items(), name


@pytest.mark.parametrize(
    ("setting", "package"), [("report.tensorboard=true", "tensorboard"), ("report.wandb=x", "wandb")]
)
def test_a_writer_that_is_not_installed_is_named(handoff, tmp_path, world, monkeypatch, setting, package):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=f"needs the package {package}, which is not installed"):
        Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *RUN, setting]), world).run()
