"""Conditions that people write over columns, in SQL as DuckDB reads it: `inspect --sql`, the explorer, `select.where`.

A condition sees the columns that it is asked over, no file and no setting. Where its answer is part of a result (`Condition`),
it is a function of one row: clocks, chance, sub-queries and what is not a column are refused before anything runs.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.errors import UsageError, did_you_mean

Relation = duckdb.DuckDBPyRelation
HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>\[[^\]]*\]|[^/?#:]+)"
"""The host of a URL, by the rules of both DuckDB and Arrow."""
DERIVED = {
    "host": ("url", f"lower(regexp_extract(coalesce({{}}, ''), '{HOST}', 1))"),
    "year": ("date", r"nullif(regexp_extract(coalesce({}, ''), '^\d{{4}}'), '')"),
}
"""Columns that are made of another one: that one, and how."""
MISSING = re.compile(r'Referenced column "([^"]*)" (?:was )?not found')
MOST_SAID = 250
"""Characters of DuckDB's words on a value: they quote it, and it may be a whole text."""
MEMORY = "4GB"
"""Of one process's questions together."""
THE_PERSONS = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.PermissionException,
    duckdb.OutOfMemoryException,
)
"""What no damage of a file raises."""
CHANGING = """
SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro') GROUP BY 1
HAVING bool_or(stability = 'VOLATILE') OR NOT bool_or(coalesce(stability, 'CONSISTENT') = 'CONSISTENT')
"""


def database() -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory; `restrict` it before a person's words come in."""
    return duckdb.connect(config={"threads": "4", "python_enable_replacements": "false"})


def restrict(opened: duckdb.DuckDBPyConnection, folder: str | None = None) -> duckdb.DuckDBPyConnection:
    """The same, for good without any file outside a folder, and with a bound on its memory."""
    allowed = [] if folder is None else ["allowed_directories = ['" + folder.replace("'", "''") + "']"]
    for setting in (
        *allowed,
        "enable_external_access = false",
        "old_implicit_casting = true",  # `reasons like '%gopher%'`
        "TimeZone = 'UTC'",
        f"memory_limit = '{MEMORY}'",
        "lock_configuration = true",
    ):
        opened.execute(f"SET {setting}")
    return opened


def first_line(error: BaseException) -> str:
    """What DuckDB says of a value, in one line."""
    return str(error).partition("\n")[0][:MOST_SAID]


def filtered(relation: Relation, condition: str, option: str, columns: list[str]) -> Relation:
    """The rows for which a person's condition holds; null is no. Raises UsageError for one that cannot be read, with the nearest
    column."""
    try:
        found = relation.filter(f"coalesce(try_cast(({condition}\n) AS BOOLEAN), false)")
        found.columns  # noqa: B018 - binds the names
        return found
    except (duckdb.Error, UnicodeError) as error:
        said = first_line(error)
        if missing := MISSING.search(str(error)):
            said = f"no such column: {missing[1]}{did_you_mean(missing[1], columns)}"
        raise UsageError(f"{option} {condition}: {said}") from error


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return restrict(database())


def nodes(condition: str) -> Iterator[tuple[str, str]]:
    """(class, name) of every part of a condition that can be read; nothing for another one.

    >>> [name for kind, name in nodes("a > 1 and lower(b) = 'x'") if kind == "COLUMN_REF"]
    ['a', 'b']
    """
    asked = f"SELECT 1 WHERE ({condition}\n)"
    row = _parser().cursor().execute("SELECT json_serialize_sql(?)", [asked]).fetchone()
    waiting: list[Any] = json.loads(row[0]).get("statements", []) if row else []
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, dict):
            if "class" in node:
                names = node.get("column_names") or [node.get("function_name") or ""]
                yield node["class"], names[-1 if names[0] == "documents" else 0].lower()
            node = list(node.values())
        waiting[:0] = [one for one in node if isinstance(one, dict | list)]


def columns_named(condition: str, known: Mapping[str, Any]) -> list[str]:
    """Those of the known columns that a condition names, sorted."""
    by_name = {name.lower(): name for name in known}
    return sorted({by_name[name] for kind, name in nodes(condition) if kind == "COLUMN_REF" and name in by_name})


class Condition:
    """A condition that is a function of one row of columns with these types. Raises UsageError for any other one."""

    def __init__(self, text: str, columns: Mapping[str, pa.DataType], option: str) -> None:
        self.text, self.option = text, option
        self._database = restrict(database())
        changing = {name for (name,) in self._database.cursor().execute(CHANGING).fetchall()}
        for kind, name in nodes(text):
            if kind in ("FUNCTION", "COLUMN_REF") and name in changing | {"age"} and name not in columns:
                raise UsageError(f"{option} {text}: {name} is not the same for the same document every time")
            if kind in ("SUBQUERY", "STAR", "WINDOW"):
                raise UsageError(f"{option} {text}: a condition is asked of one document, without queries of its own")
        self.columns = columns_named(text, columns)
        """What it names, sorted."""
        empty = pa.table({name: pa.array([], kind) for name, kind in columns.items()})
        filtered(self._database.cursor().from_arrow(empty).set_alias("documents"), text, option, list(columns))

    def holds(self, table: pa.Table) -> np.ndarray:
        """bool[n]: the rows for which it holds. Raises UsageError where its answer fails, as in comparing text with a number."""
        rows = table.append_column("row", pa.array(np.arange(table.num_rows)))
        found = np.zeros(table.num_rows, np.bool_)
        try:
            relation = self._database.cursor().from_arrow(rows).set_alias("documents")
            answer = filtered(relation, self.text, self.option, table.column_names).project('"row"').to_arrow_table()
        except duckdb.Error as error:
            raise UsageError(f"{self.option} {self.text}: {first_line(error)}") from error
        found[answer["row"].to_numpy()] = True
        return found
