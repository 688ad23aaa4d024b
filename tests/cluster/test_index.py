"""The index of a finished run as an input of the next, end to end."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.errors import UsageError
from tests.apply.test_repeats import prose
from tests.cluster.runs import kept, run_small, verdicts, write_source

SOURCE = {"web": "role: general"}
MORE = "tokenizer: {vocab_size: 300}\ncluster: {index: INDEX}"


def against(*folders) -> str:
    return MORE.replace("INDEX", json.dumps([str(folder) for folder in folders]))


def long(topic: int, ending: str = "") -> str:
    return f"{prose(topic, 150)} {ending}".strip()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run: a and b are new, b2 copies b, short is removed by a rule."""
    folder = tmp_path_factory.mktemp("first")
    write_source(folder, "web", {"a": long(1), "b": long(2), "b2": long(2, "again"), "short": "too short"}, files=2)
    return run_small(folder, folder / "run", SOURCE, more=against(), to="publish")


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    """The next dump against the first run, at a higher priority: that does not help it."""
    folder = tmp_path_factory.mktemp("second")
    documents = {
        "copy": long(1), "near": long(2, "once more"), "new": long(3), "twin": long(3, "twice"), "short2": "too short",
    }  # fmt: skip
    write_source(folder, "web", documents, files=3)
    more = against(first.store.root)
    return run_small(folder, folder / "run", {"web": "role: domain, priority: 9"}, more=more, to="publish")


def test_a_document_of_the_index_always_wins(first, second):
    found = verdicts(second)
    assert found["copy"]["reasons"] == ["exact.in_index"]
    assert found["near"]["reasons"] == ["minhash.in_index"]
    assert found["near"]["similarity"] > 0.8
    before = verdicts(first)
    assert found["copy"]["duplicate_of"] == before["a"]["id"]
    stays = [own for own in ("b", "b2") if before[own]["verdict"] == "kept"]
    assert found["near"]["duplicate_of"] == before[stays[0]]["id"]
    assert len(kept(second) & {"new", "twin"}) == 1
    assert second.commits("decide")["all"].counts["delta"] == {
        "documents": 5, "removed_in_index": 2, "removed_among_themselves": 1, "new": 2,
    }  # fmt: skip


def test_what_the_earlier_run_removed_keeps_nothing_out(second):
    assert verdicts(second)["short2"]["reasons"] == ["gopher.min_num_words"]


def test_explain_names_the_survivor_in_the_earlier_run(first, second, capsys):
    assert main(["explain", "https://near.example/", "--run", second.store.root, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["documents"]
    assert found["survivor"]["run"] == first.store.root
    assert found["survivor"]["jaccard"] > 0.9
    assert found["survivor"]["diff_lines"] == 1
    assert main(["explain", "https://copy.example/", "--run", second.store.root]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert f"staysinstead:https://a.example/in{first.store.root}" in shown


def test_whatif_knows_the_index(second, capsys):
    assert main(["whatif", "gopher.min_num_words=5", "--run", second.store.root, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["before"] == found["after"]


def test_an_index_brings_along_what_it_was_made_against(first, second, tmp_path):
    write_source(tmp_path, "web", {"old": long(1), "middle": long(3), "fresh": long(9)})
    third = run_small(tmp_path, tmp_path / "run", SOURCE, more=against(second.store.root))
    assert kept(third) == {"fresh"}
    assert {found.root for found in third.indexes} == {first.store.root, second.store.root}


def test_fingerprints_hold_the_index_by_its_digest(first, second, tmp_path):
    folder = second.recipe.chosen[0].path.removesuffix("/web")
    moved = tmp_path / "moved"
    shutil.copytree(first.store.root, moved)
    again = run_small(
        Path(folder), Path(second.store.root), {"web": "role: domain, priority: 9"}, more=against(moved), to="decide"
    )
    assert again.runner.reasons["cluster"] == again.runner.reasons["decide"] == "reused: did not change"
    without = run_small(
        Path(folder), Path(second.store.root), {"web": "role: domain, priority: 9"}, more=against(), to="decide"
    )
    assert without.runner.reasons["cluster"] == "ran: its input changed"
    assert "copy" in kept(without, "decide")


def test_mistakes_are_named(first, tmp_path):
    write_source(tmp_path, "web", {"one": long(5)})
    with pytest.raises(UsageError, match="nothing holds no run"):
        run_small(tmp_path, tmp_path / "run", SOURCE, more=against(tmp_path / "nothing"))
    run_small(tmp_path, tmp_path / "unfinished", SOURCE, to="decide")
    with pytest.raises(UsageError, match="unfinished has no index"):
        run_small(tmp_path, tmp_path / "run", SOURCE, more=against(tmp_path / "unfinished"))
    with pytest.raises(UsageError, match=r"made with minhash seed 1, this run has 2: keys would not meet"):
        run_small(tmp_path, tmp_path / "run", SOURCE, more=against(first.store.root), minhash="{seed: 2}")
    with pytest.raises(UsageError, match="is the folder of this run"):
        run_small(tmp_path, tmp_path / "run", SOURCE, more=against(tmp_path / "run"))
    assert not (tmp_path / "run" / "documents").exists(), "said before anything is read"


def test_a_dry_run_says_it_too(tmp_path, capsys):
    from pipeline.run import main

    recipe = str(Path(__file__).resolve().parents[2] / "recipes/finance.yaml")
    index = f"cluster.index=[{tmp_path}/nothing]"
    assert main([recipe, "--set", index, "--dry-run", "--out", str(tmp_path / "run")]) == 2
    assert "nothing holds no run" in capsys.readouterr().err


def test_the_index_does_not_depend_on_how_it_is_found(first):
    commits = first.commits("index")
    assert set(commits) == set(first.shards)
    rows = [row for c in commits.values() for row in first.store.read_table(c.files["table"].path).to_pylist()]
    ids = {row["id"]: row["kept"] for row in rows}
    assert ids == {row["id"]: row["verdict"] == "kept" for row in verdicts(first).values()}
