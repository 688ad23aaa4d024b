"""One block of shards and one part of the clusters, or many: the same verdicts; and what `whatif` computes is what a run decides."""

import pytest

from pipeline.ask.whatif import Standing, changed
from pipeline.cluster import step as cluster_step
from pipeline.core import blocks
from pipeline.core.blocks import first_rows
from pipeline.core.fingerprint import fingerprint
from pipeline.decide.decision import Decision
from tests.apply.test_repeats import prose
from tests.cluster.runs import run_small, write_source

MORE = "tokenizer: {vocab_size: 300}\ncluster: {index: [INDEX]}"
SOURCES = {"web": "role: general", "news": "role: domain, priority: 1", "blog": "role: general", "wire": "role: domain"}


def corpus(seed: int, topic: int = 0) -> dict[str, str]:
    """Documents alone, equal ones, near ones in chains, and ones that are too short, of any source."""
    found = {f"w{n}": prose(topic + n % 7, 90) + (f" and {n} more" if n % 3 else "") for n in range(seed, seed + 16)}
    return found | {f"short{seed}": "too short", f"alone{seed}": prose(100 + seed, 80)}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    write_source(folder, "web", corpus(3), files=2)
    return run_small(folder, folder / "run", {"web": "role: general"}, more=MORE.replace("INDEX", ""), to="publish")


@pytest.fixture(scope="module")
def runs(earlier, tmp_path_factory):
    """By name: as it comes, and with blocks of two documents, parts of three and tasks of a few keys."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for number, name in enumerate(SOURCES):
        write_source(folder, name, corpus(5 * number, 50 * (number // 2)), files=2)
    small = {(blocks, "BLOCK_ROWS"): 2, (blocks, "PART_ROWS"): 3, (cluster_step, "KEYS_AT_ONCE"): 11}
    for name, sizes in (("one", {}), ("many", small)):
        with pytest.MonkeyPatch.context() as patch:
            for (module, constant), size in sizes.items():
                patch.setattr(module, constant, size)
            more = MORE.replace("INDEX", earlier.store.root)
            found[name] = run_small(folder, folder / name, SOURCES, more=more, words=20)
    return found


def test_blocks_and_parts_do_not_show(runs):
    one, many = runs["one"], runs["many"]
    assert len(one.commits("rank")) == 1 + len(one.indexes), "one block, and the index"
    assert len(many.commits("verdicts")) == len(many.shards) > 3
    assert len(many.commits("survive")) > 5
    assert len(many.commits("pairs")) > len(one.commits("pairs"))
    for shard in one.shards:
        assert one.file("decide", name=shard).sha256 == many.file("decide", name=shard).sha256, shard
    assert one.commit("settle").counts["row_sum"] == many.commit("settle").counts["row_sum"]
    decided = one.commit("decide")
    assert (decided.counts, decided.balance) == (many.commit("decide").counts, many.commit("decide").balance)
    rules = decided.counts["first_reasons"]
    assert rules.keys() >= {"exact.in_index", "minhash.in_index", "exact.duplicate", "gopher.min_num_words"}


def test_whatif_decides_what_a_run_decides(runs):
    run = runs["many"]
    decided = Decision.of(run, run.commit("decide").parts["settings"], run.indexes).verdicts(run.store)
    for shard, table in zip(run.shards, decided, strict=True):
        assert table.equals(run.store.read_table(run.file("decide", name=shard).path).cast(table.schema))


BOUNDS = [
    {"gopher.min_num_words": 1000},
    {"gopher.min_num_words": 0},
    {"gopher.min_num_words": None},
    {"gopher.min_num_words": 88, "pii.max_num_spans": 0},
    {"gopher.max_mean_word_length": 4.5},
    {"gopher.by_source.web.min_num_words": 91, "gopher.by_role.domain.max_num_words": 80},
    {"gopher.exempt": ["news", "web"]},
]


@pytest.mark.parametrize("changes", BOUNDS, ids=str)
def test_another_bound_moves_what_a_run_would(runs, changes):
    """Only what the change reaches is decided again, and the rest would have stayed as it is."""
    run = runs["many"]
    standing, settings = Standing(run), changed(run, changes)
    new = dict(zip(run.shards, Decision.of(run, settings, run.indexes).verdicts(run.store), strict=True))
    wanted = []
    for shard in sorted(run.shards):
        old = run.store.read_table(run.file("decide", name=shard).path)
        for before, after in zip(old.to_pylist(), new[shard].to_pylist(), strict=True):
            states = [(one["verdict"], one["rule"] and f"{one['stage']}.{one['rule']}") for one in (before, after)]
            if states[0] != states[1]:
                wanted.append((before["id"], *states))
    for _ in range(2):  # what is held between two questions is not changed by one
        rows = standing.moves(changes).to_pylist()
        told = [
            (row["id"], (row["old_verdict"], row["old_reason"]), (row["new_verdict"], row["new_reason"]))
            for row in rows
        ]
        assert told == wanted


def test_settings_are_those_of_the_decision(runs):
    settings = runs["one"].commit("decide").parts["settings"]
    assert settings["order"] == ["gopher", "exact", "minhash", "pii"]
    assert fingerprint(settings) == fingerprint(runs["many"].commit("decide").parts["settings"])


def test_documents_are_numbered_by_the_names_of_their_shards():
    assert first_rows({"web/1": 5, "index/x": 2, "web/0": 7}) == {"index/x": 0, "web/0": 2, "web/1": 9}
