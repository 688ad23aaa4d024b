"""`inspect` and `explain` on a tiny run: what each filter lets through, and how a document is named."""

import json

import pytest

from pipeline.__main__ import main
from pipeline.run import main as run
from tests.faults.tiny import text, write_recipe

URLS = {"n0": "https://www.bank.example/a/0", "n1": "https://bank.example/a/1", "w0": "https://court.example/b/0"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asking")
    recipe = write_recipe(folder)
    for name in ("news", "web"):
        path, lines = folder / f"{name}.jsonl", []
        for line in path.read_text().splitlines():
            row = json.loads(line) if "broken" not in line else {}
            lines.append(json.dumps(row | {"url": URLS[row["id"]]}) if row.get("id") in URLS else line)
        path.write_text("\n".join(lines) + "\n")
    (folder / "web.jsonl").rename(folder / "crawl-7.jsonl")
    (folder / "web.jsonl").write_text(json.dumps({"id": "alone", "text": text(777)}) + "\n")
    more = f"    - {{name: crawl, kind: jsonl, path: {folder}/crawl-7.jsonl, role: general, licence: CC0-1.0}}\ncurate:"
    recipe.write_text(recipe.read_text().replace("curate:", more))
    assert run([str(recipe), "--out", str(folder / "out"), "--ray", "none", "--to", "apply", "--json"]) == 0
    return folder / "out"


@pytest.fixture
def inspected(out, capsys):
    def ask(*words: str, limit: int = 99) -> list[dict]:
        capsys.readouterr()
        assert main(["inspect", "--run", str(out), "--json", "--limit", str(limit), *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def refused(words: list[str], out, capsys) -> str:
    capsys.readouterr()
    assert main([*words, "--run", str(out)]) == 2
    return capsys.readouterr().err


def test_json_is_a_line_a_document_with_its_signals(inspected, out, capsys):
    rows = inspected()
    assert len({row["id"] for row in rows}) == len(rows) == 21
    for name in ("url", "path", "source", "role", "stage", "rule", "reasons", "duplicate_of", "similarity", "text"):
        assert all(name in row for row in rows)
    assert {row["verdict"] for row in rows} == {"kept", "removed", "quarantined"}
    (mail,) = [row for row in rows if "Write to" in row["text"]]
    assert "ann@" not in mail["text"]
    capsys.readouterr()
    assert main(["explain", mail["id"], "--run", str(out), "--json"]) == 0
    (explained,) = json.loads(capsys.readouterr().out)["documents"]
    assert mail["signals"] == explained["signals"]
    assert mail["signals"]["pii"]["spans"] == 1


def test_limit_counts_across_shards(inspected):
    whole = inspected()
    assert inspected(limit=15) == whole[:15]
    assert inspected(limit=0) == []


def test_host(inspected, out, capsys):
    assert [row["url"] for row in inspected("--host", "BANK.example")] == [URLS["n1"]]
    assert [row["url"] for row in inspected("--host", "*.bank.example")] == [URLS["n0"]]
    assert "no such host; did you mean court.example?" in refused(["inspect", "--host", "curt.example"], out, capsys)


def test_grep_reads_the_published_text(inspected, out, capsys):
    assert len(inspected("--grep", "Too short.")) == 1
    assert inspected("--grep", "too SHORT.") == []
    assert len(inspected("--grep", "too SHORT.", "--ignore-case")) == 1
    assert inspected("--grep", "ann@mail.example.org") == []
    assert "give --grep TEXT too" in refused(["inspect", "--ignore-case"], out, capsys)


def test_a_sample_is_the_same_every_time_and_grows_by_addition(inspected):
    five = inspected("--sample", "5", limit=1)
    assert len(five) == 5
    assert five == inspected("--sample", "5")
    assert five != inspected(limit=5)
    assert {row["id"] for row in five} < {row["id"] for row in inspected("--sample", "9")}
    assert {row["source"] for row in inspected("--sample", "3", "--source", "news")} == {"news"}


def test_near_takes_both_sides_nearest_first(inspected, out, capsys):
    every = [row["signals"]["gopher"]["num_words"] for row in inspected() if row["signals"]["gopher"]["num_words"]]
    middle = sorted(every)[len(every) // 2]
    rows = inspected("--near", f"gopher.num_words={middle}", limit=2)
    numbers = [row["signals"]["gopher"]["num_words"] for row in rows]
    below, above = [n for n in every if n < middle], [n for n in every if n >= middle]
    assert sorted(numbers) == [*sorted(below)[-2:], *sorted(above)[:2]]
    assert numbers == sorted(numbers, key=lambda number: abs(number - middle))
    capsys.readouterr()
    assert main(["inspect", "--run", str(out), "--near", f"gopher.num_words={middle}", "--limit", "1"]) == 0
    assert f"gopher.num_words={middle}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("gopher.num_word=3", "did you mean gopher.num_words?"),
        ("goffer.num_words=3", "did you mean gopher.num_words?"),
        ("gopher.num_words=many", "expected a number after gopher.num_words="),
        ("gopher.num_words", "expected a number after gopher.num_words="),
    ],
)
def test_near_answers_a_mistake(asked, said, out, capsys):
    assert said in refused(["inspect", "--near", asked], out, capsys)


@pytest.mark.parametrize("part", ["whole", "file name", "bank.example/a/1", "court"])
def test_explain_finds_by_path_file_name_and_part(part: str, out, capsys):
    asked = {"whole": str(out.parent / "web.jsonl"), "file name": "web.jsonl"}.get(part) or part
    capsys.readouterr()
    assert main(["explain", asked, "--run", str(out), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["documents"]
    if part in ("whole", "file name"):
        assert one["text"] == text(777)
    else:
        assert part in one["document"]["url"]


def test_explain_lists_the_first_of_several(out, capsys):
    said = refused(["explain", "crawl-7.jsonl"], out, capsys)
    assert "10 documents match 'crawl-7.jsonl'" in said
    assert said.count("(") == 5
    assert "no URL or path contains it" in refused(["explain", "nowhere"], out, capsys)


def test_a_rule_may_be_a_stage_or_a_kind_of_span(inspected, out, capsys):
    by_stage = inspected("--rule", "exact")
    assert by_stage == inspected("--rule", "exact.duplicate")
    assert len(by_stage) == 1
    (masked,) = inspected("--rule", "pii.email")
    assert masked["verdict"] == "kept"
    assert "Write to" in masked["text"]
    assert inspected("--rule", "pii.email", "--verdict", "removed") == []
    for asked, said in (
        ("pii.phone", ""),
        ("minhash", "no document was hit by"),
    ):
        capsys.readouterr()
        assert main(["inspect", "--run", str(out), "--rule", asked]) == 0
        assert said in capsys.readouterr().err
    assert "pii has no such rule; did you mean pii.email?" in refused(["inspect", "--rule", "pii.emial"], out, capsys)
    assert "no such stage; did you mean extract?" in refused(["inspect", "--rule", "extrat.x"], out, capsys)


@pytest.mark.parametrize("option", ["--sql", "--rule", "--source", "--host", "--grep", "--near", "--export"])
def test_an_empty_option_is_not_left_out(option: str, out, capsys):
    assert option in refused(["inspect", option, ""], out, capsys)


def test_files_are_asked_with_the_same_conditions(inspected, out, capsys):
    assert [row["path"] for row in inspected("--files", "--sql", "path like 'crawl%'")] == ["crawl-7.jsonl"]
    assert [row["path"] for row in inspected("--files", "--source", "news")] == ["news.jsonl"]
    for words, said in (
        (["--sql", "pth = 'x'"], "no such column: pth; did you mean path?"),
        (["--sql", "cast(path as int) > 3"], "Could not convert"),
        (["--source", "nwes"], "did you mean news"),
        (["--grep", "x"], "--files lists files, which have no grep"),
    ):
        assert said in refused(["inspect", "--files", *words], out, capsys)


@pytest.mark.parametrize("nothing", ["", "  "])
def test_explain_wants_a_name(nothing: str, out, capsys):
    assert "name a document" in refused(["explain", nothing], out, capsys)
