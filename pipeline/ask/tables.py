"""All documents of a run as one DuckDB view: what was extracted, the verdict, the published text and every signal.

Signal files have no ids; they follow the rows of their shard's documents. A positional join puts them side by side, reads only
the columns that a question names and copies nothing: a count over 500,000 rows takes some 50 ms. A run on an object store is
read through its fsspec file system, as DuckDB's own extension for that is a download. Conditions come from people and from a
browser, so the connection reads the run folder and nothing else.
"""

import contextlib
import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipeline.core.batch import DOCUMENTS
from pipeline.core.condition import DERIVED, THE_PERSONS, columns_named, database, filtered, first_line, restrict
from pipeline.core.judge import SPANS
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import MAKE_AGAIN, FileInfo
from pipeline.errors import InfrastructureError, UsageError
from pipeline.report.hidden import HIDDEN_STAGES

Relation = duckdb.DuckDBPyRelation
NOT_SHOWN = ("text", "text_bytes", "reason", "source", "role", "id", "table_spans", "sections", "edits")
"""Columns of the documents' files that the view has from elsewhere, or that only `explain` shows."""
LIGHT = tuple(
    "id url path locator title source role verdict stage rule reasons duplicate_of similarity licence doc_type tdm year host "
    "language_label num_pretokens published_pretokens text_bytes hidden".split()
)
"""What pages count and list by, held in memory when it is first asked for."""
MEMORY = "held"
"""The database of what is held; its tables are compressed."""
LIGHT_TABLE, NUMBERS, MARKS_TABLE = (f"{MEMORY}.{name}" for name in ("light", "numbers", "marks"))
NUMBER = "row_number() OVER () - 1 AS number"
DAMAGE = (duckdb.IOException, duckdb.InvalidInputException)
"""What DuckDB raises for a file that is gone or cut short."""
MOST_SECONDS = 600.0
"""That one answer to a person's question may take, or the next rows of it."""


class Column(NamedTuple):
    """A column of the view: its Arrow type, and for a signal the judge and the judge's name for it."""

    kind: pa.DataType
    judge: str = ""
    signal: str = ""

    @property
    def is_bytes(self) -> bool:
        """Whether it holds bytes, such as a hash."""
        return pa.types.is_binary(self.kind) or pa.types.is_fixed_size_binary(self.kind)

    @property
    def is_number(self) -> bool:
        """Whether it can be compared with a number."""
        return pa.types.is_integer(self.kind) or pa.types.is_floating(self.kind) or pa.types.is_boolean(self.kind)


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as SQL. Raises UsageError for a character that no text of a run holds, and for what is neither text nor number."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if not isinstance(value, str):
        raise UsageError(f"{value!r}: expected a text or a number")
    if "\0" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise UsageError(f"{value!r}: NUL bytes and halves of characters are in no text")
    return "'" + value.replace("'", "''") + "'"


class Tables:
    """The view `documents` of a run, in the order of shards and rows. Raises UsageError when nothing is decided yet.

    `columns` says what it has. `hidden` tells texts that filters of abuse removed. Signals are `judge_column`.
    """

    def __init__(self, opened: RunFolder) -> None:
        self.opened = opened
        opened.verdicts(opened.shards[0], ["id"])
        store = opened.store
        self._database, self.seconds = database(), MOST_SECONDS
        if not store.local:
            self._database.register_filesystem(store.filesystem)
        self.columns: dict[str, Column] = {}
        self.held: dict[str, frozenset[str]] = {}
        """Columns of tables in memory, in the order of the documents."""
        self._holding = threading.RLock()
        with self.explained():
            self._database.execute(f"CREATE VIEW documents AS {self._view()}")
            self._database.execute(f"ATTACH ':memory:' AS {MEMORY} (COMPRESS)")
        restrict(self._database, store.url(""))

    @cached_property
    def places(self) -> dict[str, str]:
        """The shard that each file of extracted documents belongs to."""
        return {
            self.opened.store.url(self.opened.file(Step.EXTRACT, shard).path): shard for shard in self.opened.shards
        }

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own, so that threads do not wait for each other."""
        return self._database.cursor()

    @property
    def light(self) -> str:
        """The name of a table of LIGHT, where the documents lie, and their numbers in the order of the view."""
        with self._holding:
            if LIGHT_TABLE not in self.held:
                names = [name for name in LIGHT if name in self.columns]
                chosen = ", ".join(map(quoted, names))
                self._hold(LIGHT_TABLE, f"SELECT {chosen}, shard_file, shard_row, {NUMBER} FROM documents")
                self.held = {LIGHT_TABLE: frozenset([*names, "number"])}
        return LIGHT_TABLE

    def hold(self) -> None:
        """Hold every number that judges measured, and which documents have spans of which kind (`MARKS_TABLE`), so that no
        question but one for texts reads Parquet. Once; others wait."""
        with self._holding:
            if NUMBERS in self.held:
                return
            tables, names = [self.light], [MARKS_TABLE, *self.held[self.light]]
            marks = ["SELECT '' AS judge, '' AS kind, 0 AS number, 0 AS spans WHERE false"]
            for judge in self.opened.judges:
                files, _ = self._read({shard: self.opened.signal_file(judge, shard) for shard in self.opened.shards})
                own = {name: column for name, column in self.columns.items() if column.judge == judge}
                if numbers := {name: column.signal for name, column in own.items() if column.is_number}:
                    tables.append(f"{MEMORY}.{quoted(judge)}")
                    names += numbers
                    chosen = ", ".join(f"{quoted(signal)} AS {quoted(name)}" for name, signal in numbers.items())
                    self._hold(tables[-1], f"SELECT {chosen} FROM {files}")
                for signal in (column.signal for column in own.values() if column.kind == SPANS):
                    each = f"SELECT number, unnest(spans) AS span FROM (SELECT {quoted(signal)} AS spans, {NUMBER} FROM {files})"
                    kind = "coalesce(span.kind, '')"
                    marks.append(
                        f"SELECT {literal(judge)}, {kind}, number, count(*) FROM ({each}) GROUP BY number, {kind}"
                    )
            self._hold(MARKS_TABLE, " UNION ALL ".join(marks))
            with self.explained():
                joined = " POSITIONAL JOIN ".join(tables)
                self.cursor().execute(f"CREATE OR REPLACE VIEW {NUMBERS} AS SELECT * FROM {joined}")
            self.held = self.held | {NUMBERS: frozenset(names)}

    def _hold(self, name: str, query: str) -> None:
        with self.explained():
            cursor = self.cursor()
            cursor.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
            cursor.execute(f"CHECKPOINT {MEMORY}")

    def holding(self, names: Collection[str]) -> str:
        """The name of a table in memory that has these columns, else of the view."""
        return next((table for table, columns in self.held.items() if columns.issuperset(names)), "documents")

    @property
    def known(self) -> str:
        """A table of LIGHT in memory when there is one, else the view."""
        return self.holding(())

    def texts(self) -> Iterator[tuple[int, int, Callable[[], pa.ChunkedArray]]]:
        """Of every row group of published texts: the number of its first document, how many it has, and what reads them."""
        step, first = Step.APPLY if self.opened.has(Step.APPLY) else Step.EXTRACT, 0
        for shard in self.opened.shards:
            with self.opened.store.open_table(self.opened.file(step, shard).path) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = parquet.metadata.row_group(group).num_rows
                    yield first, rows, lambda: parquet.read_row_group(group, ["text"], use_threads=False)["text"]  # noqa: B023
                    first += rows

    def query(self, text: str) -> Relation:
        """A SELECT over `documents` that this project wrote, lazily."""
        return self._database.cursor().sql(text)

    def rows(self, text: str) -> list[dict[str, Any]]:
        """The answer to `query` as Python values."""
        with self.explained():
            return self.query(text).to_arrow_table().to_pylist()

    def filtered(self, relation: Relation, condition: str, option: str = "where") -> Relation:
        """See `pipeline.core.condition.filtered`."""
        return filtered(relation, condition, option, list(self.columns))

    @contextlib.contextmanager
    def explained(self, asked: str = "", cursor: duckdb.DuckDBPyConnection | None = None) -> Iterator[None]:
        """While reading: a condition `asked` that cannot be answered, or takes the cursor too long, is UsageError; a file that
        cannot be read InfrastructureError."""
        late = threading.Event()
        timer = threading.Timer(self.seconds, lambda: (late.set(), cursor.interrupt() if cursor else None))
        timer.daemon = True
        if cursor is not None:
            timer.start()
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if late.is_set():
                raise UsageError(f"{asked or 'this'} takes more than {self.seconds:g} seconds") from error
            if isinstance(error, THE_PERSONS) or (asked and self._is_why(asked)):
                raise UsageError(f"{asked}: {first_line(error)}" if asked else first_line(error)) from error
            if isinstance(error, duckdb.Error) and not isinstance(error, DAMAGE):
                raise
            root = self.opened.store.root
            raise InfrastructureError(f"{root} is damaged: {first_line(error)}; {MAKE_AGAIN}") from error
        finally:
            timer.cancel()

    def _is_why(self, condition: str) -> bool:
        """Whether a condition fails by itself, over columns that can be read."""
        names = columns_named(condition, self.columns) or ["id"]
        hashes = ", ".join(f"bit_xor(hash({quoted(name)}))" for name in names)
        try:
            self.query(f"SELECT {hashes} FROM documents").fetchall()
        except (duckdb.Error, OSError):
            return False
        try:
            self.filtered(self.cursor().table("documents"), condition).aggregate("count(*)").fetchall()
        except (duckdb.Error, UsageError):
            return True
        return False

    def _read(self, files: Mapping[str, FileInfo], more: str = "") -> tuple[str, pa.Schema]:
        store = self.opened.store
        paths = ", ".join(literal(store.url(file.path)) for file in files.values())
        return f"read_parquet([{paths}]{more})", store.open_table(next(iter(files.values())).path).schema_arrow

    def _view(self) -> str:
        opened, parts, shown = self.opened, [], list[str]()

        def add(alias: str, name: str, kind: pa.DataType, as_name: str = "", judge: str = "") -> None:
            self.columns[as_name or name] = Column(kind, judge, name if judge else "")
            shown.append(f"{alias}.{quoted(name)} AS {quoted(as_name or name)}")

        step = opened.verdict_step
        assert step is not None
        extracted, schema = self._read(
            {shard: opened.file(Step.EXTRACT, shard) for shard in opened.shards},
            ", filename=true, file_row_number=true",
        )
        verdicts, decided = self._read({shard: opened.file(step, name=shard) for shard in opened.shards})
        parts += [f"{extracted} AS e", f"{verdicts} AS v"]
        for field in decided:
            add("v", field.name, field.type)
        for field in DOCUMENTS:
            if field.name not in NOT_SHOWN and field.name in schema.names:
                add("e", field.name, field.type)
        add("e", "text_bytes", pa.int64())
        if opened.has(Step.CLUSTER):
            clusters, _ = self._read({shard: opened.file(Step.CLUSTER, name=shard) for shard in opened.shards})
            parts.append(f"{clusters} AS c")
            for name in ("exact_cluster", "near_cluster"):
                add("c", name, pa.int64())
        if opened.has(Step.APPLY):
            texts, _ = self._read({shard: opened.file(Step.APPLY, shard) for shard in opened.shards})
            parts.append(f"{texts} AS t")
            add("t", "text_hash", pa.binary(16))
            add("t", "num_pretokens", pa.int64(), "published_pretokens")
        add("t" if opened.has(Step.APPLY) else "e", "text", pa.large_string())
        for number, judge in enumerate(opened.judges):
            signals, schema = self._read({shard: opened.signal_file(judge, shard) for shard in opened.shards})
            parts.append(f"{signals} AS s{number}")
            for field in schema:
                add(f"s{number}", field.name, field.type, f"{judge}_{field.name}", judge)
        stages = ", ".join(map(literal, HIDDEN_STAGES))
        self.columns |= {name: Column(pa.string()) for name in DERIVED} | {"hidden": Column(pa.bool_())}
        shown += [
            *(f"{sql.format(f'e.{column}')} AS {name}" for name, (column, sql) in DERIVED.items()),
            f"len(list_filter(v.reasons, lambda r: split_part(r, '.', 1) IN ({stages}))) > 0 AS hidden",
            "e.filename AS shard_file",
            "e.file_row_number AS shard_row",
        ]
        return f"SELECT {', '.join(shown)} FROM {' POSITIONAL JOIN '.join(parts)}"

    def plain(self, name: str) -> str:
        """A column as it is shown: spans are counted, bytes are measured, and the text of a hidden document is masked."""
        column, sql = self.columns[name], quoted(name)
        if name == "text":
            return r"CASE WHEN hidden THEN regexp_replace(text, '[\pL\pN_]', '█', 'g') ELSE text END"
        if column.kind == SPANS:
            return f"coalesce(len({sql}), 0)"
        return f"octet_length({sql}) || ' bytes'" if column.is_bytes else sql
