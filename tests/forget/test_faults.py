"""A crash of `forget` anywhere is healed by the same command: some faults here, every one behind the slow marker."""

import os

import pytest

from pipeline.core import local_calls
from pipeline.core.local_calls import LocalCalls
from tests.faults.calls import KILLED
from tests.faults.forgetting import sweep

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


@pytest.fixture(autouse=True)
def real_calls():
    yield
    local_calls.install_calls(LocalCalls())


def check(board, calls):
    assert calls > 200
    assert board.failures == []
    assert set(board.by_exit) >= {3, KILLED}, board.line()


@pytest.mark.timeout(300)
def test_a_crash_is_healed_by_the_same_command():
    board, calls, _ = sweep(points=int(os.environ.get("FORGET_FAULT_POINTS", "8")))
    assert board.runs >= 8
    check(board, calls)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_crash_is_healed_by_the_same_command():
    board, calls, pairs = sweep()
    assert board.runs == pairs
    check(board, calls)
