"""Blank records: the same length, the same neighbours, nothing left of the page."""

import gzip
import io
import os

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipeline.forget.frozen import blank_record, without_urls
from pipeline.ingest.formats.warc_writer import record_of

DATE = "2026-01-01T00:00:00Z"


def records(data):
    found = []
    for record in ArchiveIterator(io.BytesIO(data), record_types=WarcRecordType.any_type, parse_http=False):
        found.append((record.stream_pos, record.headers.get("WARC-Type"), record.reader.read()))
    return found


@pytest.mark.parametrize("size", [0, 30, 5_000, 65_400, 65_535, 70_000, 200_000])
def test_a_record_is_blanked_in_its_place(size):
    out = io.BytesIO()
    for name, body in (("a", b"first"), ("b", b"secret" + os.urandom(size)), ("c", b"third")):
        out.write(record_of("response", b"HTTP/1.1 200 OK\r\n\r\n" + body, DATE, f"https://{name}.example/"))
        out.write(record_of("request", b"GET / HTTP/1.1\r\nHost: " + name.encode(), DATE, f"https://{name}.example/"))
    data = out.getvalue()
    before = records(data)
    blank = blank_record(data, before[2][0])
    after = records(blank)
    assert len(blank) == len(data)
    assert [one[0] for one in after] == [one[0] for one in before]
    assert [one[1] for one in after] == ["response", "request", "metadata", "metadata", "response", "request"]
    assert after[:2] + after[4:] == before[:2] + before[4:]
    everything = gzip.decompress(blank)
    assert b"secret" not in everything
    assert b"b.example" not in everything
    assert blank_record(blank, before[2][0]) == blank


def test_lines_of_an_address_go():
    assert without_urls(b'{"url": "u"}\n{"url": "v"}\n\n', {"u"}) == b'{"url": "v"}\n\n'
