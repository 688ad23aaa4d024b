"""Structured files as people have them: dialects of CSV, ways of writing JSON, columnar files, data bases, front matter."""

import io
import json
import sqlite3
import tarfile

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.ingest.files import survey
from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source

from .conftest import rows_of


def read(tmp_path, name, data, tally=None, **settings):
    (tmp_path / name).write_bytes(data)
    return rows_of(Source(name="s", path=str(tmp_path / name), **settings), tally)


def texts(rows) -> list[str]:
    assert [row["reason"] for row in rows] == [None] * len(rows), [row["detail"] for row in rows]
    return [row["payload"].decode() for row in rows]


TABLE = 'id,text,year\n1,"Wool, raw",1901\n2,Tin,1902\n'
DIALECTS = {
    "semicolon": (b"id;text;year\n1;\"Wool, raw\";1901\n2;Tin;1902\n", "utf-8, semicolon, quotes"),
    "bar": (b"id|text|year\n1|Wool, raw|1901\n2|Tin|1902\n", "utf-8, bar, quotes"),
    "tab": (b"id\ttext\tyear\n1\tWool, raw\t1901\n2\tTin\t1902\n", "utf-8, tab, no quotes"),
    "quoted tab": (b'id\ttext\tyear\n1\t"Wool, raw"\t1901\n2\t"Tin"\t1902\n', "utf-8, tab, quotes"),
    "sep": (b"sep=|\r\nid|text|year\r\n1|Wool, raw|1901\r\n2|Tin|1902\r\n", "utf-8, bar, quotes"),
    "excel": (TABLE.encode("utf-16"), "utf-16-le, comma, quotes"),
    "big end": (b"\xfe\xff" + TABLE.encode("utf-16-be"), "utf-16-be, comma, quotes"),
    "mark": (b"\xef\xbb\xbf" + TABLE.encode(), "utf-8, comma, quotes"),
    "blank lines": (b"\n\r\n;;\n" + TABLE.replace(",", ";").replace("Wool; raw", "Wool, raw").encode(), "utf-8, semicolon, quotes"),
    "trailing": (b'id,text,year,\n1,"Wool, raw",1901,\n2,Tin,1902,\n', "utf-8, comma, quotes"),
    "blank line of spaces": (b"  \n\t\r\n" + TABLE.encode(), "utf-8, comma, quotes"),
    "comment": (b"# exported by hand, 1903\n\n# from the mill\n" + TABLE.encode(), "utf-8, comma, quotes"),
    "header in a comment": (b"# of the mill\n# " + TABLE.encode(), "utf-8, comma, quotes"),
    "quoted sep": (b'"sep=;"\nid;text;year\n1;"Wool, raw";1901\n2;Tin;1902\n', "utf-8, semicolon, quotes"),
    "apostrophes": (b"id,text,year\n1,'Wool, raw',1901\n2,'Tin',1902\n", "utf-8, comma, single quotes"),
    "old mac": (TABLE.replace("\n", "\r").encode(), "utf-8, comma, quotes"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_selectionects_of_csv_are_found_and_said(tmp_path, name):
    data, said = DIALECTS[name]
    tally = Tally()
    rows = read(tmp_path, "a.csv", data, tally)
    assert texts(rows) == ["Wool, raw", "Tin"]
    assert tally.files["a.csv"].dialect == said


def test_a_code_page_is_told_from_utf_8(tmp_path):
    tally = Tally()
    assert texts(read(tmp_path, "a.csv", "id,text\n1,Käse – 5 €\n".encode("cp1252"), tally)) == ["Käse – 5 €"]
    assert tally.files["a.csv"].dialect.startswith("cp1252")
    mixed = "id,text\n1,Käse\n".encode() + "2,Rübe\n3,Tin\n".encode("latin-1")
    rows = read(tmp_path, "b.csv", mixed)
    assert [row["reason"] for row in rows] == [None, "ingest.bad_utf8", None]
    assert "byte 0xfc" in rows[1]["detail"]
    for code, text in (
        ("cp932", "日本語の文章です"),
        ("cp1251", "Дом стоит на берегу реки"),
        ("gb18030", "中华人民共和国"),
    ):
        assert texts(read(tmp_path, f"{code}.csv", f"id,text\n1,{text}\n".encode(code))) == [text]
    assert texts(read(tmp_path, "c.csv", "id,text\n1,Дом\n".encode("cp1251"), csv={"encoding": "cp1251"})) == ["Дом"]


def test_headers_and_rows_of_other_lengths(tmp_path):
    data = b'"id","the\r\nabstract of it"\n1,"two\nlines"\n2\n3,a,b\n4,"5"" pipe"\n'
    rows = read(tmp_path, "a.csv", data, fields={"text": "the abstract of it"})
    assert [row["reason"] for row in rows] == [None, "ingest.bad_csv", "ingest.bad_csv", None]
    assert (rows[0]["payload"], rows[3]["payload"]) == (b"two\nlines", b'5" pipe')
    assert "1 fields, the header 2" in rows[1]["detail"]
    assert texts(read(tmp_path, "b.csv", b"text,n,text\none,1,two\nsame,2,same\n,3,only\n")) == [
        "one\n\ntwo",
        "same",
        "only",
    ]
    rows = read(tmp_path, "c.csv", b"nr,story\n1,A long story of wool\n")
    assert rows[0]["detail"] == "field 'text' is missing; the row has: nr, story; the longest strings are in story"


def test_a_quotation_mark_behind_a_backslash_ends_no_field(tmp_path):
    tally = Tally()
    data = b'id,text\n1,"The \\"raw\\" wool, and the tin"\n2,"Tin, too"\n'
    assert texts(read(tmp_path, "a.csv", data, tally)) == ['The "raw" wool, and the tin', "Tin, too"]
    assert tally.files["a.csv"].dialect == "utf-8, comma, quotes, backslash"
    assert texts(read(tmp_path, "b.csv", b'id,text\n1,"C:\\"\n2,"a, b"\n')) == ["C:\\", "a, b"]


@pytest.mark.parametrize(
    ("name", "head", "blank"),
    [("a.csv", b"id,text\n", b"\n"), ("b.csv", b"id,text\n", b",\n"), ("c.jsonl", b"", b" \n")],
)
def test_blank_lines_without_end_are_cut_and_said(tmp_path, name, head, blank):
    rows = read(tmp_path, name, head + blank * 40_000, max_records=30_000)
    assert [row["reason"] for row in rows] == ["ingest.too_many_records"]
    assert not read(tmp_path, name, head + blank * 40_000)  # as many as a file of this size may hold
    assert not read(tmp_path, name, head + blank * 20_000, max_records=30_000)


def test_a_lone_quotation_mark_swallows_no_rows(tmp_path):
    data = b'id,text\n1,"Tin\n' + b"".join(b"%d,Wool %d\n" % (n, n) for n in range(2, 50))
    assert len(read(tmp_path, "a.csv", data)) == 49


def test_selectionects_can_be_given(tmp_path):
    data = b"id~text\n1~'Wool ~ raw'\n"
    assert texts(read(tmp_path, "a.csv", data, csv={"delimiter": "~", "quote": "'"})) == ["Wool ~ raw"]
    with pytest.raises(ValueError, match="no encoding is named 'utf-9'"):
        Source(name="s", path="x", csv={"encoding": "utf-9"})


ROWS = [{"id": str(n), "text": f"Tide {n} \u2028 of the [north], {{so}} it is said"} for n in range(7)]
JSONS = {
    "array": json.dumps(ROWS),
    "pretty array": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "pretty lines": "\n".join(json.dumps(row, indent=1) for row in ROWS),
    "wrapped": json.dumps({"count": 7, "data": ROWS}),
    "pretty wrapped": json.dumps({"count": 7, "data": ROWS}, indent=4),
    "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS),
    "deeply wrapped": json.dumps({"status": {"code": 0}, "response": {"found": 7, "docs": ROWS}}),
    "text sequence": "".join("\x1e" + json.dumps(row) + "\n" for row in ROWS),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", JSONS)
def test_json_in_lines_or_in_one_value(tmp_path, name, encoding):
    for file in ("a.json", "b.jsonl"):
        assert texts(read(tmp_path, file, JSONS[name].encode(encoding))) == [row["text"] for row in ROWS]


def test_an_empty_array_holds_nothing(tmp_path):
    assert read(tmp_path, "a.json", b" []\n") == []


def test_a_file_without_an_ending_that_holds_objects_is_rows(tmp_path):
    for data in (JSONS["lines"].encode(), zstandard.compress(JSONS["lines"].encode())):
        assert texts(read(tmp_path, "part-00000", data)) == [row["text"] for row in ROWS]
    (note,) = read(tmp_path, "note", b"{so} it is said\n")
    assert (note["kind"], note["reason"]) == ("text", None)


def test_a_long_array_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.ingest.formats.jsonl.CHUNK", 64)
    assert texts(read(tmp_path, "a.json", JSONS["pretty array"].encode())) == [row["text"] for row in ROWS]
    rows = read(tmp_path, "b.json", JSONS["array"].encode()[:-40])
    assert [row["reason"] for row in rows] == [None] * 6 + ["ingest.bad_json"]
    assert "after 6 values" in rows[-1]["detail"]


def test_nested_fields_and_lists_of_strings(tmp_path):
    row = {"payload": {"body": ["One.", "Two."], "by": {"name": "Li"}}, "meta": {"link": "https://a.example"}}
    fields = {"text": "payload.body", "url": "meta.link", "title": "payload.by.name"}
    (found,) = read(tmp_path, "a.jsonl", json.dumps(row).encode(), fields=fields)
    assert (found["payload"], found["url"], found["title"]) == (b"One.\n\nTwo.", "https://a.example", "Li")
    (found,) = read(tmp_path, "b.jsonl", json.dumps({"payload": {"body": "Wool and tin"}, "n": 1}).encode())
    assert found["detail"].endswith("the row has: n, payload, payload.body; the longest strings are in payload.body")


def test_columnar_files(tmp_path):
    table = pa.table({"id": ["1", "2"], "text": pa.array(["Wool", "Tin"]).dictionary_encode(), "n": [1, 2]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert texts(read(tmp_path, "a.arrow", sink.getvalue())) == ["Wool", "Tin"]
    feather.write_feather(table, str(tmp_path / "b.feather"))
    assert texts(rows_of(Source(name="s", path=str(tmp_path / "b.feather")))) == ["Wool", "Tin"]
    pq.write_table(table, tmp_path / "c.parquet")
    assert texts(rows_of(Source(name="s", path=str(tmp_path / "c.parquet")))) == ["Wool", "Tin"]
    nested = pa.table({"doc": [{"body": "Wool", "n": 1}], "id": ["1"]})
    pq.write_table(nested, tmp_path / "d.parquet")
    assert texts(rows_of(Source(name="s", path=str(tmp_path / "d.parquet"), fields={"text": "doc.body"}))) == ["Wool"]
    twice = pa.Table.from_arrays([pa.array(["Wool"]), pa.array(["1"]), pa.array(["Tin"])], names=["text", "id", "text"])
    pq.write_table(twice, tmp_path / "e.parquet")
    assert texts(rows_of(Source(name="s", path=str(tmp_path / "e.parquet")))) == ["Wool\n\nTin"]
    assert read(tmp_path, "f.arrow", sink.getvalue()[:-60])[-1]["reason"] == "ingest.corrupt"
    packed = zstandard.ZstdCompressor().compress((tmp_path / "c.parquet").read_bytes())
    assert texts(read(tmp_path, "g.parquet.zst", packed)) == ["Wool", "Tin"]


def test_a_saved_data_set_is_its_rows(tmp_path):
    datasets = pytest.importorskip("datasets")
    saved = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["Wool", "Tin"]})})
    saved.save_to_disk(str(tmp_path / "saved"))
    source = Source(name="s", path=str(tmp_path / "saved"))
    assert texts(rows_of(source)) == ["Wool", "Tin"]
    assert {(other.outcome, other.reason) for other in survey(source).others} == {
        ("excluded", "describes the saved data set beside it")
    }


def test_samples_of_webdataset_are_one_record(tmp_path):
    members = {
        "a/1.txt": b"Wool",
        "a/1.json": b'{"url": "https://a.example/1"}',
        "a/1.jpg": b"\xff\xd8\xff\xe0\0",
        "a/2.json": b'{"text": "Tin"}',
    }
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    rows = read(tmp_path, "a.tar", sink.getvalue())
    good = [(row["payload"], row["url"], row["locator"]) for row in rows if not row["reason"]]
    assert good == [(b"Wool", "https://a.example/1", "member=a/1"), (b"Tin", None, "member=a/2.json;line=1")]
    assert [(row["locator"], row["reason"], row["detail"]) for row in rows if row["reason"]] == [
        ("member=a/1.jpg", "ingest.not_read", "files of kind jpeg are not read")
    ]


def test_sqlite(tmp_path):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.executescript(
        "CREATE TABLE goods (id INTEGER, text TEXT); INSERT INTO goods VALUES (1, 'Wool'), (2, 'Tin');"
        "CREATE TABLE towns (name TEXT, about TEXT); INSERT INTO towns VALUES ('Hull', 'A harbour');"
    )
    connection.close()
    data = (tmp_path / "a.db").read_bytes()
    assert texts(read(tmp_path, "b.sqlite", data)) == ["Wool", "Tin"]
    query = "SELECT about || '.' AS text, name AS title FROM towns"
    (row,) = read(tmp_path, "c.db", data, query=query)
    assert (row["payload"], row["title"]) == (b"A harbour.", "Hull")
    (row,) = read(tmp_path, "d.db", data, fields={"text": "body"})
    assert row["detail"].startswith(
        "no table has a column 'body'; query: names the rows; d.db has goods: id, text; towns"
    )
    (row,) = read(tmp_path, "e.db", data, query="DELETE FROM goods")
    assert "readonly" in row["detail"]
    assert read(tmp_path, "f.db", data[:5000] + b"?" * 4000)[-1]["reason"] == "ingest.bad_sql"


def test_zstd_frames_that_hold_nothing(tmp_path):
    line = b'{"text": "Wool"}\n'
    frame, skip = zstandard.ZstdCompressor().compress(line), b"\x5e\x2a\x4d\x18\5\0\0\0table"
    for data in (skip + frame, frame + skip, skip + skip + frame + skip + frame, frame + frame):
        assert texts(read(tmp_path, "a.jsonl.zst", data)) == ["Wool"] * (data.count(frame))


FRONT = {
    b"---\ntitle: Tides\ndate: 2021-03-04\nlicense: CC0-1.0\n---\nThe moon.\n": (
        "Tides",
        "2021-03-04",
        "CC0-1.0",
        b"The moon.\n",
    ),
    b"+++\r\ntitle = 'Tides'\r\ndate = 2021-03-04\r\n+++\r\nThe moon.": (
        "Tides",
        "2021-03-04",
        "unknown",
        b"The moon.",
    ),
    b"\xef\xbb\xbf---\ntitle: 'A: B'\ntags: [x]\n---\nT": ("A: B", None, "unknown", b"T"),
    b"---\r\ntitle: Ebb\r\n...\r\nThe moon.": ("Ebb", None, "unknown", b"The moon."),
    b'{\n  "title": "Flow",\n  "more": {\n  "date": 1\n}\n}\n\nThe moon.': ("Flow", None, "unknown", b"\nThe moon."),
    b'{\n"title": 1 }\n is how the file began.\n': (
        None,
        None,
        "unknown",
        b'{\n"title": 1 }\n is how the file began.\n',
    ),
    b"---\nA rule, and then a letter.\n---\nYours": (
        None,
        None,
        "unknown",
        b"---\nA rule, and then a letter.\n---\nYours",
    ),
    b"---\ntitle: {{ page }\n---\nT": (None, None, "unknown", b"---\ntitle: {{ page }\n---\nT"),
    b"No front matter\n---\ntitle: x\n---\n": (None, None, "unknown", b"No front matter\n---\ntitle: x\n---\n"),
}


@pytest.mark.parametrize("data", FRONT)
def test_front_matter_is_columns_and_no_text(tmp_path, data):
    for name in ("a.md", "b.markdown"):
        (row,) = read(tmp_path, name, data)
        assert (row["title"], row["date"], row["licence"], row["payload"]) == FRONT[data]


def test_front_matter_of_a_page(tmp_path):
    (row,) = read(tmp_path, "a.html", b"---\ntitle: Tides\n---\n<p>The moon.</p>")
    assert (row["title"], row["kind"], row["payload"]) == ("Tides", "html", b"<p>The moon.</p>")


def test_values_on_one_line_and_json_that_is_called_csv(tmp_path):
    assert texts(read(tmp_path, "a.jsonl", b'{"text": "one"}{"text": "two"} {"text": "three"}\n{"text": "four"}\n')) == [
        "one", "two", "three", "four",
    ]  # fmt: skip
    (row,) = read(tmp_path, "b.jsonl", b'{"text": "one"} and a note\n')
    assert row["reason"] == "ingest.bad_json"
    assert texts(read(tmp_path, "c.csv", b'[{"text": "wool, raw"}, {"text": "tin"}]')) == ["wool, raw", "tin"]
    assert texts(read(tmp_path, "d.csv", b'{"text": "wool, raw"}\n{"text": "tin"}\n')) == ["wool, raw", "tin"]


@pytest.mark.parametrize("form", ["{}\n", "[\n{}\n]"])
def test_a_number_of_thousands_of_digits_costs_no_row(tmp_path, form):
    row = '{"text": "tin", "id": 7, "n": 1%s}' % ("0" * 5000)
    (found,) = read(tmp_path, "a.json", form.format(row).encode())
    assert texts([found]) == ["tin"]


def test_a_line_of_nuls_is_told_from_bad_json(tmp_path):
    rows = read(tmp_path, "a.jsonl", b'{"text": "tin"}\n' + bytes(30) + b'\n{"text": "wool"}\n' + bytes(7))
    assert [row["reason"] for row in rows] == [None, "ingest.bad_json", None, "ingest.bad_json"]
    assert all("nothing but NULs" in row["detail"] for row in rows[1::2])


def test_rows_under_their_names(tmp_path):
    data = {"source": {"name": "x"}, "a": {"text": "tin"}, "b": {"text": "wool", "n": {"text": "no"}}}
    assert texts(read(tmp_path, "a.json", json.dumps(data).encode())) == ["tin", "wool"]
    (row,) = read(tmp_path, "b.json", b'{"only": {"text": "tin"}}')
    assert row["reason"] == "ingest.no_text"


def test_titles_above_a_table_are_no_header(tmp_path):
    assert texts(read(tmp_path, "long.csv", b"x" * 5000 + b"\nid,text\n1,wool\n", max_record_bytes=4096)) == ["wool"]
    assert texts(read(tmp_path, "a.csv", b"Trade of the harbour,,\n,,\nid,text,n\n1,wool,2\n2,tin,3\n")) == [
        "wool",
        "tin",
    ]
    assert texts(read(tmp_path, "b.csv", b"text,,\nwool,,\n")) == ["wool"]
    for name, data in {
        "c.csv": b"Trade of the harbour\nid,text\n1,wool\n2,tin\n",
        "d.csv": b"Trade;of the harbour\n\nid;text\n1;wool, raw\n2;tin\n",
        "e.csv": b"Wool, tin, and salt\nin tons\nid,text\n1,wool\n2,tin\n",
        "f.csv": b"text\nwool\ntext\n",
    }.items():
        assert texts(read(tmp_path, name, data))[0].partition(",")[0] == "wool", name
