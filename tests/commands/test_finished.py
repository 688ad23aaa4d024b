"""`diff`, `explain` of a survivor, `clean`, and who may read a run folder, on finished tiny runs."""

import json
import os
import shutil
import stat

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.ask.diff import leaves
from pipeline.core.run_folder import open_run
from pipeline.core.store import Store
from pipeline.run import main as run
from tests.faults.tiny import write_recipe


@pytest.fixture
def runs(tiny_runs):
    """Two finished runs that differ in one threshold."""
    return tiny_runs


def asked(capsys, *words) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_diff_says_which_setting_rule_and_source(runs, capsys):
    found = asked(capsys, "diff", runs / "one", runs / "two")
    assert found["settings"] == [{"path": "curate.gopher.min_num_words", "before": 20, "after": 204}]
    changed = found["documents"]["kept → removed"]
    assert changed > 0
    assert found["changes"]["kept → removed"]["rules"] == {"+gopher.min_num_words": changed}
    assert sum(found["changes"]["kept → removed"]["sources"].values()) == changed
    tokens = found["pretokens"]["kept → removed"]
    assert found["changes"]["kept → removed"]["rules_pretokens"] == {"+gopher.min_num_words": tokens}
    assert sum(found["changes"]["kept → removed"]["sources_pretokens"].values()) == tokens > changed
    back = asked(capsys, "diff", runs / "two", runs / "one")["changes"]["removed → kept"]
    assert back["rules"] == {"-gopher.min_num_words": changed}
    same = asked(capsys, "diff", runs / "one", runs / "one")
    assert (same["settings"], same["changes"], same["examples"]) == ([], {}, {})
    assert main(["diff", str(runs / "one"), str(runs / "two")]) == 0
    shown = capsys.readouterr().out
    assert "setting curate.gopher.min_num_words: 20 → 204" in shown
    assert "by rule +gopher.min_num_words" in shown


def test_settings_of_lists_go_by_name():
    recipe = {
        "curate": ["exact", {"pii": {"names": "list"}}],
        "sources": {"a": [{"name": "web", "path": "x"}]},
        "n": [1, 2],
    }
    assert dict(leaves(recipe)) == {
        "curate.exact": {},
        "curate.pii.names": "list",
        "sources.a.web.name": "web",
        "sources.a.web.path": "x",
        "n": [1, 2],
    }


def test_a_survivor_lists_its_copies(runs, capsys):
    out = runs / "one"
    opened = open_run(str(out))
    verdicts = [row for shard in opened.shards for row in opened.verdicts(shard).to_pylist()]
    (copy,) = [row for row in verdicts if row["duplicate_of"]]
    (found,) = asked(capsys, "explain", copy["duplicate_of"], "--run", out)["documents"]
    assert found["copies"] == 1
    assert [(one["id"], one["source"]) for one in found["first_copies"]] == [(copy["id"], "web")]
    (other,) = asked(capsys, "explain", copy["id"], "--run", out)["documents"]
    assert "copies" not in other
    assert main(["explain", copy["duplicate_of"], "--run", str(out)]) == 0
    assert "stands for 1 removed copy" in capsys.readouterr().out


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_run_folder_is_its_owners_alone(runs, tmp_path):
    assert mode(runs / "one") == 0o700
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    open_to_all.chmod(0o755)
    Store(str(open_to_all)).put("a", b"")
    assert mode(open_to_all) == 0o755  # what its user made stays as it is
    Store(str(tmp_path / "deep/er")).put("b/c", b"")
    assert mode(tmp_path / "deep/er") == 0o700
    assert mode(tmp_path / "deep") != 0o700


def test_clean_says_what_is_lost_and_keeps_what_is_opened(runs, tmp_path, capsys):
    out = shutil.copytree(runs / "two", tmp_path / "two")
    kept = {
        path.relative_to(out) for path in out.rglob("*") if path.is_file() and "work" not in path.relative_to(out).parts
    }
    rows = sum(pq.read_metadata(file).num_rows for file in (out / "corpus/kept").rglob("*.parquet"))
    said = asked(capsys, "clean", "--run", out)
    assert not said["deleted"]
    assert said["bytes"] > 0
    assert main(["clean", "--run", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "What is lost" in shown
    assert "--yes" in shown
    assert (out / "work/ledger").is_dir()
    assert asked(capsys, "clean", "--run", out, "--yes")["files"] == said["files"]
    left = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert {path for path in left if "work" not in path.parts} == kept
    assert [path.name for path in (out / "work").iterdir()] == ["recipe.json"]
    assert sum(pq.read_metadata(file).num_rows for file in (out / "corpus/kept").rglob("*.parquet")) == rows > 0
    assert main(["clean", "--run", str(out)]) == 2
    assert "no run is recorded here" in capsys.readouterr().err


def test_clean_refuses_a_run_that_has_published_nothing(tmp_path, capsys):
    recipe = write_recipe(tmp_path)
    assert run([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--to", "decide", "--json"]) == 0
    capsys.readouterr()
    assert main(["clean", "--run", str(tmp_path / "out"), "--yes"]) == 2
    assert "has not published" in capsys.readouterr().err
    assert (tmp_path / "out" / "work/ledger").is_dir()
