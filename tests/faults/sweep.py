"""The crash-point sweep, in the manner of SQLite: every operating-system call of a small run fails once, in every way.

A run is forked, fails or dies at call N, and is run again undisturbed: it must finish with the root hash of a run that
nothing happened to. `python -m tests.faults.sweep --all` tries every call in every mode and prints the scoreboard.
All of them take most of an hour of one core: with `--log FILE` what was tried is written down as it goes, and the same
command goes on from there; `--limit N` tries N more and stops.
"""

import argparse
import gc
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core import local_calls
from pipeline.core.local_calls import LocalCalls
from pipeline.run import main
from tests.faults.calls import KILLED, MODES, FaultyCalls
from tests.faults.tiny import write_recipe

ALLOWED_EXITS = {"kill_before": {KILLED}, "kill_after": {KILLED}}


@dataclass
class Board:
    """The scoreboard of a sweep."""

    runs: int = 0
    by_exit: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)

    def line(self):
        exits = ", ".join(f"exit {code}: {count}" for code, count in sorted(self.by_exit.items()))
        return f"{self.runs} faults injected ({exits}); {self.runs - len(self.failures)} recovered, {len(self.failures)} failed"


def forked(work, told=os.devnull):
    """Run `work` in a child process, what it prints goes to the file `told`; returns its exit code."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with open(told, "w") as printed:
                sys.stdout = sys.stderr = printed
                code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_once(recipe, out, calls):
    """One run in this process with these operating-system calls; returns its exit code."""
    local_calls.install_calls(calls)
    return main([str(recipe), "--out", str(out), "--ray", "none", "--no-train", "--json"])


def result_of(out):
    path = Path(out) / "work/result.json"
    return json.loads(path.read_text()) if path.exists() else None


def published_whole(out):
    """Whether every file that the data card or manifest names is there: nothing half-published."""
    card, manifest = Path(out) / "corpus/README.md", Path(out) / "handoff/manifest.json"
    if card.exists():
        for line in card.read_text().splitlines():
            name = line.strip().removeprefix("- ").strip().strip('"')
            if name.endswith(".parquet") and not name.startswith("path") and not (card.parent / name).exists():
                return f"card names {name}"
    if manifest.exists():
        for source in json.loads(manifest.read_text())["sources"]:
            for shards in source["splits"].values():
                for shard in shards:
                    if not (Path(out) / shard["path"]).exists():
                        return f"manifest names {shard['path']}"
    return None


def reference(folder):
    """Recipe, call count and names, and root hash of an undisturbed run. Also compiles and loads everything once."""
    recipe = write_recipe(folder)
    calls = FaultyCalls()
    code = run_once(recipe, folder / "reference", calls)
    if code != 0:
        raise AssertionError(f"the undisturbed run ended with exit code {code}")
    local_calls.install_calls(LocalCalls())
    gc.collect()
    gc.freeze()  # a fork's collector then copies none of these pages
    return recipe, calls.names, result_of(folder / "reference")["root_hash"]


def try_fault(recipe, folder, at, mode, expected, log):
    """Fault number `at` in one mode, then recovery; what came of it goes to the log."""
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    code = forked(lambda: run_once(recipe, out, FaultyCalls(at, mode)))
    half = published_whole(out)
    again = forked(lambda: run_once(recipe, out, FaultyCalls()))
    found = result_of(out)
    problem = None
    if code not in ALLOWED_EXITS.get(mode, {0, 3}):
        problem = f"exit code {code}"
    elif half:
        problem = f"half-published: {half}"
    elif again != 0:
        problem = f"the run after it ended with {again}"
    elif found is None or found["root_hash"] != expected:
        problem = "another root hash"
    log.add(at, mode, code, problem)


class Log:
    """What earlier sweeps tried, one line of JSON each, good for the same code and the same list of calls only."""

    def __init__(self, path, world):
        self.path, self.world, self.tried = path, world, {}
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        for line in lines[:1]:
            if json.loads(line) != {"world": world}:
                raise SystemExit(
                    f"{path} was written by a sweep of another state of the code: delete it to start again"
                )
        for line in lines[1:]:
            at, mode, code, problem = json.loads(line)
            self.tried[at, mode] = code, problem
        if path is not None and not lines:
            path.write_text(json.dumps({"world": world}) + "\n")

    def add(self, at, mode, code, problem):
        self.tried[at, mode] = code, problem
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps([at, mode, code, problem]) + "\n")

    def board(self):
        board = Board(len(self.tried))
        for (at, mode), (code, problem) in self.tried.items():
            board.by_exit[code] = board.by_exit.get(code, 0) + 1
            if problem:
                board.failures.append((at, mode, problem))
        return board


def world_of(names):
    """Names the calls of the run and the code that makes them."""
    found = hashlib.sha256("\n".join(names).encode())
    root = Path(__file__).resolve().parents[2]
    for package in ("pipeline", "tokenizer", "tests/faults"):
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()


def modes_for(name):
    return [mode for mode in MODES if name == "write" or mode not in ("torn", "silent", "ENOSPC")]


def sweep(points=None, path=None, limit=None):
    """All (call, mode) pairs, or every so many of them: `points` is about how many to try. At most `limit` new ones.

    Returns the scoreboard, the number of calls, and how many faults there are and how many were asked for.
    """
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        recipe, names, expected = reference(folder)
        log = Log(path, world_of(names))
        pairs = [
            (at, mode) for at, name in enumerate(names) for mode in modes_for(name) if mode != "kill_before" or at == 0
        ]
        chosen = pairs[:: max(1, len(pairs) // points) if points else 1]
        for at, mode in [pair for pair in chosen if pair not in log.tried][:limit]:
            try_fault(recipe, folder, at, mode, expected, log)
        return log.board(), len(names), len(pairs), len(chosen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--all", action="store_true", help="every fault, not about --points of them")
    arguments.add_argument("--points", type=int, default=100, help="about how many faults, evenly spread")
    arguments.add_argument(
        "--log", type=Path, metavar="FILE", help="write down what was tried; go on from it when it exists"
    )
    arguments.add_argument("--limit", type=int, metavar="N", help="try at most N that the log does not have")
    options = arguments.parse_args()
    board, calls, pairs, asked = sweep(None if options.all else options.points, options.log, options.limit)
    for failure in board.failures:
        print("call {}, {}: {}".format(*failure))
    print(f"{calls} operating-system calls, {pairs} faults possible, {asked - board.runs} of {asked} left to try")
    print(board.line())
    sys.exit(bool(board.failures))
