"""Formats other than WARC, and what holds of every format: ids, batches, quarantine by record."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.core.batch import RECORDS
from pipeline.ingest.files import list_inputs, plan_shards
from pipeline.ingest.read import BATCH_RECORDS, clean, read_shard
from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source

from .conftest import rows_of

LINES = [{"text": f"text {number}", "id": f"n{number}", "url": f"https://a.example/{number}"} for number in range(50)]
PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
PACKERS[".zst"] = zstandard.ZstdCompressor(write_checksum=True).compress


def lines(objects) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in objects)


def read(tmp_path, name, data, tally=None, **settings):
    (tmp_path / name).write_bytes(data)
    return rows_of(Source(name="s", path=str(tmp_path / name), **settings), tally)


@pytest.mark.parametrize("ending", PACKERS)
def test_compression_is_seen_by_content(tmp_path, ending):
    data = PACKERS[ending](lines(LINES[:20])) + PACKERS[ending](lines(LINES[20:]))
    for name in (f"a.jsonl{ending}", "b.jsonl"):
        assert [row["payload"].decode() for row in read(tmp_path, name, data)] == [item["text"] for item in LINES]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_cut_file_keeps_its_rows_and_says_so(tmp_path, ending):
    noise = random.Random(1)
    data = PACKERS[ending](lines({"text": noise.randbytes(500).hex(), "id": str(n)} for n in range(2_400)))
    rows = read(tmp_path, f"a.jsonl{ending}", data[: len(data) * 2 // 3])
    assert len(rows) > 400
    reasons = [row["reason"] for row in rows]
    assert reasons[-1] == "ingest.truncated"
    # Of the line the data ended in, a part may have come out.
    assert set(reasons[:-2]) == {None}


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_bomb_is_stopped(tmp_path, ending, monkeypatch):
    monkeypatch.setattr("pipeline.ingest.streams.FREE_EXPANSION", 2**24)
    data = PACKERS[ending](b"0" * 2**25)
    rows = read(tmp_path, f"a.jsonl{ending}", data, max_record_bytes=2**20)
    assert {row["reason"] for row in rows} <= {"ingest.expansion", "ingest.oversize"}
    assert "ingest.expansion" in {row["reason"] for row in rows}
    assert sum(len(row["payload"]) for row in rows) < 2**20


def test_a_bad_line_costs_that_line(tmp_path):
    bad = {
        b'{"text": "caf\xe9"}': "ingest.bad_utf8",
        b'{"text": ': "ingest.bad_json",
        b"[1, 2]": "ingest.bad_json",
        b"[" * 100_000: "ingest.bad_json",
        b'{"txt": "x"}': "ingest.no_text",
        b'{"text": null}': "ingest.no_text",
        b'{"text": "half \\ud800 pair"}': "ingest.lone_surrogate",
        b'{"text": "' + b"x" * 2**20 + b'"}': "ingest.oversize",
        b'{"text": 1' + b"0" * 5000 + b"}": "ingest.no_text",
    }
    data = b"".join(line + b'\n{"text": "good"}\n\n' for line in bad)
    rows = read(tmp_path, "a.jsonl", data, max_record_bytes=2**19)
    assert [row["reason"] for row in rows[::2]] == list(bad.values())
    assert [row["payload"] for row in rows[1::2]] == [b"good"] * len(bad)
    assert all(row["detail"] for row in rows[::2])
    assert rows[0]["locator"] == "line=1"


def test_ids_do_not_depend_on_position(tmp_path):
    shuffled = random.Random(2).sample(LINES, len(LINES))
    first = read(tmp_path, "a.jsonl", lines(LINES))
    second = read(tmp_path, "b.jsonl.gz", gzip.compress(lines(shuffled)))
    assert {row["id"]: row["payload"] for row in first} == {row["id"]: row["payload"] for row in second}
    assert len({row["id"] for row in first}) == len(LINES)
    assert all(len(row["id"]) == 32 and int(row["id"], 16) for row in first)


def test_batches_are_bounded(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines({"text": "x", "id": str(n)} for n in range(BATCH_RECORDS + 5)))
    (tmp_path / "b.jsonl").write_bytes(lines({"text": "y" * 2**20, "id": str(n)} for n in range(40)))
    source = Source(name="s", path=str(tmp_path))
    tally = Tally()
    shards = plan_shards(source, list_inputs(source))
    batches = [batch for shard in shards for batch in read_shard(source, shard, tally)]
    assert all(batch.schema.equals(RECORDS) for batch in batches)
    assert all(batch.num_rows <= BATCH_RECORDS for batch in batches)
    assert max(batch.column("payload").nbytes for batch in batches) < 18 * 2**20
    assert sum(batch.num_rows for batch in batches) == tally.records == BATCH_RECORDS + 45


def test_limit_is_per_file(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(LINES))
    (tmp_path / "b.jsonl").write_bytes(lines(LINES))
    assert len(rows_of(Source(name="s", path=str(tmp_path), limit=3))) == 6


def test_fields_are_mapped(tmp_path):
    data = lines([{"body": "<p>x", "key": 7, "link": "https://a.example", "name": "T", "when": "2026"}])
    fields = {"text": "body", "id": "key", "url": "link", "title": "name", "date": "when", "html": True}
    (row,) = read(tmp_path, "a.jsonl", data, fields=fields, licence="CC0-1.0", role="domain")
    assert (row["payload"], row["kind"], row["url"], row["title"], row["date"], row["licence"], row["role"]) == (
        b"<p>x", "html", "https://a.example", "T", "2026", "CC0-1.0", "domain",
    )  # fmt: skip


def test_parquet(tmp_path):
    table = pa.table({"text": ["one", None, "three"], "id": [1, 2, 3], "other": [b"\xff", b"", b""]})
    sink = io.BytesIO()
    pq.write_table(table, sink, write_page_checksum=True)
    rows = read(tmp_path, "a.parquet", sink.getvalue())
    assert [(row["payload"], row["reason"]) for row in rows[::2]] == [(b"one", None), (b"three", None)]
    assert rows[1]["reason"] == "ingest.no_text"
    (row,) = read(tmp_path, "b.parquet", sink.getvalue(), fields={"text": "body"})
    assert row["reason"] == "ingest.no_text"
    assert row["detail"].endswith("the row has: id, other, text; the longest strings are in text")
    assert read(tmp_path, "c.parquet", b"PAR1 not really")[-1]["reason"] == "ingest.corrupt"


def test_parquet_strings_that_are_no_utf8(tmp_path):
    broken = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\4\0\0\0\6\0\0\0"), pa.py_buffer(b"caf\xe9ok"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": broken}), sink)
    rows = read(tmp_path, "a.parquet", sink.getvalue())
    assert [row["reason"] for row in rows] == ["ingest.bad_utf8", None]


def test_csv_and_tsv(tmp_path):
    data = b'\xef\xbb\xbfid,text\n1,"two\nlines, one ""row"""\n2,caf\xe9\n3\n4,last'
    rows = read(tmp_path, "a.csv", data)
    assert [(row["payload"], row["reason"]) for row in (rows[0], rows[3])] == [
        (b'two\nlines, one "row"', None),
        (b"last", None),
    ]
    assert [row["reason"] for row in rows[1:3]] == ["ingest.bad_utf8", "ingest.bad_csv"]
    rows = read(tmp_path, "a.tsv", b'id\ttext\n1\tone " mark\n2\tb')
    assert [row["payload"] for row in rows] == [b'one " mark', b"b"]


def tar_of(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.html")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return sink.getvalue()


def test_tar_members_by_their_kind(tmp_path):
    tally = Tally()
    members = {"x/a.html": b"<html><p>a", "x/b.txt": b"bee", "x/c.jsonl": lines(LINES[:2]), "x/d.png": b"\x89PNG"}
    members |= {"x/e.jsonl.gz": gzip.compress(lines(LINES[:1])), "x/f.tar": b"", "../g.txt": b"out"}
    data = tar_of(members)
    rows = read(tmp_path, "a.tar.zst", zstandard.ZstdCompressor().compress(data), tally)
    assert [(row["locator"], row["payload"], row["reason"]) for row in rows] == [
        ("member=x/a.html", b"<html><p>a", None),
        ("member=x/b.txt", b"bee", None),
        ("member=x/c.jsonl;line=1", b"text 0", None),
        ("member=x/c.jsonl;line=2", b"text 1", None),
        ("member=x/d.png", b"", "ingest.not_read"),
        ("member=x/e.jsonl.gz;line=1", b"text 0", None),
        ("member=x/f.tar", b"", "ingest.empty"),
        ("member=../g.txt", b"", "ingest.unsafe_name"),
    ]
    assert tally.skipped == {"tar_special": 1}


def test_a_cut_tar_keeps_what_was_whole(tmp_path):
    data = tar_of({"a.txt": b"a" * 2000, "b.txt": b"b" * 9000})
    rows = read(tmp_path, "a.tar", data[:6000])
    assert rows[0]["payload"] == b"a" * 2000
    assert rows[0]["reason"] is None
    assert rows[-1]["reason"] == "ingest.truncated"
    assert not [row for row in rows if row["reason"] is None and b"b" in row["payload"]]


def test_xml_by_element_and_without_dtd(tmp_path):
    data = b"<?xml version='1.0'?><d><qa i='1'>one</qa><x:qa xmlns:x='u'>two <qa>in</qa></x:qa></d>"
    rows = read(tmp_path, "a.xml", data, element="qa")
    assert [row["payload"] for row in rows] == [b"<qa i='1'>one</qa>", b"<x:qa xmlns:x='u'>two <qa>in</qa></x:qa>"]
    (row,) = read(tmp_path, "b.xml", b"<!DOCTYPE d [<!ENTITY a 'b'>]><d><qa>&a;</qa></d>", element="qa")
    assert row["reason"] == "ingest.xml_dtd"
    rows = read(tmp_path, "c.xml", b"<d><qa>one</qa><qa>tw", element="qa")
    assert [row["reason"] for row in rows] == [None, "ingest.bad_xml"]


SUBMISSION = b"""-----BEGIN PRIVACY-ENHANCED MESSAGE-----
<SEC-DOCUMENT>0000320193-24-000001.txt : 20240131
<SEC-HEADER>
ACCESSION NUMBER:		0000320193-24-000001
CONFORMED SUBMISSION TYPE:	10-Q
FILED AS OF DATE:		20240131
	COMPANY CONFORMED NAME:			EXAMPLE CORP
	CENTRAL INDEX KEY:			0000320193
</SEC-HEADER>
<DOCUMENT>
<TYPE>10-Q
<SEQUENCE>1
<FILENAME>q.htm
<DESCRIPTION>QUARTERLY REPORT
<TEXT>
<XBRL>
<html><body>Net sales rose.</body></html>
</XBRL>
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-99.1
<SEQUENCE>2
<FILENAME>ex.txt
<TEXT>
Press release
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>GRAPHIC
<SEQUENCE>3
<FILENAME>g.jpg
<TEXT>
begin 644 g.jpg
M_]C_X
end
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-101.INS
<TEXT>
<XML></XML>
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
"""


def test_edgar_submissions_are_split(tmp_path):
    tally = Tally()
    rows = read(tmp_path, "a.txt", SUBMISSION, tally)
    assert [(row["kind"], row["payload"]) for row in rows] == [
        ("html", b"<html><body>Net sales rose.</body></html>"),
        ("text", b"Press release"),
    ]
    assert {row["parent"] for row in rows} == {"0000320193-24-000001"}
    assert rows[0]["title"] == "EXAMPLE CORP 10-Q QUARTERLY REPORT"
    assert rows[0]["date"] == "2024-01-31"
    assert rows[0]["url"] == "https://www.sec.gov/Archives/edgar/data/320193/000032019324000001/q.htm"
    assert tally.skipped == {"edgar_attachment": 2}
    cut = read(tmp_path, "b.txt", SUBMISSION[: SUBMISSION.index(b"release")])
    assert [row["reason"] for row in cut] == [None, "ingest.truncated"]
    (none,) = read(tmp_path, "c.txt", SUBMISSION[: SUBMISSION.index(b"<DOCUMENT>")])
    assert none["reason"] == "ingest.bad_edgar"


def test_reuters_stories(tmp_path):
    data = (
        b'<!DOCTYPE lewis SYSTEM "lewis.dtd">\n<REUTERS TOPICS="YES" NEWID="7">\n<DATE>26-FEB-1987</DATE>\n<TEXT>'
        b'<TITLE>A &lt;B> C</TITLE><BODY>Shares rose 5 pct.\n REUTER\n&#3;</BODY></TEXT>\n</REUTERS>\n<REUTERS NEWID="8">'
    )
    rows = read(tmp_path, "a.sgm", data)
    assert (rows[0]["payload"], rows[0]["title"], rows[0]["date"]) == (
        b"Shares rose 5 pct.\n REUTER", "A <B> C", "26-FEB-1987",
    )  # fmt: skip
    assert rows[1]["reason"] == "ingest.truncated"


def test_strings_arrow_cannot_hold_are_mended():
    assert clean("a\ud800b") == "a\ufffdb"
    assert clean("a\0b\U0001f600") == "a\ufffdb\U0001f600"
    assert clean(None) is None


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.jsonl.gz", "a.html", "a.txt", "a.csv", "a.tar", "a.parquet", "a.warc.gz", "a.xml", "a.sgm"]
)
@pytest.mark.parametrize("seed", range(4))
def test_noise_never_raises(tmp_path, name, seed):
    """Random bytes, empty files and flipped good ones: rows or counts, never an exception."""
    noise = random.Random(seed)
    for data in (b"", noise.randbytes(5000), b"\0" * 100, gzip.compress(noise.randbytes(500)), SUBMISSION[:: seed + 1]):
        read(tmp_path, name, data)
