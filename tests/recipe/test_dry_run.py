"""`--dry-run` refuses what a run would refuse before it reads: missing paths, wrong kinds, unknown presets, all at once."""

import json
import os

import pytest

from pipeline.run import main

RECIPE = """\
name: tiny
use: here
sources:
  here:
    - {name: pages, kind: jsonl, path: %s, role: domain, licence: CC0-1.0}
    - {name: more, kind: auto, path: %s, role: general, licence: CC0-1.0}
curate:
  - exact
"""


@pytest.fixture
def dry_run(tmp_path, capsys):
    def run(pages, more, *sets, recipe=RECIPE):
        path = tmp_path / "r.yaml"
        path.write_text(recipe % (pages, more))
        code = main([str(path), "--dry-run", "--json", *(word for one in sets for word in ("--set", one))])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.jsonl").write_text('{"text": "a"}\n')
    return data


def test_a_right_recipe_is_planned_and_remote_folders_are_not_listed(dry_run, folder):
    for more in (folder, folder / "a.jsonl", folder / "*.jsonl", f"file://{folder}", "s3://bucket/pages"):
        code, out, _ = dry_run(folder, more)
        assert code == 0
        assert json.loads(out)["sources"][1]["from"] == str(more)


def test_missing_paths_are_named_all_at_once(dry_run, folder):
    (folder / "finance").mkdir()
    code, out, err = dry_run(folder / "finanse", folder / "b.jsonl")
    assert code == 2
    assert json.loads(out)["exit"] == 2
    assert f"source pages: {folder}/finanse does not exist; did you mean {folder}/finance?" in err
    assert f"source more: {folder}/b.jsonl does not exist; did you mean {folder}/a.jsonl?" in err


def test_files_of_no_kind_are_refused(dry_run, folder, tmp_path):
    other = tmp_path / "pictures"
    other.mkdir()
    code, _, err = dry_run(folder, other)
    assert (code, "source more: no file of kind auto" in err) == (2, True)
    assert "it is empty" in err
    (other / "x.png").write_bytes(b"png")
    code, _, err = dry_run(other, other)
    assert code == 2
    assert err.count("it holds x.png") == 2


@pytest.mark.parametrize(
    ("pattern", "nearest"), [("*.json1", ".jsonl"), ("*.jsnl", ".jsonl"), ("?.jsonl.gz", ".jsonl")]
)
def test_a_pattern_that_matches_nothing_says_which_endings_are_there(dry_run, folder, pattern, nearest):
    (folder / "x.png").write_bytes(b"png")
    code, _, err = dry_run(f"'{folder}/{pattern}'", folder)
    assert code == 2
    assert f"no file of kind jsonl in {folder}/{pattern}; {folder} holds files ending in .jsonl, .png" in err
    assert f"did you mean {nearest}?" in err
    assert "empty" not in err


def test_a_file_without_permission_is_named(dry_run, folder, monkeypatch):
    asked = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith(".jsonl") and asked(path, mode))
    code, _, err = dry_run(folder, folder)
    assert code == 2
    assert f"source pages: no permission to read {folder}/a.jsonl" in err


def test_files_of_judges_are_looked_at_too(dry_run, folder):
    judge = "{quality: {positives: {files: [/nowhere/a.jsonl]}, negatives: {sources: [pagse]}}}"
    code, _, err = dry_run(folder / "none", folder, f"curate=[{judge}]")
    assert code == 2
    assert "source pages:" in err
    assert "curate.quality.negatives.sources: no source 'pagse' in sources.here; did you mean pages?" in err
    assert "/nowhere/a.jsonl does not exist" in err


@pytest.mark.parametrize("path", ["size.preset", "pretrain.model.preset"])
def test_an_unknown_preset_is_refused(dry_run, folder, path):
    for wrong, nearest in (("tinny", "tiny"), ("bertbase", "bert-base"), ("gpt_2", "gpt2")):
        code, _, err = dry_run(folder, folder, f"{path}={wrong}")
        assert code == 2
        assert f"{path} no preset named '{wrong}'; did you mean {nearest}?" in err
    assert dry_run(folder, folder, f"{path}=tiny")[0] == 0
