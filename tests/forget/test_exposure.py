"""Which checkpoints had a document: the order's inverse against drawing every sample, and what cannot be told."""

import json
import math
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.store import Store
from pipeline.forget.exposure import Place, _Order, checkpoints
from pipeline.handoff.order import Turns, keys, permute, unpermute


def manifest(tokens, weights):
    shards = [{"path": f"s{n}.ds", "num_tokens": count} for n, count in enumerate(tokens)]
    sources = [
        {"name": f"s{n}", "weight": weight, "splits": {"train": [shard]}}
        for n, (weight, shard) in enumerate(zip(weights, shards, strict=True))
    ]
    return {"sources": sources, "fingerprint": "f"}


@given(st.integers(1, 5000), st.data())
def test_unpermute_inverts_permute(size, data):
    index, seed = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, 99))
    assert unpermute(permute(index, size, keys(seed)), size, keys(seed)) == index


@settings(deadline=None)
@given(
    st.integers(40, 400), st.integers(40, 400), st.sampled_from([0.3, 0.5, 0.9]), st.integers(0, 60),
    st.integers(0, 1), st.integers(1, 30), st.data(),
)  # fmt: skip
def test_had_equals_drawing_every_sample(one, two, weight, consumed, overlap, stride, data):
    made = manifest([one, two], [weight, 1 - weight])
    order = _Order(made, 7, stride, overlap)
    source = data.draw(st.integers(0, 1))
    total = (one, two)[source]
    start = data.draw(st.integers(0, total - 2))
    stop = data.draw(st.integers(start + 1, total - overlap)) if start < total - overlap else start + 1
    drawn = set()
    turns, sizes = Turns([weight, 1 - weight]), [max(1, math.ceil((n - overlap) / stride)) for n in (one, two)]
    for k in range(consumed):
        own, ordinal = turns(k)
        epoch, index = divmod(ordinal, sizes[own])
        if own == source:
            window = permute(index, sizes[own], keys(7, f"s{own}", epoch))
            drawn |= set(range(window * stride, min(total, window * stride + stride + overlap)))
    place = Place("d", f"s{source}", start, stop)
    assert order.had(place, consumed) == bool(drawn & set(range(start, stop)))


@pytest.mark.parametrize(
    ("state", "held"),
    [
        ({"consumed": 0, "window": {"stride": 10, "overlap": 1}}, False),
        ({"consumed": 10_000, "window": {"stride": 10, "overlap": 1}}, True),
        ({"consumed": 10_000}, None),
        ({"consumed": 10_000, "window": {"stride": 10, "overlap": 1}, "fingerprint": "other"}, None),
    ],
)
def test_checkpoints_say_what_they_can_know(tmp_path, state, held):
    store = Store(str(tmp_path))
    full = {"step": 3, "identity": {"fingerprint": state.pop("fingerprint", "f"), "seed": 0}, **state}
    store.put_json("train/checkpoints/step-00000003/state.json", full)
    assert checkpoints(store, manifest([100], [1.0]), "train", []) == [], "without complete.json it does not exist"
    store.put("train/checkpoints/step-00000003/complete.json", b"{}")
    (found,) = checkpoints(store, manifest([100], [1.0]), "train", [Place("d", "s0", 5, 9)])
    assert (found.held, found.documents) == (held, ["d"] if held else [])
    assert json.dumps(asdict(found))


def test_a_checkpoint_of_several_mixes_had_what_its_phases_drew(tmp_path):
    """Two sources of equal weight in the hand-off, of which the run read the second from sample 50 on."""
    store = Store(str(tmp_path))
    phases = [[0, {"s0": 1.0, "s1": 0.0}], [50, {"s0": 0.0, "s1": 1.0}]]
    held = []
    for step, consumed in enumerate((50, 10_000), 1):
        at = f"train/checkpoints/step-0000000{step}"
        state = {"step": step, "consumed": consumed, "window": {"stride": 10, "overlap": 1}, "phases": phases}
        store.put_json(f"{at}/state.json", {"identity": {"fingerprint": "f", "seed": 0}, **state})
        store.put(f"{at}/complete.json", b"{}")
    for found in checkpoints(store, manifest([100, 100], [0.5, 0.5]), "train", [Place("d", "s1", 5, 9)]):
        held.append(found.held)
    assert held == [False, True]
