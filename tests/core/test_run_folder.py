"""The run folder: what a user opens lies on top and holds exactly the last finished run; a folder belongs to one recipe."""

import json
import os
import re
import signal
from typing import ClassVar

import fsspec
import pandas as pd
import pyarrow.dataset as ds
import pytest

from pipeline.__main__ import main as command
from pipeline.core import sealed
from pipeline.core.reads import Digest, PinnedFile, Values, from_json, identities, to_json
from pipeline.core.run_folder import claim, open_run
from pipeline.core.store import FileInfo, Store
from pipeline.errors import UsageError
from pipeline.flow import STAGES
from pipeline.ingest.files import InputFile
from pipeline.recipe.model import load, rebuilt
from pipeline.run import end_like_interrupted, main
from tests.faults.tiny import RECIPE, text, write_inputs

TOP = {"cards", "corpus", "handoff", "plan.json", "report.html", "report.json", "tokenizer", "work"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    write_inputs(folder)
    (folder / "r.yaml").write_text(RECIPE.replace("PATH", str(folder)))
    arguments = [str(folder / "r.yaml"), "--out", str(folder / "out"), "--ray", "none", "--no-train", "--json"]
    assert main(arguments) == 0
    before = rows(folder / "out")
    with (folder / "news.jsonl").open("a") as file:
        file.write(json.dumps({"id": "late", "text": text(4711)}) + "\n")
    assert main(arguments) == 0
    return folder, arguments, before


def rows(out):
    """Ids in the corpus by verdict, as a glob of the folder gives them."""
    return {
        verdict: sorted(pd.read_parquet(out / "corpus" / verdict)["id"])
        for verdict in ("kept", "removed", "quarantined")
    }


def decided(out):
    run = open_run(str(out))
    ids: dict[str, list[str]] = {"kept": [], "removed": [], "quarantined": []}
    for shard in run.shards:
        for row in run.verdicts(shard, ["id", "verdict"]).to_pylist():
            ids[row["verdict"]].append(row["id"])
    return {verdict: sorted(listed) for verdict, listed in ids.items()}


def test_only_what_a_user_opens_lies_on_top(finished):
    folder, _, _ = finished
    assert {path.name for path in (folder / "out").iterdir()} <= TOP


def test_the_corpus_is_exactly_the_last_run_however_it_is_read(finished):
    folder, _, before = finished
    out = folder / "out"
    assert before != rows(out), "the two runs must differ for this test to mean something"
    assert rows(out) == decided(out)
    assert sorted(ds.dataset(out / "corpus/kept").to_table(columns=["id"])["id"].to_pylist()) == rows(out)["kept"]


def test_shards_of_superseded_runs_are_gone_and_all_named_ones_are_there(finished):
    out = finished[0] / "out"
    manifest = json.loads((out / "handoff/manifest.json").read_text())
    named = {shard["path"] for source in manifest["sources"] for split in source["splits"].values() for shard in split}
    there = {str(path.relative_to(out)) for path in (out / "handoff/shards").rglob("*.ds")}
    assert named
    assert named <= there
    assert all((out / path).stat().st_size == 0 for path in there - named), "only parts without a token are not named"


def test_a_leftover_of_a_crash_goes_with_the_next_run(finished):
    folder, arguments, _ = finished
    out = folder / "out"
    wanted = rows(out)
    leftover = out / "corpus/kept/old-000000000000.parquet"
    os.link(next((out / "corpus/kept").rglob("*.parquet")), leftover)
    assert main(arguments) == 0
    assert not leftover.exists()
    assert rows(out) == wanted


def test_a_folder_belongs_to_one_recipe(tmp_path):
    store = Store(str(tmp_path))

    class Recipe:
        name = "finance"
        written: ClassVar = {"name": "finance"}

    claim(store, Recipe())  # type: ignore[arg-type]
    claim(store, Recipe())  # type: ignore[arg-type]
    Recipe.name = "legal"
    with pytest.raises(UsageError, match="holds the run of the recipe 'finance', not of 'legal'"):
        claim(store, Recipe())  # type: ignore[arg-type]


def test_a_folder_of_the_old_layout_is_refused(tmp_path):
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/extract.json").write_text("{}")
    with pytest.raises(UsageError, match="made by an earlier version"):
        open_run(str(tmp_path))


def test_a_copy_is_the_same_file_and_survives_its_source(tmp_path):
    store = Store(str(tmp_path))
    info = store.put("work/a/x", b"data")
    copied = store.copy(info, "a/x")
    assert copied == FileInfo("a/x", 4, info.sha256)
    assert store.copy(info, "a/x") == copied
    store.delete("work/a/x")
    assert store.read("a/x") == b"data"


def test_reads_travel_as_json_and_their_identity_follows_the_content_alone():
    reads = {
        "table": FileInfo("work/a", 3, "aa", 1),
        "files": [InputFile("p", "file:///here/p", 5, "v1")],
        "pinned": {"weights": PinnedFile("/x", "bb")},
        "own": Digest("cc"),
        "list": Values(["a", "b"]),
    }
    assert from_json(json.loads(json.dumps(to_json(reads)))) == reads
    moved = reads | {"table": FileInfo("work/b", 3, "aa", 1), "pinned": {"weights": PinnedFile("/y", "bb")}}
    assert identities(moved) == identities(reads)
    for name, other in (("table", FileInfo("work/a", 3, "ab")), ("own", Digest("cd")), ("list", Values(["b", "a"]))):
        assert identities(reads | {name: other}) != identities(reads)


def test_every_stage_names_a_function_that_exists():
    assert all(callable(stage.load()) for stage in STAGES.values())
    steps = [step for stage in STAGES.values() for step in stage.steps]
    assert len(steps) == len(set(steps))


def test_an_object_store_holds_the_last_run_too(finished, tmp_path):
    folder, arguments, _ = finished
    url = f"memory://{tmp_path.name}/run"
    elsewhere = [*arguments[:2], url, *arguments[3:]]
    small, files = (folder / "news.jsonl").read_text(), fsspec.filesystem("memory")
    for tail in ("", json.dumps({"id": "later", "text": text(4712)}) + "\n"):
        (folder / "news.jsonl").write_text(small + tail)
        assert main(elsewhere) == 0
        run = open_run(url)
        kept = {row for path in files.find(f"/{tmp_path.name}/run/corpus/kept") for row in ids_of(files, path)}
        assert kept == {
            row["id"]
            for shard in run.shards
            for row in run.verdicts(shard, ["id", "verdict"]).to_pylist()
            if row["verdict"] == "kept"
        }
        assert command(["verify", "--run", url]) == 0
    (folder / "news.jsonl").write_text(small)


def ids_of(files, path):
    with files.open(path) as file:
        return pd.read_parquet(file)["id"]


def test_a_variable_stays_a_variable_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_PLACE", "/the/secret")
    path = tmp_path / "r.yaml"
    path.write_text(re.sub(r"PATH(/\w+.jsonl)", r'"${SECRET_PLACE}\1"', RECIPE))
    recipe, store = load(str(path)), Store(str(tmp_path / "out"))
    claim(store, recipe)
    written = (tmp_path / "out" / "work/recipe.json").read_text()
    assert "/the/secret" not in written
    assert "${SECRET_PLACE}/news.jsonl" in written
    assert rebuilt(sealed.read(store, "work/recipe.json") or {}).model_dump() == recipe.model_dump()


def test_sigterm_ends_a_run_as_ctrl_c_does(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    try:
        end_like_interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
