"""Rows of a query through a driver of the user's; the driver here is the standard library's."""

import sqlite3

import pytest

from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.files import list_inputs
from pipeline.ingest.formats import sql
from pipeline.ingest.source import Source

from .conftest import rows_of


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "notes.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE note (id INTEGER, body TEXT, written TEXT)")
    connection.executemany(
        "INSERT INTO note VALUES (?, ?, ?)", [(n, f"note {n}" if n else None, "2026-01-02") for n in range(5)]
    )
    connection.commit()
    connection.close()
    return f"sqlite://{path}"


def test_every_row_of_a_query_is_a_document(database):
    source = Source(
        name="s", kind="sql", url=database, query="SELECT id, body AS text, written AS date FROM note ORDER BY id"
    )
    rows = rows_of(source)
    assert [row["payload"] for row in rows[1:]] == [b"note 1", b"note 2", b"note 3", b"note 4"]
    assert rows[0]["reason"] == "ingest.no_text"
    assert {row["date"] for row in rows[1:]} == {"2026-01-02"}


def test_what_is_wrong_is_said(database, monkeypatch):
    with pytest.raises(InfrastructureError, match="the database says: no such table"):
        rows_of(Source(name="s", kind="sql", url=database, query="SELECT text FROM absent"))
    with pytest.raises(InfrastructureError, match="readonly"):
        rows_of(Source(name="s", kind="sql", url=database, query="DELETE FROM note"))
    with pytest.raises(UsageError, match="no driver is known for 'oracle'"):
        rows_of(Source(name="s", kind="sql", url="oracle://h/x", query="SELECT 1"))
    monkeypatch.setitem(sql.DRIVERS, "mysql", ("no_such_driver",))
    with pytest.raises(UsageError, match="pip install no_such_driver"):
        rows_of(Source(name="s", kind="sql", url="mysql://h/x", query="SELECT 1"))
    with pytest.raises(ValueError, match="needs `url` and `query`"):
        Source(name="s", kind="sql", url=database)


def test_a_password_is_not_part_of_what_is_noted():
    (file,) = list_inputs(Source(name="s", kind="sql", url="postgresql://me:secret@db.example/notes", query="SELECT 1"))
    assert "secret" not in str(file.identity())
    assert file.path == "db.example/notes"
