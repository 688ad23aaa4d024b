"""`inspect`: documents of a run with verdict and signals, filtered by verdict, rule or source."""

import argparse
import difflib
import json
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape

from pipeline.commands.opened import OpenedRun, open_run
from pipeline.core.judge import judges
from pipeline.errors import UsageError
from pipeline.report.hidden import is_hidden, masked

SHOWN = 160


def rows(opened: OpenedRun, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The documents asked for, in the order of shards and rows."""
    found: list[dict[str, Any]] = []
    for shard in opened.shards:
        verdicts = opened.verdicts(shard)
        table = verdicts.append_column("url", opened.documents(shard, ["url"])["url"])
        texts = opened.texts(shard)
        source = texts["text"] if texts is not None else opened.documents(shard, ["text"])["text"]
        table = table.append_column("text", source)
        for name in ("verdict", "source"):
            if getattr(arguments, name):
                table = table.filter(pc.equal(table[name], getattr(arguments, name)))
        for row in table.to_pylist():
            if arguments.rule and arguments.rule not in row["reasons"]:
                continue
            if is_hidden(row["reasons"]) and not arguments.show:
                row["text"] = masked(row["text"])
            found.append(row)
            if len(found) >= arguments.limit:
                return found
    return found


def check(opened: OpenedRun, arguments: argparse.Namespace) -> None:
    """Raise UsageError when the run knows no such source or rule: nothing found would look like an answer."""
    for name, column in (("source", "source"), ("rule", "reasons")):
        asked = getattr(arguments, name)
        if asked is None:
            continue
        known: set[str] = set()
        for shard in opened.shards:
            values = opened.verdicts(shard)[column].combine_chunks()
            known.update(pc.unique(pc.list_flatten(values) if column == "reasons" else values).to_pylist())
        if column == "reasons" and asked.partition(".")[0] in opened.judges and asked not in known:
            judge, _, _ = asked.partition(".")
            known |= (
                {f"{judge}.{field}" for field in judges()[judge].settings.decided_fields()}
                if judge in judges()
                else set()
            )
        if asked not in known:
            close = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.5)
            listed = ", ".join(sorted(known)[:12])
            raise UsageError(
                f"--{name} {asked}: this run has no such {name}"
                + (f"; did you mean {close[0]}?" if close else f" (known: {listed})")
            )


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    opened = open_run(arguments.run)
    check(opened, arguments)
    found = rows(opened, arguments)
    if arguments.json:
        print(json.dumps({"exit": 0, "documents": found}, ensure_ascii=False))
        return 0
    console = Console()
    for row in found:
        why = f" by {', '.join(row['reasons'])}" if row["reasons"] else ""
        console.print(f"[bold]{row['verdict']}[/]{escape(why)}  {escape(row['url'] or row['id'])}")
        console.print(f"  {row['id']}  {' '.join(row['text'].split())[:SHOWN]}", markup=False, highlight=False)
    console.print(f"{len(found)} shown (--limit {arguments.limit})")
    return 0
