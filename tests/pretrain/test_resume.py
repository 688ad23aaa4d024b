"""Resuming: bit-equal at the same number of processes, the same tokens at any; any sharding loads any checkpoint."""

import json
from pathlib import Path

import pytest

from .conftest import case, torchrun, train_many

pytestmark = pytest.mark.train

RUN = ["steps=12", "checkpoint.every_steps=4", "evaluate.every_steps=12", "evaluate.max_samples=2", "micro_batch=2",
       "export.huggingface=false", "parallel.sharding=full"]  # fmt: skip


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(m["step"], m["loss"], m["grad_norm"], m["tokens"]) for m in lines if "loss" in m]


@pytest.fixture(scope="module")
def folders(handoff, tmp_path_factory):
    out = tmp_path_factory.mktemp("resume")
    hybrid = [*RUN[:-1], "parallel.sharding=hybrid", "parallel.sharding_factor=1"]
    dropout = [*RUN, "model.dropout=0.1"]
    muon = [*RUN, "optimizer.name=muon", "optimizer.learning_rate=0.002"]
    train_many(
        out,
        2,
        [
            case("whole", handoff, out, *RUN),
            case("first", handoff, out, *RUN, into="stopped", stop_after=6),
            case("second", handoff, out, *RUN, into="stopped"),
            case("reshard-1", handoff, out, *RUN, into="reshard", stop_after=5),
            case("reshard-2", handoff, out, *hybrid, into="reshard"),
            case("dropout", handoff, out, *dropout),
            case("dropout-1", handoff, out, *dropout, into="dropout-stopped", stop_after=7),
            case("dropout-2", handoff, out, *dropout, into="dropout-stopped"),
            case("muon", handoff, out, *muon),
            case("muon-1", handoff, out, *muon, into="muon-stopped", stop_after=5),
            case("muon-2", handoff, out, *muon, into="muon-stopped"),
        ],
    )
    one = [*RUN[:-1], "parallel.sharding=none"]
    train_many(
        out,
        1,
        [
            case("one", handoff, out, *one),
            case("1-2-1 a", handoff, out, *one, into="1-2-1", stop_after=4),
        ],
    )
    train_many(out, 2, [case("1-2-1 b", handoff, out, *RUN, into="1-2-1", stop_after=8)])
    train_many(out, 1, [case("1-2-1 c", handoff, out, *one, into="1-2-1")])
    return out


@pytest.mark.parametrize("kind", ["", "dropout", "muon"])
def test_continuation_is_bit_equal(folders, kind):
    whole, stopped = (kind, f"{kind}-stopped") if kind else ("whole", "stopped")
    assert len(curve(folders / whole)) == 12
    assert curve(folders / stopped) == curve(folders / whole)


@pytest.mark.parametrize("name", ["reshard", "1-2-1"])
def test_another_layout_sees_the_same_tokens(folders, name):
    found, expected = curve(folders / name), curve(folders / "whole")
    assert [(step, tokens) for step, _, _, tokens in found] == [(step, tokens) for step, _, _, tokens in expected]
    assert [loss for _, loss, _, _ in found] == pytest.approx([loss for _, loss, _, _ in expected], abs=1e-5)


def test_checkpoints_are_pruned_and_the_decay_start_is_kept(folders):
    kept = sorted(path.name for path in (folders / "whole" / "checkpoints").iterdir())
    # steps 4, 8 and 12 by the interval, 10 where the decay starts (2 of 12 steps); the last two and the kept one stay
    assert kept == ["step-00000010", "step-00000012"]


@pytest.mark.parametrize(("processes", "undisturbed"), [(1, "one"), pytest.param(2, "whole", marks=pytest.mark.slow)])
def test_a_killed_process_is_restarted_by_torchrun(folders, handoff, tmp_path, processes, undisturbed):
    script, last = str(Path(__file__).with_name("killed.py")), str(processes - 1)
    settings = [*RUN[:-1], f"parallel.sharding={'none' if processes == 1 else 'full'}", "checkpoint.asynchronous=false"]
    words = [word for one in [*settings, f"out={tmp_path / 'killed'}"] for word in ("--set", one)]
    done = torchrun(processes, script, str(tmp_path / "marker"), last, "9", str(handoff), *words, restarts=1)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "marker").exists()
    assert "resuming after step 8 of 12" in done.stderr
    assert curve(tmp_path / "killed") == curve(folders / undisturbed)
