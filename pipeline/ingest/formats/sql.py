"""Rows of a query of any database, through its Python driver (DB-API 2.0): `kind: sql`."""

import importlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.record import Record, Where
from pipeline.ingest.rows import cursor_rows

_POSTGRES, _MYSQL = ("psycopg", "psycopg2", "pg8000.dbapi"), ("pymysql", "MySQLdb")
DRIVERS = {
    "sqlite": ("sqlite3",), "duckdb": ("duckdb",), "postgresql": _POSTGRES, "postgres": _POSTGRES, "mysql": _MYSQL,
    "mariadb": _MYSQL,
}  # fmt: skip
"""Scheme of the URL -> modules, the first that is installed is taken. They are the user's: none is a dependency."""


def read_sql(url: str, where: Where) -> Iterator[Record]:
    """Every row of the query, by its columns' names. Raises InfrastructureError when the database cannot be asked."""
    source, driver = where.source, driver_of(url)
    try:
        connection = _connect(driver, url)
        try:
            cursor = connection.cursor()
            cursor.execute(source.query)
            yield from cursor_rows(cursor, where)
        finally:
            connection.close()
    except getattr(driver, "Error", OSError) as error:
        raise InfrastructureError(f"source {source.name}: the database says: {error}") from error


def driver_of(url: str) -> Any:
    """The driver's module. Raises UsageError for a scheme without one, and for drivers that are not installed."""
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme not in DRIVERS:
        raise UsageError(f"url: no driver is known for {scheme!r}; known are {', '.join(DRIVERS)}")
    for name in DRIVERS[scheme]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise UsageError(f"url: {scheme} needs its driver: pip install {DRIVERS[scheme][0]}")


def _connect(driver: Any, url: str) -> Any:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if driver.__name__ == "sqlite3":
        return driver.connect(f"file:{path}?mode=ro", uri=True)
    if driver.__name__ == "duckdb":
        return driver.connect(path, read_only=True)
    if driver.__name__ in ("psycopg", "psycopg2"):
        return driver.connect(url)
    said = {
        "host": parts.hostname,
        "port": parts.port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    return driver.connect(database=path.lstrip("/"), **{name: value for name, value in said.items() if value})
