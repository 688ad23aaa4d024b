"""Files in files: zip archives, mail with attachments, mailboxes, and files of programs by their content."""

import io
import zipfile
from email.message import EmailMessage

import pytest

from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source

from .conftest import gz, page, rows_of, warc_record
from .test_read import tar_of


def read(tmp_path, name, data, tally=None, **settings):
    (tmp_path / name).write_bytes(data)
    return rows_of(Source(name="s", path=str(tmp_path / name), **settings), tally)


def zip_of(parts: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data, zipfile.ZIP_STORED if name == "mimetype" else None)
    return sink.getvalue()


def brief(rows) -> list[tuple]:
    return [(row["locator"], row["payload"], row["reason"]) for row in rows]


def test_members_of_a_zip_by_their_kind(tmp_path):
    inner = zip_of({"deep.txt": b"deep"})
    deeper = zip_of({"z.zip": zip_of({"z.zip": zip_of({"too.txt": b"deep"})})})
    parts = {"a.txt": b"Wool", "b/c.jsonl": b'{"text": "Tin"}\n', "scan.png": b"\x89PNG\r\n\x1a\n", "in.zip": inner, "x.zip": deeper,
             "../out.txt": b"out", "t.tar": tar_of({"m.txt": b"inside"}), "s.css": b"p { color: red }", "r": b"no ending"}  # fmt: skip
    tally = Tally()
    rows = read(tmp_path, "a.zip", zip_of(parts), tally)
    assert brief(rows) == [
        ("member=a.txt", b"Wool", None), ("member=b/c.jsonl;line=1", b"Tin", None), ("member=scan.png", b"", "ingest.not_read"),
        ("member=in.zip;member=deep.txt", b"deep", None),
        ("member=x.zip;member=z.zip;member=z.zip", b"", "ingest.nested_archive"),
        ("member=../out.txt", b"", "ingest.unsafe_name"), ("member=t.tar;member=m.txt", b"inside", None),
        ("member=s.css", b"", "ingest.not_read"), ("member=r", b"no ending", None),
    ]  # fmt: skip
    assert "source code (.css)" in rows[7]["detail"]
    assert [row["payload"] for row in read(tmp_path, "b.zip", zip_of(parts), members=["*.css"])] == [
        b"p { color: red }"
    ]


def test_a_damaged_member_costs_itself(tmp_path):
    data = bytearray(zip_of({"a.txt": b"Wool " * 500, "b.txt": b"Tin"}))
    data[60] ^= 0xFF
    assert [row["reason"] for row in read(tmp_path, "a.zip", bytes(data))] == ["ingest.corrupt", None]
    assert [row["reason"] for row in read(tmp_path, "b.zip", bytes(data[:-40]))] == ["ingest.corrupt"]


def test_a_member_that_grows_too_far_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.ingest.formats.zip.FREE_EXPANSION", 1000)
    rows = read(tmp_path, "a.zip", zip_of({"a.txt": b"0" * 10**6, "b.txt": b"Tin"}), max_expansion=10)
    assert [row["reason"] for row in rows] == ["ingest.expansion", None]


def message(text: str = "The ferry is late.", **files: bytes) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Ferries – today"
    mail["Date"], mail["Message-ID"] = "Thu, 04 Mar 2021 09:00:00 +0100", "<1@example.org>"
    mail.set_content(text)
    for name, data in files.items():
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name.replace("_", "."))
    return mail


def test_a_message_and_its_attachments(tmp_path):
    mail = message(notes_txt=b"At seven.", plan_pdf=b"%PDF-1.4 ...", photo_jpg=b"\xff\xd8\xff\xe0\0")
    mail.add_attachment(message("An earlier one."))
    for name in ("a.eml", "b.txt", "c"):
        rows = read(tmp_path, name, mail.as_bytes())
        assert [(row["kind"], row["payload"].strip(), row["reason"]) for row in rows] == [
            ("text", b"The ferry is late.", None), ("text", b"At seven.", None), ("pdf", b"%PDF-1.4 ...", None),
            ("text", b"", "ingest.not_read"), ("text", b"An earlier one.", None),
        ]  # fmt: skip
        assert {row["parent"] for row in rows} == {"<1@example.org>"}
        assert (rows[0]["title"], rows[0]["date"], rows[1]["date"]) == ("Ferries – today", "2021-03-04", "2021-03-04")
        assert rows[1]["locator"] == "member=notes.txt"


def test_the_html_of_a_message_without_text(tmp_path):
    mail = EmailMessage()
    mail["From"], mail["Date"], mail["Subject"] = "a@example.org", "4 Mar 2021", "x"
    mail.set_content("<p>Käse", subtype="html", charset="latin-1")
    (row,) = read(tmp_path, "a.eml", mail.as_bytes())
    assert (row["kind"], row["payload"].decode().strip()) == ("html", "<p>Käse")


def test_a_text_that_begins_like_a_header_is_a_text(tmp_path):
    for text in (b"From: the harbour\nTo: the quay\n\nA walk.", b"Date: 1901\nFrom: memory\n", b"Note: tin\n\nFrom: x"):
        (row,) = read(tmp_path, "a.txt", text)
        assert (row["kind"], row["payload"]) == ("text", text)


def test_mailboxes(tmp_path):
    letters = [message(text).as_bytes() for text in ("One.", "Two.\n\n>From here on", "Three.")]
    data = b"".join(b"From a@example.org Thu Mar  4 09:00:00 2021\n" + letter + b"\n" for letter in letters)
    rows = read(tmp_path, "a.mbox", data)
    assert [row["payload"].strip() for row in rows] == [b"One.", b"Two.\n\nFrom here on", b"Three."]
    assert [row["locator"] for row in rows] == ["message=1", "message=2", "message=3"]
    assert [row["payload"] for row in read(tmp_path, "Inbox", data)] == [row["payload"] for row in rows]
    (row,) = read(tmp_path, "b", b"From the quay at 7:30 one sees\nthe sea.\n\nFrom here not.")
    assert row["payload"].startswith(b"From the quay")


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"%PDF-1.7 x", "pdf"), ("a.pdf", b"<html><p>not found", "html"), ("a.doc", b"{\\rtf1 x}", "rtf"),
        ("a.bin", b"%PDF-1.7 x", "pdf"), ("a", zip_of({"[Content_Types].xml": b"", "word/document.xml": b"<x/>"}), "docx"), ("b.pdf", b"Plain words", "text"),
        ("a.zip", zip_of({"mimetype": b"application/epub+zip"}), "epub"), ("a.doc", b"\xd0\xcf\x11\xe0" + bytes(99), "doc"),
        ("b.zip", zip_of({"[Content_Types].xml": b"", "xl/w.xml": b""}), "xlsx"),
        ("a.vtt", b"WEBVTT\n", "subtitles"), ("a.pdf.gz", b"%PDF-1.7 x", "pdf"),
    ],
)  # fmt: skip
def test_content_comes_before_the_name(tmp_path, name, data, kind):
    (row,) = read(tmp_path, name, data)
    assert (row["kind"], row["payload"], row["reason"]) == (kind, data, None)


def test_a_table_that_is_named_like_a_workbook(tmp_path):
    rows = read(tmp_path, "a.xls", b"id\ttext\n1\tWool\n2\tTin\n")
    assert [row["payload"] for row in rows] == [b"Wool", b"Tin"]


def test_a_pdf_in_a_crawl_is_read(tmp_path):
    block = page(b"%PDF-1.7 x", b"Content-Type: application/pdf\r\n")
    (row,) = read(tmp_path, "a.warc.gz", gz(warc_record("https://a.example/a.pdf", block)))
    assert (row["kind"], row["payload"]) == ("pdf", b"%PDF-1.7 x")


def test_another_kind_than_the_source_says_is_one_row(tmp_path):
    for kind, name in (("jsonl", "a.jsonl"), ("text", "a.txt"), ("html", "a.html")):
        (row,) = read(tmp_path, name, b"\x89PNG\r\n\x1a\n" + bytes(50), kind=kind)
        assert (row["reason"], row["detail"]) == ("ingest.other_kind", f"the file is of kind png, not {kind}")


@pytest.mark.parametrize("name", ["a.eml", "b.txt", "c"])
def test_a_draft_without_sender_and_date_is_a_message(tmp_path, name):
    mail = EmailMessage()
    mail["Subject"] = "Wool"
    mail.set_content("The price of wool rose.", cte="base64")
    (row,) = read(tmp_path, name, mail.as_bytes())
    assert (row["payload"].strip(), row["title"]) == (b"The price of wool rose.", "Wool")
    (row,) = read(tmp_path, f"plain {name}", b"Subject: wool\nThe price rose.\n")
    assert row["payload"].startswith(b"Subject: wool")


@pytest.mark.parametrize(
    "head",
    [
        b"Delivered-To: b@example.org\nSubject: Tin\n",
        b"Received: from mx.example.org by example.org;\n\tThu, 4 Mar 2021\nSubject: Tin\n",
        b"Subject: Tin\r\nContent-Type: text/plain\r\n",
        b"From a@example.org Thu Mar  4 09:00:00 2021\nX-Number: 7\nSubject: Tin\n",
        b"Received: from mx.example.org\n" + b"X-Mark: no spam\n" * 400 + b"Subject: Tin\n",
    ],
)
def test_a_file_that_begins_with_the_fields_of_servers_is_a_message(tmp_path, head):
    blank = b"\r\n" if b"\r\n" in head else b"\n"
    for name in ("a.eml", "b.txt"):
        (row,) = read(tmp_path, name, head + blank + b"The mine is shut.")
        assert (row["payload"], row["title"]) == (b"The mine is shut.", "Tin")


@pytest.mark.parametrize(
    "text",
    [
        b"Note: tin\nTodo: wool\n\nAt seven.",
        b"Received: 3 May\nSubject: a form\n\nAt seven.",
        b"Subject: one field\n\nAt seven.",
        b"Content-Type: text/html\nServer: a\n\n<p>",
        b"From here on\nNote: x\nTodo: y\n\nz",
    ],
)
def test_fields_that_no_server_writes_make_no_message(tmp_path, text):
    (row,) = read(tmp_path, "a.txt", text)
    assert row["payload"] == text


def test_an_attachment_whose_base64_is_damaged_is_named(tmp_path):
    mail = message(ferry_pdf=b"%PDF-1.4 " + b"x" * 60, quay_pdf=b"%PDF-1.4 y").as_bytes()
    for damage in (b"!!!!notbase64", b"!!!!notbase6"):
        start = mail.index(b"JVBERi0xLjQg")
        rows = read(tmp_path, "a.eml", mail[:start] + damage + b"\n" + mail[mail.index(b"\n--", start) :])
        assert [(row["reason"], row["locator"], row["parent"]) for row in rows] == [
            (None, None, "<1@example.org>"),
            ("ingest.corrupt", "member=ferry.pdf", "<1@example.org>"),
            (None, "member=quay.pdf", "<1@example.org>"),
        ]
        assert rows[1]["detail"] == "the base64 of ferry.pdf does not decode"


def test_a_forwarded_mail_without_an_id_belongs_to_the_mail_around_it(tmp_path):
    seen = set()
    for number in range(2):
        inner = EmailMessage()
        inner["Subject"] = "Tin"  # alone this would be no message; its type says that it is one
        inner.set_content("The same words.")
        del inner["MIME-Version"], inner["Content-Type"], inner["Content-Transfer-Encoding"]
        outer = message("See below.")
        outer.replace_header("Message-ID", f"<{number}@example.org>")
        outer.add_attachment(inner, filename="v1.2 of it")
        rows = read(tmp_path, f"{number}.eml", outer.as_bytes())
        assert [(row["payload"].strip(), row["parent"], row["reason"]) for row in rows] == [
            (b"See below.", f"<{number}@example.org>", None),
            (b"The same words.", f"<{number}@example.org>", None),
        ]
        seen.add(rows[1]["id"])
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("text", "body", "title"),
    [
        (b"Subject: Tin\nTo: b@example.org\n\nThe mine is shut.", b"The mine is shut.", "Tin"),
        (b"To: b@example.org\r\n\r\nShut.", b"Shut.", None),
        (b"Subject: Tin,\n wool and lead\nTo: b@example.org", b"", "Tin, wool and lead"),
        (b"From: Ann\nTo: Bob\n\nShut.", b"Shut.", None),
        (b"Dear Bob,\n\nSubject: tin", b"Dear Bob,\n\nSubject: tin", None),
        (b"Note: tin\nTodo: wool\n\nx", b"Note: tin\nTodo: wool\n\nx", None),
        (b"To whom it may concern:\n\nx", b"To whom it may concern:\n\nx", None),
    ],
)
def test_a_file_that_is_named_as_a_mail_needs_one_field_that_people_fill_in(tmp_path, text, body, title):
    (row,) = read(tmp_path, "a.eml", text)
    assert (row["payload"], row["title"]) == (body, title)
    (row,) = read(tmp_path, "a.txt", text)
    assert row["payload"] == text


def test_mail_that_names_no_encoding_or_a_wrong_one_is_read(tmp_path):
    for said in (b"", b"; charset=utf-8", b"; charset=x-unknown"):
        head = (
            b"Subject: Tin\nMIME-Version: 1.0\nContent-Type: text/plain%s\nContent-Transfer-Encoding: 8bit\n\n" % said
        )
        (row,) = read(tmp_path, "a.eml", head + "Käse für Jürgen, à bientôt".encode("cp1252"))
        assert row["payload"].decode() == "Käse für Jürgen, à bientôt"


def test_hidden_members_are_counted_and_read_when_asked_for(tmp_path):
    names = ("a.txt", "__MACOSX/._a.txt", ".DS_Store", "deep/.git/HEAD", "./b.txt", "deep/..c.txt", "deep.d/e.txt")
    data, tally = zip_of({name: b"Tin." for name in names}), Tally()
    rows = read(tmp_path, "a.zip", data, tally)
    assert [row["locator"] for row in rows] == [
        f"member={name}" for name in ("a.txt", "b.txt", "deep/..c.txt", "deep.d/e.txt")
    ]
    assert tally.skipped == {"member_hidden": 3}
    (row,) = read(tmp_path, "a.zip", data, members=["deep/.git/*"])
    assert row["locator"] == "member=deep/.git/HEAD"
