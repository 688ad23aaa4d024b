"""Launching the pre-training recipe as a process of its own: the pipeline never imports torch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.core.execute import worker_count
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.errors import EXIT_INTERRUPTED, InfrastructureError, UsageError
from pipeline.handoff import TrainConfig

CPU_PROCESSES = 2


def command(folder: str, processes: int) -> list[str]:
    """The launch of the recipe on this machine."""
    return [sys.executable, "-m", "recipes.pretrain", folder, "--processes", str(processes)]


def how_to(folder: str) -> str:
    """The same for a person."""
    return f"torchrun --standalone --nproc-per-node=auto -m recipes.pretrain {folder}"


def _processes() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return len([device for device in visible.split(",") if device.strip()])
    cards = len(list(Path("/proc/driver/nvidia/gpus").glob("*"))) if Path("/proc/driver/nvidia/gpus").is_dir() else 0
    return cards or min(CPU_PROCESSES, worker_count())


def _launch(words: list[str], environment: dict[str, str], quiet: bool) -> int:
    """Run training to its end and return its exit code; when this process is told to stop, training gets to write a
    checkpoint first."""
    training = subprocess.Popen(words, env=environment, stdout=sys.stderr if not quiet else subprocess.DEVNULL)
    try:
        return training.wait()
    except KeyboardInterrupt:
        training.terminate()
        training.wait()
        raise


def train(run: Run, config: TrainConfig, wanted: bool | None, *, quiet: bool) -> dict[str, Any]:
    """Train from the hand-off, or say how.

    `wanted` None: when the recipe has a `pretrain:` block and torch is installed. Raises UsageError when training was
    asked for and cannot be started, InfrastructureError when it fails.
    """
    folder = f"{run.store.root}/handoff"
    installed = importlib.util.find_spec("torch") is not None
    if wanted is False or (wanted is None and run.recipe.pretrain is None):
        return {"ran": False, "how": how_to(folder)}
    if not installed or run.store.root.startswith("memory://"):
        why = "torch is not installed: pip install '.[train]'" if not installed else "no other process sees memory://"
        if wanted:
            raise UsageError(f"--train: {why}. The corpus is complete; then: {how_to(folder)}")
        return {"ran": False, "why": why, "how": how_to(folder)}
    folder = run.store.url("handoff")
    processes = _processes()
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, worker_count() // processes))}
    code = _launch(command(folder, processes), environment, quiet)
    if code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise InfrastructureError(
            f"training ended with exit code {code}; the corpus is complete. Run the same command again to "
            f"resume from the last checkpoint, or: {how_to(folder)}"
        )
    elsewhere = "://" in config.out or os.path.isabs(config.out)
    out = Store(config.out if elsewhere else run.store.url(config.out))
    lines = [json.loads(line) for line in out.read("metrics.jsonl").splitlines() if line.strip()]
    return {"ran": True, "processes": processes, "summary": out.read_json("summary.json"), "curve": lines}
