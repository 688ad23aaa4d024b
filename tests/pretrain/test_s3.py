"""A training whose hand-off and `out` are on a real S3-speaking server, killed with SIGKILL and started again."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from pipeline.run import main as recipe
from recipes.pretrain.checkpoint import complete_steps
from recipes.pretrain.sample import main as sample
from recipes.pretrain.storage import place, sizes
from tests.faults.tiny import write_recipe

from .conftest import case, torchrun, train_here, train_many
from .forked import forked

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
pytestmark = pytest.mark.train

KILLED = str(Path(__file__).with_name("killed.py"))
RUN = ["steps=12", "checkpoint.every_steps=3", "evaluate.every_steps=12", "evaluate.max_samples=2", "evaluate.samples=0",
       "micro_batch=2"]  # fmt: skip


@pytest.fixture
def bucket(handoff, monkeypatch, tmp_path):
    """The variables for a server on loopback whose bucket holds the hand-off under s3://corpora/run."""
    served = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    variables = {
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*served.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    reset = urllib.request.Request(variables["AWS_ENDPOINT_URL"] + "/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    s3fs.S3FileSystem.clear_instance_cache()
    remote = s3fs.S3FileSystem()
    remote.mkdir("corpora")
    for path in handoff.parent.rglob("*"):
        if path.is_file():
            remote.pipe(f"corpora/run/{path.relative_to(handoff.parent)}", path.read_bytes())
    yield variables
    served.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def curve(out):
    lines = [json.loads(line) for line in (place(str(out)) / "metrics.jsonl").read_text().splitlines()]
    return [(m["step"], m["loss"], m["grad_norm"], m["tokens"]) for m in lines if "loss" in m]


def words(*settings):
    return ["s3://corpora/run/handoff", *[word for setting in [*RUN, *settings] for word in ("--set", setting)]]


def look_at_what_lies_there():
    out = place("s3://corpora/run/train")
    assert set(sizes(out)) >= {"checkpoints", "metrics.jsonl", "model", "summary.json"}
    assert set(sizes(out / "model")) >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert complete_steps(out / "checkpoints")[-1] == 12
    assert not [
        name for name in sizes(out / "checkpoints") if int(name[-2:]) not in complete_steps(out / "checkpoints")
    ]


def test_killed_twice_it_ends_with_the_undisturbed_curve(bucket, handoff, tmp_path, world):
    alone = "parallel.sharding=none"
    command = [KILLED, str(tmp_path / "marker"), "0", "5,10", *words(alone)]
    codes = [forked(*command, **bucket) for _ in range(3)]
    assert [done.returncode for done in codes] == [-signal.SIGKILL, -signal.SIGKILL, 0], codes[-1].stderr[-3000:]
    assert "resuming after step" in codes[-1].stderr
    train_here([case("whole", handoff, tmp_path, *RUN, alone)], world)
    assert curve("s3://corpora/run/train") == curve(tmp_path / "whole")
    look_at_what_lies_there()


@pytest.mark.slow
def test_of_two_processes_one_is_killed_twice(bucket, handoff, tmp_path):
    done = torchrun(
        2, KILLED, str(tmp_path / "marker"), "1", "5,10", *words("parallel.sharding=full"), restarts=2, **bucket
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "marker").read_text() == "5 10"
    assert done.stderr.count("resuming after step") == 2
    train_many(tmp_path, 2, [case("whole", handoff, tmp_path, *RUN, "parallel.sharding=full")])
    assert curve("s3://corpora/run/train") == curve(tmp_path / "whole")
    look_at_what_lies_there()


@pytest.mark.slow
def test_a_recipe_whose_run_folder_is_on_s3_trains_there(bucket, tmp_path, capsys):
    small = ["pretrain.steps=2", "pretrain.global_batch=2", "pretrain.objective.sequence_length=32"]
    out = ["--out", "s3://corpora/tiny", "--ray", "none", "--json", "--train"]
    assert recipe(
        [str(write_recipe(tmp_path)), *out, *[word for setting in small for word in ("--set", setting)]]
    ) == 0  # fmt: skip
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])["train"]
    assert trained["ran"]
    assert trained["summary"]["finished"]
    assert curve("s3://corpora/tiny/train")[-1][0] == 2
    assert sample(["s3://corpora/tiny/handoff", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"]
