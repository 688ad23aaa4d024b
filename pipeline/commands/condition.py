"""`inspect --sql`: a condition over everything that is known of a document, answered by the SQLite that Python brings along.

The condition is compiled once, which tells the columns it reads; only these are read, a few thousand rows at a time, so memory
does not grow with the run. An engine that queries Parquet itself would be faster, and a dependency.
"""

import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.core.judge import SPANS, judges
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo
from pipeline.errors import UsageError
from pipeline.ingest.source import host_of
from pipeline.recipe.model import near

Row = TypeVar("Row")
ROWS = 4096
DOCUMENT = (
    "id",
    "url",
    "path",
    "locator",
    "title",
    "date",
    "licence",
    "doc_type",
    "content_type",
    "detail",
    "raw_bytes",
)
DECIDED = ("source", "role", "verdict", "stage", "rule", "reasons", "duplicate_of", "similarity")
Read = Callable[[FileInfo, list[str], np.ndarray], Iterator[dict[str, Any]]]
"""Rows of a committed table: `values` of `inspect` for the run's store."""


def blocks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Lists of `size` rows, the last one shorter."""
    while block := list(islice(rows, size)):
        yield block


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of a signal in a flat row: spans are counted, bytes and lists are not told."""
    return pa.int32() if kind == SPANS else pa.string() if is_bytes(kind) else kind


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a signal is bytes, such as a hash."""
    return pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)


def columns(opened: RunFolder) -> dict[str, tuple[str, str]]:
    """Names that a condition may use, and where each stands: (file, column). Signals are `judge_column`."""
    known = judges()
    found = {name: ("documents", name) for name in DOCUMENT} | {name: ("verdicts", name) for name in DECIDED}
    found |= {"host": ("documents", "url"), "text": ("texts", "text")}
    for judge in opened.judges:
        for column, kind in known[judge].columns.items():
            if not pa.types.is_nested(kind) and not is_bytes(kind):
                found[f"{judge}_{column}"] = (judge, column)
    return found


class Condition:
    """A condition, compiled. Raises UsageError for one that SQLite does not read, with the nearest column."""

    def __init__(self, opened: RunFolder, text: str) -> None:
        self._opened, self._places, self.used = opened, columns(opened), list[str]()
        self._database = sqlite3.connect(":memory:")
        names = ", ".join(f'"{name}"' for name in self._places)
        self._database.execute(f"CREATE TABLE documents ({names})")
        self._database.execute("INSERT INTO documents DEFAULT VALUES")  # some mistakes show on a row alone
        self._text, self._query = text, f"SELECT rowid FROM documents WHERE ({text}\n)"
        self._database.set_authorizer(self._note)
        self._select()
        self._database.set_authorizer(None)

    def _select(self) -> list[int]:
        try:
            return [row for (row,) in self._database.execute(self._query)]
        except sqlite3.Error as error:
            missing = str(error).partition("no such column: ")[2]
            raise UsageError(f"--sql {self._text}: {error}{near(missing, self._places) if missing else ''}") from error

    def _note(self, action: int, _: str | None, column: str | None, *__: object) -> int:
        if action == sqlite3.SQLITE_READ and column in self._places and column not in self.used:
            self.used.append(column)
        allowed = (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
        return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY

    def rows(self, shard: str, rows: np.ndarray, texts: FileInfo, read: Read) -> np.ndarray:
        """Of these rows (int64[n], ascending) of a shard, those that meet the condition."""
        opened, step = self._opened, self._opened.verdict_step
        assert step is not None
        fixed = {
            "documents": opened.file(Step.EXTRACT, shard),
            "verdicts": opened.file(step, name=shard),
            "texts": texts,
        }
        wanted: dict[str, list[str]] = {}
        for name in self.used or ["id"]:
            file, column = self._places[name]
            wanted.setdefault(file, []).append(column)
        parts = [
            read(fixed.get(file) or opened.signal_file(file, shard), list(dict.fromkeys(some)), rows)
            for file, some in wanted.items()
        ]
        order, hits = list(wanted), [np.empty(0, np.int64)]
        names, marks = ", ".join(f'"{name}"' for name in self.used), ", ".join("?" * (len(self.used) + 1))
        insert = f"INSERT INTO documents (rowid{', ' * bool(names)}{names}) VALUES ({marks})"
        for block in blocks(zip(rows.tolist(), *parts, strict=True), ROWS):
            self._database.execute("DELETE FROM documents")
            self._database.executemany(
                insert, [(row, *self._values(dict(zip(order, each, strict=True)))) for row, *each in block]
            )
            hits.append(np.array(self._select(), np.int64))
        return np.sort(np.concatenate(hits))

    def _values(self, parts: dict[str, dict[str, Any]]) -> Iterator[Any]:
        for name in self.used:
            file, column = self._places[name]
            value = parts[file][column]
            if name == "host":
                value = host_of(value)
            yield ",".join(value) if isinstance(value, list) else value
