"""Every step at 10^4, 10^5 and 10^6 documents of a few words: seconds and peak memory of its tasks, and what grows.

`--size` is the largest number of documents in thousands; the smaller ones are a tenth and a hundredth of it. One process does
all tasks, one after the other. A task's memory is the most that was resident while it ran, beyond what was before the step's
first task; the slope between the two largest sizes is what a step holds for each document of the whole run. A step with a
slope of nothing has tasks that are as large as a shard, however many shards there are.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

RECIPE = """\
name: scale
use: here
sources: {here: [{name: tiny, kind: jsonl, path: "${FOLDER}/*.jsonl", role: domain, licence: CC0-1.0}]}
curate: [{gopher: {min_num_words: 8}}, exact, minhash, {pii: {}}]
tokenizer: {vocab_size: 1000}
repeats: {paragraphs: {}}
shards: {shard_bytes: 4000000}
"""
SHARD = 10_000
"""Documents of a file, and of a shard."""
WORDS = (
    "bank",
    "court",
    "rate",
    "claim",
    "bond",
    "fund",
    "loan",
    "share",
    "price",
    "tax",
    "audit",
    "desk",
    "board",
    "clerk",
)


def write(folder: Path, documents: int) -> None:
    """Texts of a dozen words; one in ten stands twice, one in twenty is too short."""
    folder.mkdir()
    for first in range(0, documents, SHARD):
        with (folder / f"{first // SHARD:05d}.jsonl").open("w") as file:
            for number in range(first, min(first + SHARD, documents)):
                told = number - 1 if number % 10 == 1 else number
                words = [f"{WORDS[(told * 7919 + n * 104729) // 13 % len(WORDS)]} {told * 31 + n}" for n in range(6)]
                text = (
                    "too short"
                    if number % 20 == 3
                    else f"The note {told} of the {' and the '.join(words)} is what it is."
                )
                file.write(json.dumps({"id": str(number), "text": text}) + "\n")


def _resident(name: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at most since `_reset`."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))


def _reset() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def measured(folder: str, out: str) -> dict[str, dict[str, float]]:
    """In a process of its own: run the recipe, and note every step's processor seconds and memory."""
    from pipeline.core.execute import Assignment, Runner, Work, perform
    from pipeline.core.in_process import InProcess
    from pipeline.core.ledger import Commit
    from pipeline.core.run_folder import Run
    from pipeline.core.store import Store
    from pipeline.flow import advance
    from pipeline.recipe.located_yaml import read_yaml
    from pipeline.recipe.model import parse

    steps: dict[str, dict[str, float]] = {}

    class Measuring(InProcess):
        def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]]) -> Iterator[list[Commit]]:
            before = _resident("VmRSS")
            for assignments in tasks:
                _reset()
                start = time.process_time()
                yield perform(store, work, assignments)
                found = steps.setdefault(assignments[0].step, {"cpu_s": 0.0, "bytes": 0, "tasks": 0})
                found["cpu_s"] += time.process_time() - start
                found["bytes"] = max(found["bytes"], _resident("VmHWM") - before)
                found["tasks"] += 1

        def spread(self, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
            """Kernels compile when they are needed."""

    recipe = parse("scale", read_yaml("scale", RECIPE.encode()), [], {"FOLDER": folder})
    store = Store(out)
    start = time.process_time()
    advance(Run(store, recipe, Runner(store, Measuring())))
    whole = time.process_time() - start
    return steps | {"driver": {"cpu_s": whole - sum(step["cpu_s"] for step in steps.values()), "bytes": 0, "tasks": 0}}


def run(size_mb: int = 1000) -> dict:
    """Documents per processor second at the largest size; the table has a row a step."""
    sizes = [size_mb * 10, size_mb * 100, size_mb * 1000]
    found = {}
    with tempfile.TemporaryDirectory() as base:
        for documents in (999, *sizes):  # the first run compiles
            folder, out = Path(base, f"in-{documents}"), Path(base, f"out-{documents}")
            write(folder, documents)
            command = [sys.executable, "-m", "bench.scale", str(folder), str(out)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=dict(os.environ))
            found[documents] = json.loads(done.stdout)
            print(
                f"{documents:,} documents: {sum(step['cpu_s'] for step in found[documents].values()):.0f} CPU s",
                file=sys.stderr,
            )
    small, large = found[sizes[1]], found[sizes[2]]
    rows = []
    for step, at_most in large.items():
        slope = (at_most["bytes"] - small[step]["bytes"]) / (sizes[2] - sizes[1])
        row = [step, int(at_most["tasks"]), round(at_most["cpu_s"] * 1e6 / sizes[2], 1)]
        rows.append([*row, round(at_most["bytes"] / 2**20), round(slope, 1)])
        print(*rows[-1], sep="  ", file=sys.stderr)
    return {
        "name": "scale",
        "unit": "thousand documents per CPU second",
        "ours": sizes[2] / 1000 / sum(step["cpu_s"] for step in large.values()),
        "peer": None,
        "ratio": None,
        "peer_name": "",
        "versions": {},
        "input": f"{sizes[2]:,} documents of a dozen words in shards of {SHARD:,}",
        "rounds": 1,
        "tables": {
            "steps": {
                "head": ["step", "tasks", "CPU µs a document", "peak MiB of a task", "bytes a document of the run"],
                "rows": rows,
            }
        },
    }


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:3])))
