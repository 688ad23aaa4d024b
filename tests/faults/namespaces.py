"""Several hosts on one machine: a Ray head and three nodes in network namespaces of their own, one of which is cut off in a run.

    python -m tests.faults.namespaces         # as root, on Linux with `ip`; `just faults` does not run it

Prints a line for each run: how it was done, its exit code and its root hash, which are the same.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.tiny import RECIPE, text

BRIDGE, NODES, PORT = "dcbr0", ("dchead", "dcnode1", "dcnode2", "dcnode3"), 6399
DOCUMENTS = 600
"""Of each of the sources: enough for a run of about a minute."""
SOURCES = 8


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _inside(node: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", node, *words]


def address(node: str) -> str:
    """The address of a node."""
    return f"10.77.0.{NODES.index(node) + 1}"


@contextlib.contextmanager
def hosts() -> Iterator[None]:
    """The namespaces, joined by a bridge; gone afterwards."""
    try:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("link", "set", BRIDGE, "up")
        for node in NODES:
            _ip("netns", "add", node)
            _ip("link", "add", f"{node}o", "type", "veth", "peer", "name", f"{node}i")
            _ip("link", "set", f"{node}i", "netns", node)
            _ip("link", "set", f"{node}o", "master", BRIDGE, "up")
            _ip("-n", node, "addr", "add", f"{address(node)}/24", "dev", f"{node}i")
            _ip("-n", node, "link", "set", f"{node}i", "up")
            _ip("-n", node, "link", "set", "lo", "up")
        yield
    finally:
        for node in NODES:
            subprocess.run(["ip", "link", "del", f"{node}o"], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["ip", "netns", "del", node], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def cluster(folder: str) -> Iterator[None]:
    """A head without processors, and three nodes of one each."""
    ray, started = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"], []
    head = ["--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}"]
    try:
        for node in NODES:
            more = head if node == NODES[0] else [f"--address={address(NODES[0])}:{PORT}", "--num-cpus=1"]
            words = [*ray, f"--node-ip-address={address(node)}", "--object-store-memory=100000000", *more]
            started.append(subprocess.Popen(_inside(node, *words), stdout=subprocess.DEVNULL, start_new_session=True))
            time.sleep(20 if node == NODES[0] else 5)
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def write_recipe(folder: Path) -> Path:
    """Sources of a shard each."""
    lines = []
    for source in range(SOURCES):
        rows = [
            json.dumps({"id": f"{source}-{n}", "text": text(source * DOCUMENTS // 2 + n)}) for n in range(DOCUMENTS)
        ]
        (folder / f"s{source}.jsonl").write_text("\n".join(rows) + "\n")
        role = ("domain", "general")[source % 2]
        lines.append(
            f"    - {{name: s{source}, kind: jsonl, path: {folder}/s{source}.jsonl, role: {role}, licence: CC0-1.0}}"
        )
    head, _, rest = RECIPE.partition("  here:\n")
    path = folder / "hosts.yaml"
    path.write_text(f"{head}  here:\n" + "\n".join(lines) + "\n" + rest[rest.index("curate:") :])
    return path


def run(recipe: Path, out: Path, *more: str, cut_after_s: float | None = None) -> tuple[int, str, dict]:
    """Exit code, root hash or last words, and what steps say; the last node's link goes down after a while, when asked for."""
    words = [sys.executable, "-m", "pipeline.run", str(recipe), "--no-train", "--json", "--out", str(out), *more]
    command = _inside(NODES[0], *words) if more[1:] and more[1] != "none" else words
    timer = threading.Timer(cut_after_s or 0, _ip, ("link", "set", f"{NODES[-1]}o", "down"))
    if cut_after_s is not None:
        timer.start()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    return done.returncode, said.get("root_hash", said.get("error", done.stderr[-500:]))[:400], said.get("steps", {})


def main() -> None:
    """In process; on the cluster; on the cluster, with a node cut off; and that again by the same command."""
    os.environ["RAY_health_check_failure_threshold"] = "3"  # noqa: SIM112 - the name that Ray reads
    os.environ["RAY_AUTH_MODE"] = "disabled"
    with tempfile.TemporaryDirectory(prefix="hosts-") as base, hosts():
        folder = Path(base)
        recipe = write_recipe(folder)
        print("in process", *run(recipe, folder / "plain", "--ray", "none")[:2], flush=True)
        with cluster(f"{base}/ray"):
            there = ["--ray", f"{address(NODES[0])}:{PORT}"]
            start = time.monotonic()
            print("three nodes", *run(recipe, folder / "nodes", *there)[:2], flush=True)
            took = time.monotonic() - start
            print("one cut off", *run(recipe, folder / "cut", *there, cut_after_s=took / 3)[:2], flush=True)
            print("the same again", *run(recipe, folder / "cut", *there)[:2], flush=True)


if __name__ == "__main__":
    main()
