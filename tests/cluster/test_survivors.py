"""The survivor of a cluster: one, the best by a total order, and monotone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cluster.survivors import estimate_similarity, pick_survivors


def pick(rows: list[dict], order: tuple = ("priority", "quality", "length", "date")) -> list[int]:
    def column(name: str, default: object, kind: object = None) -> np.ndarray:
        return np.array([row.get(name, default) for row in rows], kind)

    return pick_survivors(
        column("cluster", -1, np.int64),
        column("passing", True, bool),
        priority=column("priority", 0),
        quality=column("quality", 0.0),
        length=column("length", 0),
        date=column("date", "", np.str_),
        ids=np.array([row.get("id", f"{i:04}") for i, row in enumerate(rows)], np.str_),
        order=order,
        indexed=column("indexed", False, bool),
    ).tolist()


documents = st.lists(
    st.fixed_dictionaries(
        {
            "cluster": st.integers(-1, 4),
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
        group = [i] if row["cluster"] < 0 else [j for j, r in enumerate(rows) if r["cluster"] == row["cluster"]]
        if not any(rows[j]["passing"] for j in group):
            assert survivor == -1
            continue
        assert rows[survivor]["passing"]
        assert survivor in group
        assert found[survivor] == survivor
        assert {found[j] for j in group} == {survivor}


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
def test_adding_a_document_never_brings_one_back(rows: list[dict], cluster: int, passing: bool, length: int):
    before = pick(rows)
    after = pick([*rows, {"cluster": cluster, "passing": passing, "length": length, "id": "new", "date": "2000"}])
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
    pair = [{"cluster": 3, **worse}, {"cluster": 3, **better}]
    assert pick(pair) == [1, 1]
    assert pick(pair[::-1]) == [0, 0]


def test_newest_first_on_request():
    pair = [{"cluster": 3, "date": "2001"}, {"cluster": 3, "date": "2002"}, {"cluster": 3, "date": ""}]
    assert pick(pair, order=("newest",)) == [1, 1, 1]


def test_estimated_similarity_takes_out_chance():
    rng = np.random.default_rng(5)
    a = rng.integers(0, 256, (2000, 112), dtype=np.uint8)
    b = rng.integers(0, 256, (2000, 112), dtype=np.uint8)
    assert estimate_similarity(a, a).tolist() == [1.0] * 2000
    assert estimate_similarity(a, b).mean() < 0.004
    keep = rng.random((2000, 112)) < 0.8
    assert abs(estimate_similarity(a, np.where(keep, a, b)).mean() - 0.8) < 0.004
