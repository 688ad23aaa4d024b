"""Crash safety: every call of the engine, and a few calls of the whole pipeline, more behind the slow marker; `just faults` does all."""

import os

import pytest

from pipeline.core import local_calls
from pipeline.core.execute import Produced, Runner, Unit
from pipeline.core.in_process import InProcess
from pipeline.core.local_calls import LocalCalls
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from tests.faults.calls import KILLED, FaultyCalls
from tests.faults.sweep import forked, modes_for, sweep

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


def work(store, assignments):
    made = []
    for assigned in assignments:
        data = "+".join(store.read(info.path).decode() for info in assigned.reads.get("parts", [])) or assigned.name
        made.append(Produced({"data": store.put(assigned.path("data", suffix=".txt"), data.encode())}))
    return made


def two_steps(folder, calls):
    """Three units, then one that reads them; returns the final text."""
    local_calls.install_calls(calls)
    store = Store(str(folder))
    runner = Runner(store, InProcess())
    first = runner.execute("first", [Unit(name) for name in "abc"], work)
    infos = [commit.files["data"] for commit in first.values()]
    last = runner.execute("second", [Unit("all", {"parts": infos})], work)
    return store.read(last["all"].files["data"].path).decode()


@pytest.fixture(autouse=True)
def real_calls():
    yield
    local_calls.install_calls(LocalCalls())


def outcome(folder, calls):
    try:
        return 0 if two_steps(folder, calls) == "a+b+c" else 1
    except InfrastructureError:
        return 3


def test_every_call_of_the_engine_may_fail_in_every_way(tmp_path):
    calls = FaultyCalls()
    assert outcome(tmp_path / "reference", calls) == 0
    assert calls.count > 50
    tried = 0
    for at, name in list(enumerate(calls.names))[:: int(os.environ.get("FAULT_STRIDE", "3"))]:
        for mode in modes_for(name):
            folder = tmp_path / f"{at}-{mode}"
            code = forked(lambda folder=folder, at=at, mode=mode: outcome(folder, FaultyCalls(at, mode)))
            assert code in ({KILLED} if mode.startswith("kill") else {0, 3}), (at, name, mode)
            assert outcome(folder, FaultyCalls()) == 0, (at, name, mode)
            tried += 1
    assert tried > 60


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", [7, pytest.param(30, marks=pytest.mark.slow)])
def test_a_run_recovers_from_faults_anywhere(points):
    board, calls, *_ = sweep(points=int(os.environ.get("FAULT_POINTS", points)))
    assert calls > 300
    assert board.runs >= points
    assert board.failures == []
    assert set(board.by_exit) >= {3, KILLED}, board.line()
