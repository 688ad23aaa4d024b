"""The crash-point sweep of `forget`: every operating-system call of one forgetting fails once, in every way.

A finished run is copied, `forget` is forked and fails or dies at call N, and the same command runs again undisturbed: the run
folder must then be, byte for byte, that of a forgetting that nothing happened to. That one is examined once: no file holds a
word of the document, no record names a damaged file, and the next ordinary run finds everything done. A folder that differs
is examined by itself, and must have the same root hash. Faults that leave the same folder are recovered from once.
`python -m tests.faults.forgetting --all` tries everything.
"""

import argparse
import gc
import hashlib
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.__main__ import main as command
from pipeline.core import local_calls
from pipeline.core.local_calls import LocalCalls
from tests.faults.calls import FaultyCalls
from tests.faults.sweep import ALLOWED_EXITS, Board, forked, modes_for, result_of, run_once
from tests.faults.tiny import text, write_recipe

WORD, URL = "zanzibarquux", "https://ann.example/diary"
LEFT_OUT = ("gopher: {min_num_words: 20}", "identity", "pii")
"""Judges that only make every forgetting longer: what is forgotten passes through the two that look for copies."""
TELLING = ("work/result.json", "report.json", "report.html")
"""Files that name the folder and tell the time: they are searched for the word and not compared."""


@dataclass
class ForgetBoard(Board):
    """The scoreboard, with how many folders were not those of an undisturbed forgetting and were examined by themselves."""

    differed: int = 0
    recovered: dict = field(default_factory=dict)
    """What the same command made of each state that faults left, by a hash of all of the folder: recovery sees nothing else."""

    def line(self):
        states = f"{len(self.recovered)} different folders after them"
        return f"{super().line()}; {states}, {self.differed} of these recovered to another one than no fault does and were examined"


def finished(folder):
    """A recipe and its finished run, with a document to forget, an exact copy and a near copy of it."""
    recipe = write_recipe(folder)
    lines = recipe.read_text().splitlines()
    recipe.write_text("\n".join(line for line in lines if line.strip().removeprefix("- ") not in LEFT_OUT) + "\n")
    secret = f"{WORD} {text(777, 30)}"
    with (folder / "news.jsonl").open("a") as file:
        file.write(json.dumps({"id": "diary", "url": URL, "title": WORD, "text": secret}) + "\n")
    with (folder / "web.jsonl").open("a") as file:
        file.write(json.dumps({"id": "mirror", "text": secret}) + "\n")
        file.write(json.dumps({"id": "near", "text": f"{secret} Read again."}) + "\n")
    code = run_once(recipe, folder / "done", LocalCalls())
    if code != 0:
        raise AssertionError(f"the undisturbed run ended with exit code {code}")
    return recipe


def forget_once(out, calls):
    """Forget the document and its copies with these operating-system calls; returns the exit code."""
    local_calls.install_calls(calls)
    return command(["forget", URL, "--near-copies", "--run", str(out), "--json"])


def holds(folder, word, names=("*",)):
    """A file of these names that holds the word, plainly or in a Parquet column; None when no file does."""
    import pyarrow.parquet as pq

    for path in sorted(path for name in names for path in Path(folder).rglob(name)):
        if path.is_file():
            parquet = path.suffix == ".parquet"
            data = json.dumps(pq.read_table(path).to_pylist(), default=str).encode() if parquet else path.read_bytes()
            if word.encode() in data:
                return path
    return None


def reused(recipe, out):
    """0 when an ordinary run finds every step done."""
    code = run_once(recipe, out, LocalCalls())
    steps = result_of(out)["steps"]
    return code or int(any(said != "reused: did not change" for said in steps.values()))


def examined(out, recipe):
    """What is wrong with a run folder after a forgetting; None when nothing is."""
    if left := holds(out, WORD):
        return f"{left.relative_to(out)} holds the text"
    if forked(lambda: command(["verify", "--run", str(out), "--json"])):
        return "a record names a damaged file"
    if forked(lambda: reused(recipe, out)):
        return "the next run did not find everything done"
    return None


def content(out):
    """Bytes of every file of a run folder by its path there, but of those that tell where and when; folders, too."""
    paths = [path for path in Path(out).rglob("*") if str(path.relative_to(out)) not in TELLING]
    return {str(path.relative_to(out)): path.read_bytes() if path.is_file() else None for path in paths}


def undisturbed(folder, recipe):
    """Names of the calls of one forgetting, its root hash and what it leaves. Loads and compiles everything once."""
    out, calls = folder / "reference", FaultyCalls()
    shutil.copytree(folder / "done", out)
    code = forget_once(out, calls)
    local_calls.install_calls(LocalCalls())
    left = content(out)
    if code or (problem := examined(out, recipe)):
        raise AssertionError(f"the undisturbed forgetting ended with exit code {code}: {problem}")
    return calls.names, result_of(out)["root_hash"], left


def try_fault(recipe, folder, at, mode, expected, board):
    """Fault number `at` in one mode, then recovery. `expected`: root hash and content of an undisturbed forgetting."""
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder / "done", out)
    code = forked(lambda: forget_once(out, FaultyCalls(at, mode)))
    board.runs += 1
    board.by_exit[code] = board.by_exit.get(code, 0) + 1
    state = state_of(out)
    if state not in board.recovered:
        board.recovered[state] = recovery(recipe, out, expected, board)
    problem = board.recovered[state]
    if code not in ALLOWED_EXITS.get(mode, {0, 3}):
        problem = f"exit code {code}"
    if problem:
        board.failures.append((at, mode, problem))


def state_of(out):
    """A hash of every path and byte of a run folder; the number of the process in the names of temporary files is left out."""
    found = hashlib.sha256()
    for path in sorted(Path(out).rglob("*")):
        data = path.read_bytes() if path.is_file() else b"a folder"
        name = re.sub(r"\.\d+\.tmp$", ".tmp", str(path.relative_to(out)))
        found.update(f"{name} {len(data)} ".encode() + data)
    return found.digest()


def recovery(recipe, out, expected, board):
    """What is wrong after the same command ran again undisturbed; None when nothing is."""
    again = forked(lambda: forget_once(out, FaultyCalls()))
    if again != 0:
        return f"the same command again ended with {again}"
    if result_of(out)["root_hash"] != expected[0]:
        return "another root hash"
    if left := holds(out, WORD, TELLING):
        return f"{left.relative_to(out)} holds the text"
    if content(out) != expected[1]:
        board.differed += 1
        return examined(out, recipe)
    return None


def differs(at, name, mode):
    """Whether a fault leaves what no other one does: a death before a call, or after one that changes nothing on the disk, is
    the death after the call before it."""
    unchanging = name in ("read", "fsync", "sync_folder")
    return at == 0 or not (mode == "kill_before" or (mode == "kill_after" and unchanging))


def sweep(points=None, part=0, parts=1):
    """All faults that differ, or every so many of them: `points` is about how many to try."""
    board = ForgetBoard()
    folder = Path(tempfile.mkdtemp(prefix="forgetting-"))
    try:
        recipe = finished(folder)
        names, *expected = undisturbed(folder, recipe)
        gc.collect()
        gc.freeze()  # a fork's collector then copies none of these pages
        pairs = [(at, mode) for at, name in enumerate(names) for mode in modes_for(name) if differs(at, name, mode)]
        step = max(1, len(pairs) // points) if points else 1
        chosen = pairs[::step]
        for at, mode in chosen[part * len(chosen) // parts : (part + 1) * len(chosen) // parts]:
            try_fault(recipe, folder, at, mode, expected, board)
        return board, len(names), len(pairs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--all", action="store_true")
    arguments.add_argument("--points", type=int, default=100)
    arguments.add_argument(
        "--part", type=int, default=0, help="number of the part, from 0: neighbours leave the same folders"
    )
    arguments.add_argument("--parts", type=int, default=1)
    options = arguments.parse_args()
    board, calls, pairs = sweep(None if options.all else options.points, options.part, options.parts)
    for failure in board.failures:
        print("call {}, {}: {}".format(*failure))
    print(f"{calls} operating-system calls of forget, {pairs} different faults possible")
    print(board.line())
    sys.exit(bool(board.failures))
