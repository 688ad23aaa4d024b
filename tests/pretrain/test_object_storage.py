"""Training whose hand-off and `out` are URLs: the same curve as on a disk, complete or absent, one sentence on failure."""

import json
import math

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from transformers import AutoModelForCausalLM

from pipeline.handoff import InfrastructureError
from recipes.pretrain import loop
from recipes.pretrain.checkpoint import complete_steps
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.storage import local_copy, place, sizes
from recipes.pretrain.watch import DivergedError

pytestmark = pytest.mark.train

RUN = ["parallel.sharding=none", "evaluate.every_steps=100", "evaluate.max_samples=1", "evaluate.max_terms=0",
       "evaluate.samples=0", "micro_batch=8", "steps=8", "checkpoint.every_steps=3"]  # fmt: skip


class KilledError(BaseException):
    """Ends a training without any of its own clean-up being believed."""


@pytest.fixture
def remote(handoff):
    """The hand-off's run folder as memory://…, fresh for each test."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for path in handoff.parent.rglob("*"):
        if path.is_file():
            memory.pipe(f"/run/{path.relative_to(handoff.parent)}", path.read_bytes())
    yield "memory://run/handoff"
    memory.store.clear()


def trainer_of(handoff, out, world, *settings):
    return Trainer(open_handoff(str(handoff), [f"out={out}", *RUN, *settings]), world)


def curve(out):
    lines = [json.loads(line) for line in (place(str(out)) / "metrics.jsonl").read_text().splitlines()]
    return [(m["step"], m["loss"], m["grad_norm"], m["tokens"]) for m in lines if "loss" in m]


def test_a_training_on_urls_is_the_one_on_a_disk(handoff, remote, tmp_path, world):
    whole = trainer_of(handoff, tmp_path, world).run()
    summary = trainer_of(remote, "train", world).run()
    assert summary == whole
    assert curve("memory://run/train") == curve(tmp_path)
    out = place("memory://run/train")
    assert sorted(sizes(out)) == ["checkpoints", "metrics.jsonl", "model", "summary.json"]
    assert complete_steps(out / "checkpoints") == complete_steps(tmp_path / "checkpoints")
    assert sizes(out / "model") == sizes(tmp_path / "model")
    with local_copy(out / "model") as folder:
        assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == summary["parameters"]
    assert trainer_of(remote, "train", world).run()["already_finished"]
    other = tmp_path / "other"
    assert trainer_of(handoff, f"file://{other}", world).run() == whole
    assert curve(other) == curve(tmp_path)


def test_killed_twice_on_a_url_the_curve_is_the_undisturbed_one(handoff, remote, tmp_path, world, monkeypatch):
    def deadly(at):
        step = Trainer.train_step

        def until(self, *arguments):
            if self.step == at:
                raise KilledError
            return step(self, *arguments)

        return until

    for at in (5, 7):
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "train_step", deadly(at))
            patch.setattr(loop.Reporter, "close", lambda self: None)
            with pytest.raises(KilledError):
                trainer_of(remote, "train", world, "checkpoint.asynchronous=false").run()
    assert [step for step, *_ in curve("memory://run/train")] == list(range(1, 7))  # up to the last checkpoint
    again = trainer_of(remote, "train", world)
    assert again.step == 6
    assert again.run()["finished"]
    trainer_of(handoff, tmp_path, world).run()
    assert curve("memory://run/train") == curve(tmp_path)


def test_after_a_divergence_the_next_start_resumes_the_last_good_objects(remote, world, capsys):
    settings = ["steps=12", "watch.skip_limit=4", "checkpoint.every_steps=2"]
    trainer = trainer_of(remote, "train", world, *settings)
    step = trainer.train_step

    def poisoned(*arguments):
        trainer.trainable.z_loss = math.nan if trainer.step >= 5 else 0.0
        return step(*arguments)

    trainer.train_step = poisoned
    with pytest.raises(DivergedError):
        trainer.run()
    assert curve("memory://run/train")[-1][0] == 9  # also the steps after the last checkpoint are told
    assert trainer_of(remote, "train", world, *settings).run()["finished"]
    assert "going on from step 4, the last good checkpoint" in capsys.readouterr().err
    assert [step for step, *_ in curve("memory://run/train")] == list(range(1, 13))


@pytest.mark.parametrize("asynchronous", ["true", "false"])
def test_a_flipped_bit_in_an_object_is_named(remote, world, asynchronous):
    settings = [f"checkpoint.asynchronous={asynchronous}", "export.huggingface=false"]
    trainer_of(remote, "train", world, *settings).run()
    memory = fsspec.filesystem("memory")
    for name in ("__0_0.distcp", ".metadata", "state.json", "complete.json"):
        path = f"/run/train/checkpoints/step-00000008/{name}"
        data = memory.cat_file(path)
        half = len(data) // 2
        cut = name == "complete.json"  # cut short, where others have one bit turned
        memory.pipe(path, data[:half] if cut else data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :])
        with pytest.raises(InfrastructureError, match=rf"step-00000008 is damaged \({name}.*from step 6"):
            trainer_of(remote, "train", world, *settings)
        memory.pipe(path, data)
    memory.rm(path.replace("complete.json", "__0_0.distcp"))
    with pytest.raises(InfrastructureError, match=r"__0_0\.distcp is missing"):
        trainer_of(remote, "train", world, *settings)


def test_storage_that_loses_what_it_is_given_seals_nothing(remote, world, monkeypatch):
    pipe = MemoryFileSystem.open

    def losing(self, path, mode="rb", **options):
        return pipe(self, f"{path}.lost" if mode == "wb" and path.endswith("distcp") else path, mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "open", losing)
    with pytest.raises(InfrastructureError, match=r"could not be written: __0_0\.distcp has 0 bytes and .* were"):
        trainer_of(remote, "train", world).run()
    assert complete_steps(place("memory://run/train/checkpoints")) == []


def test_storage_that_fails_ends_in_one_sentence(remote, world, monkeypatch):
    def failing(self, path, *_, **__):
        raise TimeoutError("the endpoint did not answer")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", failing)
    with pytest.raises(
        InfrastructureError, match=r"^memory://run/handoff/manifest\.json: the endpoint did not answer;"
    ):
        open_handoff(remote)
