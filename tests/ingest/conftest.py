"""Small inputs made on the spot, and one way to read them."""

import gzip
import os
from pathlib import Path

import pytest

from pipeline.ingest.files import list_inputs, plan_shards
from pipeline.ingest.read import read_shard
from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source


def rows_of(source: Source, tally: Tally | None = None) -> list[dict]:
    """Every row of a source."""
    found = []
    for shard in plan_shards(source, list_inputs(source)):
        for batch in read_shard(source, shard, tally):
            batch.validate(full=True)
            found += batch.to_pylist()
    return found


def warc_record(url: str, block: bytes, kind: str = "response", length: int | None = None, **fields: str) -> bytes:
    """One WARC record, uncompressed; `length` overrides the true Content-Length."""
    head = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:test:{url}>",
        "WARC-Date": "2026-01-01T00:00:00Z",
        "WARC-Target-URI": url,
        "Content-Type": "application/http; msgtype=response",
    }
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    head["Content-Length"] = str(len(block) if length is None else length)
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"WARC/1.0\r\n{lines}\r\n".encode() + block + b"\r\n\r\n"


def page(body: bytes, headers: bytes = b"Content-Type: text/html\r\n", status: bytes = b"200 OK") -> bytes:
    """An HTTP response."""
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body


def gz(*records: bytes) -> bytes:
    """One gzip member a record."""
    return b"".join(gzip.compress(record, mtime=0) for record in records)


@pytest.fixture
def corpora() -> Path:
    """The folder of real text."""
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: the folder of real text is needed")
    return Path(os.environ["CORPORA"])
