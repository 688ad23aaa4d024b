"""Tens of thousands of shards, few open files, no byte read that is not trained on, and sums that are checked."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.handoff import InfrastructureError, build_manifest, dump_manifest
from recipes.pretrain.data import Loader, Samples
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.objectives import build_objective
from recipes.pretrain.shard_sums import damage
from recipes.pretrain.token_stream import SHARDS

from .build import make_handoff, write_shard
from .forked import ENVIRONMENT, forked

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
    words = [w for s in settings for w in ("--set", s)]
    done = forked("recipes.pretrain", str(many), *words, "--json", limits={"RLIMIT_NOFILE": 1024})
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


@pytest.mark.parametrize("how", ["cut", "replaced", "other bytes", "index"])
def test_a_shard_that_changes_while_it_is_read_is_named(tmp_path, how):
    """In the next epoch other tokens would be trained on; and a mapped file that is cut ends a process with SIGBUS."""
    handoff = open_handoff(str(make_handoff(tmp_path, documents=40)))
    samples = Samples(handoff, build_objective(handoff.config.objective, handoff.manifest.tokenizer))
    path = tmp_path / "shards" / "train" / "wiki" / "00001.ds"
    windows = next(one for one in samples.windows if one.name == "wiki")
    before = windows.read(windows.count - 1, 0, 0)["inputs"]
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    if how == "cut":
        path.write_bytes(path.read_bytes()[:10])
    elif how == "replaced":  # what is open is still the old file
        other.replace(path)
        assert np.array_equal(windows.read(windows.count - 1, 0, 0)["inputs"], before)
        SHARDS.local.clear()  # as many others were read since
    elif how == "other bytes":
        path.write_bytes(path.read_bytes()[::-1])
    else:
        index = path.with_name("00001.ds.index")
        index.write_bytes(index.read_bytes())
    with pytest.raises(InfrastructureError, match=r"wiki/00001\.ds.* was changed while the training read it"):
        windows.read(windows.count - 1, 0, 0)
    SHARDS.forget()


def test_an_index_out_of_order_is_named(tmp_path):
    handoff = open_handoff(str(make_handoff(tmp_path, documents=40)))
    path = tmp_path / "shards" / "train" / "wiki" / "00000.ds.index"
    ends = np.fromfile(path, "<u8")
    ends[2], ends[3] = ends[3], ends[2]
    ends.tofile(path)
    (shard, *_) = handoff.manifest.sources[1].splits["train"]
    assert "do not end in order" in str(damage(handoff, [shard]))


class Counted:
    """The bytes that the object store in memory gave, by request, and the most requests that were under way at a time."""

    def __init__(self) -> None:
        self.read: list[tuple[str, int]] = []
        self.under_way = self.most = 0

    def cat_file(self, store, path, start=None, end=None, **options):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        time.sleep(0.002)
        data = cat_file(store, path, start, end, **options)
        self.read.append((path, len(data)))
        self.under_way -= 1
        return data


cat_file = MemoryFileSystem.cat_file


@pytest.fixture
def remote(tmp_path):
    """A hand-off at memory://run: 8 shards of documents of about 580 tokens."""
    fields = json.loads((make_handoff(tmp_path) / "manifest.json").read_text())
    rng = np.random.default_rng(0)
    for source in fields["sources"]:
        source["splits"]["train"] = [
            write_shard(
                tmp_path,
                f"shards/train/{source['name']}/{number}.ds",
                [rng.integers(40, 115, int(n)).tolist() for n in rng.integers(80, 1080, 320)],
                0,
                "uint16",
            )
            for number in range(4)
        ]
    manifest = build_manifest(tokenizer=fields["tokenizer"], sources=fields["sources"])
    (tmp_path / "handoff" / "manifest.json").write_text(dump_manifest(manifest))
    remote = fsspec.filesystem("memory")
    remote.store.clear()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            remote.pipe(f"/run/{path.relative_to(tmp_path)}", path.read_bytes())
    return open_handoff("memory://run/handoff", ["objective.sequence_length=1024"])


def test_no_more_is_read_from_an_object_store_than_is_trained_on(remote, tmp_path, monkeypatch):
    samples = Samples(remote, build_objective(remote.config.objective, remote.manifest.tokenizer))
    counted = Counted()
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda store, *a, **k: counted.cat_file(store, *a, **k))
    windows = sum(w.count for w in samples.windows)
    steps = Loader(samples, consumed=0, batch=1, micro=1, rank=0, world=1)
    taken = [step[0]["inputs"] for step, _ in zip(steps, range(windows), strict=False)]
    steps.close()
    read, trained = sum(size for _, size in counted.read), 2 * sum(one.size for one in taken)
    assert read <= 1.1 * trained  # the indexes and what was read ahead included
    # an index is read once, whatever the order of the windows
    indexes = [path for path, _ in counted.read if path.endswith(".index")]
    assert len(indexes) == len(set(indexes)) == 8
    assert counted.most > 2  # also where a process has one sample in a step
    local = Samples(replace(remote, root=str(tmp_path)), samples.objective)
    assert all(np.array_equal(local[k]["inputs"], taken[k][0]) for k in range(0, windows, 50))


def test_storage_that_stops_answering_is_named(remote, monkeypatch):
    samples = Samples(remote, build_objective(remote.config.objective, remote.manifest.tokenizer))
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: time.sleep(3))
    steps = Loader(samples, consumed=0, batch=1, micro=1, rank=0, world=1, wait_s=0.2)
    with pytest.raises(InfrastructureError, match=r"process 0 waited .* minutes for its data"):
        next(iter(steps))
    steps.close()
