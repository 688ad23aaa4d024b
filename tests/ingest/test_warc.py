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


def frames(*records: bytes) -> bytes:
    """One zstd frame a record."""
    return b"".join(zstandard.ZstdCompressor(write_checksum=True).compress(record) for record in records)


PACKS = {"gz": gz, "zst": frames, "plain": lambda *records: b"".join(records)}
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def longer(record: bytes, by: int) -> bytes:
    """The record with another Content-Length in its WARC header."""
    start = record.index(b"Content-Length: ") + 16
    end = record.index(b"\r\n", start)
    return record[:start] + str(int(record[start:end]) + by).encode() + record[end:]


def good_pages(rows) -> list[bytes]:
    return [row["payload"] for row in rows if row["reason"] is None]


@pytest.mark.parametrize("pack", ["gz", "zst"])
@pytest.mark.parametrize("by", [-400, -7, -1, 5, 900, 30_000])
def test_a_wrong_length_costs_its_record_alone(tmp_path, pack, by):
    for damaged in range(4):
        records = [longer(record, by) if number == damaged else record for number, record in enumerate(RECORDS)]
        rows = read(tmp_path, PACKS[pack](*records))
        assert good_pages(rows) == [body(number) for number in range(4) if number != damaged], (damaged, by)
        (bad,) = [row for row in rows if row["reason"]]
        assert (bad["reason"], bad["url"]) == (
            "ingest.bad_length" if by < 0 else "ingest.truncated", f"https://a.example/{damaged}",
        )  # fmt: skip


@pytest.mark.parametrize("by", [5, 90, 500, 100_000, 10**12])
def test_a_length_that_reaches_into_the_next_record_costs_no_other(tmp_path, by):
    """Of a plain file, or of one member that holds all records, nothing but the next header says where a record ends."""
    records = [RECORDS[0], longer(RECORDS[1], by), *RECORDS[2:]]
    for data in (b"".join(records), gz(b"".join(records))):
        rows = read(tmp_path, data)
        if by < 10**12 or data[:4] == b"WARC":
            assert good_pages(rows) == [body(0), body(2), body(3)]
        assert [row["url"] for row in rows if row["reason"]] == ["https://a.example/1"]


@pytest.mark.parametrize(
    "between",
    [gzip.compress(b""), BGZF_END, b"\0" * 700, b"\r\n\r\n", gzip.compress(b"\r\n\r\n")],
    ids=[
        "an empty member",
        "BGZF's end",
        "zeros",
        "line ends",
        "line ends in a member",
    ],  # gzip writes the time into its bytes
)
def test_members_that_hold_nothing_cost_nothing(tmp_path, between):
    rows = read(tmp_path, between + between.join(gz(record) for record in RECORDS) + between)
    assert [row["payload"] for row in rows] == [body(number) for number in range(4)]
    assert {row["reason"] for row in rows} == {None}


@pytest.mark.parametrize("size", [500, 3000, 20_000])
def test_records_over_blocks_of_a_fixed_size_are_read_on(tmp_path, size):
    """bgzip and pzstd cut a file without looking at its records."""
    whole = b"".join(RECORDS)
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    for data in (gz(*parts) + BGZF_END, b"\x50\x2a\x4d\x18\4\0\0\0size" + frames(*parts)):
        assert good_pages(read(tmp_path, data)) == [body(number) for number in range(4)]


def test_a_dictionary_before_zstd_records(tmp_path):
    samples = [record + bytes([number]) for record in RECORDS for number in range(60)]
    dictionary = zstandard.train_dictionary(4096, samples)
    packed = zstandard.ZstdCompressor(dict_data=dictionary)
    raw = dictionary.as_bytes()
    for held in (raw, zstandard.ZstdCompressor().compress(raw)):
        data = b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held
        data += b"".join(packed.compress(record) for record in RECORDS)
        assert [row["payload"] for row in read(tmp_path, data)] == [body(number) for number in range(4)]


def test_pages_that_the_crawler_cut_are_marked(tmp_path):
    record = warc_record("https://a.example/", page(b"<p>cut he"), WARC_Truncated="length")
    (row,) = read(tmp_path, gz(record))
    assert (row["reason"], row["detail"]) == ("ingest.truncated", "WARC-Truncated: length")
    (row,) = read(tmp_path, gz(record), keep_truncated=True)
    assert (row["reason"], row["detail"], row["payload"]) == (None, "WARC-Truncated: length", b"<p>cut he")


@pytest.mark.parametrize(
    ("headers", "content", "reason"),
    [
        (b"Content-Length: 100\r\n", b"<p>cut he", "ingest.truncated"),
        (b"Content-Length: 9\r\n", b"<p>whole.", None),
        (b"Content-Length: 4\r\n", b"<p>longer than it says", None),
        (b"Content-Length: 100\r\nContent-Encoding: gzip\r\n", b"<p>was decoded", None),
        (b"Content-Length: 100\r\nContent-Encoding: identity\r\n", b"<p>cut he", "ingest.truncated"),
        (b"Content-Length: 900\r\nTransfer-Encoding: chunked\r\n", b"<p>was joined", None),
        (b"Content-Length: many\r\n", b"<p>whole", None),
    ],
)
def test_a_body_shorter_than_its_length_is_cut(tmp_path, headers, content, reason):
    (row,) = read(
        tmp_path, gz(warc_record("https://a.example/", page(content, b"Content-Type: text/html\r\n" + headers)))
    )
    assert row["reason"] == reason


@pytest.mark.parametrize("tail", [b"\r\n", b"\r\n\r\n<!-- served in 3 ms -->", b"\0" * 9, b"\x1f\x8b\x08 no member"])
def test_bytes_after_a_whole_compressed_body_are_no_damage(tmp_path, tail):
    for coding, encode in ((b"gzip", gzip.compress), (b"zstd", zstandard.compress), (b"deflate", zlib.compress)):
        block = page(encode(body(1)) + tail, b"Content-Type: text/html\r\nContent-Encoding: " + coding + b"\r\n")
        (row,) = read(tmp_path, gz(warc_record("https://a.example/", block)))
        assert (row["payload"], row["reason"]) == (body(1), None), coding


def test_zstd_bodies_of_frames_cut_huge_or_undone(tmp_path):
    whole = zstandard.compress(body(1))
    head = b"Content-Type: text/html\r\nContent-Encoding: zstd\r\n"
    for content, reason in ((whole + whole, None), (whole[:-5], "ingest.truncated"), (body(1), None)):
        (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(content, head))))
        assert row["reason"] == reason
        assert reason or row["payload"] in (body(1), body(1) * 2)
    (row,) = read(
        tmp_path,
        gz(warc_record("https://a.example/", page(zstandard.compress(bytes(10**7)), head))),
        max_record_bytes=10**6,
    )
    assert row["reason"] == "ingest.oversize"


def test_a_binary_body_that_claims_to_be_a_page_is_a_row(tmp_path):
    rows = read(tmp_path, gz(warc_record("https://a.example/", page(b"<p>x\0\0\0" + bytes(300)))))
    assert [(row["reason"], row["url"]) for row in rows] == [("ingest.not_text", "https://a.example/")]


DAMAGE = ("flip", "cut", "noise", "longer", "shorter", "header", "empty", "none")


@pytest.mark.parametrize("pack", ["gz", "zst"])
@pytest.mark.parametrize("seed", range(40))
def test_damage_costs_what_it_hits(tmp_path, pack, seed):
    """Of ten records some are damaged, each in one of seven ways: the others come out whole, in order, and none comes out cut."""
    chosen = random.Random(seed)
    ways = [chosen.choice(DAMAGE) if chosen.random() < 0.4 else "none" for _ in range(10)]
    parts, whole = [], []
    for number, way in enumerate(ways):
        record = warc_record(f"https://a.example/{number}", page(body(number, 40 + 200 * (number % 3))))
        if way in ("longer", "shorter"):
            record = longer(
                record,
                chosen.randrange(5, 9000) * (1 if way == "longer" else -1)
                if way == "longer"
                else -chosen.randrange(1, 300),
            )
        if way == "header":
            record = record.replace(b"WARC-Type", b"WARC-Kind", 1)
        member = bytearray(PACKS[pack](record))
        if way == "flip":
            member[chosen.randrange(len(member))] ^= 1 << chosen.randrange(8)
        if way == "cut":
            del member[chosen.randrange(8, len(member)) :]
        if way == "noise":
            member += chosen.randbytes(chosen.randrange(1, 3000))
        if way == "empty":
            member += PACKS[pack](b"")
        parts.append(bytes(member))
        whole.append(body(number, 40 + 200 * (number % 3)))
    rows = read(tmp_path, b"".join(parts))
    healthy = [whole[number] for number, way in enumerate(ways) if way in ("none", "noise", "empty")]
    found = good_pages(rows)
    assert all(one in whole for one in found), "a page came out that is none"
    # A flipped bit may lie where it changes nothing, such as a time in gzip's header.
    flipped = [whole[number] for number, way in enumerate(ways) if way == "flip"]
    assert [one for one in found if one not in flipped] == healthy, ways
    assert found == [one for one in whole if one in set(found)]


def test_a_small_file_of_records_without_documents_ends_soon_and_says_so(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(gz(warc_record("x", b"software: a", kind="warcinfo") * 30_000))
    rows = rows_of(Source(name="s", path=str(tmp_path / "a.warc.gz")))
    assert [row["reason"] for row in rows] == ["ingest.too_many_records"]
    assert "10,000 records that are no documents" in rows[0]["detail"]
    tally = Tally()
    assert rows_of(Source(name="s", path=str(tmp_path / "a.warc.gz"), max_records=30_000), tally) == []
    assert tally.skipped["warc_warcinfo"] == 30_000


@pytest.mark.parametrize("left", [b"", b"2", b"2\r\n", b"2\r\nx"])
def test_a_chunked_body_without_its_last_chunk_is_cut(tmp_path, left):
    whole = chunked(body(1)).removesuffix(b"0\r\n\r\n")
    headers = b"Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n"
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(whole + left, headers))))
    assert row["reason"] == "ingest.truncated"
    (row,) = read(tmp_path, gz(warc_record("https://a.example/", page(whole + b"0", headers))))
    assert (row["payload"], row["reason"]) == (body(1), None)
