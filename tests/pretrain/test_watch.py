"""A training that goes nowhere ends with a sentence and exit code 1, and the next start goes on from what was good."""

import json
import math
import threading

import pytest
import torch

from pipeline.handoff import InfrastructureError
from recipes.pretrain.checkpoint import complete_steps
from recipes.pretrain.data import Loader
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.summed import Files
from recipes.pretrain.watch import DivergedError, StalledError

from .build import make_handoff
from .conftest import torchrun

pytestmark = pytest.mark.train

RUN = ["parallel.sharding=none", "evaluate.every_steps=100", "evaluate.max_samples=1", "evaluate.max_terms=0",
       "export.huggingface=false", "micro_batch=8", "watch.skip_limit=4"]  # fmt: skip


def trainer_of(handoff, out, world, *settings):
    return Trainer(open_handoff(str(handoff), [f"out={out}", *RUN, *settings]), world)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def poison(trainer, first, last=10**9, *, weights=False):
    """From step `first` to `last` the gradients are no numbers; with `weights`, the weights before step `first` too."""
    step = trainer.train_step

    def poisoned(micro_batches, lr, flags):
        bad = first <= trainer.step + 1 <= last
        if bad and weights and trainer.step + 1 == first:
            with torch.no_grad():
                next(trainer.trainable.parameters()).fill_(math.nan)
        trainer.trainable.z_loss = math.nan if bad else 0.0
        return step(micro_batches, lr, flags)

    trainer.train_step = poisoned
    return trainer


def test_one_step_that_is_no_number_ends_nothing(handoff, tmp_path, world, capsys):
    summary = poison(trainer_of(handoff, tmp_path, world, "steps=6", "checkpoint.every_steps=3"), 3, 3).run()
    assert summary["finished"]
    assert summary["skipped"] == 1
    assert [line["skipped"] for line in lines(tmp_path) if "loss" in line] == [0, 0, 1, 1, 1, 1]
    assert "skipped 1" in capsys.readouterr().err


def test_the_last_step_alone_may_be_skipped(handoff, tmp_path, world):
    assert poison(trainer_of(handoff, tmp_path, world, "steps=5"), 5).run()["finished"]
    assert complete_steps(tmp_path / "checkpoints")[-1] == 5


def test_skips_in_a_row_end_the_run_and_the_next_start_resumes_the_last_good(handoff, tmp_path, world, capsys):
    settings = ["steps=12", "checkpoint.every_steps=2"]
    with pytest.raises(DivergedError, match=r"the last 4 updates were skipped, steps 6 to 9: .* no number") as stopped:
        poison(trainer_of(handoff, tmp_path, world, *settings), 6, weights=True).run()
    assert stopped.value.exit_code == 1
    assert complete_steps(tmp_path / "checkpoints") == [2, 4]  # none of weights that are no numbers
    capsys.readouterr()
    again = trainer_of(handoff, tmp_path, world, *settings, "optimizer.learning_rate=1e-3")
    assert (again.step, again.consumed, again.rate) == (4, 32, 1.0)
    assert "diverged at step 9; going on from step 4, the last good checkpoint" in capsys.readouterr().err
    assert again.run()["finished"]
    assert trainer_of(handoff, tmp_path, world, *settings, "optimizer.learning_rate=1e-3").step == 12


def test_a_checkpoint_whose_next_loss_is_no_number_is_passed_over(handoff, tmp_path, world, monkeypatch):
    """Weights that one update ruined can be finite: the loss computed from them is not."""
    settings = ["steps=12", "checkpoint.every_steps=2"]
    trainer = trainer_of(handoff, tmp_path, world, *settings)
    monkeypatch.setattr(
        "recipes.pretrain.loop.all_sum", lambda world, value: value * (math.nan if trainer.step >= 4 else 1)
    )
    with pytest.raises(DivergedError, match="steps 5 to 8"):
        trainer.run()
    monkeypatch.undo()
    assert trainer_of(handoff, tmp_path, world, *settings).step == 2


def test_rewind_passes_over_the_batches_and_cuts_the_rate(handoff, tmp_path, world, capsys):
    settings = ["steps=12", "checkpoint.every_steps=2", "on_divergence=rewind", "rewind_rate=0.25"]
    trainer = trainer_of(handoff, tmp_path, world, *settings)
    step, poisoned = trainer.train_step, []

    def once(micro_batches, lr, flags):
        trainer.trainable.z_loss = 0.0
        if trainer.step >= 5 and trainer.divergences == 0:
            trainer.trainable.z_loss = math.nan
            poisoned.append(trainer.step)
        return step(micro_batches, lr, flags)

    trainer.train_step = once
    summary = trainer.run()
    assert summary["finished"]
    assert poisoned == [5, 6, 7, 8]
    # nine steps of eight samples were seen, and eight steps are taken after the rewind to step 4
    assert summary["samples"] == 9 * 8 + 8 * 8
    told = {line["step"]: line["lr"] for line in lines(tmp_path) if "loss" in line}
    assert list(told) == list(range(1, 13))
    assert told[7] == pytest.approx(told[4] / 4)
    assert "40 samples further on, at 0.25 of the learning rate" in capsys.readouterr().err
    assert trainer_of(handoff, tmp_path, world, *settings).rate == 0.25


def test_a_run_that_skips_most_updates_ends_though_never_many_in_a_row(handoff, tmp_path, world):
    trainer = trainer_of(handoff, tmp_path, world, "steps=200", "checkpoint.every_steps=10")
    step = trainer.train_step

    def three_of_four(micro_batches, lr, flags):
        trainer.trainable.z_loss = math.nan if trainer.step >= 20 and trainer.step % 4 else 0.0
        return step(micro_batches, lr, flags)

    trainer.train_step = three_of_four
    with pytest.raises(DivergedError, match=r"of the 32 updates up to step \d+ were skipped; running again"):
        trainer.run()
    assert trainer.step < 60
    again = trainer_of(handoff, tmp_path, world, "steps=60", "checkpoint.every_steps=10")
    assert again.step == complete_steps(tmp_path / "checkpoints")[-1] > 20
    assert again.run()["finished"]


@pytest.mark.parametrize("text", ["", "{", '{"number": 1}', "[1]"])
def test_a_damaged_record_of_a_divergence_is_named(handoff, tmp_path, world, text):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "diverged.json").write_text(text)
    with pytest.raises(InfrastructureError, match=r"diverged\.json is damaged .* delete it to resume"):
        trainer_of(handoff, tmp_path, world)


def test_storage_that_never_takes_a_checkpoint_ends_the_run(handoff, tmp_path, world, monkeypatch):
    stuck = threading.Event()
    write = Files.create_stream

    def hanging(self, path, mode):
        if mode == "wb":
            stuck.wait(60)
        return write(self, path, mode)

    monkeypatch.setattr(Files, "create_stream", hanging)
    settings = ["steps=6", "checkpoint.every_steps=2", "watch.wait_minutes=0.02"]
    with pytest.raises(InfrastructureError, match=r"could not be written: the storage took more than 0\.02 minutes"):
        trainer_of(handoff, tmp_path, world, *settings).run()
    stuck.set()


def test_a_run_that_diverges_again_and_again_ends(handoff, tmp_path, world):
    trainer = trainer_of(handoff, tmp_path, world, "steps=12", "checkpoint.every_steps=2", "on_divergence=rewind")
    with pytest.raises(DivergedError, match="were skipped"):
        poison(trainer, 6).run()
    assert trainer.divergences == 3


@pytest.mark.parametrize(("first", "steps"), [(1, 6), (3, 7), (3, 9)])
def test_a_run_shorter_than_the_limit_that_took_few_updates_is_not_finished(handoff, tmp_path, world, first, steps):
    """The limit is never reached, and what would be exported is hardly the model that was asked for."""
    trainer = trainer_of(handoff, tmp_path, world, f"steps={steps}", "watch.skip_limit=32")
    with pytest.raises(DivergedError, match=f"{steps - first + 1} of all {steps} updates were skipped"):
        poison(trainer, first).run()
    assert not (tmp_path / "summary.json").exists()
    allowed = trainer_of(handoff, tmp_path / "2", world, f"steps={steps}", "watch.skip_limit=0")
    assert poison(allowed, first).run()["skipped"] == steps - first + 1


def test_torchrun_does_not_restart_a_run_that_diverged(handoff, tmp_path, world, monkeypatch):
    settings = ["steps=12", "checkpoint.every_steps=2"]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-1")
    with pytest.raises(DivergedError):
        poison(trainer_of(handoff, tmp_path, world, *settings), 6, weights=True).run()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(StalledError, match="diverged at step 9 and is not restarted by itself"):
        trainer_of(handoff, tmp_path, world, *settings)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-2")  # started by hand, and then a process was lost
    assert trainer_of(handoff, tmp_path, world, *settings).step == 4


def test_a_loss_that_rises_and_stays_ends_a_continued_run(handoff, tmp_path, world):
    trainer = trainer_of(handoff, tmp_path, world, "watch.flat_steps=20")
    trainer.guard.seen.fill_(128)
    trainer.watch.learns_after, trainer.watch.first_loss = None, 2.0
    trainer.guard.values[0] = torch.linspace(2.3, 2.4, 128)  # re-warming raises it a little
    trainer.watch.look(40, 320, 2.4, trainer.guard, 0)
    trainer.guard.values[0] = torch.linspace(2.6, 2.8, 128)
    trainer.watch.look(19, 152, 2.7, trainer.guard, 0)
    with pytest.raises(StalledError, match=r"the loss has risen: 2\.7000 over .*, 2\.0000 at the first"):
        trainer.watch.look(40, 320, 2.7, trainer.guard, 0)


def test_text_without_a_word_to_predict_ends_the_run(handoff, tmp_path, world):
    """Masked training never chooses special tokens: documents that are eos alone have no target."""
    masked = ["model.architecture=bert", "model.num_kv_heads=4", "objective.kind=masked", "watch.repeat_steps=0"]
    trainer = trainer_of(handoff, tmp_path, world, *masked)
    step = trainer.train_step

    def blank(micro_batches, lr, flags):
        for batch in micro_batches:
            batch["labels"][:] = -100
        return step(micro_batches, lr, flags) | {"targets": 0}

    trainer.train_step = blank
    with pytest.raises(StalledError, match="no token was to be predicted in 1 steps"):
        trainer.run()


def test_skips_are_counted_over_a_resume(handoff, tmp_path, world):
    settings = ["steps=8", "checkpoint.every_steps=4"]
    trainer = poison(trainer_of(handoff, tmp_path, world, *settings), 2, 3)
    trainer.stop_requested = False
    step = trainer.train_step

    def stop(*arguments):
        trainer.stop_requested = trainer.step >= 3
        return step(*arguments)

    trainer.train_step = stop
    assert not trainer.run()["finished"]
    again = trainer_of(handoff, tmp_path, world, *settings)
    assert int(again.guard.skipped) == 2
    assert again.run()["skipped"] == 2
    assert json.loads((tmp_path / "summary.json").read_text())["skipped"] == 2


def test_a_flat_loss_ends_the_run(handoff, tmp_path, world):
    flat = ["steps=60", "optimizer.learning_rate=1e-12", "optimizer.skip_window=8", "watch.flat_steps=20"]
    with pytest.raises(StalledError, match=r"the loss is flat: .* at the first") as stopped:
        trainer_of(handoff, tmp_path / "1", world, *flat).run()
    assert stopped.value.exit_code == 1
    trainer = trainer_of(handoff, tmp_path / "2", world, *flat)
    trainer.guard.values.fill_(3.0)
    trainer.guard.seen.fill_(8)
    with pytest.raises(StalledError, match="at each of the last 8 steps"):
        trainer.watch.look(40, 320, 3.0, trainer.guard, 0)
    learning = ["steps=60", "optimizer.skip_window=8", "watch.flat_steps=20"]
    assert trainer_of(handoff, tmp_path / "3", world, *learning).run()["finished"]


def test_a_data_stream_that_repeats_ends_the_run(tmp_path, world):
    few = make_handoff(tmp_path / "run", documents=12)
    repeated = ["steps=60", "objective.sequence_length=512", "micro_batch=1", "global_batch=2"]
    with pytest.raises(StalledError, match="the data stream repeats: each of the last 16 batches up to step"):
        trainer_of(few, tmp_path / "1", world, *repeated).run()
    allowed = trainer_of(few, tmp_path / "2", world, *repeated, "watch.repeat_steps=0", "steps=20")
    assert allowed.run()["finished"]


def test_data_that_never_comes_is_named(handoff, tmp_path, world, monkeypatch):
    monkeypatch.setattr(Loader, "_fill", lambda self, first: None)
    with pytest.raises(Exception, match=r"process 0 waited 0\.002 minutes for its data") as stopped:
        trainer_of(handoff, tmp_path, world, "watch.wait_minutes=0.002").run()
    assert stopped.value.exit_code == 3


@pytest.mark.slow
def test_a_process_that_waits_for_another_says_so(handoff, tmp_path):
    script = tmp_path / "late.py"
    script.write_text(
        "import os, sys, time\n"
        "from recipes.pretrain import loop\n"
        "from recipes.pretrain.__main__ import main\n"
        "step = loop.Trainer.train_step\n"
        "def late(self, *a):\n"
        "    if self.step == 2 and self.world.rank == 1:\n"
        "        time.sleep(60)\n"
        "    return step(self, *a)\n"
        "loop.Trainer.train_step = late\n"
        "os._exit(main(sys.argv[1:]))\n"
    )
    settings = [f"out={tmp_path / 'out'}", "parallel.sharding=full", "watch.wait_minutes=0.1"]
    done = torchrun(2, str(script), str(handoff), *[w for s in settings for w in ("--set", s)])
    assert "process 0 waited too long for another one" in done.stderr, done.stderr[-3000:]
    assert done.returncode != 0
