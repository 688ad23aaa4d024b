"""The account of files: every file of a source once, with what became of it."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main as command
from pipeline.errors import UsageError
from pipeline.ingest.account import FileSums, sums
from pipeline.ingest.content import content_of
from pipeline.ingest.files import list_inputs, survey
from pipeline.ingest.source import Source
from pipeline.run import main
from tests.extract.documents import docx_of, paragraph

PROSE = "The ferry leaves the northern quay at seven, and the last one returns a little after midnight on most days.\n"


def run(tmp_path, source: Path, *more: str, out: str = "out", **settings) -> tuple[int, Path]:
    """A run over a folder up to extract."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        json.dumps(
            {
                "name": "t",
                "use": "a",
                "sources": {"a": [{"name": "s", "path": str(source), **settings}]},
                "curate": ["exact"],
            }
        )
    )
    folder = tmp_path / out if not os.path.isabs(out) else Path(out)
    return main([str(recipe), "--out", str(folder), "--ray", "none", "--to", "extract", "--json", *more]), folder


def account(folder: Path, capsys) -> dict[str, dict]:
    """`inspect --files --json` by path."""
    capsys.readouterr()
    assert command(["inspect", "--run", str(folder), "--files", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row for row in rows}


def test_every_file_is_a_line_with_its_outcome(tmp_path, capsys):
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_text(PROSE)
    (source / "NOTES").write_text(PROSE + "No ending.")
    (source / "scan.dat").write_bytes(b"MM\0*" + bytes(5000))
    (source / "deep/film.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    (source / "page.pdf.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (source / "old.txt").write_text(PROSE)
    (source / "tool.py").write_text("print()")
    (source / "void.jsonl").write_bytes(b"")
    (source / "bad.jsonl").write_text('{"txt": 1}\n')
    (source / ".DS_Store").write_bytes(b"x")
    (source / "memo.docx").write_bytes(
        docx_of(paragraph(PROSE) + paragraph("x").replace("<w:t>", "<w:rPr><w:vanish/></w:rPr><w:t>"))
    )
    os.symlink("/etc/hostname", source / "host.txt")
    os.symlink("gone.txt", source / "dangling.txt")
    code, folder = run(tmp_path, source, exclude=["old*"])
    assert code == 0
    rows = account(folder, capsys)
    assert {path: (row["kind"], row["outcome"]) for path, row in rows.items()} == {
        "a.txt": ("text", "read"), "NOTES": ("text", "read"), "scan.dat": ("tiff", "not read"),
        "deep/film.mkv": ("matroska", "not read"), "page.pdf.txt": ("png", "not read"), "old.txt": ("text", "excluded"),
        "tool.py": ("py", "not read"), "void.jsonl": ("jsonl", "empty"), "bad.jsonl": ("jsonl", "unreadable"),
        "memo.docx": ("docx", "read"), ".DS_Store": ("", "excluded"), "host.txt": ("link", "link"), "dangling.txt": ("link", "link"),
    }  # fmt: skip
    assert rows["old.txt"]["reason"] == "exclude: old*"
    assert rows["memo.docx"]["reason"] == "left out as hidden: 1 words"
    assert "source code (.py)" in rows["tool.py"]["reason"]
    assert "outside of the source" in rows["host.txt"]["reason"]
    assert "field 'text' is missing" in rows["bad.jsonl"]["reason"]
    assert rows["scan.dat"]["bytes"] == 5004
    assert command(["explain", "deep/film.mkv", "--run", str(folder)]) == 0
    assert "is not read: files of kind matroska are not read" in capsys.readouterr().out


def test_a_line_break_in_a_name_breaks_no_line(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/two\nlines\x85.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    (tmp_path / "in/a.txt").write_text(PROSE)
    _, folder = run(tmp_path, tmp_path / "in")
    capsys.readouterr()
    assert command(["inspect", "--run", str(folder), "--files"]) == 0
    assert "two\\nlines\\x85.mkv  matroska" in capsys.readouterr().out


def test_a_hub_cache_is_followed_into_its_blobs(tmp_path):
    snapshot = tmp_path / "models--a/snapshots/4f1e/data"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--a/blobs").mkdir()
    (tmp_path / "models--a/blobs/77aa").write_text('{"text": "x"}')
    os.symlink("../../../blobs/77aa", snapshot / "train.jsonl")
    found = survey(Source(name="s", path=str(tmp_path / "models--a/snapshots/4f1e")))
    assert ([file.path for file in found.files], found.others) == (["data/train.jsonl"], [])
    assert found.files[0].size == 13


def test_links_in_a_circle_end_nothing(tmp_path):
    (tmp_path / "a.txt").write_text(PROSE)
    os.symlink("round", tmp_path / "round")
    os.symlink("to.txt", tmp_path / "fro.txt")
    os.symlink("fro.txt", tmp_path / "to.txt")
    found = survey(Source(name="s", path=str(tmp_path)))
    assert [file.path for file in found.files] == ["a.txt"]
    assert [(other.path, other.outcome) for other in found.others] == [
        (name, "link") for name in ("fro.txt", "round", "to.txt")
    ]
    assert all("leads back to itself" in other.reason for other in found.others)


def test_links_that_lead_out_are_read_when_asked(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.txt").write_text(PROSE)
    os.symlink(tmp_path / "elsewhere", tmp_path / "in/folder")
    os.symlink(tmp_path / "in", tmp_path / "elsewhere/back")
    found = survey(Source(name="s", path=str(tmp_path / "in")))
    assert [(other.path, other.outcome) for other in found.others] == [("folder/", "link")]
    found = survey(Source(name="s", path=str(tmp_path / "in"), follow_links=True))
    assert [file.path for file in found.files] == ["folder/b.txt"], "and a link back ends there"


@pytest.mark.parametrize("name", ["minutes [2019]", "what?", "a*b", "[x", "{a}"])
def test_signs_of_patterns_in_names_are_names(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").write_text(PROSE)
    assert [file.path for file in list_inputs(Source(name="s", path=str(tmp_path / name)))] == ["a.txt"]
    assert [file.path for file in list_inputs(Source(name="s", path=str(tmp_path / name / "a.txt")))] == ["a.txt"]
    if "*" not in name:
        assert [file.path for file in list_inputs(Source(name="s", path=f"{tmp_path}/*/a.t?t"))] == [f"{name}/a.txt"]


def test_a_run_inside_its_own_source_is_never_read(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text(PROSE)
    for _ in range(3):
        code, folder = run(tmp_path, source, out=str(source / "runs/mine"))
        assert code == 0
        rows = account(folder, capsys)
        assert {path: row["outcome"] for path, row in rows.items()} == {"a.txt": "read", "runs/mine/": "excluded"}
    with pytest.raises(UsageError, match=r"is a run folder; its documents are in .*corpus/kept"):
        survey(Source(name="s", path=str(source / "runs/mine")))


def test_names_in_latin_1_are_read_and_escaped(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    with open(os.fsencode(source) + b"/r\xe9sum\xe9.txt", "w") as file:
        file.write(PROSE)
    code, folder = run(tmp_path, source)
    assert code == 0
    assert account(folder, capsys)["r\\xe9sum\\xe9.txt"]["documents"] == 1


def test_a_source_without_a_document_ends_the_run(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jsonl").write_text("".join(json.dumps({"body": PROSE, "n": 1}) + "\n" for _ in range(9)))
    code, _ = run(tmp_path, source)
    said = capsys.readouterr().err
    assert code == 2
    assert "source s" in said
    assert "field 'text' is missing" in said
    assert "the longest strings are in body" in said


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [("*.json1", r"did you mean \.jsonl\?"), ("deep/*.txt", "there is no folder"), ("*.text", r"\.txt\?")],
)
def test_a_pattern_that_matches_nothing_names_the_endings(tmp_path, pattern, hint):
    for name in ("a.jsonl", "b.jsonl", "c.txt"):
        (tmp_path / name).write_text(PROSE)
    with pytest.raises(UsageError, match=hint):
        list_inputs(Source(name="s", path=f"{tmp_path}/{pattern}"))


def test_only_files_that_are_not_read_end_the_run_with_their_kinds(tmp_path):
    for name in ("a.tiff", "b.tiff"):
        (tmp_path / name).write_bytes(b"II*\0" + bytes(30))
    with pytest.raises(UsageError, match=r"no file of kind auto in .*; it holds a.tiff, b.tiff \(2 tiff\)"):
        list_inputs(Source(name="s", path=str(tmp_path)))


def test_limits_are_said(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jsonl").write_text("".join(json.dumps({"text": f"{PROSE}{n}"}) + "\n" for n in range(9)))
    code, folder = run(tmp_path, source, max_records=4)
    assert code == 0
    row = account(folder, capsys)["a.jsonl"]
    assert (row["documents"], row["quarantined"]) == (4, 1)
    assert "only its first 4 records were read" in row["reason"]
    assert "max_records" in row["reason"]
    code, folder = run(tmp_path, source, limit=4)
    assert account(folder, capsys)["a.jsonl"]["reason"] == "only its first 4 records were read"


NAMES = ["a.txt", "b.jsonl", "c.png", "d", "e.py", "f.csv", "g.pdf", ".h.txt", "i.tar", "j.html", "k.gz", "l.warc"]
CONTENTS = [
    b"",
    PROSE.encode(),
    b'{"text": "x y z"}\n',
    b"\x89PNG\r\n\x1a\n\0\0",
    b"\0\1\2\3" * 9,
    b"<html><p>x y</p>",
    b"%PDF-1.4\n",
]
FOLDERS = ["", "one", "one/two", "one/.hidden", "[three]"]


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)), st.sampled_from(CONTENTS), max_size=14)
)
def test_files_are_conserved(tree):
    """Whatever lies in a folder: what was written = read + named otherwise, file by file and byte by byte."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "in"
        source.mkdir()
        (source / "always.txt").write_text(PROSE)
        for (folder, file), content in tree.items():
            (source / folder).mkdir(parents=True, exist_ok=True)
            (source / folder / file).write_bytes(content)
        assert run(Path(name), source)[0] == 0
        from pipeline.core.run_folder import open_run
        from pipeline.ingest.account import account_of

        table = account_of(open_run(str(Path(name) / "out")))
        paths = table["path"].to_pylist()
        written = {f"{folder}/{file}".lstrip("/"): len(content) for (folder, file), content in tree.items()}
        hidden = {path for path in written if "/.hidden/" in path}
        visible = {path for path in written if path not in hidden} | {"always.txt"}
        assert set(paths) == visible | ({"one/.hidden/"} if hidden else set())
        assert len(paths) == len(set(paths))
        found = sums(table)
        outcomes = table["outcome"].to_pylist()
        assert found.files == len(paths) == outcomes.count("read") + found.unread + found.excluded
        sizes = dict(zip(paths, table["bytes"].to_pylist(), strict=True))
        assert all(sizes[path] == size for path, size in written.items() if path in sizes)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"II*\0", "tiff"), (b"\0\0\0\x20ftypisom", "mp4"), (b"\0\0\0\x18ftypqt  ", "mov"), (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip", "epub"), (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml word/document.xml", "docx"),
        (b"PK\x03\x04" + bytes(26) + b"password/a.txt", "zip"), (b"{\\rtf1\\ansi", "rtf"), (b"SQLite format 3\0", "sqlite"),
        (b"BMW sold more cars", "text"), (b"ORCs are", "text"), (b"MZungu is a word", "text"), (b"ID3 is a decision tree", "text"),
        (bytes(range(1, 256)) * 3, "binary"), ("Ça va".encode("latin-1") * 9, "text"), (b"\x1b$B%F\x1b(B\f\n" * 9, "text"),
        (b"ID3\x03\0\0\0", "mp3"), (b"\x1f\x8b\x08\0", "gz"), (b"Rar!\x1a\x07", "rar"), (bytes(128) + b"DICM", "dicom"),
    ],
)  # fmt: skip
def test_kind_by_content(head, kind):
    assert content_of(head) == kind


def test_the_sentence_counts_what_was_not_read():
    assert FileSums(31, 60_000_000, 0, 9, 4_100_000, {"tiff": 5, "mp4": 4}).sentence() == (
        "9 of 31 files, 4.1 MB of 60 MB, not read: 5 tiff, 4 mp4"
    )
    assert FileSums(3, 1200, 1).sentence() == "all 2 files read, 1.2 kB (1 more excluded)"
