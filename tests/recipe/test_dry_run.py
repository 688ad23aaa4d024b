"""`--dry-run` refuses what a run would refuse before it reads: missing paths, wrong kinds, unknown presets, all at once."""

import json
import os

import pytest

from pipeline.core import sealed
from pipeline.core.run_folder import RECIPE as RECIPE_FILE
from pipeline.core.store import Store
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
    def run(pages, more, *sets, recipe=RECIPE, out=tmp_path / "out", shown="--json"):
        path = tmp_path / "r.yaml"
        path.write_text(recipe % (pages, more))
        code = main(
            [str(path), "--dry-run", shown, "--out", str(out), *(word for one in sets for word in ("--set", one))]
        )
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


def test_a_source_of_nothing_but_empty_files_is_refused(dry_run, folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "one.jsonl").touch()
    code, _, err = dry_run(folder, empty)
    assert code == 2
    assert "source more" in err
    assert "one.jsonl has no bytes" in err
    (empty / "two.jsonl").write_text('{"text": "b"}\n')
    assert dry_run(folder, empty)[0] == 0


def test_a_folder_that_a_run_cannot_use_is_refused(dry_run, folder, tmp_path):
    for out in (folder / "a.jsonl", folder / "a.jsonl/deeper"):
        code, _, err = dry_run(folder, folder, out=out)
        assert code == 2
        assert "a.jsonl is not a folder" in err
    held = Store(str(tmp_path / "held"))
    sealed.write(held, RECIPE_FILE, {"name": "another"})
    code, _, err = dry_run(folder, folder, out=held.root)
    assert code == 2
    assert "holds the run of the recipe 'another'" in err
    assert dry_run(folder, folder, "name=another", out=held.root)[0] == 0


def test_a_scheme_whose_library_is_missing_is_refused(dry_run, folder, monkeypatch):
    def missing(url):
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    problem = dry_run(folder, "gcs://bucket/pages", out=folder / "out")[2]
    assert "source more: gcs://bucket/pages: gcs:// cannot be opened" in problem


def test_disk_is_estimated_from_the_inputs(dry_run, folder):
    (folder / "b.jsonl").write_text('{"text": "b"}\n' * 70_000)
    (folder / "c.jsonl.gz").write_bytes(b"\x1f\x8b" + b"\0" * 500_000)
    code, out, _ = dry_run(folder / "a.jsonl", folder)
    assert code == 0
    size = json.loads(out)["disk"]
    assert size["inputs"] == 14 + 14 + 14 * 70_000 + 500_002
    assert size["run_folder"] == 2 * (14 + 14 + 14 * 70_000 + 4 * 500_002)
    assert size["free"] > 0
    shown = dry_run(folder / "a.jsonl", folder, shown="--no-train")[1]
    assert "disk: about 5.96 MB for 1.48 MB of local inputs" in " ".join(shown.split())
