"""Fixtures of the training tests: a hand-off made once, and launches of several configurations at a time."""

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .build import make_handoff
from .forked import ENVIRONMENT, forked


@pytest.fixture(scope="session")
def handoff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hand-off folder that nobody changes; runs on it set `out` to a folder of their own."""
    return make_handoff(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """The matrices are tiny: more threads only wait for each other, and do it busily."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """This process as a world of one."""
    from recipes.pretrain.parallel import start_world, stop_world

    gc.collect()
    gc.freeze()  # every training collects, and need not walk what the imports left
    yield start_world()
    stop_world()


def torchrun(
    processes: int, *arguments: str, timeout: int = 280, restarts: int = 0, **variables: str
) -> subprocess.CompletedProcess:
    """Launch a module or script on several CPU processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*command, f"--max-restarts={restarts}", *arguments],
        env={**ENVIRONMENT, **variables}, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def train_many(folder: Path, processes: int, cases: list[dict]) -> dict:
    """Results of `many.py` by case name."""
    path = folder / f"cases-{processes}.json"
    path.write_text(json.dumps(cases))
    script = str(Path(__file__).with_name("many.py"))
    done = forked(script, str(path), processes=processes)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(path.with_name("many.json").read_text())


def train_here(cases: list[dict], world: Any) -> dict:
    """The same in this process."""
    from .many import train_cases

    return train_cases(cases, world)


def case(
    name: str, handoff: Path, out: Path, *settings: str, into: str | None = None, stop_after: int | None = None
) -> dict:
    """One training; `into` continues in another case's folder, `stop_after` stops as SIGTERM would."""
    where = f"out={out / (into or name)}"
    return {"name": name, "handoff": str(handoff), "set": [where, *settings], "stop_after": stop_after}
