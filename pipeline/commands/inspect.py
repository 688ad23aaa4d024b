"""`inspect`: documents of a run with verdict and signals, filtered by verdict, rule or source."""

import argparse
import json
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape

from pipeline.commands.opened import OpenedRun, open_run
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


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    found = rows(open_run(arguments.run), arguments)
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
