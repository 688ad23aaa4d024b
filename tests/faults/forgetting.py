"""The crash-point sweep of `forget`: every operating-system call of one forgetting fails once, in every way.

A finished run is copied, `forget` is forked and fails or dies at call N, and the same command runs again undisturbed: no file
may hold a word of the document, no record may name a damaged file, the root hash must be that of a forgetting that nothing
happened to, and the next ordinary run must find everything done. `python -m tests.faults.forgetting --all` tries everything.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from pipeline.__main__ import main as command
from pipeline.core import store as stores
from tests.faults.calls import FaultyCalls
from tests.faults.sweep import ALLOWED_EXITS, Board, forked, modes_for, result_of, run_once
from tests.faults.tiny import text, write_recipe

WORD, URL = "zanzibarquux", "https://ann.example/diary"


def finished(folder):
    """A recipe and its finished run, with a document to forget, an exact copy and a near copy of it."""
    recipe = write_recipe(folder)
    secret = f"{WORD} {text(777, 30)}"
    with (folder / "news.jsonl").open("a") as file:
        file.write(json.dumps({"id": "diary", "url": URL, "title": WORD, "text": secret}) + "\n")
    with (folder / "web.jsonl").open("a") as file:
        file.write(json.dumps({"id": "mirror", "text": secret}) + "\n")
        file.write(json.dumps({"id": "near", "text": f"{secret} Read again."}) + "\n")
    code = run_once(recipe, folder / "done", stores.LocalCalls())
    if code != 0:
        raise AssertionError(f"the undisturbed run ended with exit code {code}")
    return recipe


def forget_once(out, calls):
    """Forget the document and its copies with these operating-system calls; returns the exit code."""
    stores.install_calls(calls)
    return command(["forget", URL, "--near-copies", "--run", str(out), "--json"])


def holds(folder, word):
    """A file that holds the word, plainly or in a Parquet column; None when no file does."""
    import pyarrow.parquet as pq

    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            parquet = path.suffix == ".parquet"
            data = json.dumps(pq.read_table(path).to_pylist(), default=str).encode() if parquet else path.read_bytes()
            if word.encode() in data:
                return path
    return None


def reused(recipe, out):
    """0 when an ordinary run finds every step done."""
    code = run_once(recipe, out, stores.LocalCalls())
    steps = result_of(out)["steps"]
    return code or int(any(said != "reused: did not change" for said in steps.values()))


def undisturbed(folder, recipe):
    """Names of the calls of one forgetting, and its root hash. Loads and compiles everything once."""
    out, calls = folder / "reference", FaultyCalls()
    shutil.copytree(folder / "done", out)
    code = forget_once(out, calls)
    stores.install_calls(stores.LocalCalls())
    if code or holds(out, WORD) or forked(lambda: reused(recipe, out)):
        raise AssertionError(f"the undisturbed forgetting ended with exit code {code}")
    return calls.names, result_of(out)["root_hash"]


def try_fault(recipe, folder, at, mode, expected, board):
    """Fault number `at` in one mode, then recovery."""
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder / "done", out)
    code = forked(lambda: forget_once(out, FaultyCalls(at, mode)))
    board.runs += 1
    board.by_exit[code] = board.by_exit.get(code, 0) + 1
    again = forked(lambda: forget_once(out, FaultyCalls()))
    problem = None
    if code not in ALLOWED_EXITS.get(mode, {0, 3}):
        problem = f"exit code {code}"
    elif again != 0:
        problem = f"the same command again ended with {again}"
    elif left := holds(out, WORD):
        problem = f"{left.relative_to(out)} holds the text"
    elif forked(lambda: command(["verify", "--run", str(out), "--json"])):
        problem = "a record names a damaged file"
    elif result_of(out)["root_hash"] != expected:
        problem = "another root hash"
    elif forked(lambda: reused(recipe, out)):
        problem = "the next run did not find everything done"
    if problem:
        board.failures.append((at, mode, problem))


def sweep(points=None, part=0, parts=1):
    """All (call, mode) pairs, or every so many of them: `points` is about how many to try."""
    board = Board()
    folder = Path(tempfile.mkdtemp(prefix="forgetting-"))
    try:
        recipe = finished(folder)
        names, expected = undisturbed(folder, recipe)
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
    arguments.add_argument("--part", type=int, default=0, help="try every `--parts`-th pair from this one")
    arguments.add_argument("--parts", type=int, default=1)
    options = arguments.parse_args()
    board, calls, pairs = sweep(None if options.all else options.points, options.part, options.parts)
    for failure in board.failures:
        print("call {}, {}: {}".format(*failure))
    print(f"{calls} operating-system calls of forget, {pairs} faults possible")
    print(board.line())
    sys.exit(bool(board.failures))
