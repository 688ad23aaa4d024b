"""WARC: every page a row; damage is quarantined and located, never a shorter page."""

import gzip
import io
import random
import tarfile
import zlib

import pytest
import zstandard

from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source

from .conftest import gz, page, rows_of, warc_record


def body(number: int, words: int = 900) -> bytes:
    chosen = random.Random(number)
    return b"<html><p>" + " ".join(str(chosen.random()) for _ in range(words)).encode() + b"</p></html>"


RECORDS = [warc_record(f"https://a.example/{number}", page(body(number))) for number in range(4)]


def read(tmp_path, data, tally=None, **settings):
    path = tmp_path / "x.warc.gz"
    path.write_bytes(data)
    return rows_of(Source(name="w", kind="warc", path=str(path), **settings), tally)


@pytest.mark.parametrize("pack", [b"".join, lambda records: gz(*records), lambda records: gz(b"".join(records))])
def test_all_pages_come_out(tmp_path, pack):
    rows = read(tmp_path, pack(RECORDS))
    assert [row["payload"] for row in rows] == [body(number) for number in range(4)]
    assert [row["url"] for row in rows] == [f"https://a.example/{number}" for number in range(4)]
    assert {row["reason"] for row in rows} == {None}
    assert {row["kind"] for row in rows} == {"html"}


@pytest.mark.parametrize("packed", [True, False])
def test_a_cut_file_never_gives_a_shorter_page(tmp_path, packed):
    """Cut at every 97th byte of the last two records: pages are whole or quarantined, and something says so."""
    parts = [gz(record) if packed else record for record in RECORDS[:3]]
    data = b"".join(parts)
    whole = {body(number) for number in range(3)}
    for cut in range(len(parts[0]) + 1, len(data), 97):
        rows = read(tmp_path, data[:cut])
        assert all(row["payload"] in whole for row in rows if row["reason"] is None), cut
        complete = sum(1 for row in rows if row["reason"] is None)
        boundary = cut in (len(parts[0]), len(parts[0]) + len(parts[1]))
        if complete < 3 and not boundary:
            damaged = [row for row in rows if row["reason"]]
            # Only the blank lines after a plain record may be missing without a word: its page is whole.
            assert damaged or (not packed and data[cut:][:4].strip() == b""), cut
            assert {row["reason"] for row in damaged} <= {"ingest.truncated", "ingest.corrupt"}, cut


def test_reading_resumes_after_a_corrupt_record(tmp_path):
    parts = [gz(record) for record in RECORDS]
    for position in (3, 40, len(parts[1]) // 2):
        damaged = bytearray(b"".join(parts))
        damaged[len(parts[0]) + position] ^= 0xFF
        rows = read(tmp_path, bytes(damaged))
        good = [row["payload"] for row in rows if row["reason"] is None]
        assert body(0) in good, position
        assert body(2) in good, position
        assert body(3) in good, position
        assert position == 3 or [row["reason"] for row in rows if row["reason"]], position


def test_a_shot_of_noise_between_plain_records_costs_no_page(tmp_path):
    rows = read(tmp_path, RECORDS[0] + b"\x00\x01 noise \r\n" * 5 + RECORDS[1])
    assert [row["payload"] for row in rows if row["reason"] is None] == [body(0), body(1)]
    assert [row["reason"] for row in rows if row["reason"]] == ["ingest.corrupt"]


def test_what_is_no_document_is_counted_by_reason(tmp_path):
    tally = Tally()
    records = [
        warc_record("i", b"software: x", "warcinfo"),
        warc_record("https://a.example/q", b"GET / HTTP/1.1\r\n\r\n", "request"),
        warc_record("https://a.example/m", b"{}", "metadata"),
        warc_record("https://a.example/v", b"HTTP/1.1 200 OK\r\n\r\n", "revisit"),
        warc_record("https://a.example/404", page(b"<p>no", status=b"404 Not Found")),
        warc_record("https://a.example/301", page(b"", status=b"301 Moved")),
        warc_record("https://a.example/p", page(b"\x89PNG\r\n\x1a\n", b"Content-Type: image/png\r\n")),
        warc_record("https://a.example/c", page(b"a { color: red }", b"Content-Type: text/css\r\n")),
        warc_record("https://a.example/ok", page(b"<p>yes")),
    ]
    rows = read(tmp_path, gz(*records), tally)
    assert [row["url"] for row in rows] == ["https://a.example/ok"]
    assert (tally.records, tally.payload_bytes) == (1, 6)
    assert tally.skipped == {
        "http_3xx": 1, "http_4xx": 1, "not_text_code": 1, "not_text_image": 1, "warc_metadata": 1, "warc_request": 1, "warc_revisit": 1,
        "warc_warcinfo": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "content", "kind"),
    [
        (b"", b"<!DOCTYPE html><p>x", "html"),
        (b"Content-Type: application/octet-stream\r\n", b"\n <html><p>x", "html"),
        (b"Content-Type: text/plain\r\n", b"<!-- c --><!doctype HTML><p>x", "html"),
        (b"Content-Type: image/png\r\n", b"<html><p>x", "html"),
        (b"Content-Type: text/html\r\n", b"no tags at all", "html"),
        (b"Content-Type: text/plain; charset=UTF-8\r\n", b"plain words", "text"),
        (b"", b"plain words", "text"),
        (b"Content-Type: text/html\r\n", "<html><p>ü".encode("utf-16"), "html"),
    ],
)
def test_kind_is_by_content_when_the_type_is_missing_or_wrong(tmp_path, headers, content, kind):
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(content, headers))))
    assert (row["kind"], row["payload"], row["reason"]) == (kind, content, None)


def chunked(data: bytes, size: int = 100) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "encode"),
    [
        (b"Transfer-Encoding: chunked\r\n", chunked),
        (b"Content-Encoding: gzip\r\n", gzip.compress),
        (b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", lambda data: chunked(gzip.compress(data))),
        (b"Content-Encoding: deflate\r\n", zlib.compress),
        (b"Content-Encoding: deflate\r\n", lambda data: zlib.compress(data, wbits=-15)),
        (b"Content-Encoding: zstd\r\n", zstandard.ZstdCompressor().compress),
        (b"Content-Encoding: gzip\r\n", bytes),  # header kept, body already decoded
        (b"Content-Encoding: br\r\n", bytes),
        (b"Transfer-Encoding: chunked\r\n", bytes),
    ],
)
def test_encodings_of_the_body_are_undone(tmp_path, headers, encode):
    block = page(encode(body(1)), b"Content-Type: text/html\r\n" + headers)
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", block)))
    assert (row["payload"], row["reason"]) == (body(1), None)


def test_brotli_is_undone(tmp_path):
    brotli = pytest.importorskip("brotli", reason="brotli is needed to write the case")
    block = page(brotli.compress(body(1)), b"Content-Encoding: br\r\n")
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", block)))
    assert (row["payload"], row["reason"]) == (body(1), None)


def test_damaged_and_huge_bodies_are_quarantined(tmp_path):
    coded = b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n"
    cases = {
        "ingest.truncated": page(gzip.compress(body(1))[:-20], coded),
        "ingest.corrupt": page(gzip.compress(body(1))[:50] + b"?" * 50, coded),
        "ingest.oversize": page(gzip.compress(b" " * 2**21), coded),
    }
    for reason, block in cases.items():
        (row,) = read(tmp_path, gz(warc_record("https://a.example/", block)), max_record_bytes=2**20)
        assert row["reason"] == reason
        assert row["detail"]
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(b"x" * 2000))), max_record_bytes=1000)
    assert (row["reason"], row["payload"]) == ("ingest.oversize", b"")


def test_bare_line_feeds_end_a_header(tmp_path):
    """FastWARC's own header parser took the start of such pages for header, up to the first CRLF CRLF."""
    content = b"<p>title: one\nhref: two</p>\r\n\r\n<p>after"
    block = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + content
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", block)))
    assert row["payload"] == content


def test_rights_headers_travel_with_the_record(tmp_path):
    headers = b"Content-Type: text/html\r\nX-Robots-Tag: noai\r\ntdm-reservation: 1\r\n"
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(b"<p>x", headers))))
    assert row["rights"] == "x-robots-tag: noai; tdm-reservation: 1"


def test_wet_records_are_text(tmp_path):
    record = warc_record("https://a.example/", b"Umsatz und Gewinn", "conversion", Content_Type="text/plain")
    (row,) = read(tmp_path, gz(record))
    assert (row["kind"], row["payload"]) == ("text", b"Umsatz und Gewinn")


def test_arc_files_are_read(tmp_path):
    first, second = page(b"<p>one"), page(b"<p>two", status=b"404 Gone")
    lines = [
        b"filedesc://x.arc 0.0.0.0 20080430204825 text/plain 9\n1 0 test\n",
        b"http://a.example/1 1.2.3.4 20080430204825 text/html %d\n%b" % (len(first), first),
        b"http://a.example/2 1.2.3.4 20080430204825 text/html %d\n%b" % (len(second), second),
    ]
    tally = Tally()
    (row,) = read(tmp_path, b"\n".join(lines), tally)
    assert (row["url"], row["payload"]) == ("http://a.example/1", b"<p>one")
    assert tally.skipped == {"arc_filedesc": 1, "http_4xx": 1}


def test_real_archives_give_what_warcio_gives(corpora, tmp_path):
    """Over the sample archives of seven projects: the same pages with status 200, except where warcio itself fails."""
    warcio = pytest.importorskip("warcio.archiveiterator")
    packed = zstandard.ZstdDecompressor(max_window_size=2**27)
    with open(corpora / "web/warc_samples_a.tar.zst", "rb") as file:
        unpacked = io.BytesIO(packed.stream_reader(file).read())
    compared = 0
    archive = tarfile.TarFile(fileobj=unpacked)
    for member in archive:
        if not member.name.endswith((".warc", ".warc.gz")) or any(part in member.name for part in ODD):
            continue
        data = archive.extractfile(member).read()
        expected = []
        for record in warcio.ArchiveIterator(io.BytesIO(data)):
            if record.rec_type in ("response", "conversion") and record.http_headers:
                content = record.content_stream().read()
                if record.http_headers.get_statuscode() == "200" and "html" in str(
                    record.http_headers.get_header("content-type")
                ):
                    expected.append((record.rec_headers.get_header("WARC-Target-URI"), content))
        path = tmp_path / "x.warc.gz"
        path.write_bytes(data)
        found = [(row["url"], row["payload"]) for row in rows_of(Source(name="w", kind="warc", path=str(path)))]
        missing = [url for url, content in expected if (url, content) not in found]
        assert not missing, (member.name, missing)
        compared += len(expected)
    assert compared > 80


ODD = ("trunc", "clipped", "bad", "wrong-chunks", "link-extraction", "missing-status", "warcs/example.warc")
"""Damaged on purpose; what is expected of them is in the tests above."""
