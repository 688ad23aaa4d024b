"""`inspect`: documents of a run with verdict and signals, filtered, drawn at random, or nearest to a value of a signal.

`--json` prints one line a document, a few rows at a time, so memory does not grow with the run.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.markup import escape

from pipeline.ask.documents import BLOCK, DECIDED, FIRST, Documents, hit_by, signal_wanted
from pipeline.ask.names import check_rule
from pipeline.ask.tables import Column, Tables
from pipeline.commands.terminal import Terminal
from pipeline.core.condition import Condition
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.errors import UsageError, near
from pipeline.ingest.account import account_of, megabytes, sums
from pipeline.ingest.files import READ

SHOWN = 160
BREAKS = {ord(one): repr(one)[1:-1] for one in "\n\r\t\x0b\x0c\x85\u2028\u2029"}
"""What would end the line of a file's name."""
LIMIT = 10
"""Documents shown when `--limit` is not given; an export has all."""


def chosen(tables: Tables, arguments: argparse.Namespace) -> Documents:
    """The documents asked for, in the order of shards and rows, or by distance."""
    equals = {name: value for name in ("verdict", "source", "host") if (value := getattr(arguments, name)) is not None}
    found = Documents(tables, show=arguments.show).where(
        arguments.sql,
        rule=arguments.rule,
        grep=arguments.grep,
        ignore_case=arguments.ignore_case,
        option="--sql",
        **equals,
    )
    if arguments.near is not None:
        return found.near(arguments.near, max(0, arguments.limit), "--near")
    return found.first(max(0, arguments.limit)) if arguments.sample is None else found.sample(max(0, arguments.sample))


def nested(row: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, Any]:
    """A row with its signals by judge, as `explain` has them."""
    plain = {name: value for name, value in row.items() if not columns[name].judge}
    signals: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        if judge := columns[name].judge:
            signals.setdefault(judge, {})[columns[name].signal] = value
    return plain | ({"signals": signals} if signals else {})


def shown_rows(found: Documents, signals: bool) -> Iterator[dict[str, Any]]:
    """What is printed of each document, with its signals by judge."""
    columns = found.tables.columns
    own = [name for name in DECIDED if name in columns]
    measured = [name for name, column in columns.items() if column.judge] if signals else []
    return (nested(row, columns) for row in found.rows([*FIRST, *own, "text", *measured]))


def print_files(opened: RunFolder, arguments: argparse.Namespace) -> int:
    """Every file of the sources, or of `--source`, for which `--sql` holds, a line each; without `--json` those that were not
    read come first."""
    for name in ("verdict", "rule", "host", "grep", "sample", "near", "export"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--files lists files, which have no {name}: give --source or --sql, or leave out --files")
    account = account_of(opened)
    if arguments.source is not None:
        sources = set(account["source"].to_pylist())
        if arguments.source not in sources:
            raise UsageError(
                f"--source {arguments.source}: this run has no such source{near(arguments.source, sources)}"
            )
        account = account.filter(pc.equal(account["source"], arguments.source))
    if arguments.sql is not None:
        columns = {field.name: field.type for field in account.schema}
        account = account.filter(pa.array(Condition(arguments.sql, columns, "--sql").holds(account)))
    if arguments.json:
        for batch in account.to_batches(BLOCK):
            for row in batch.to_pylist():
                print(json.dumps(row, ensure_ascii=False))
        return 0
    console = Terminal()
    rows = sorted(account.to_pylist(), key=lambda row: row["outcome"] == READ)
    limit = LIMIT if arguments.limit is None else arguments.limit
    for row in rows[:limit]:
        path = escape(row["path"].translate(BREAKS))
        console.print(f"[bold]{row['outcome']}[/]  {path}  {row['kind']}  {megabytes(row['bytes'])}")
        if row["reason"]:
            console.print(f"  {row['reason']}", markup=False, highlight=False)
    console.print(f"{sums(account).sentence()}; {min(len(rows), limit)} shown (--limit {limit})")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    opened = open_run(arguments.run)
    if arguments.ignore_case and arguments.grep is None:
        raise UsageError("--ignore-case says how --grep compares; give --grep TEXT too")
    if arguments.files:
        return print_files(opened, arguments)
    if arguments.limit is None:
        arguments.limit = sys.maxsize if arguments.export is not None and arguments.near is None else LIMIT
    tables = Tables(opened)
    asked = chosen(tables, arguments)
    if arguments.rule and (remark := check_rule(tables, arguments.rule, hit_by(tables, arguments.rule), "--")):
        print(remark, file=sys.stderr)
    if arguments.export is not None:
        count = asked.export(arguments.export, "--export")
        said = {"exit": 0, "documents": count, "file": arguments.export}
        print(json.dumps(said, ensure_ascii=False) if arguments.json else f"{count:,} documents in {arguments.export}")
        return 0
    if arguments.json:
        try:
            for row in shown_rows(asked, signals=True):
                print(json.dumps(row, ensure_ascii=False, default=str))
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has enough; Python would complain again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    console, count = Terminal(), 0
    for row in shown_rows(asked, signals=bool(arguments.near)):
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
