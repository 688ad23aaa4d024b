"""When checkpoints are written and which are kept; one that was cut off does not exist, and the one before it loads."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.handoff import CheckpointSettings
from recipes.pretrain.checkpoint import Checkpoints, complete_steps, folder_of, interval_s, kept_for_ever
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

from .forked import ENVIRONMENT, forked

pytestmark = pytest.mark.train

RUN = ["parallel.sharding=none", "evaluate.every_steps=100", "evaluate.max_samples=1", "export.huggingface=false",
       "micro_batch=8"]  # fmt: skip


def train(handoff, out, world, *settings):
    return Trainer(open_handoff(str(handoff), [f"out={out}", *RUN, *settings]), world).run()


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(m["step"], m["loss"], m["grad_norm"], m["tokens"]) for m in lines if "loss" in m]


def words(out, *settings):
    return [word for setting in [f"out={out}", *RUN, *settings] for word in ("--set", setting)]


def test_the_last_some_for_ever_and_the_decays_start_are_kept(handoff, tmp_path, world):
    keep = ["checkpoint.keep_last=2", "checkpoint.keep_every_steps=9", "schedule.decay_fraction=0.2"]
    folder_of(tmp_path / "checkpoints", 1).mkdir(parents=True)  # as a process leaves it that is killed while it writes
    train(handoff, tmp_path, world, "steps=20", "checkpoint.every_steps=3", *keep)
    # written: 3, 6, … 18, 16 where the decay starts, 20 at the end; kept: multiples of 9, the decay's start, the last two
    assert complete_steps(tmp_path / "checkpoints") == [9, 16, 18, 20]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        folder_of(tmp_path, step).name for step in (9, 16, 18, 20)
    }


@pytest.mark.parametrize(("minutes", "often"), [("1e-9", True), ("60", False)])
def test_checkpoints_on_time(handoff, tmp_path, world, monkeypatch, capsys, minutes, often):
    if often:
        monkeypatch.setattr(Checkpoints, "_tell", lambda *_, **__: None)  # as if writing one held nothing up
    saved = []
    save = Checkpoints.save
    monkeypatch.setattr(
        Checkpoints, "save", lambda self, step, *a, **k: (saved.append(step), save(self, step, *a, **k))
    )
    settings = ["steps=5", "checkpoint.every_steps=null", f"checkpoint.every_minutes={minutes}"]
    train(handoff, tmp_path, world, *settings)
    assert saved == ([1, 2, 3, 4, 5] if often else [4, 5])  # 4: the decay's start
    if not often:
        assert "checkpoints by time: every 60 minutes; the last held training up for" in capsys.readouterr().err


def test_the_interval_grows_until_writing_is_within_its_share():
    assert interval_s(CheckpointSettings(), 0.1) == 600  # every ten minutes
    assert interval_s(CheckpointSettings(), 60) == 3000  # a minute of each fifty
    assert interval_s(CheckpointSettings(max_share=0.5, every_minutes=1), 60) == 120
    assert interval_s(CheckpointSettings(every_minutes=None), 60) == math.inf


def test_of_checkpoints_at_any_step_the_first_past_each_multiple_stays():
    assert kept_for_ever([95, 105, 115, 199, 200, 310, 320], 100) == {105, 200, 310}
    assert kept_for_ever([105, 310, 390, 401], 100) == {105, 310, 401}  # what was pruned changes nothing
    assert kept_for_ever([5, 10], None) == set()


@pytest.mark.parametrize("moment", ["writing", "sealing"])
def test_killed_during_an_asynchronous_save_the_one_before_loads(handoff, tmp_path, world, moment):
    run = ["steps=6", "checkpoint.every_steps=2", "checkpoint.asynchronous=true"]
    script = str(Path(__file__).with_name("killed_saving.py"))
    done = forked(script, moment, "2", str(handoff), *words(tmp_path / "killed", *run))
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    root = tmp_path / "killed" / "checkpoints"
    assert folder_of(root, 4).is_dir()  # half written, or whole but not sealed
    assert complete_steps(root) == [2]
    assert train(handoff, tmp_path / "killed", world, *run, "checkpoint.keep_last=9")["finished"]
    assert complete_steps(root) == [2, 4, 5, 6]  # 5: the decay's start
    train(handoff, tmp_path / "whole", world, *run)
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")


def test_sigterm_ends_the_step_with_a_checkpoint(handoff, tmp_path, world):
    run = ["steps=5000", "checkpoint.every_steps=1000"]
    started = subprocess.Popen(
        [sys.executable, "-m", "recipes.pretrain", str(handoff), *words(tmp_path, *run)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = tmp_path / "metrics.jsonl"
    while started.poll() is None and not (metrics.exists() and '"step": 3,' in metrics.read_text()):
        time.sleep(0.02)  # pytest's own timeout ends a wait for ever
    os.kill(started.pid, signal.SIGTERM)
    _, errors = started.communicate(timeout=100)
    assert started.returncode == 130, errors[-2000:]
    (step,) = complete_steps(tmp_path / "checkpoints")
    assert f"stopped after step {step} with a checkpoint; run again to resume" in errors
    before = curve(tmp_path)
    assert [found[0] for found in before] == list(range(1, step + 1))
    assert train(handoff, tmp_path, world, f"steps={step + 2}", "checkpoint.every_steps=1000")["steps"] == step + 2
    assert curve(tmp_path)[:step] == before
