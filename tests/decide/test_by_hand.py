"""Reviews and lists of ids: what a person says of a document holds, is counted, and is told with its reason."""

import json

import pytest

import pipeline
from pipeline.__main__ import main as command
from pipeline.decide.by_hand import read_lists
from pipeline.errors import UsageError
from tests.faults.tiny import write_recipe


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A recipe, and its run without lists."""
    folder = tmp_path_factory.mktemp("hand")
    recipe = write_recipe(folder)
    return recipe, pipeline.run_recipe(str(recipe), out=str(folder / "before"), to="apply", ray="none")


def written(folder, lines) -> str:
    (folder / "review.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder / "review.jsonl")


def test_what_a_person_says_of_a_document_holds(made, tmp_path, capsys):
    recipe, before = made
    ids = {name: [row["id"] for row in before.documents(**how)] for name, how in {
        "kept": {"verdict": "kept"}, "short": {"rule": "gopher.min_num_words"}, "copy": {"rule": "exact.duplicate"},
        "damaged": {"verdict": "quarantined"},
    }.items()}  # fmt: skip
    (short, *_), (copy, *_), (damaged, *_) = ids["short"], ids["copy"], ids["damaged"]
    other = before.explain(copy)["survivor"]["id"]
    dropped, wrong, listed, both = [own for own in ids["kept"] if own != other][:4]
    said = {"who": "anna", "when": "2026-01-01T00:00:00+00:00"}
    lines = [
        {"id": dropped, "review": "keep", **said},
        {"id": dropped, "review": "drop", "why": "an advert", **said},
        {"id": wrong, "review": "wrong", "verdict": "kept"},
        {"id": short, "review": "wrong", "verdict": "removed", "why": "short and good", **said},
        {"id": copy, "review": "keep"},
        {"id": both, "review": "keep"},
        {"id": damaged, "review": "keep"},
        {"id": "0" * 32, "review": "drop"},
    ]
    (tmp_path / "ids.txt").write_text(f"# left out\n{listed}\n{both}\n\n{'1' * 32}\n{listed}\n")
    told = {"overrides": written(tmp_path, lines), "exclude_ids": str(tmp_path / "ids.txt")}
    told["select"] = {"where": f"id <> '{short}'"}
    run = pipeline.run_recipe(str(recipe), set=told, out=str(tmp_path / "out"), to="apply", ray="none")
    verdicts = {row["id"]: (row["verdict"], row["reasons"]) for row in run.documents()}
    was = {row["id"]: (row["verdict"], row["reasons"]) for row in before.documents()}
    changed = {
        dropped: ("removed", ["overrides.drop"]),
        wrong: ("removed", ["overrides.drop"]),
        listed: ("removed", ["exclude_ids.listed"]),
        both: ("removed", ["exclude_ids.listed"]),
        short: ("kept", []),
        copy: ("kept", []),
        other: ("removed", ["exact.duplicate"]),
    }
    assert verdicts == was | changed, "and everything else stays, the damaged record too"
    account = run.explain(short)
    assert account["verdict"]["readmitted"] == ["gopher.min_num_words"]
    assert account["by_hand"][0]["why"] == "short and good"
    assert run.explain(other)["verdict"]["duplicate_of"] == copy
    assert command(["explain", dropped, "--run", str(tmp_path / "out")]) == 0
    assert "overrides: drop; an advert (anna, 2026-01-01T00:00:00+00:00)" in capsys.readouterr().out
    words = ["whatif", "gopher.min_num_words=20", "--run", str(tmp_path / "out"), "--json"]
    assert command(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["before"]["first_reasons"] == answer["after"]["first_reasons"], "whatif knows the lists"
    assert len(run.documents(rule="exclude_ids")) == 2


def test_it_says_how_many_ids_match_and_the_reasons(made, tmp_path, capsys):
    recipe, before = made
    own = next(iter(before.documents(verdict="kept")))["id"]
    path = written(tmp_path, [{"id": own, "review": "drop", "why": "an advert"}, {"id": "x", "review": "keep"}])
    from pipeline.run import main

    words = [str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--to", "apply", "--json"]
    assert main([*words, "--set", f"overrides={path}"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "overrides: 1 of 2 ids are documents of this run; 1 match no document" in result["notes"]
    assert any(note.startswith(f"overrides: {own[:12]} drop: an advert") for note in result["notes"])
    assert sum(result["documents"][name] for name in ("kept", "removed", "quarantined")) == result["documents"]["in"]
    assert main([*words, "--set", f"overrides={path}"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(again["steps"].values()) == {"reused: did not change"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: no JSON"),
        ("[1]", "line 1: expected an object with an id"),
        ('{"id": "a", "review": "kep"}', "did you mean keep"),
        ('{"id": "a", "review": ["keep"]}', "did you mean keep"),
        ("[" * 100_000, "line 1: no JSON"),
        ('{"id": "a", "review": "wrong"}', "wrong needs the verdict"),
        ('{"id": "a", "review": "wrong", "verdict": "quarantined"}', "wrong needs the verdict"),
    ],
)
def test_a_damaged_review_is_refused_before_anything_runs(tmp_path, line, said):
    (tmp_path / "review.jsonl").write_text(line + "\n")
    with pytest.raises(UsageError, match=said):
        read_lists({"overrides": str(tmp_path / "review.jsonl")})


def test_a_list_that_cannot_be_read_is_refused(tmp_path, made):
    with pytest.raises(UsageError, match="exclude_ids: /nowhere: No such file"):
        read_lists({"exclude_ids": "/nowhere"})
    (tmp_path / "ids.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"exclude_ids: .*decode"):
        read_lists({"exclude_ids": str(tmp_path / "ids.txt")})
    (tmp_path / "ids.txt").write_text("id,url\n")
    with pytest.raises(UsageError, match="line 1: expected an id"):
        read_lists({"exclude_ids": str(tmp_path / "ids.txt")})
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbf" + b"AB" * 16 + b"  # an advert\r\n")
    assert read_lists({"exclude_ids": str(tmp_path / "ids.txt")})["exclude_ids"]["id"].to_pylist() == ["ab" * 16]
    (tmp_path / "r.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "a", "review": "drop", "why": "\\ud800"}\r\n')
    assert read_lists({"overrides": str(tmp_path / "r.jsonl")})["overrides"]["why"].to_pylist() == ["?"]
    with pytest.raises(UsageError, match="overrides: /nowhere: No such file"):
        pipeline.run_recipe(str(made[0]), set={"overrides": "/nowhere"}, out=str(tmp_path / "out"), ray="none")
