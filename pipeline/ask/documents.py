"""Documents of a run, chosen lazily: filters, order, draw and form. Nothing is read until rows are asked for."""

import contextlib
import csv
import io
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.ask.names import check_rule, check_value
from pipeline.ask.tables import MARKS_TABLE, Relation, Tables, literal, quoted
from pipeline.core.judge import SPANS
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.errors import InfrastructureError, UsageError
from pipeline.errors import near as nearest_name
from pipeline.report.hidden import masked

if TYPE_CHECKING:
    import pandas
    import polars

ENDINGS = (".jsonl", ".csv", ".parquet", ".txt")
BLOCK = 256
"""Rows that are Python values at one time."""
MANY = 10_000
"""Documents of which the texts are read by themselves; of more, with a scan."""
HTML_ROWS, HTML_CHARACTERS = 10, 80
FIRST = ("id", "url", "path")
DECIDED = tuple(
    "source role verdict stage rule reasons duplicate_of similarity plain_similarity readmitted bucket".split()
)
"""What a row has before its text and its signals."""


def equal(tables: Tables, name: str, value: Any) -> str:
    """SQL: a column has this value, or one of a list; of `host`, `*.HOST` is every subdomain. Raises UsageError for an unknown
    column."""
    if name not in tables.columns:
        raise UsageError(f"{name}: no such column{nearest_name(name, tables.columns)}")
    if value is None:
        return f"{quoted(name)} IS NULL"
    if isinstance(value, list | tuple | set):
        return f"({' OR '.join(equal(tables, name, one) for one in value) or 'false'})"
    if name == "host":
        value = str(value).lower()
        if value.startswith("*."):
            return f"suffix(host, {literal(value[1:])})"
    return f"{quoted(name)} = {literal(value)}"


def hit_by(tables: Tables, rule: str, table: str = "documents") -> str:
    """SQL over a table of `Tables.held` or the view: documents that a rule removes, that any rule of a stage removes (`gopher`),
    or in which a judge marks spans of a kind (`pii.phone`)."""
    judge, dot, kind = rule.partition(".")
    of_stage = f"len(list_filter(reasons, lambda r: split_part(r, '.', 1) = {literal(rule)})) > 0"
    tests = [f"list_contains(reasons, {literal(rule)})" if dot else of_stage]
    if (spans := marks_spans(tables, rule)) and table != "documents":
        marked = f"SELECT number FROM {MARKS_TABLE} WHERE judge = {literal(judge)} AND kind = {literal(kind)}"
        return f"coalesce({tests[0]} OR number IN ({marked}), false)"
    tests += [f"len(list_filter({quoted(name)}, lambda s: s.kind = {literal(kind)})) > 0" for name in spans]
    return f"coalesce({' OR '.join(tests)}, false)"


def marks_spans(tables: Tables, rule: str) -> list[str]:
    """The columns of spans that a rule of this name may be a kind of."""
    stage, _, kind = rule.partition(".")
    return [name for name, column in tables.columns.items() if kind and column.judge == stage and column.kind == SPANS]


def contains(text: str, ignore_case: bool = False) -> str:
    """SQL: the published text has this part."""
    return f"contains(lower(text), {literal(text.lower())})" if ignore_case else f"contains(text, {literal(text)})"


def signal_wanted(tables: Tables, asked: str, option: str = "near") -> tuple[str, float]:
    """Column and value of `gopher_num_words=50` (or `gopher.num_words=50`). Raises UsageError when the run has no such number."""
    name, _, text = asked.partition("=")
    numbers = {name for name, column in tables.columns.items() if column.is_number}
    column = name.replace(".", "_", 1)
    if column not in numbers:
        by_judge = {f"{c.judge}.{c.signal}" if c.judge else n for n, c in tables.columns.items() if c.is_number}
        raise UsageError(
            f"{option} {asked or repr(asked)}: this run has no number of that name{nearest_name(name, by_judge)}"
        )
    if (value := finite(text)) is None:
        raise UsageError(f"{option} {asked}: expected a number after {name}=, as {name}=0.5")
    return column, value


def finite(text: str) -> float | None:
    """The finite number that a person wrote; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def texts_at(opened: RunFolder, places: Sequence[tuple[str, int]]) -> list[str]:
    """The published texts at (shard, row), in that order. Only the row groups that hold them are read."""
    step, found = Step.APPLY if opened.has(Step.APPLY) else Step.EXTRACT, {}
    for shard in dict.fromkeys(shard for shard, _ in places):
        rows, start = np.unique([row for own, row in places if own == shard]), 0
        with opened.store.open_table(opened.file(step, shard).path) as parquet:
            for group in range(parquet.num_row_groups):
                end = start + parquet.metadata.row_group(group).num_rows
                inside = rows[(rows >= start) & (rows < end)]
                if len(inside):
                    texts = parquet.read_row_group(group, ["text"], use_threads=False)["text"].take(
                        pa.array(inside - start)
                    )
                    found |= {(shard, row): text for row, text in zip(inside.tolist(), texts.to_pylist(), strict=True)}
                start = end
    return [found[place] for place in places]


class Documents:
    """Documents of a run, lazily: filter further, draw, count, or take them out as Arrow, pandas, polars, or a file.

    `relation` is the DuckDB relation over every column; what comes out has spans as their count, bytes as their length, and
    texts that filters of abuse removed masked, unless `show`.
    """

    def __init__(
        self,
        tables: Tables,
        relation: Relation | None = None,
        show: bool = False,
        few: bool = False,
        *,
        table: str = "documents",
        cursor: duckdb.DuckDBPyConnection | None = None,
        asked: str = "",
    ) -> None:
        """`table`: the view, or a table in memory; `asked`: the person's condition that is among the filters."""
        self.tables, self.show, self._few, self.table, self._asked = tables, show, few, table, asked
        self._cursor = tables.cursor() if cursor is None else cursor
        self.relation = self._cursor.sql(f"FROM {table}").set_alias("documents") if relation is None else relation

    def _with(self, relation: Relation, few: bool = False, asked: str = "") -> "Documents":
        asked = " and ".join(filter(None, (self._asked, asked)))
        few = few or self._few
        return Documents(self.tables, relation, self.show, few, table=self.table, cursor=self._cursor, asked=asked)

    def where(
        self,
        condition: str | None = None,
        *,
        rule: str | None = None,
        grep: str | None = None,
        ignore_case: bool = False,
        option: str = "where",
        **equals: Any,
    ) -> "Documents":
        """Those that also meet `condition` (SQL over the columns), that `rule` hits, whose text contains `grep`, and whose
        columns have the values of `equals`. Raises UsageError for what cannot be read, is empty, or names nothing in the run."""
        before, tests = option.removesuffix("where").removesuffix("sql"), []
        given = {option.removeprefix("--"): condition, "rule": rule, "grep": grep, **equals}
        for name, one in given.items():
            if isinstance(one, str) and not one.strip():
                raise UsageError(f"{before}{name}: expected a text, not an empty one")
        for name, value in equals.items():
            tests.append(equal(self.tables, name, value))
            for one in value if isinstance(value, list | tuple | set) else [value]:
                check_value(self.tables, name, one, equal(self.tables, name, one), before)
        if rule is not None:
            tests.append(hit_by(self.tables, rule, self.table))
            check_rule(self.tables, rule, tests[-1], before, self.table)
        tests += [contains(grep, ignore_case)] if grep is not None else []
        found = self.having(*tests)
        if condition is None:
            return found
        return found._with(self.tables.filtered(found.relation, condition, option), asked=f"({condition})")

    def having(self, *tests: str) -> "Documents":
        """Those that also pass these tests, which are SQL of this project."""
        return self._with(self.relation.filter(" AND ".join(tests))) if tests else self

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """While its relation is read: see `Tables.explained`."""
        return self.tables.explained(self._asked, self._cursor)

    def search(
        self,
        text: str,
        ignore_case: bool = False,
        *,
        start: int = 0,
        most: int = sys.maxsize,
        seconds: float = math.inf,
    ) -> tuple[list[int], int | None]:
        """The numbers of those whose published text contains `text`, from document `start` on, and the number to go on from,
        None at the end: the scan stops when there are more than `most`, or after the row group in which so many seconds are over.
        Of a table in memory alone."""
        with self.answering():
            chosen = np.sort(self.relation.project("number").fetchnumpy()["number"])
        late, hits, wanted = math.inf, list[int](), text.lower() if ignore_case else text
        for first, rows, read in self.tables.texts():
            own = chosen[slice(*np.searchsorted(chosen, [max(first, start), first + rows]))]
            if not len(own):
                continue
            if time.monotonic() > late:
                return hits, first
            late = min(late, time.monotonic() + seconds)
            texts = read().take(pa.array(own - first))
            found = pc.match_substring(pc.utf8_lower(texts) if ignore_case else texts, wanted)
            hits += own[np.asarray(found)].tolist()
            if len(hits) > most:
                return hits[:most], hits[most]
        return hits, None

    def first(self, count: int, skip: int = 0) -> "Documents":
        """The first `count`, after `skip`. Raises UsageError for less than none."""
        if count < 0:
            raise UsageError(f"{count} documents: expected a number from 0")
        return self._with(self.relation.limit(count, skip), count <= MANY)

    def sample(self, count: int) -> "Documents":
        """`count` random ones, the same every time in every layout of shards; a larger draw holds a smaller one."""
        drawn = self._with(self.relation.order("md5('inspect' || id), id")).first(count)
        return drawn._with(drawn.relation.order("shard_file, shard_row"))

    def near(self, asked: str, count: int, option: str = "near") -> "Documents":
        """The `count` documents below a value of a signal and the `count` at or above it, nearest first:
        `gopher_num_words=50`."""
        column, value = signal_wanted(self.tables, asked, option)
        sql, distance = f"{quoted(column)}::DOUBLE", f"abs({quoted(column)}::DOUBLE - {value!r}), shard_file, shard_row"
        known = self.relation.filter(f"isfinite({sql})")
        below, above = (
            self._with(known.filter(f"{sql} {side} {value!r}").order(distance)).first(count) for side in ("<", ">=")
        )
        return below._with(below.relation.union(above.relation).order(distance))

    def sorted(self, column: str, descending: bool = False) -> "Documents":
        """By a column, documents without a value last. Raises UsageError for an unknown one."""
        if column not in self.tables.columns:
            raise UsageError(f"{column}: no such column{nearest_name(column, self.tables.columns)}")
        return self._with(self.relation.order(f"{quoted(column)} {'DESC' if descending else 'ASC'} NULLS LAST, id"))

    @property
    def columns(self) -> list[str]:
        """What comes out, in order."""
        signals = [name for name, column in self.tables.columns.items() if column.judge]
        rest = [name for name in self.tables.columns if name not in {*FIRST, *DECIDED, "text", *signals}]
        return [*FIRST, *(name for name in DECIDED if name in self.tables.columns), *rest, "text", *signals]

    def select(self, columns: Iterable[str], *places: str) -> Relation:
        """A relation of these columns as they come out, and of where the documents lie. Raises UsageError for an unknown one."""
        names = list(columns)
        for name in names:
            if name not in self.tables.columns:
                raise UsageError(f"{name}: no such column{nearest_name(name, self.tables.columns)}")
        shown = [f"{quoted(n) if n == 'text' and self.show else self.tables.plain(n)} AS {quoted(n)}" for n in names]
        return self.relation.project(", ".join([*shown, *places]))

    def __len__(self) -> int:
        with self.answering():
            return int(self.relation.aggregate("count(*)").fetchall()[0][0])

    def reader(self, columns: Iterable[str] | None = None) -> pa.RecordBatchReader:
        """The documents, a few at a time, so memory does not grow with the run. Raises UsageError for an unknown column."""
        names = self.columns if columns is None else list(columns)
        if not self._few or "text" not in names:
            return self.select(names).to_arrow_reader(BLOCK)
        # A scan would read every text of the run: the rows are found by the other columns, and their texts read by row group.
        light = [name for name in self.tables.columns if name in {*names, "hidden"} and name != "text"]
        found = self._placed(light)
        places = [
            (self.tables.places[file], row)
            for file, row in zip(found["shard_file"].to_pylist(), found["shard_row"].to_pylist(), strict=True)
        ]
        texts = texts_at(self.tables.opened, places)
        if not self.show:
            hidden = found["hidden"].to_pylist()
            texts = [masked(text) if hide else text for text, hide in zip(texts, hidden, strict=True)]
        whole = found.append_column("text", pa.array(texts, pa.large_string())).select(names)
        return whole.combine_chunks().to_reader(BLOCK)

    def _placed(self, names: Sequence[str]) -> pa.Table:
        """These columns of a few documents, and where they lie. In memory, where sorting many texts is most of the work, the
        documents are chosen by their numbers first."""
        places = ("shard_file", "shard_row")
        if self.table == "documents":
            return self.select(names, *places).to_arrow_table()
        there = self.tables.held[self.tables.light]
        chosen = self.select([name for name in names if name not in there], "number").to_arrow_table()
        numbers = ", ".join(map(str, chosen["number"].to_pylist()))
        few = Documents(self.tables, table=self.tables.light).having(f"number IN ({numbers})" if numbers else "false")
        rest = few.select([name for name in names if name in there], *places, "number AS its_number").to_arrow_table()
        rest = rest.take(pc.index_in(chosen["number"], rest["its_number"].combine_chunks()))
        return pa.table([*chosen.columns, *rest.columns], [*chosen.column_names, *rest.column_names])

    def batches(self, columns: Iterable[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The documents, a few at a time: at least one batch, which may be empty. The bound on time is of each batch."""
        with self.answering():
            reader = self.reader(columns)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        while True:
            with self.answering():
                batch = next(reader, None)
            if batch is None:
                return
            yield batch

    def rows(self, columns: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
        """The documents as Python values, a few at a time."""
        for batch in self.batches(columns):
            yield from batch.to_pylist()

    __iter__ = rows

    def to_arrow(self, columns: Iterable[str] | None = None) -> pa.Table:
        """As an Arrow table."""
        with self.answering():
            return self.reader(columns).read_all()

    def to_pandas(self, columns: Iterable[str] | None = None) -> "pandas.DataFrame":
        """As a pandas data frame."""
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: Iterable[str] | None = None) -> "polars.DataFrame":
        """As a polars data frame. Raises InfrastructureError without polars."""
        try:
            import polars
        except ImportError as error:
            raise InfrastructureError("to_polars needs polars: pip install polars") from error
        return polars.DataFrame(self.to_arrow(columns))

    def export(self, name: str, option: str = "export", columns: Iterable[str] | None = None) -> int:
        """Write JSON lines, CSV, Parquet or a list of ids, by the file's ending; returns how many.

        The file exists when it is whole. Raises UsageError for another ending, or a folder that is not there.
        """
        path = Path(name)
        if path.suffix not in ENDINGS:
            raise UsageError(f"{option} {name}: expected a file that ends in {', '.join(ENDINGS)}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as handle:
                count = self.write(handle, path.suffix, columns)
            os.replace(temporary, path)
        except OSError as error:
            raise UsageError(f"{option} {name}: {error.strerror or error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return count

    def write(self, handle: BinaryIO, ending: str, columns: Iterable[str] | None = None) -> int:
        """Write them to an open file in the form that an ending names, a few at a time; returns how many."""
        count, batches = 0, self.batches(["id"] if ending == ".txt" else columns)
        first = next(batches)
        if ending == ".parquet":
            with pq.ParquetWriter(handle, first.schema, compression="zstd") as parquet:
                for batch in batches:
                    parquet.write_batch(batch)
                    count += batch.num_rows
            return count
        text = io.TextIOWrapper(handle, "utf-8", "replace", newline="", write_through=True)
        table = csv.writer(text)
        if ending == ".csv":
            table.writerow(first.schema.names)
        for batch in batches:
            count += batch.num_rows
            for row in batch.to_pylist():
                if ending == ".csv":
                    table.writerow("|".join(map(str, v)) if isinstance(v, list) else v for v in row.values())
                else:
                    text.write(
                        (row["id"] if ending == ".txt" else json.dumps(row, ensure_ascii=False, default=str)) + "\n"
                    )
        text.detach()
        return count

    def _repr_html_(self) -> str:
        """The first rows as a table, for a notebook. What comes from documents is escaped."""
        rows = list(self.first(HTML_ROWS).rows(["id", "verdict", "stage", "rule", "source", "url", "text"]))
        head = "".join(f"<th>{name}</th>" for name in (rows[0] if rows else {}))
        cells = (
            "".join(f"<td>{escape(' '.join(str(v or '').split())[:HTML_CHARACTERS])}</td>" for v in row.values())
            for row in rows
        )
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<p>{len(self):,} documents</p><table><tr>{head}</tr>{body}</table>"
