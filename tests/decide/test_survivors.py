"""The survivor of a cluster: one, the best by a total order, and monotone."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cluster.verify import EDGES, estimate_similarity
from pipeline.decide.survivors import CANDIDATES, Survivors, best_members
from pipeline.kernels.dedup.survivors import choose


def pick(rows: list[dict], order: tuple = ("priority", "quality", "length", "date"), parts: int = 1) -> list[int]:
    """The row that stands for each row; -1 where none does. Candidates are ranked in `parts`, then together."""
    defaults = {"node": -1, "priority": 0, "quality": 0.0, "length": 0, "date": "", "indexed": False, "shard": "s"}
    known: list[dict] = [defaults | {"id": f"{i:04}"} | row | {"row": i} for i, row in enumerate(rows)]
    nodes = np.array([row["node"] for row in known], np.int64)
    passing = [row.get("passing", True) for row in known]
    may = [row for row, fine in zip(known, passing, strict=True) if row["node"] >= 0 and (fine or row["indexed"])]
    columns = [{name: row.get(name) for name in CANDIDATES.names} for row in may]
    tables = [best_members(pa.Table.from_pylist(columns[n::parts], schema=CANDIDATES), order) for n in range(parts)]
    best = best_members(pa.concat_tables(tables), order)
    found, _ = Survivors(best, EDGES.empty_table(), None).of(nodes)
    stays = best["row"].to_pylist()
    return [
        stays[place] if place >= 0 else i if fine and nodes[i] < 0 else -1
        for i, (place, fine) in enumerate(zip(found.tolist(), passing, strict=True))
    ]


documents = st.lists(
    st.fixed_dictionaries(
        {
            "node": st.integers(-1, 4),
            "passing": st.booleans(),
            "priority": st.integers(0, 1),
            "quality": st.sampled_from([0.0, 0.5, float("nan")]),
            "length": st.integers(0, 2),
            "date": st.sampled_from(["", "2020-01-01", "2021-06-30"]),
        }
    ),
    max_size=25,
)


@settings(deadline=None)
@given(documents)
def test_one_passing_survivor_per_cluster_and_nobody_lost(rows: list[dict]):
    found = pick(rows)
    for i, (row, survivor) in enumerate(zip(rows, found, strict=True)):
        group = [i] if row["node"] < 0 else [j for j, r in enumerate(rows) if r["node"] == row["node"]]
        if not any(rows[j]["passing"] for j in group):
            assert survivor == -1
            continue
        assert rows[survivor]["passing"]
        assert survivor in group
        assert found[survivor] == survivor
        assert {found[j] for j in group} == {survivor}


@settings(deadline=None)
@given(documents, st.integers(2, 4))
def test_shards_are_ranked_apart(rows: list[dict], parts: int):
    assert pick(rows, parts=parts) == pick(rows)


@settings(deadline=None)
@given(documents, st.randoms(use_true_random=False))
def test_order_of_documents_does_not_matter(rows: list[dict], random):
    rows = [{**row, "id": f"{i:04}"} for i, row in enumerate(rows)]
    shuffled = rows[:]
    random.shuffle(shuffled)

    def named(found: list[int], of: list[dict]) -> dict:
        return {of[i]["id"]: None if j < 0 else of[j]["id"] for i, j in enumerate(found)}

    assert named(pick(rows), rows) == named(pick(shuffled), shuffled)


@settings(deadline=None)
@given(documents, st.integers(0, 4), st.booleans(), st.integers(0, 2))
def test_adding_a_document_never_brings_one_back(rows: list[dict], node: int, passing: bool, length: int):
    before = pick(rows)
    after = pick([*rows, {"node": node, "passing": passing, "length": length, "id": "new", "date": "2000"}])
    for i, survivor in enumerate(before):
        if survivor != i:
            assert after[i] != i


@settings(deadline=None)
@given(documents)
def test_a_second_pass_removes_nothing(rows: list[dict]):
    survivors = [row for i, (row, found) in enumerate(zip(rows, pick(rows), strict=True)) if found == i]
    assert pick(survivors) == list(range(len(survivors)))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"priority": 1}, {"priority": 0, "quality": 0.9, "length": 9, "date": "1999"}),
        ({"quality": 0.9}, {"quality": 0.8, "length": 9, "date": "1999"}),
        ({"quality": 0.0}, {"quality": float("nan"), "length": 9}),
        ({"length": 2}, {"length": 1, "date": "1999"}),
        ({"date": "2001"}, {"date": "2002"}),
        ({"date": "2002"}, {"date": ""}),
        ({"id": "a"}, {"id": "b"}),
        ({"passing": True}, {"passing": False, "priority": 9}),
        ({"indexed": True, "passing": False}, {"priority": 9}),
    ],
)
def test_ranks(better: dict, worse: dict):
    pair = [{"node": 3, **worse}, {"node": 3, **better}]
    assert pick(pair) == [1, 1]
    assert pick(pair[::-1]) == [0, 0]


def test_newest_first_on_request():
    pair = [{"node": 3, "date": "2001"}, {"node": 3, "date": "2002"}, {"node": 3, "date": ""}]
    assert pick(pair, order=("newest",)) == [1, 1, 1]


def test_estimated_similarity_takes_out_chance():
    rng = np.random.default_rng(5)
    a = rng.integers(0, 256, (2000, 112), dtype=np.uint8)
    b = rng.integers(0, 256, (2000, 112), dtype=np.uint8)
    assert estimate_similarity(a, a).tolist() == [1.0] * 2000
    assert estimate_similarity(a, b).mean() < 0.004
    keep = rng.random((2000, 112)) < 0.8
    assert abs(estimate_similarity(a, np.where(keep, a, b)).mean() - 0.8) < 0.004


edges = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


@settings(deadline=None)
@given(st.permutations(range(10)), st.integers(0, 10), edges)
def test_who_stays_among_near_copies(order: list[int], passing: int, pairs: list[tuple[int, int]]):
    """Against the rule itself: in their order, each stays that may go for none that stays already."""
    order = order[:passing]
    pairs = sorted({(one, other) for one, other in pairs if one != other})
    stays: list[int] = []
    for node in order:
        if not any((node, other) in pairs for other in stays):
            stays.append(node)
    rows = [
        {name: None for name in CANDIDATES.names} | {"node": node, "row": node, "id": f"{at:03}"}
        for at, node in enumerate(order)
    ]
    best = pa.Table.from_pylist([row | {"indexed": False, "shard": "s"} for row in rows], schema=CANDIDATES)
    table = pa.Table.from_pylist(
        [
            {"document": a, "by": b, "similarity": a / 10, "plain_similarity": b / 10, "is_part": False}
            for a, b in pairs
        ],
        schema=EDGES,
    )
    found, similar = Survivors(best, table, None).of(np.arange(10))
    for node in range(10):
        named = next((other for other in stays if (node, other) in pairs), -1)
        expected = node if node in stays else named
        assert (order[found[node]] if found[node] >= 0 else -1) == expected
        if named >= 0 and node not in stays:
            assert similar[node].tolist() == pytest.approx([node / 10, named / 10])
        else:
            assert np.isnan(similar[node]).all()


def test_documents_that_were_not_compared_go_when_a_third_brings_them_near_enough():
    """1 goes for 0, and 2 is so like 1 that it cannot be further than 0.25 from 0; 3 can."""
    starts, by = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1])
    stays, edge, between = choose(np.arange(4), starts, by, np.array([0.15, 0.1, 0.2], np.float32), 0.3)
    assert stays.tolist() == [0, 0, 0, 3]
    assert edge.tolist() == [-1, 0, -1, -1]
    assert between[2] == pytest.approx(0.25)
    assert np.isnan(between[[0, 1, 3]]).all()
