"""`inspect`: documents of a run with verdict and signals, filtered, drawn at random, or nearest to a value of a signal.

Two passes: the first reads the columns that the filters need and notes (shard, row), the second reads whole documents one
row group at a time, so memory grows with a row group and not with the run. `--json` prints one line a document. `--near`
alone holds its documents, at most twice `--limit`, to sort them by distance.
"""

import argparse
import heapq
import itertools
import json
import math
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape

from pipeline.commands.condition import Condition
from pipeline.commands.explain import plain_signals
from pipeline.commands.export import export
from pipeline.core.judge import SPANS, judges
from pipeline.core.partition import id_fractions
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.core.settings import side_of
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.rules import DUPLICATE_STAGES
from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.account import account_of, megabytes, sums
from pipeline.ingest.files import READ
from pipeline.ingest.source import host_of
from pipeline.recipe.model import near
from pipeline.report.hidden import is_hidden, masked

SHOWN = 160
LIMIT = 10
"""Documents shown when `--limit` is not given; an export has all."""
BLOCK = 256
"""Rows that are Python values at one time."""
Place = tuple[str, int]
"""Shard and row."""


def groups(
    store: Store, file: FileInfo, columns: list[str] | None, rows: np.ndarray | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """(first row, table) of every row group, or of those that hold one of `rows`. Raises InfrastructureError if damaged."""
    start, parquet = 0, store.open_table(file.path)
    for group in range(parquet.num_row_groups):
        end = start + parquet.metadata.row_group(group).num_rows
        if rows is None or np.any((rows >= start) & (rows < end)):
            try:
                table = parquet.read_row_group(group, columns=columns, use_threads=False)
            except (pa.ArrowException, OSError) as error:
                reason = f"is damaged: {error}. Delete it and run again."
                raise InfrastructureError(f"{store.locate(file.path)} {reason}") from error
            yield start, table
        start = end


def values(store: Store, file: FileInfo, columns: list[str] | None, rows: np.ndarray) -> Iterator[dict[str, Any]]:
    """These rows (int64[n], ascending) of a committed table, whatever its row groups are."""
    for start, table in groups(store, file, columns, rows):
        inside = rows[(rows >= start) & (rows < start + table.num_rows)] - start
        for at in range(0, len(inside), BLOCK):
            yield from table.take(pa.array(inside[at : at + BLOCK])).to_pylist()


def text_file(opened: RunFolder, shard: str) -> FileInfo:
    """The table whose `text` is published: apply's, or the extracted one when apply has not run."""
    return opened.file(Step.APPLY if opened.has(Step.APPLY) else Step.EXTRACT, shard)


def documents(opened: RunFolder, shard: str, rows: np.ndarray, signals: bool, show: bool) -> Iterator[dict[str, Any]]:
    """What is known of these documents of a shard; texts that abuse filters removed are masked unless `show`."""
    names, known = opened.judges if signals else [], judges()
    store, step = opened.store, opened.verdict_step
    assert step is not None
    parts = [
        values(store, opened.file(Step.EXTRACT, shard), ["id", "url", "path"], rows),
        values(store, opened.file(step, name=shard), None, rows),
        values(store, text_file(opened, shard), ["text"], rows),
        *(values(store, opened.signal_file(name, shard), None, rows) for name in names),
    ]
    for document, verdict, text, *measured in zip(*parts, strict=True):
        row = document | verdict | text
        if is_hidden(row["reasons"]) and not show:
            row["text"] = masked(row["text"])
        if signals:
            pairs = zip(names, measured, strict=True)
            row["signals"] = {name: plain_signals(known[name].columns, found) for name, found in pairs}
        yield row


def is_host(host: str, pattern: str) -> bool:
    """Whether a host is the one asked for, or with "*." at the front one of its subdomains.

    >>> is_host("www.sec.gov", "*.sec.gov"), is_host("sec.gov", "*.sec.gov"), is_host("sec.gov", "SEC.gov")
    (True, False, True)
    """
    pattern = pattern.lower()
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def hosts(opened: RunFolder, shard: str) -> list[str]:
    """The host of every document of a shard, "" where there is none."""
    return [host_of(url) for url in opened.documents(shard, ["url"])["url"].to_pylist()]


def hit_by(opened: RunFolder, shard: str, reasons: pa.ChunkedArray, rule: str) -> np.ndarray:
    """bool[n]: documents that a rule removes, that any rule of a stage removes (`gopher`), or in which a judge marks spans of
    a kind (`pii.phone`)."""
    stage, _, kind = rule.partition(".")
    lists = reasons.to_pylist()
    mask = np.array([any(rule in (one, one.partition(".")[0]) for one in each) for each in lists], bool)
    if kind and stage in opened.judges:
        for name, column in judges()[stage].columns.items():
            if column != SPANS:
                continue
            for start, part in groups(opened.store, opened.signal_file(stage, shard), [name]):
                spans = part[name].combine_chunks()
                marked = pc.equal(pc.struct_field(pc.list_flatten(spans), "kind"), kind)
                rows = pc.list_parent_indices(spans).filter(pc.fill_null(marked, False)).to_numpy()
                mask[start + rows.astype(np.int64)] = True
    return mask


def rules_of(opened: RunFolder, stage: str) -> set[str]:
    """Rules and kinds of spans that a judge can name, whether they hit anything here or not."""
    judge = judges()[stage]
    names = {name for name in judge.settings.decided_fields() if side_of(name)}
    names |= {column.removeprefix("num_") for column in judge.columns if column.startswith("num_") and judge.cuts}
    names |= {"duplicate", "in_index"} if stage in DUPLICATE_STAGES else set()
    return {f"{stage}.{name}" for name in names}


def matching(opened: RunFolder, arguments: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """(shard, rows as int64[n]) of the documents that pass every filter."""
    asked, read = Condition(opened, arguments.sql) if arguments.sql else None, partial(values, opened.store)
    for shard in opened.shards:
        table = opened.verdicts(shard, ["verdict", "source", "reasons"])
        mask = np.ones(table.num_rows, bool)
        for name in ("verdict", "source"):
            if wanted := getattr(arguments, name):
                mask &= pc.equal(table[name], wanted).to_numpy()
        if arguments.rule:
            mask &= hit_by(opened, shard, table["reasons"], arguments.rule)
        if arguments.host:
            mask &= np.array([is_host(host, arguments.host) for host in hosts(opened, shard)], bool)
        if arguments.grep and mask.any():
            for start, part in groups(opened.store, text_file(opened, shard), ["text"]):
                hit = pc.match_substring(part["text"], arguments.grep, ignore_case=arguments.ignore_case)
                mask[start : start + part.num_rows] &= hit.to_numpy()
        rows = np.flatnonzero(mask)
        yield shard, rows if asked is None else asked.rows(shard, rows, text_file(opened, shard), read)


def sampled(opened: RunFolder, arguments: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """The `--sample` documents whose ids hash lowest among those that match: the same in every layout of shards."""
    best: list[tuple[float, Place]] = []
    for shard, rows in matching(opened, arguments):
        fractions = id_fractions(opened.documents(shard, ["id"])["id"].take(pa.array(rows)), "inspect")
        drawn = zip(fractions.tolist(), ((shard, row) for row in rows.tolist()), strict=True)
        best = heapq.nsmallest(arguments.sample, itertools.chain(best, drawn))
    for shard in opened.shards:
        yield shard, np.array(sorted(row for _, (drawn_in, row) in best if drawn_in == shard), np.int64)


def signal_wanted(opened: RunFolder, asked: str) -> tuple[str, str, float]:
    """Judge, column and value of `--near`. Raises UsageError for a signal that this run lacks, or that is no number."""
    name, _, text = asked.partition("=")
    known = judges()
    numbers = {
        f"{judge}.{column}"
        for judge in opened.judges
        for column, kind in known[judge].columns.items()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    }
    if name not in numbers:
        raise UsageError(f"--near {asked}: this run has no number of that name{near(name, numbers)}")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--near {asked}: expected a number after {name}=, as {name}=0.5")
    judge, _, column = name.partition(".")
    return judge, column, value


def nearest(opened: RunFolder, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The `--limit` documents below the value of `--near` and those at or above it, nearest first.

    Documents without the signal are not among them.
    """
    judge, column, value = signal_wanted(opened, arguments.near)
    sides: list[list[tuple[float, Place]]] = [[], []]
    for shard, rows in matching(opened, arguments):
        found = opened.signals(judge, shard, [column])[column].cast(pa.float64()).to_numpy()[rows]
        for side, inside in enumerate((found < value, found >= value)):
            distances = np.abs(found[inside] - value).tolist()
            places = ((shard, row) for row in rows[inside].tolist())
            sides[side] = heapq.nsmallest(
                arguments.limit, itertools.chain(sides[side], zip(distances, places, strict=True))
            )
    best = sorted(itertools.chain(*sides))
    read: dict[Place, dict[str, Any]] = {}
    for shard in dict.fromkeys(shard for _, (shard, _) in best):
        rows = np.array(sorted(row for _, (inside, row) in best if inside == shard), np.int64)
        for row, one in zip(rows.tolist(), documents(opened, shard, rows, True, arguments.show), strict=True):
            read[shard, row] = one
    return (read[place] for _, place in best)


def chosen(opened: RunFolder, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The documents asked for, in the order of shards and rows, or by distance."""
    if arguments.near:
        yield from nearest(opened, arguments)
        return
    left = max(0, arguments.limit if arguments.sample is None else arguments.sample)
    signals = bool(arguments.json or arguments.export)
    for shard, rows in (matching if arguments.sample is None else sampled)(opened, arguments):
        yield from documents(opened, shard, rows[:left], signals, arguments.show)
        left -= len(rows[:left])
        if left <= 0:
            return


def check(opened: RunFolder, arguments: argparse.Namespace) -> str | None:
    """Raise UsageError for a source, host or stage that the run does not know: nothing found would look like an answer.

    Returns a remark when the rule's stage is known and the rule hit nothing in this run.
    """
    if arguments.ignore_case and not arguments.grep:
        raise UsageError("--ignore-case says how --grep compares; give --grep TEXT too")
    sources, rules = set(), set()
    for shard in opened.shards:
        table = opened.verdicts(shard, ["source", "reasons"])
        sources.update(pc.unique(table["source"]).to_pylist())
        rules.update(pc.unique(pc.list_flatten(table["reasons"])).to_pylist())
    if arguments.source and arguments.source not in sources:
        raise UsageError(f"--source {arguments.source}: this run has no such source{near(arguments.source, sources)}")
    if arguments.host:
        names = {host for shard in opened.shards for host in hosts(opened, shard)} - {""}
        if not any(is_host(name, arguments.host) for name in names):
            raise UsageError(f"--host {arguments.host}: this run has no such host{near(arguments.host, names)}")
    if not arguments.rule or arguments.rule in rules:
        return None
    stage, _, rule = arguments.rule.partition(".")
    stages = {rule.partition(".")[0] for rule in rules} | set(opened.judges) | {"ingest", "extract", "measure", "apply"}
    if stage not in stages:
        raise UsageError(f"--rule {arguments.rule}: this run has no such stage{near(arguments.rule, rules | stages)}")
    known = {one for one in rules if one.startswith(f"{stage}.")} | (
        rules_of(opened, stage) if stage in judges() else set()
    )
    if stage in judges() and judges()[stage].cuts and (not rule or arguments.rule in known):
        return None  # its spans are looked at by `hit_by`
    hint = near(arguments.rule, known) if rule and arguments.rule not in known else ""
    return f"no document was hit by {arguments.rule}{hint}"


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
    console = Console()
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
    remark = check(opened, arguments)
    if remark:
        print(remark, file=sys.stderr)
    if arguments.export:
        count = export(opened, chosen(opened, arguments), arguments.export)
        said = {"exit": 0, "documents": count, "file": arguments.export}
        print(json.dumps(said, ensure_ascii=False) if arguments.json else f"{count:,} documents in {arguments.export}")
        return 0
    if arguments.json:
        try:
            for row in chosen(opened, arguments):
                print(json.dumps(row, ensure_ascii=False, default=str))
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has enough; Python would complain again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    console, count = Console(), 0
    for row in chosen(opened, arguments):
        count += 1
        why = f" by {', '.join(row['reasons'])}" if row["reasons"] else ""
        if arguments.near:
            judge, _, column = arguments.near.partition("=")[0].partition(".")
            why += f"  {judge}.{column}={row['signals'][judge][column]}"
        console.print(f"[bold]{row['verdict']}[/]{escape(why)}  {escape(row['url'] or row['id'])}")
        console.print(f"  {row['id']}  {' '.join(row['text'].split())[:SHOWN]}", markup=False, highlight=False)
    limit = f"--limit {arguments.limit}" if arguments.sample is None else f"--sample {arguments.sample}"
    console.print(f"{count} shown ({limit})")
    return 0
