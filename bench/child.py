"""Sides of a bench in processes of their own: one core, a memory peak of their own, the peers' interpreter for peers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def call(script: str, *arguments: str, own: bool = False) -> dict | None:
    """Run a bench's child side on one core, in the peers' interpreter (`$BENCH_PEERS_PYTHON`) or in this one (`own`).

    Returns the last line it printed, read as JSON; None when it fails: the peer is not installed, or did not finish.
    """
    python = sys.executable if own else os.environ.get("BENCH_PEERS_PYTHON", sys.executable)
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [python, "-P", script, *arguments],  # -P: the names of the benches must not hide packages
        env=os.environ | ONE_THREAD | {"DAFT_PROGRESS_BAR": "0"} | ({"PYTHONPATH": str(ROOT)} if own else {}),
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=False,
    )
    if done.returncode:
        print(f"{arguments[0]}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def resident() -> tuple[int, int]:
    """`(now, most since `timed` began)`: MiB of this process in memory, mapped files included."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    now, most = (int(lines[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def timed(act: Callable[[], Any]) -> dict[str, Any]:
    """Run `act`: its result, processor seconds, MiB resident before it and at most."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the preparation
    before = resident()[0]
    start = time.process_time()
    result = act()
    seconds = time.process_time() - start
    return {"result": result, "seconds": seconds, "before_mib": before, "peak_mib": resident()[1]}
