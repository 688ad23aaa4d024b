"""SQLite files: the rows of a query, or of the one table that has the text field. Opened for reading only."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import cursor_rows
from pipeline.ingest.streams import CHUNK


@source_kind("sqlite", ".sqlite", ".sqlite3", ".db", seeks=True, binary=True)
def read_sqlite(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every row of `query`, by its columns' names; without one, of the only table that has the column of the text.

    The file is copied first: SQLite wants a name, and must not write beside the user's file. A query that changes data is
    refused by the engine.
    """
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        while chunk := stream.read(CHUNK):
            copy.write(chunk)
        copy.flush()
        connection = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        try:
            cursor = connection.execute(where.source.query or _query(connection, where))
            yield from cursor_rows(cursor, where)
        except sqlite3.Error as error:
            raise DamagedInputError("bad_sql", str(error)) from error
        finally:
            connection.close()


def _query(connection: sqlite3.Connection, where: Where) -> str:
    text = where.source.fields.text
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")] for name in tables}
    having = [name for name in tables if text in columns[name]]
    if len(having) == 1:
        return f"SELECT * FROM {_quoted(having[0])}"
    there = "; ".join(f"{name}: {', '.join(names[:12])}" for name, names in columns.items())
    which = f"{len(having)} tables have" if having else "no table has"
    raise DamagedInputError(
        "no_text", f"{which} a column '{text}'; query: names the rows; {os.path.basename(where.name)} has {there}"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
