"""`inspect`: documents of a run with verdict and signals, filtered, drawn at random, or nearest to a value of a signal.

`--json` prints one line a document, a few rows at a time, so memory does not grow with the run.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
from rich.markup import escape

from pipeline.ask.documents import BLOCK, DECIDED, FIRST, Documents, hit_by, nested, signal_wanted
from pipeline.ask.tables import Tables
from pipeline.commands.terminal import Terminal
from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.core.settings import side_of
from pipeline.decide.rules import DUPLICATE_STAGES
from pipeline.errors import UsageError
from pipeline.ingest.account import account_of, megabytes, sums
from pipeline.ingest.files import READ
from pipeline.recipe.model import near

SHOWN = 160
LIMIT = 10
"""Documents shown when `--limit` is not given; an export has all."""


def rules_of(tables: Tables, stage: str) -> set[str]:
    """Rules and kinds of spans that a judge can name, whether they hit anything here or not."""
    judge = judges()[stage]
    names = {name for name in judge.settings.decided_fields() if side_of(name)}
    names |= {column.removeprefix("num_") for column in judge.columns if column.startswith("num_") and judge.cuts}
    names |= {"duplicate", "in_index"} if stage in DUPLICATE_STAGES else set()
    return {f"{stage}.{name}" for name in names}


def chosen(tables: Tables, arguments: argparse.Namespace) -> Documents:
    """The documents asked for, in the order of shards and rows, or by distance."""
    equals = {name: getattr(arguments, name) for name in ("verdict", "source", "host") if getattr(arguments, name)}
    found = Documents(tables, show=arguments.show).where(
        rule=arguments.rule, grep=arguments.grep, ignore_case=arguments.ignore_case, **equals
    )
    if arguments.sql:
        found = Documents(tables, tables.filtered(found.relation, arguments.sql, "--sql"), arguments.show)
    if arguments.near:
        return found.near(arguments.near, max(0, arguments.limit), "--near")
    return found.first(max(0, arguments.limit)) if arguments.sample is None else found.sample(max(0, arguments.sample))


def check(tables: Tables, arguments: argparse.Namespace) -> str | None:
    """Raise UsageError for a source, host or stage that the run does not know: nothing found would look like an answer.

    Returns a remark when the rule's stage is known and the rule hit nothing in this run.
    """
    if arguments.ignore_case and not arguments.grep:
        raise UsageError("--ignore-case says how --grep compares; give --grep TEXT too")
    for name in ("source", "host"):
        wanted = getattr(arguments, name)
        if wanted and not len(Documents(tables).where(**{name: wanted}).first(1)):
            known = {row["v"] for row in tables.rows(f"SELECT DISTINCT {name} AS v FROM documents")} - {"", None}
            raise UsageError(f"--{name} {wanted}: this run has no such {name}{near(wanted, known)}")
    if not arguments.rule or len(Documents(tables, tables.documents().filter(hit_by(tables, arguments.rule))).first(1)):
        return None
    stage, _, rule = arguments.rule.partition(".")
    rules = {row["r"] for row in tables.rows("SELECT DISTINCT unnest(reasons) AS r FROM documents")}
    stages = (
        {one.partition(".")[0] for one in rules} | set(tables.opened.judges) | {"ingest", "extract", "measure", "apply"}
    )
    if stage not in stages:
        raise UsageError(f"--rule {arguments.rule}: this run has no such stage{near(arguments.rule, rules | stages)}")
    known = {one for one in rules if one.startswith(f"{stage}.")}
    known |= rules_of(tables, stage) if stage in judges() else set()
    hint = near(arguments.rule, known) if rule and arguments.rule not in known else ""
    return f"no document was hit by {arguments.rule}{hint}"


def shown_rows(found: Documents, signals: bool) -> Iterator[dict[str, Any]]:
    """What is printed of each document, with its signals by judge."""
    columns = found.tables.columns
    own = [name for name in DECIDED if name in columns]
    measured = [name for name, column in columns.items() if column.judge] if signals else []
    return (nested(row, columns) for row in found.rows([*FIRST, *own, "text", *measured]))


def print_files(opened: RunFolder, arguments: argparse.Namespace) -> int:
    """Every file of the sources, or of `--source`, a line each; without `--json` those that were not read come first."""
    account = account_of(opened)
    if arguments.source:
        account = account.filter(pc.equal(account["source"], arguments.source))
    if arguments.json:
        for batch in account.to_batches(BLOCK):
            for row in batch.to_pylist():
                print(json.dumps(row, ensure_ascii=False))
        return 0
    console = Terminal()
    rows = sorted(account.to_pylist(), key=lambda row: row["outcome"] == READ)
    limit = LIMIT if arguments.limit is None else arguments.limit
    for row in rows[:limit]:
        console.print(f"[bold]{row['outcome']}[/]  {escape(row['path'])}  {row['kind']}  {megabytes(row['bytes'])}")
        if row["reason"]:
            console.print(f"  {row['reason']}", markup=False, highlight=False)
    console.print(f"{sums(account).sentence()}; {min(len(rows), limit)} shown (--limit {limit})")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    opened = open_run(arguments.run)
    if arguments.files:
        return print_files(opened, arguments)
    if arguments.limit is None:
        arguments.limit = sys.maxsize if arguments.export and not arguments.near else LIMIT
    tables = Tables(opened)
    remark = check(tables, arguments)
    if remark:
        print(remark, file=sys.stderr)
    if arguments.export:
        count = chosen(tables, arguments).export(arguments.export, "--export")
        said = {"exit": 0, "documents": count, "file": arguments.export}
        print(json.dumps(said, ensure_ascii=False) if arguments.json else f"{count:,} documents in {arguments.export}")
        return 0
    if arguments.json:
        try:
            for row in shown_rows(chosen(tables, arguments), signals=True):
                print(json.dumps(row, ensure_ascii=False, default=str))
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has enough; Python would complain again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    console, count = Terminal(), 0
    for row in shown_rows(chosen(tables, arguments), signals=bool(arguments.near)):
        count += 1
        why = f" by {', '.join(row['reasons'])}" if row["reasons"] else ""
        if arguments.near:
            column = tables.columns[signal_wanted(tables, arguments.near)[0]]
            why += f"  {column.judge}.{column.signal}={row['signals'][column.judge][column.signal]}"
        console.print(f"[bold]{row['verdict']}[/]{escape(why)}  {escape(row['url'] or row['id'])}")
        console.print(f"  {row['id']}  {' '.join(row['text'].split())[:SHOWN]}", markup=False, highlight=False)
    limit = f"--limit {arguments.limit}" if arguments.sample is None else f"--sample {arguments.sample}"
    console.print(f"{count} shown ({limit})")
    return 0
