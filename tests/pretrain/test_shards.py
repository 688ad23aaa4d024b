"""Tens of thousands of shards, few open files, no byte read that is not trained on, and sums that are checked."""

import json
import resource
import subprocess
import sys

import fsspec
import numpy as np
import pytest

from pipeline.handoff import build_manifest, dump_manifest
from recipes.pretrain.data import Samples
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.objectives import build_objective

from .build import make_handoff, write_shard
from .conftest import ENVIRONMENT

pytestmark = pytest.mark.train


@pytest.fixture(scope="module", params=[1_200, pytest.param(20_000, marks=pytest.mark.slow)])
def many(request, tmp_path_factory):
    """A hand-off whose source `wiki` has very many shards of two documents."""
    root = tmp_path_factory.mktemp("many")
    handoff = make_handoff(root)
    fields = json.loads((handoff / "manifest.json").read_text())
    rng = np.random.default_rng(0)
    entries = []
    for number in range(request.param):
        documents = [rng.integers(40, 115, 15).tolist() for _ in range(2)]
        entries.append(write_shard(root, f"shards/train/wiki/many/{number:05d}.ds", documents, 0, "uint16"))
    (source,) = [s for s in fields["sources"] if s["name"] == "wiki"]
    source["splits"]["train"] = entries
    manifest = build_manifest(tokenizer=fields["tokenizer"], sources=fields["sources"])
    (handoff / "manifest.json").write_text(dump_manifest(manifest))
    return handoff


def test_very_many_shards_train_with_few_open_files(many, tmp_path):
    settings = [f"out={tmp_path / 'out'}", "steps=40", "global_batch=32", "micro_batch=32", "parallel.sharding=none",
                "evaluate.every_steps=40", "evaluate.max_samples=1", "export.huggingface=false"]  # fmt: skip
    limit = (1024, 1024)
    done = subprocess.run(
        [sys.executable, "-m", "recipes.pretrain", str(many), *[w for s in settings for w in ("--set", s)], "--json"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["finished"]


def test_a_flipped_bit_stops_with_the_shards_name(handoff, tmp_path):
    import shutil

    shutil.copytree(handoff.parent, tmp_path / "run")
    own = tmp_path / "run" / "handoff"
    path = tmp_path / "run" / "shards" / "train" / "wiki" / "00001.ds"
    data = bytearray(path.read_bytes())
    data[2 * 100] ^= 1
    path.write_bytes(bytes(data))
    command = [
        sys.executable,
        "-m",
        "recipes.pretrain",
        str(own),
        "--set",
        "parallel.sharding=none",
        "--set",
        "steps=2",
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 3, done.stderr[-2000:]
    (said,) = done.stderr.splitlines()
    assert "train/wiki/00001.ds was altered after it was written" in said


def test_no_more_is_read_from_an_object_store_than_is_trained_on(handoff, monkeypatch):
    opened = open_handoff(str(handoff), ["objective.sequence_length=64"])
    objective = build_objective(opened.config.objective, opened.manifest.tokenizer)
    remote = fsspec.filesystem("memory")
    for source in opened.manifest.sources:
        for shard in source.splits["train"]:
            for path in (shard.path, f"{shard.path}.index"):
                remote.pipe(f"/counted/{path}", fsspec.open(opened.at(path), "rb").open().read())
    samples = Samples(Handoff(root="memory://counted", manifest=opened.manifest, config=opened.config), objective)
    read = []
    cat = type(remote).cat_file
    monkeypatch.setattr(
        type(remote), "cat_file", lambda self, path, **k: (read.append((path, k)), cat(self, path, **k))[1]
    )
    windows = sum(w.count for w in samples.windows)
    trained = [samples.read([k])[0]["inputs"].size for k in range(windows)]
    tokens = sum(k["end"] - k["start"] for path, k in read if not path.endswith(".index"))
    assert tokens <= 1.1 * 2 * sum(trained)
    # an index is read once, whatever the order of the windows
    indexes = [path for path, _ in read if path.endswith(".index")]
    assert len(indexes) == len(set(indexes))
