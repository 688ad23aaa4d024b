"""Each failure ends in one clear sentence and the right exit code, and nothing half-written is taken for whole."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.handoff import (
    InfrastructureError,
    ParallelSettings,
    UsageError,
    build_manifest,
    dump_manifest,
    parse_manifest,
)
from recipes.pretrain.__main__ import main
from recipes.pretrain.checkpoint import complete_steps, folder_of, verify
from recipes.pretrain.parallel import World, sharding_factor

from .forked import ENVIRONMENT, forked

pytestmark = pytest.mark.train

QUICK = ["steps=4", "checkpoint.every_steps=2", "evaluate.every_steps=4", "evaluate.max_samples=1",
         "parallel.sharding=none", "export.huggingface=false", "checkpoint.asynchronous=false"]  # fmt: skip


@pytest.fixture
def own(handoff, tmp_path):
    """A hand-off folder of one's own, to break."""
    shutil.copytree(handoff.parent, tmp_path / "run")
    return tmp_path / "run" / "handoff"


@pytest.fixture
def command(capfd):
    """Runs the command line in this process: (exit code, standard error)."""

    def run(handoff, *settings):
        capfd.readouterr()
        code = main([str(handoff), *[w for s in [*QUICK, *settings] for w in ("--set", s)]])
        return code, capfd.readouterr().err

    return run


def sentence(done, code):
    errors = [line for line in done[1].splitlines() if line.startswith("error:")]
    assert done[0] == code, done[1][-2000:]
    assert len(errors) == 1
    assert "Traceback" not in done[1]
    return errors[0]


def rewrite(handoff, change):
    """Change the manifest's content and fix its fingerprint, as a consistent but wrong writer would."""
    fields = json.loads((handoff / "manifest.json").read_text())
    change(fields)
    manifest = build_manifest(
        tokenizer=fields["tokenizer"], sources=fields["sources"], mix=fields["mix"], plan=fields["plan"]
    )
    (handoff / "manifest.json").write_text(dump_manifest(manifest))


def test_an_index_of_another_shard(own, command):
    path = own.parent / "shards" / "train" / "wiki" / "00001.ds.index"
    ends = np.frombuffer(path.read_bytes(), "<u8").copy()
    ends[-1] += 1
    path.write_bytes(ends.tobytes())
    assert "another index" in sentence(command(own), 3)


def test_ids_past_the_vocabulary_in_the_file(own, command):
    for number in (0, 1):
        path = own.parent / "shards" / "train" / "wiki" / f"0000{number}.ds"
        tokens = np.frombuffer(path.read_bytes(), "<u2").copy()
        tokens[:] = 60_000
        path.write_bytes(tokens.tobytes())
    assert "token id 60000" in sentence(command(own), 2)


def test_ids_past_the_vocabulary_in_the_manifest(own):
    with pytest.raises(UsageError, match="token id 999 is past the vocabulary"):
        rewrite(own, lambda m: m["sources"][0]["splits"]["train"][0].update(max_id=999))


def test_a_wrong_dtype(own):
    fields = json.loads((own / "manifest.json").read_text())
    with pytest.raises(UsageError, match="dtype uint32 does not fit"):
        parse_manifest(json.dumps({**fields, "dtype": "uint32"}))


def test_an_edited_manifest(own):
    text = (own / "manifest.json").read_text().replace('"weight": 0.51', '"weight": 0.5100000001')
    with pytest.raises(UsageError, match="edited by hand"):
        parse_manifest(text)


def test_data_that_changed_since_the_checkpoint(own, command):
    assert command(own, "steps=2")[0] == 0
    rewrite(own, lambda m: [s.update(weight=0.5) for s in m["sources"]])
    assert "--allow-data-change" in sentence(command(own), 2)


def test_another_model_in_the_same_folder(own, command):
    assert command(own, "steps=2")[0] == 0
    assert "made with another model" in sentence(command(own, "model.hidden_size=32"), 2)


def another_tokenizer(own, command):
    path = own.parent / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text().replace("<cls>", "<CLS>"))


def a_shard_cut_short(own, command):
    path = own.parent / "shards" / "train" / "wiki" / "00000.ds"
    path.write_bytes(path.read_bytes()[:-2])


def a_damaged_checkpoint(own, command):
    assert command(own)[0] == 0
    file = next(folder_of(own.parent / "train" / "checkpoints", 4).glob("*.distcp"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def a_full_disk(own, command):
    """Files end at 200 kB in the process to come, as on a disk without more space."""


FAILURES = {
    another_tokenizer: (2, "tokenizer.json is not the tokenizer the shards were written with"),
    a_shard_cut_short: (3, "wiki/00000.ds has 8,672 bytes and the manifest says 8,674: it was cut short"),
    a_damaged_checkpoint: (
        3,
        "step-00000004 is damaged (__0_0.distcp was altered); delete the folder to continue from",
    ),
    a_full_disk: (3, "step-00000002 could not be written: no space left on the disk; running again resumes"),
}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_ends_in_one_sentence_on_the_terminal(own, command, failure, processes):
    failure(own, command)
    sharding = "none" if processes == 1 else "full"
    given = [*QUICK, f"parallel.sharding={sharding}"]
    if failure is a_full_disk:
        given.append("model.hidden_size=128")

    words = [str(own), *[w for s in given for w in ("--set", s)], *(["--processes", "2"] if processes == 2 else [])]
    limits = {"RLIMIT_FSIZE": 200_000} if failure is a_full_disk else {}
    done = forked("recipes.pretrain", *words, limits=limits)
    code, words = FAILURES[failure]
    assert words in sentence((done.returncode, done.stderr), code)
    said = [line for line in done.stderr.splitlines() if not line.startswith(("step ", "resuming"))]
    assert len(said) == 1, done.stderr
    if failure is a_full_disk:
        assert complete_steps(own.parent / "train" / "checkpoints") == []


def test_an_incomplete_checkpoint_does_not_exist(tmp_path):
    folder = folder_of(tmp_path, 5)
    folder.mkdir()
    (folder / "__0_0.distcp").write_bytes(b"half")
    assert complete_steps(tmp_path) == []
    (folder / "complete.json").write_text('{"files": {"gone": {"bytes": 1, "crc32": 0}}}')
    with pytest.raises(InfrastructureError, match="gone is missing"):
        verify(folder, [])


@pytest.mark.parametrize(
    ("settings", "processes", "words"),
    [
        ({"sharding": "none"}, 2, "sharding: none is for one process, and 2 were started"),
        ({"sharding": "hybrid", "sharding_factor": 3}, 4, "sharding_factor 3 does not divide the 4 processes"),
    ],
)
def test_processes_that_cannot_be_divided(settings, processes, words):
    world = World(0, processes, processes, torch.device("cpu"))
    with pytest.raises(UsageError, match=words):
        sharding_factor(ParallelSettings(**settings), world)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["optimizer.learning_rat=1"], "did you mean learning_rate?"),
        (["model.preset=tinyy"], "no model.preset named 'tinyy'; did you mean tiny?"),
        (["objective.kind=masked"], "llama learns the objective 'causal'"),
        (["steps=lots"], "steps:"),
    ],
)
def test_wrong_settings(own, command, settings, words):
    assert words in sentence(command(own, *settings), 2)


def test_a_folder_that_is_not_there(tmp_path, command):
    assert "does not exist" in sentence(command(tmp_path / "nothing"), 2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("module", ["recipes.pretrain", "recipes.pretrain.mixture", "recipes.pretrain.sample"])
def test_without_torch_a_command_says_how_to_install_it(module):
    hidden = "import sys, runpy; sys.modules['torch'] = None; sys.argv[:] = ['x', 'handoff']; "
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}runpy.run_module({module!r}, run_name='__main__')"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert "needs torch" in sentence
    assert "pip install" in sentence


@pytest.mark.parametrize(("words", "said"), [
    (["--processes", "-2"], "--processes is at least 1"),
    (["--processes", "0"], "--processes is at least 1"),
    (["--processes", "2", "--restarts", "-1"], "--restarts at least 0"),
    (["--restarts", "3"], "--restarts goes with --processes"),
    (["--set", "out=/dev/null/x", "--set", "parallel.sharding=none"], "/dev/null/x: Not a directory"),
    (["--set", "parallel.fused_loss=true", "--set", "model.architecture=bert", "--set", "model.num_kv_heads=4", "--set",
      "objective.kind=masked", "--set", "parallel.sharding=none"], "parallel.fused_loss is for causal models"),
])  # fmt: skip
def test_odd_words_on_the_command_line_are_one_sentence(handoff, tmp_path, world, capsys, words, said):
    code = main([str(handoff), "--set", f"out={tmp_path}", *words])
    assert code == (3 if "/dev/null/x" in said else 2)
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("error: ")
    assert said in told
