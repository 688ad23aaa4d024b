"""Agents of torchrun on this machine, each as a node of one process, by the file that a user starts on each of his."""

import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.publish.launch import launch_files

from .conftest import ENVIRONMENT
from .test_handoff import manifest


def agents(folder: Path, handoff: Path, settings: Sequence[str]) -> tuple[Callable[..., subprocess.Popen], int]:
    """What starts the agent of a node of two by its number, with arguments of `Popen`; and the port of their rendezvous."""
    script = folder / "torchrun.sh"
    script.write_text(launch_files(manifest())["torchrun.sh"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = {"HANDOFF": str(handoff), "NNODES": "2", "NPROC": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    environment = {**ENVIRONMENT, **nodes, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    words = [word for setting in settings for word in ("--set", setting)]

    def start(rank: int, **told: Any) -> subprocess.Popen:
        return subprocess.Popen(["bash", str(script), *words], env=environment | {"NODE_RANK": str(rank)}, **told)

    return start, port
