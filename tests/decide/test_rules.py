"""Verdicts: every document exactly one; thresholds by name; survivors among those that pass."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.decide.rules import Duplicates, Hits, decisions, first_reason, reasons_column, rule_hits


class Length(JudgeSettings):
    max_x: Threshold = None
    min_x: Threshold = None


LENGTH = Judge("length", 1, Length, [], {"x": pa.float32()}, lambda batch, settings: {})


def of(sources, roles=None):
    return pa.table(
        {"source": pa.array(list(sources), pa.string()), "role": pa.array(roles or ["domain"] * len(sources))}
    )


def table(values):
    return {"length": pa.table({"x": pa.array(values, pa.float32())})}


def test_thresholds_are_strict_named_rules_and_null_removes_nothing():
    hits = rule_hits([(LENGTH, Length(min_x=1, max_x=2))], table([0.5, 1, 2, 3, None]), of("sssss"))
    assert dict(zip(hits.rules, hits.matrix.T.tolist(), strict=True)) == {
        "length.max_x": [False, False, False, True, False],
        "length.min_x": [True, False, False, False, False],
    }


def test_exempt_sources_are_measured_and_not_removed():
    hits = rule_hits([(LENGTH, Length(max_x=2, exempt=["b"]))], table([3, 3]), of("ab"))
    assert hits.matrix.ravel().tolist() == [True, False]


def test_bounds_of_a_source_and_of_a_role_stand_in_for_the_judges_own():
    settings = Length(
        min_x=2, by_role={"general": {"min_x": 4, "max_x": 5}}, by_source={"b": {"min_x": 1}, "c": {"min_x": None}}
    )
    hits = rule_hits(
        [(LENGTH, settings)],
        table([1, 3, 6, 3, 0, 1, 1, 6, None]),
        of("aaaabbccc", ["domain", "domain", "domain", "general", "domain", "general", "domain", "general", "general"]),
    )
    assert dict(zip(hits.rules, hits.matrix.T.astype(int).tolist(), strict=True)) == {
        "length.min_x": [1, 0, 0, 1, 1, 0, 0, 0, 0],
        "length.max_x": [0, 0, 0, 0, 0, 0, 0, 1, 0],
    }
    few = rule_hits([(LENGTH, settings)], table([1]), of("a"))
    assert few.rules == hits.rules
    assert settings.measured() == Length().measured()


def test_a_bound_that_no_judge_has_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="b: no threshold named 'min_z'; did you mean min_x"):
        Length(by_source={"b": {"min_z": 1}})
    with pytest.raises(ValueError, match="domain: no threshold named 'exempt'"):
        Length(by_role={"domain": {"exempt": 1}})
    with pytest.raises(ValueError, match="'domain' or 'general'"):
        Length(by_role={"auto": {"min_x": 1}})  # type: ignore[dict-item]


def documents(reasons):
    count = len(reasons)
    return pa.table(
        {
            "id": pa.array([f"{n:032x}" for n in range(count)]),
            "source": pa.array(["s"] * count),
            "role": pa.array(["domain"] * count),
            "reason": pa.array(reasons, pa.string()),
        }
    )


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_every_document_has_exactly_one_verdict_and_its_reasons(rows):
    quarantine = ["extract.no_text" if row[3] else None for row in rows]
    hits = Hits(["a.x", "exact.duplicate", "b.y"], np.array([[row[0], False, row[1]] for row in rows]))
    duplicate = pa.array(["f" * 32 if row[2] and not row[3] else None for row in rows], pa.string())
    count = len(rows)
    alike = Duplicates(
        duplicate, np.ones(count, bool), np.zeros(count, bool), *[np.full(count, np.nan, np.float32)] * 2
    )
    found = decisions(documents(quarantine), hits, alike)
    assert found.num_rows == len(rows)
    for row, made in zip(rows, found.to_pylist(), strict=True):
        expected = [name for name, hit in (("a.x", row[0]), ("exact.duplicate", row[2]), ("b.y", row[1])) if hit]
        if row[3]:
            assert (made["verdict"], made["reasons"], made["stage"]) == ("quarantined", ["extract.no_text"], "extract")
        elif expected:
            assert (made["verdict"], made["reasons"]) == ("removed", expected)
            assert f"{made['stage']}.{made['rule']}" == expected[0]
        else:
            assert (made["verdict"], made["reasons"], made["stage"]) == ("kept", [], None)


def test_a_copy_of_an_earlier_runs_document_has_its_own_rule():
    hits = Hits(["exact.duplicate", "exact.in_index", "minhash.duplicate", "minhash.in_index"], np.zeros((4, 4), bool))
    yes, no = True, False
    alike = Duplicates(
        pa.array(["a", "b", "c", "d"]),
        np.array([yes, yes, no, no]),
        np.array([yes, no, yes, no]),
        np.ones(4),
        np.ones(4),
    )
    found = decisions(documents([None] * 4), hits, alike)
    assert found["reasons"].to_pylist() == [
        ["exact.in_index"], ["exact.duplicate"], ["minhash.in_index"], ["minhash.duplicate"]
    ]  # fmt: skip


def test_reasons_keep_the_recipes_order():
    matrix = np.array([[True, False, True], [False, False, False], [False, True, True]])
    assert reasons_column(["a.x", "b.y", "c.z"], matrix).to_pylist() == [["a.x", "c.z"], [], ["b.y", "c.z"]]
    stages, rules = first_reason(["a.x", "b.y", "c.z"], matrix)
    assert stages.to_pylist() == ["a", None, "b"]
    assert rules.to_pylist() == ["x", None, "y"]


def test_no_rules_keep_everything():
    hits = rule_hits([], {}, of("s"))
    assert hits.passing.tolist() == [True]
    with pytest.raises(KeyError):
        rule_hits([(LENGTH, Length(max_x=1))], {}, of("s"))
