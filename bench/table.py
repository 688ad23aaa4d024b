"""`python -m bench table NAME… [--write]`: run benches and write their rows of docs/benchmarks.md; no number is typed by hand.

Every result is kept whole in docs/benchmarks.json, with its date; the tables between the page's markers are made of it.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.names import GROUPS, NAMES

PAGE = Path(__file__).resolve().parent.parent / "docs/benchmarks.md"
DETAILS = ("deduplication.md", "extraction.md", "scale.md", "training.md")
"""The pages beside it with the tables that benches give whole, each between markers of its own."""
FIELDS = ("name", "unit", "ours", "peer", "ratio", "peer_name", "versions", "input", "rounds", "machine")
"""What the last line of `python -m bench NAME --json` holds at least."""
HEAD = ["| command | what | ours | peer | ratio | run |", "|---|---|---:|---:|---:|---|"]


def number(value: Any) -> str:
    """A value as a table shows it: four figures, thousands set apart.

    >>> number(12345.6), number(0.012345), number(None), number("x")
    ('12,346', '0.01235', '–', 'x')
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def flat(value: Any, name: str) -> list[tuple[str, str]]:
    """The figures a bench gives beside its own, as names and shown values; of lists, their length.

    >>> flat({"a": 1.5, "b": {"c": 2}}, "x")
    [('x a', '1.5'), ('x b c', '2')]
    """
    shown = name.replace("_", " ").strip()
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{shown} {key}")]
    return [(shown, f"{len(value)} entries" if isinstance(value, list) else number(value))]


def cell(text: str) -> str:
    """Text that stays within its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def group_lines(group: dict[str, str], results: dict[str, dict[str, Any]]) -> list[str]:
    """The table of one group, and under it what was run and what else was found."""
    rows, notes, runs = list(HEAD), [], []
    for name, text in group.items():
        command = f"`python -m bench {name}`"
        found = results.get(name)
        if found is None:
            rows.append(f"| {command} | {text} | not measured | | | |")
            continue
        run = f"{found['machine']}, {found['date']}"
        if run not in runs:
            runs.append(run)
        unit = found["unit"]
        peer = "–" if found["peer"] is None else f"{number(found['peer'])} {unit}, {found['peer_name']}"
        figures = [f"{number(found['ours'])} {unit}", peer, number(found["ratio"]), f"({runs.index(run) + 1})"]
        rows.append(f"| {command} | {text} | " + " | ".join(map(cell, figures)) + " |")
        more = [pair for key in found if key not in (*FIELDS, "date", "tables") for pair in flat(found[key], key)]
        versions = ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        note = f"- `{name}`: {cell(found['input'])}; {number(found['rounds'])} rounds"
        note += f"; {versions}" if versions else ""
        notes.append(note + "." + "".join(f" {key}: {value};" for key, value in more).rstrip(";"))
    where = [f"({at}) {run}. " for at, run in enumerate(runs, 1)]
    return [*rows, "", *(["".join(where).strip(), ""] if where else []), *notes]


def page(text: str, results: dict[str, dict[str, Any]]) -> str:
    """The page with the tables between its markers made anew; a group without markers is added at the end."""
    for title, group in GROUPS.items():
        begin, end = f"<!-- bench: {title} -->", f"<!-- /bench: {title} -->"
        if begin not in text:
            text = f"{text.rstrip()}\n\n## {title}\n\n{begin}\n{end}\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = "\n".join([before + begin, *group_lines(group, results)]).rstrip() + f"\n{end}{after}"
    return text


def details(text: str, results: dict[str, dict[str, Any]]) -> str:
    """The page with every table between `<!-- table: BENCH NAME -->` and its end made anew, where it was measured.

    A bench's `tables` are name -> head and rows; under each stands what it was measured with, where and when.
    """

    def made(found: re.Match[str]) -> str:
        result = results.get(found[1])
        if result is None:
            return f"<!-- table: {found[1]} {found[2]} -->\nnot measured\n<!-- /table -->"
        table = result["tables"][found[2]]
        lines = [table["head"], ["---"] + ["---:"] * (len(table["head"]) - 1), *table["rows"]]
        shown = "\n".join("| " + " | ".join(cell(number(value)) for value in line) + " |" for line in lines)
        with_what = "".join(f"; {package} {version}" for package, version in result["versions"].items())
        note = f"`python -m bench {found[1]}`: {result['input']}{with_what}. {result['machine']}, {result['date']}."
        return f"<!-- table: {found[1]} {found[2]} -->\n{shown}\n\n{note}\n<!-- /table -->"

    return re.sub(r"<!-- table: (\w+) (\w+) -->.*?<!-- /table -->", made, text, flags=re.S)


def measured(name: str, size: int | None, every: bool = False) -> dict[str, Any] | None:
    """The result of one bench, run by itself; None, and what it said, when it failed."""
    command = [sys.executable, "-m", "bench", name, "--json", *(["--size", str(size)] if size else [])]
    command += ["--every"] if every else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return last_line(done.stdout)


def last_line(text: str) -> dict[str, Any]:
    """The result in what a bench printed. Raises SystemExit when it is none, or not of a bench of ours."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise SystemExit("the last line is no JSON: run the bench with --json") from error
    missing = [field for field in FIELDS if field not in found]
    if missing or found["name"] not in NAMES:
        raise SystemExit(f"no result of a bench: without {', '.join(missing)}; name {found.get('name')!r}")
    return {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), **found}


def main(argv: list[str]) -> int:
    """Run, print, write; 1 when a bench failed (its last row stays)."""
    made = argparse.ArgumentParser(prog="python -m bench table", description=__doc__)
    made.add_argument("names", nargs="*", metavar="NAME", help=f"`all`, or of {', '.join(NAMES)}")
    made.add_argument("--size", type=int, metavar="MB", help="for the benches that take one")
    made.add_argument("--every", action="store_true", help="for language: labels of every text too")
    made.add_argument(
        "--read", action="append", default=[], metavar="FILE", help="output of a bench of another machine"
    )
    made.add_argument("--write", nargs="?", const=str(PAGE), metavar="PAGE", help="default: docs/benchmarks.md")
    options = made.parse_args(argv)
    names = list(NAMES) if options.names == ["all"] else options.names
    if unknown := [name for name in names if name not in NAMES]:
        made.error(f"no bench {', '.join(unknown)}; there are {', '.join(NAMES)}")
    target = Path(options.write or PAGE)
    store = target.with_suffix(".json")
    results = json.loads(store.read_text()) if store.exists() else {}
    found = [last_line(Path(path).read_text()) for path in options.read]
    failed = 0
    for name in names:
        print(f"running {name}", file=sys.stderr)
        result = measured(name, options.size, options.every)
        failed += result is None
        found += [result] if result else []
    results |= {result["name"]: result for result in found}
    results = {name: results[name] for name in NAMES if name in results}
    if options.write:
        store.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
        target.write_text(page(target.read_text() if target.exists() else "", results))
        for beside in filter(Path.exists, map(target.with_name, DETAILS)):
            beside.write_text(details(beside.read_text(), results))
    else:
        for result in found:
            print("\n".join(group_lines({result["name"]: NAMES[result["name"]]}, results)))
    return int(failed > 0)
