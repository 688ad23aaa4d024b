"""`python -m bench NAME [--size MB] [--json]`: ours and a peer side by side, in turns, on the same input."""

import argparse
import importlib
import inspect
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from bench.names import ALL_CORES, NAMES


def machine() -> str:
    """Processor and number of processors, for the line under a table."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} processors, Python {platform.python_version()}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    lines = "\n".join(f"  {name:14} {text}" for name, text in NAMES.items())
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="Ours and a peer side by side, in turns, one core each, on the same input.",
        epilog=f"benches:\n{lines}\n\nbench table NAME… --write runs benches and writes their rows of docs/benchmarks.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("name", metavar="NAME", choices=list(NAMES))
    made.add_argument("--size", type=int, metavar="MB", help="about this much input (default: the bench's own)")
    made.add_argument("--every", action="store_true", help="language: compare labels on every text too (minutes)")
    made.add_argument("--browser", action="store_true", help="tables: what Chromium draws as truth, not lxml's grid")
    made.add_argument(
        "--cache", type=Path, metavar="DIR", help="language: keep py3langid's labels here, to go on after a stop"
    )
    made.add_argument("--dry", action="store_true", help="gpu: every row with a tiny shape, on the CPU too")
    made.add_argument("--json", action="store_true", help="last line: the result as JSON")
    return made


def one_core() -> None:
    """Stay on one processor, threads included."""
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["table"]:
        from bench import table

        return table.main(argv[1:])
    options = parser().parse_args(argv)
    if options.name not in ALL_CORES:
        one_core()
    try:
        bench = importlib.import_module(f"bench.{options.name}")
    except ModuleNotFoundError as error:
        if error.name != f"bench.{options.name}":
            print(f"bench {options.name} needs {error.name}: pip install '.[peers]'", file=sys.stderr)
        else:
            print(f"bench {options.name} is not written yet", file=sys.stderr)
        return 2
    given = {
        "size_mb": options.size,
        "every": options.every,
        "browser": options.browser,
        "cache": options.cache,
        "dry": options.dry,
    }
    taken = inspect.signature(bench.run).parameters
    chosen = {key: value for key, value in given.items() if value and key in taken}
    result: dict[str, Any] = {"name": options.name, **bench.run(**chosen), "machine": machine()}
    if not options.json:
        show(result)
        return 0
    print(json.dumps(result, ensure_ascii=False))
    return 0


def show(result: dict[str, Any]) -> None:
    """One bench for a person."""
    print(f"{result['name']}: {NAMES[result['name']]}")
    print(f"  input   {result['input']}, {result['rounds']} rounds in turns, medians")
    print(f"  ours    {result['ours']:.4g} {result['unit']}")
    if result.get("peer") is not None:
        print(f"  peer    {result['peer']:.4g} {result['unit']}  ({result['peer_name']})")
        print(f"  ratio   {result['ratio']:.3g} (more than 1: ours is better)")
    known = {"name", "unit", "ours", "peer", "ratio", "peer_name", "versions", "input", "rounds", "machine"}
    for key in result.keys() - known:
        print(f"  {key:7} {result[key]}")
    print(f"  with    {', '.join(f'{name} {version}' for name, version in result['versions'].items())}")
    print(f"  on      {result['machine']}")


if __name__ == "__main__":
    sys.exit(main())
