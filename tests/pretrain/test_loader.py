"""The loader: every token once an epoch, the same sequence for any number of processes, local and remote alike."""

import itertools
import math

import fsspec
import numpy as np
import pytest

from recipes.pretrain.data import Loader, Samples, Windows, micro_batches, share_of
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.objectives import IGNORE, build_objective
from recipes.pretrain.token_stream import TokenStream


@pytest.fixture(scope="module")
def opened(handoff) -> Handoff:
    return open_handoff(str(handoff))


@pytest.fixture(scope="module")
def objective(opened):
    return build_objective(opened.config.objective, opened.manifest.tokenizer)


def stream_of(opened, source=0, split="train"):
    return TokenStream(opened, opened.manifest.sources[source].splits[split])


def whole(opened, source=0, split="train"):
    """All tokens and document ends of a source, read plainly."""
    tokens, ends = [], []
    for shard in opened.manifest.sources[source].splits[split]:
        path = opened.at(shard.path)
        ends += [int(e) + len(tokens) for e in np.fromfile(f"{path}.index", "<u8")]
        tokens += np.fromfile(path, "<u2").tolist()
    return np.array(tokens), np.array(ends)


def test_any_range_over_shard_borders(opened):
    stream, (tokens, ends) = stream_of(opened), whole(opened)
    rng = np.random.default_rng(0)
    border = int(stream.starts[1])
    ranges = [(border - 5, border + 5), (0, len(tokens)), (border, border + 1), (border - 1, border)]
    ranges += [tuple(sorted(rng.choice(len(tokens), 2, replace=False))) for _ in range(50)]
    for start, stop in ranges:
        found, found_ends = stream.read(int(start), int(stop))
        assert found.tolist() == tokens[start:stop].tolist()
        assert found_ends.tolist() == [e - start for e in ends if start < e <= stop]


def test_an_epoch_has_every_target_once(opened, objective):
    tokens, _ = whole(opened)
    windows = Windows(opened, 0, "train", objective)
    seen = np.concatenate([windows.read(w, w, 0)["labels"] for w in range(windows.count)])
    assert seen[seen != IGNORE].tolist() == tokens[1:].tolist()
    assert windows.count == math.ceil((len(tokens) - 1) / objective.length)


def test_epochs_are_permutations_and_differ(opened, objective):
    samples = Samples(opened, objective)
    epochs: dict = {}
    for k in range(600):
        source, epoch, window = samples.locate(k)
        epochs.setdefault((source, epoch), []).append(window)
    for source in (0, 1):
        count = samples.windows[source].count
        assert sorted(epochs[source, 0]) == list(range(count))
        assert epochs[source, 0] != epochs[source, 1][: len(epochs[source, 0])]
    counts = samples.turns.counts(600)
    assert samples.realised(600) == {w.name: counts[i] / w.count for i, w in enumerate(samples.windows)}
    assert abs(counts[0] / 600 - 0.51) <= 0.001


def consumed_by(samples, objective, world, micro, batch, steps, first=0):
    """All labels of a run, by sample number, as any layout of processes reads them."""
    seen = {}
    for step in range(steps):
        start = first + step * batch
        for rank in range(world):
            mine = share_of(rank, world, start, batch)
            rows = np.concatenate([b["labels"] for b in micro_batches(samples, mine, micro)])
            for k, row in zip(mine, rows, strict=False):
                if k is not None:
                    assert k not in seen
                    seen[k] = row.tobytes()
                else:
                    assert np.all(row == IGNORE)
            assert np.all(rows[len(mine) :] == IGNORE)
    return seen


@pytest.mark.parametrize(("world", "micro"), [(1, 3), (2, 4), (3, 2), (4, 1), (5, 8)])
def test_any_layout_reads_the_same_samples(opened, objective, world, micro):
    samples = Samples(opened, objective)
    expected = consumed_by(samples, objective, 1, 8, 8, 6)
    assert consumed_by(samples, objective, world, micro, 8, 6) == expected
    # and another batch size from the middle goes on without a gap
    half = consumed_by(samples, objective, world, micro, 8, 3)
    assert {**half, **consumed_by(samples, objective, 2, 2, 12, 2, first=24)} == expected


@pytest.mark.parametrize("ahead", [1, 4, 16])
def test_the_thread_reads_the_same_however_far_ahead_and_resumes(opened, objective, monkeypatch, ahead):
    monkeypatch.setattr("recipes.pretrain.data.READ_AHEAD", ahead)
    samples = Samples(opened, objective)

    def labels(consumed, steps):
        loader = Loader(samples, consumed=consumed, batch=4, micro=2, rank=0, world=1)
        taken = [np.concatenate([b["labels"] for b in step]) for step in itertools.islice(loader, steps)]
        loader.close()
        return taken

    plain = [np.stack([samples[k]["labels"] for k in range(4 * step, 4 * step + 4)]) for step in range(6)]
    for a, b in zip([*labels(0, 6), *labels(12, 3)], [*plain, *plain[3:]], strict=True):
        assert np.array_equal(a, b)


def test_an_object_store_reads_the_same(opened, objective):
    remote = fsspec.filesystem("memory")
    for source in opened.manifest.sources:
        for shard in source.splits["train"]:
            for path in (shard.path, f"{shard.path}.index"):
                remote.pipe(f"/bucket/{path}", fsspec.open(opened.at(path), "rb").open().read())
    there = Handoff(root="memory://bucket", manifest=opened.manifest, config=opened.config)
    ours, theirs = Samples(opened, objective), Samples(there, objective)
    for k in range(0, 200, 7):
        a, b = ours[k], theirs[k]
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_noise_depends_on_the_sample_number_alone(opened):
    config = opened.config.objective.model_copy(update={"kind": "masked"})
    masked = build_objective(config, opened.manifest.tokenizer)
    first, second = Samples(opened, masked), Samples(opened, masked)
    for k in (5, 3, 100, 4):
        second[k]
    assert np.array_equal(first[50]["inputs"], second[50]["inputs"])
    windows = first.windows[0]
    assert not np.array_equal(windows.read(0, 1, 0)["inputs"], windows.read(0, 2, 0)["inputs"])
