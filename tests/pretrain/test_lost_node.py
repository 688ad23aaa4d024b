"""A node is lost: its agent and its process are killed, a new agent joins, the job goes on from the last sealed checkpoint."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.pretrain.checkpoint import complete_steps

from .agents import agents
from .conftest import case, train_many
from .test_resume import RUN, curve

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_a_job_goes_on_when_a_node_is_lost_and_another_joins(handoff, tmp_path):
    steps = ["steps=60", *RUN[1:]]
    train_many(tmp_path, 2, [case("whole", handoff, tmp_path, *steps)])
    start, port = agents(tmp_path, handoff, [*steps, f"out={tmp_path / 'lost'}"])

    def node(rank: int) -> subprocess.Popen:
        return start(rank, start_new_session=True, stderr=(tmp_path / f"told-{rank}").open("a"))

    def wait_for(what: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 200
        while not what() and time.monotonic() < deadline:
            time.sleep(0.05)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    first = node(0)
    wait_for(listens)  # the node that holds the rendezvous is the one that stays
    second, replacement = node(1), None
    try:
        wait_for(lambda: complete_steps(tmp_path / "lost" / "checkpoints"))
        os.killpg(second.pid, signal.SIGKILL)
        for pid in workers_of(second.pid):
            os.kill(pid, signal.SIGKILL)
        replacement = node(1)
        codes = [first.wait(timeout=250), replacement.wait(timeout=60)]
    finally:
        for one in (first, second, replacement):
            if one is not None and one.poll() is None:
                os.killpg(one.pid, signal.SIGTERM)
    told = "".join((tmp_path / f"told-{rank}").read_text() for rank in range(2))
    assert codes == [0, 0], told[-3000:]
    assert "resuming after step" in told
    assert curve(tmp_path / "lost") == curve(tmp_path / "whole")


def workers_of(agent: int) -> list[int]:
    """Processes that an agent started: torchrun gives each a session of its own."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        fields = status.read_text().rpartition(")")[2].split() if status.exists() else []
        if len(fields) > 1 and fields[1] == str(agent):
            found.append(int(status.parent.name))
    return found
