"""The nodes of a Ray cluster that others own: reached, given the package, and asked whether they see the run folder."""

import re
import socket
import subprocess
import sys
import traceback
import uuid
from typing import Any

import pipeline
from pipeline.core import code_version
from pipeline.core.store import WORK, Store
from pipeline.errors import InfrastructureError, PipelineError

CONNECT_S = 10.0
ANSWER_S = 18.0
"""Together under half a minute: Ray itself tries for two, in silence."""
TOKENS = f"{WORK}/nodes"
NO_PACKAGE = "lacks the package"


def reach(address: str) -> None:
    """Return when a Ray answers at HOST:PORT or ray://HOST:PORT. Raises InfrastructureError within half a minute else."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    advice = "Is the address right, and the cluster up? `--ray local` starts a Ray of its own, `--ray none` needs none."
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise InfrastructureError(f"no Ray answers at {address} ({error}). {advice}") from error
    if address.startswith("ray://"):
        return
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"what listens at {address} is no Ray that answers in {ANSWER_S:g} s. {advice}"
        ) from error
    if asked.returncode:
        said = asked.stderr.strip().splitlines()[-1:] or ["unhealthy"]
        raise InfrastructureError(f"the Ray at {address} does not take this run: {said[0]}")


def runtime_env() -> dict[str, Any]:
    """What workers need of this run: the package, as this process has it."""
    return {"py_modules": [str(folder) for folder in code_version.folders()], "excludes": ["**/__pycache__"]}


def look(root: str, token: str, expected: dict[str, str]) -> str:
    """On a node: what keeps it from taking part, or nothing. It reads the driver's token and leaves one of its own."""
    try:
        if differs := code_version.difference(expected):
            return f"runs another version: {differs}. Install the same on all nodes"
        store = Store(root)
        shared = "give a folder that all nodes share, or an s3:// URL"
        if not store.exists(f"{TOKENS}/{token}"):
            return f"does not see {root}: {shared}"
        store.put(f"{TOKENS}/{token}-{uuid.uuid4().hex}", b"")
    except PipelineError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - said in full by the driver
        return traceback.format_exc()
    return ""


def problems(ray: Any, store: Store, root: str) -> list[str]:
    """What keeps nodes that may get work from doing it, each named: every one must read and write in the run folder."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = uuid.uuid4().hex
    store.put(f"{TOKENS}/{token}", b"")
    expected = ray.put(code_version.code_version())
    task = ray.remote(num_cpus=0, max_retries=1)(look)
    asked = {}
    for node in working(ray):
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[node["NodeManagerAddress"]] = task.options(scheduling_strategy=place).remote(root, token, expected)
    found = []
    for node, reference in asked.items():
        try:
            problem = ray.get(reference, timeout=120)
        except ray.exceptions.RayError as error:
            problem = missing_library(error) or f"does not answer: {type(error).__name__}"
        found += [f"node {node} {problem}"] if problem else []
    written = [path for path in store.list(TOKENS) if token in path]
    if not found and len(written) < len(asked) + 1:
        found.append(f"{len(asked) + 1 - len(written)} of {len(asked)} nodes write {root} to a place of their own")
    for path in written:
        store.delete(path)
    return found if asked else ["the cluster has no node with a processor"]


def missing_library(error: BaseException) -> str:
    """A phrase for a worker that could not import something; empty when that is not what happened."""
    named = re.search(r"ModuleNotFoundError: No module named ['\"]([\w.]+)", str(error))
    if named is None:
        return ""
    what = NO_PACKAGE if named[1].partition(".")[0] in code_version.PACKAGES else f"lacks the library {named[1]}"
    return f"{what}: install domain-corpus {pipeline.__version__} on every node"


def working(ray: Any) -> list[dict[str, Any]]:
    """The nodes that are alive and have a processor."""
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def folder_for_all(store: Store) -> str:
    """The run folder as any process finds it: absolute where it is a local one."""
    return store.locate("").rstrip("/") if store.local else store.root
