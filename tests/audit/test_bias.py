"""The bias table: intervals, verdicts, the gate's sentences."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.bias import (
    area_under_curve,
    bias_table,
    gate_failures,
    identity_auc,
    ratio_interval,
    representation,
    term_matrix,
    wilson,
)
from pipeline.audit.bias_settings import BiasGate, BiasSettings
from pipeline.audit.identity_terms import identity_terms
from pipeline.decide.correction import Removed, loosen, readmit

IDS = {term.name: term.id for term in identity_terms()}


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_in_bounds(successes, more):
    total = successes + more
    low, high = wilson(successes, total)
    assert 0 <= low <= successes / total <= high <= 1
    narrow = wilson(successes * 10, total * 10)
    assert narrow[1] - narrow[0] < high - low


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200), st.integers(0, 200))
def test_ratio_interval_holds_the_ratio(kept, lost, other_kept, other_lost):
    total, other = kept + lost, other_kept + other_lost
    if total == 0:
        return
    ratio, low, high = ratio_interval(kept, total, other_kept, other)
    assert ratio == pytest.approx((kept / total) / (other_kept / other))
    assert 0 <= low <= ratio + 1e-9
    assert high is None or high >= ratio - 1e-9


def test_ratio_interval_covers_at_about_its_level():
    rng = np.random.default_rng(7)
    true, hits = 0.7 / 0.9, 0
    for _ in range(2000):
        _, low, high = ratio_interval(int(rng.binomial(60, 0.7)), 60, int(rng.binomial(200, 0.9)), 200)
        hits += low <= true and (high is None or true <= high)
    assert 0.93 <= hits / 2000 <= 0.97


def documents(term, others, count):
    """`count` documents with the term, `count` with another of its axis, `count` with none."""
    return pa.array([[IDS[term]]] * count + [[IDS[others]]] * count + [[]] * count, pa.list_(pa.int16()))


def test_a_biased_stage_fails_and_names_stage_term_and_ratio():
    terms = documents("sikh", "buddhist", 100)
    biased = np.zeros(300, bool)
    biased[:60] = True  # six in ten "sikh", no other
    rows = bias_table({"toxicity": biased, "repetition": np.zeros(300, bool)}, terms)
    [failure] = gate_failures(rows, ["toxicity"])
    assert "toxicity" in failure
    assert '"sikh"' in failure
    assert "ratio 0.40" in failure
    assert json.loads(json.dumps(rows)) == rows
    assert gate_failures(rows, ["repetition"]) == []


def test_few_documents_never_fail():
    terms = documents("sikh", "buddhist", 9)
    biased = np.zeros(27, bool)
    biased[:9] = True
    assert {row["verdict"] for row in bias_table({"toxicity": biased}, terms)} == {"too_few"}


def test_warn_lies_between():
    terms = documents("sikh", "buddhist", 4000)
    removed = np.zeros(12000, bool)
    removed[:600] = True
    rows = {row["term"]: row for row in bias_table({"quality": removed}, terms)}
    assert rows["sikh"]["verdict"] == "warn"
    assert rows["sikh"]["ratio"] == pytest.approx(0.85)
    assert rows["buddhist"]["verdict"] == "pass"
    assert not gate_failures(list(rows.values()))
    assert {r["verdict"] for r in bias_table({"q": removed}, terms, BiasGate(fail_below=0.9, warn_below=0.95))} >= {
        "fail"
    }


def test_removing_everything_is_equal_and_finite():
    terms = documents("sikh", "buddhist", 20)
    rows = bias_table({"all": np.ones(60, bool)}, terms)
    assert all(row["ratio"] == 1.0 and math.isfinite(row["wilson_low"]) for row in rows)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 verdicts for 30 documents"):
        bias_table({"x": np.zeros(3, bool)}, documents("sikh", "buddhist", 10))


def test_term_matrix_reads_slices_and_chunks():
    column = pa.chunked_array(
        [pa.array([[1], [], [2, 3]], pa.list_(pa.int16())), pa.array([[0]], pa.list_(pa.int16()))]
    )
    matrix = term_matrix(column.slice(1))
    assert matrix.sum(axis=1).tolist() == [0, 2, 1]
    assert matrix[1, 3]
    assert matrix[2, 0]


def test_auc_equals_counting_pairs():
    rng = np.random.default_rng(3)
    scores, toxic = rng.integers(0, 6, 80) / 5, rng.random(80) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[toxic] for b in scores[~toxic]]
    assert area_under_curve(scores, toxic) == pytest.approx(np.mean(pairs))
    assert math.isnan(area_under_curve(scores, np.ones(80, bool)))
    mask = rng.random(80) < 0.5
    assert identity_auc(scores, toxic, mask)[0] == pytest.approx(area_under_curve(scores[mask], toxic[mask]))
    assert identity_auc(scores, toxic, np.ones(80, bool))[0] == pytest.approx(area_under_curve(scores, toxic))


def test_representation_is_the_share_after_over_the_share_before():
    kept = np.zeros(300, bool)
    kept[:25] = kept[100:200] = True
    rows = {row["term"]: row for row in representation(kept, documents("sikh", "buddhist", 100), 1.25, 10)}
    assert rows["sikh"]["lift"] == pytest.approx((25 / 125) / (100 / 200), abs=1e-6)
    assert rows["sikh"]["verdict"] == rows["buddhist"]["verdict"] == "warn"
    kept[200:] = True
    with_junk = {row["term"]: row for row in representation(kept, documents("sikh", "buddhist", 100), 1.25, 10)}
    assert with_junk == rows, "documents that speak of nobody do not count"
    same = representation(np.ones(300, bool), documents("sikh", "buddhist", 100), 1.25, 10)
    assert {(row["lift"], row["verdict"]) for row in same} == {(1.0, "pass")}
    few = representation(kept, documents("sikh", "buddhist", 100), 1.25, 101)
    assert {row["verdict"] for row in few} == {"too_few"}
    assert representation(np.zeros(300, bool), documents("sikh", "buddhist", 100), 1.25, 10)[0]["lift"] is None


def removed_of(mask):
    excess = np.where(mask, np.linspace(0, 1, len(mask)), 0)
    return Removed(mask, excess, np.array([f"{n:032x}" for n in range(len(mask))], np.bytes_))


NOT_TOXIC = np.zeros(300, bool)


def test_readmitting_takes_the_fewest_and_nearest_until_the_gate_passes():
    terms = documents("sikh", "buddhist", 100)
    mask = np.zeros(300, bool)
    mask[:60] = True
    after, steps = readmit(removed_of(mask), NOT_TOXIC, terms, BiasSettings())
    assert gate_failures(bias_table({"toxicity": mask}, terms))
    assert not gate_failures(bias_table({"toxicity": after}, terms))
    [step] = steps
    back = np.flatnonzero(mask & ~after)
    assert step["readmitted"] == len(back) > 0
    assert back.tolist() == list(range(len(back)))
    assert step["ratio_before"] == pytest.approx(0.4)
    assert step["verdict"] != "fail"
    fewer = after.copy()
    fewer[back[-1]] = True
    assert gate_failures(bias_table({"toxicity": fewer}, terms))


def test_readmitting_never_takes_a_toxic_document_or_one_without_a_bound():
    terms = documents("sikh", "buddhist", 100)
    mask = np.zeros(300, bool)
    mask[:60] = True
    stuck, steps = readmit(removed_of(mask), mask, terms, BiasSettings())
    assert stuck.tolist() == mask.tolist()
    assert [step["verdict"] for step in steps] == ["fail"]
    unbounded = Removed(mask, np.where(mask, np.inf, 0.0), removed_of(mask).ids)
    assert readmit(unbounded, NOT_TOXIC, terms, BiasSettings())[0].tolist() == mask.tolist()
    assert loosen(unbounded, terms, BiasSettings())[0].tolist() == mask.tolist()


def test_readmitting_for_one_term_is_corrected_for_the_others_of_its_axis():
    terms = pa.array([[IDS["sikh"]]] * 100 + [[IDS["buddhist"]]] * 100 + [[IDS["hindu"]]] * 100, pa.list_(pa.int16()))
    mask = np.zeros(300, bool)
    mask[:70] = mask[100:155] = mask[200:215] = True
    after, _ = readmit(removed_of(mask), NOT_TOXIC, terms, BiasSettings())
    assert not gate_failures(bias_table({"s": after}, terms))


def test_loosening_is_for_everyone_and_stops_at_the_first_bound_that_passes():
    terms = documents("sikh", "buddhist", 100)
    mask = np.zeros(300, bool)
    mask[:60] = mask[200:260] = True
    after, share = loosen(removed_of(mask), terms, BiasSettings())
    assert share is not None
    assert after.tolist() == (mask & (removed_of(mask).excess > share)).tolist()
    assert not gate_failures(bias_table({"s": after}, terms))
    assert (after & mask).sum() > 0
    assert loosen(removed_of(NOT_TOXIC), terms, BiasSettings())[1] is None


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(40)), st.integers(0, 2**32))
def test_correcting_does_not_depend_on_the_order_of_documents(order, seed):
    rng = np.random.default_rng(seed)
    lists = [[IDS["sikh"]] if n % 2 else [IDS["buddhist"]] for n in range(40)]
    mask = np.array([n % 2 == 1 and rng.random() < 0.8 for n in range(40)])
    excess = np.where(mask, rng.integers(0, 4, 40) / 3, 0)
    ids, toxic = np.array([f"{n:032x}" for n in range(40)], np.bytes_), rng.random(40) < 0.1
    few, order = BiasSettings(min_documents=5), np.array(order)
    one, _ = readmit(Removed(mask, excess, ids), toxic, pa.array(lists, pa.list_(pa.int16())), few)
    moved = pa.array([lists[n] for n in order], pa.list_(pa.int16()))
    other, _ = readmit(Removed(mask[order], excess[order], ids[order]), toxic[order], moved, few)
    assert one[order].tolist() == other.tolist()
    loose, _ = loosen(Removed(mask, excess, ids), pa.array(lists, pa.list_(pa.int16())), few)
    loose_moved, _ = loosen(Removed(mask[order], excess[order], ids[order]), moved, few)
    assert loose[order].tolist() == loose_moved.tolist()
