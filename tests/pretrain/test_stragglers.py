"""A process that keeps the others waiting is named, once, and noise names nobody."""

import pytest
import torch

from recipes.pretrain import stragglers
from recipes.pretrain.parallel import World

pytestmark = pytest.mark.train


@pytest.mark.parametrize(("own", "rank", "what"), [
    ([(0.001, 0.01), (0.2, 0.01), (0.001, 0.01), (0.002, 0.01)], 1, "200 ms of each step to wait for its data"),
    ([(0.001, 0.01), (0.001, 0.01), (0.001, 0.017)], 2, "17 ms for a matrix product, the median process 10 ms"),
    ([(0.0, 0.03), (0.0, 0.01)], 0, "30 ms for a matrix product"),  # of two the faster one is the usual one
    ([(0.3, 0.01), (0.0, 0.04)], 0, "300 ms of each step"),
])  # fmt: skip
def test_the_process_that_stands_out_is_named(own, rank, what):
    found = stragglers.slowest(own, 1.0, 1.5)
    assert found is not None
    assert found[0] == rank
    assert what in found[1]


@pytest.mark.parametrize("own", [
    [(0.02, 0.01), (0.03, 0.011), (0.02, 0.014)],
    [(0.0, 0.01), (0.09, 0.01)],  # many times the other, and nothing beside a step of a second
    [(0.5, 0.01)] * 4,  # all wait: storage is slow, no process
])  # fmt: skip
def test_noise_names_nobody(own):
    assert stragglers.slowest(own, 1.0, 1.5) is None


def test_it_is_said_when_it_begins_and_when_it_is_another(monkeypatch):
    monkeypatch.setattr(stragglers, "EVERY", 3)
    rows = iter([[0.0, 0.0], [0.0, 9.0], [0.0, 9.0], [9.0, 0.0], [0.0, 0.0], [9.0, 0.0]])

    def gather(out, mine, group):
        assert mine[1] > 0
        out[:] = [(waited, 0.01) for waited in next(rows)]

    monkeypatch.setattr(stragglers.dist, "all_gather_object", gather)
    watched = stragglers.Stragglers(World(0, 2, 2, torch.device("cpu")), 1.5)
    told = [watched.stepped(0.0) for _ in range(18)]
    assert [step for step, sentence in enumerate(told, 1) if sentence] == [6, 12, 18]
    assert str(told[5]).startswith("process 1 keeps the others waiting: it needs 9e+03 ms of each step")
    assert str(told[17]).startswith("process 0")
    off = stragglers.Stragglers(World(0, 2, 2, torch.device("cpu")), 0)
    assert [off.stepped(1.0) for _ in range(9)] == [None] * 9
