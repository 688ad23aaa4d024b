"""Ray Train supplies the processes: a worker killed from outside is replaced, and the curve is the undisturbed one."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pipeline.handoff import UsageError

from .conftest import case, train_many

pytestmark = [pytest.mark.train, pytest.mark.timeout(280), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

RUN = ["steps=80", "checkpoint.every_steps=10", "checkpoint.asynchronous=false", "evaluate.every_steps=80",
       "evaluate.max_samples=2", "micro_batch=2", "export.huggingface=false", "parallel.sharding=full"]  # fmt: skip


def descendants(pid: int) -> list[int]:
    """Processes below `pid`."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(folder.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(m["step"], m["loss"], m["grad_norm"], m["tokens"]) for m in lines if "loss" in m]


def kill_a_worker(folder: Path, step: int, killed: list[int]) -> None:
    """SIGKILL to one training process as soon as the run is past `step`."""
    while not killed:
        metrics = folder / "metrics.jsonl"
        if metrics.exists() and f'"step": {step},' in metrics.read_text():
            for pid in descendants(os.getpid()):
                try:
                    if "RayTrainWorker" in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        return
                except OSError:
                    continue
        time.sleep(0.01)


@pytest.fixture
def cluster():
    ray = pytest.importorskip("ray")
    environment = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1",
                   "PYTHONPATH": str(Path(__file__).parents[2])}  # fmt: skip
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
             object_store_memory=100_000_000, runtime_env={"env_vars": environment})  # fmt: skip
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_curve_is_the_undisturbed_one(handoff, tmp_path, cluster):
    from recipes.pretrain.ray_train import train

    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker, args=(tmp_path / "ray", 35, killed), daemon=True)
    killer.start()
    summary = train(str(handoff), workers=2, use_gpu=False, overrides=[*RUN, f"out={tmp_path / 'ray'}"])
    assert killed
    assert summary["finished"]
    assert summary["processes"] == 2
    train_many(tmp_path, 2, [case("whole", handoff, tmp_path, *RUN)])
    assert len(curve(tmp_path / "whole")) == 80
    assert curve(tmp_path / "ray") == curve(tmp_path / "whole")


def test_a_wrong_setting_is_said_before_any_process_starts(handoff):
    from recipes.pretrain.ray_train import train

    with pytest.raises(UsageError, match="did you mean"):
        train(str(handoff), workers=2, use_gpu=False, overrides=["optimizer.learning_rat=1"])
