"""`inspect`: documents of a run with verdict and signals, filtered by verdict, rule or source."""

import argparse
import json
import sys
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape

from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.errors import UsageError
from pipeline.recipe.model import near
from pipeline.report.hidden import is_hidden, masked

SHOWN = 160


def rows(opened: RunFolder, arguments: argparse.Namespace) -> list[dict[str, Any]]:
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


def check(opened: RunFolder, arguments: argparse.Namespace) -> str | None:
    """Raise UsageError for a source or stage that the run does not know: nothing found would look like an answer.

    Returns a remark when the rule's stage is known and the rule hit nothing in this run.
    """
    verdicts = [opened.verdicts(shard) for shard in opened.shards]
    sources = {name for table in verdicts for name in pc.unique(table["source"]).to_pylist()}
    if arguments.source and arguments.source not in sources:
        raise UsageError(f"--source {arguments.source}: this run has no such source{near(arguments.source, sources)}")
    rules = {name for table in verdicts for name in pc.unique(pc.list_flatten(table["reasons"])).to_pylist()}
    if not arguments.rule or arguments.rule in rules:
        return None
    stage = arguments.rule.partition(".")[0]
    if stage not in {rule.partition(".")[0] for rule in rules} | set(opened.judges):
        raise UsageError(f"--rule {arguments.rule}: this run has no such stage{near(arguments.rule, rules)}")
    if stage in judges():
        rules |= {f"{stage}.{name}" for name in judges()[stage].settings.decided_fields()}
    return None if arguments.rule in rules else f"no document was hit by {arguments.rule}{near(arguments.rule, rules)}"


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    opened = open_run(arguments.run)
    remark = check(opened, arguments)
    if remark:
        print(remark, file=sys.stderr)
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
