"""Streams of several parts: scattered once, each part reads its own, and the layout of the source does not show."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.blocks import blocks_of
from pipeline.core.partition import part_numbers
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from pipeline.ingest import files as ingest_files
from pipeline.publish.step import KEPT
from tests.apply.test_repeats import prose
from tests.cluster.runs import kept, run_small, write_source

MORE = "tokenizer: {vocab_size: 300}\nshards: {shard_bytes: 1500, validation_frac: 0.2}\nselect: {keep: 0.9, of: kept_tokens, by: gopher.num_words, per: role}"
SOURCES = {"web": "role: general", "news": "role: domain"}
DOCUMENTS = {f"w{n}": prose(n, 60) + f" and {n} more" for n in range(30)} | {"short": "too short"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One file a source, and seven."""
    found = {}
    for files in (1, 7):
        folder = tmp_path_factory.mktemp(f"files{files}")
        write_source(folder, "web", DOCUMENTS, files)
        write_source(folder, "news", {"only": prose(99, 40)}, 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ingest_files, "SHARD_FILES", 1)
            found[files] = run_small(folder, folder / "run", SOURCES, more=MORE, to="publish")
    return found


def test_a_stream_of_several_parts_is_scattered_and_one_of_one_part_is_not(runs):
    run = runs[7]
    assert {unit.partition("/")[0] for unit in run.commits("scatter")} == {"web"}
    assert len(run.commits("scatter")) > 2
    assert sum(unit.startswith("web/") for unit in run.commits("shards")) > 4
    assert set(run.commits("shards")) == set(run.commits("publish"))


def test_each_part_has_its_documents_in_the_order_of_ids(runs):
    run, every = runs[7], []
    for unit, commit in run.commits("publish").items():
        table = run.store.read_table(commit.files["kept"].path)
        part, parts = commit.parts["settings"]["part"]
        assert table["id"].to_pylist() == sorted(table["id"].to_pylist())
        assert table.schema.names == KEPT.names
        if parts > 1:
            assert set(part_numbers(table["id"], parts).tolist()) <= {part}, unit
        for row in table.to_pylist():
            assert row["text"].endswith(f"{row['url'].removeprefix('https://w').removesuffix('.example/')} more") or (
                unit == "news/00000"
            )
        every += [url.removeprefix("https://").removesuffix(".example/") for url in table["url"].to_pylist()]
    assert sorted(every) == sorted(kept(run))


def test_the_layout_of_the_source_does_not_show(runs):
    one, many = runs[1], runs[7]
    assert len(one.shards) < len(many.shards)
    for step, names in (("shards", ("train.ds", "validation.ds", "train.index")), ("publish", ("kept",))):
        assert one.commits(step).keys() == many.commits(step).keys()
        for unit, commit in one.commits(step).items():
            for name in names:
                assert commit.files[name].sha256 == many.file(step, unit, name).sha256, (unit, name)


def test_scores_stand_beside_the_uses_of_every_document(runs):
    run = runs[7]
    tables = [run.store.read_table(commit.files["uses"].path) for commit in run.commits("uses").values()]
    scores = dict(zip(*(pa.concat_tables(tables)[name].to_pylist() for name in ("id", "score")), strict=True))
    words = {}
    for shard in run.shards:
        signals = run.signals("gopher", shard, ["num_words"])["num_words"].to_pylist()
        words |= dict(zip(run.documents(shard, ["id"])["id"].to_pylist(), signals, strict=True))
    assert scores
    assert scores == {own: words[own] for own in scores}


def test_a_part_reads_the_columns_that_it_asks_for_and_finds_damage(tmp_path):
    store = Store(str(tmp_path))
    table = pa.table({"id": ["a", "b"], "text": ["x" * 5000, "y"], "n": [1, 2]})
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.slice(0, 1))
        writer.write_table(table.slice(1, 1))
    assert store.read_batch("t.arrow", 1, ["n", "id"]).to_pydict() == {"n": [2], "id": ["b"]}
    data = (tmp_path / "t.arrow").read_bytes()
    (tmp_path / "t.arrow").write_bytes(data[: len(data) // 2])
    with pytest.raises(InfrastructureError, match=r"t\.arrow is damaged"):
        store.read_batch("t.arrow", 1, ["n"])


def test_blocks_are_as_large_as_asked():
    sizes = {f"s{n:02d}": 10 for n in range(10)}
    assert [len(names) for names in blocks_of(sizes, 25)] == [3, 3, 3, 1]
    assert blocks_of({}, 25) == [[]]
    assert np.concatenate(blocks_of(sizes, 25)).tolist() == list(sizes)
