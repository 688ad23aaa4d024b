"""The crash-point sweep, in the manner of SQLite: every operating-system call of a small run fails once, in every way.

A run is forked, fails or dies at call N, and is run again undisturbed: it must finish with the root hash of a run that
nothing happened to. `python -m tests.faults.sweep --all` tries every call in every mode and prints the scoreboard.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core import store as stores
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


def forked(work):
    """Run `work` in a child process; returns its exit code."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with open(os.devnull, "w") as nowhere:
                sys.stdout = sys.stderr = nowhere
                code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_once(recipe, out, calls):
    """One run in this process with these operating-system calls; returns its exit code."""
    stores.install_calls(calls)
    return main([str(recipe), "--out", str(out), "--ray", "none", "--no-train", "--json"])


def result_of(out):
    path = Path(out) / "result.json"
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
    stores.install_calls(stores.LocalCalls())
    return recipe, calls.names, result_of(folder / "reference")["root_hash"]


def try_fault(recipe, folder, at, mode, expected, board):
    """Fault number `at` in one mode, then recovery."""
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    code = forked(lambda: run_once(recipe, out, FaultyCalls(at, mode)))
    board.runs += 1
    board.by_exit[code] = board.by_exit.get(code, 0) + 1
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
    if problem:
        board.failures.append((at, mode, problem))


def modes_for(name):
    return [mode for mode in MODES if name == "write" or mode not in ("torn", "silent", "ENOSPC")]


def sweep(points=None, part=0, parts=1):
    """All (call, mode) pairs, or every so many of them: `points` is about how many to try."""
    board = Board()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        recipe, names, expected = reference(folder)
        pairs = [
            (at, mode) for at, name in enumerate(names) for mode in modes_for(name) if mode != "kill_before" or at == 0
        ]
        step = max(1, len(pairs) // points) if points else 1
        for at, mode in pairs[::step][part::parts]:
            try_fault(recipe, folder, at, mode, expected, board)
        return board, len(names), len(pairs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--all", action="store_true")
    arguments.add_argument("--points", type=int, default=100)
    options = arguments.parse_args()
    board, calls, pairs = sweep(None if options.all else options.points)
    for failure in board.failures:
        print("call {}, {}: {}".format(*failure))
    print(f"{calls} operating-system calls, {pairs} faults possible")
    print(board.line())
    sys.exit(bool(board.failures))
