"""The bias table: intervals, verdicts, the gate's sentences."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.bias import (
    BiasGate,
    area_under_curve,
    bias_report,
    bias_table,
    gate_failures,
    identity_auc,
    ratio_interval,
    rebalance,
    term_matrix,
    wilson,
)
from pipeline.audit.terms import identity_terms

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
    report = bias_report({"toxicity": biased, "repetition": np.zeros(300, bool)}, terms)
    assert report["verdict"] == "fail"
    assert len(report["failures"]) == 1
    assert "toxicity" in report["failures"][0]
    assert '"sikh"' in report["failures"][0]
    assert "ratio 0.40" in report["failures"][0]
    assert json.loads(json.dumps(report)) == report
    assert bias_report({"toxicity": biased}, terms, gated=["repetition"])["verdict"] == "pass"


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


def test_rebalance_readmits_the_fewest_lowest_scores_until_the_gate_passes():
    terms = documents("sikh", "buddhist", 100)
    removed, scores = np.zeros(300, bool), np.linspace(0, 1, 300)
    removed[:60] = True
    after, price = rebalance(removed, scores, terms, toxic_above=0.9)
    assert not gate_failures(bias_table({"toxicity": after}, terms))
    assert gate_failures(bias_table({"toxicity": removed}, terms))
    [paid] = price
    back = np.flatnonzero(removed & ~after)
    assert paid["readmitted"] == len(back) > 0
    assert back.tolist() == list(range(len(back)))
    fewer = after.copy()
    fewer[back[-1]] = True
    assert gate_failures(bias_table({"toxicity": fewer}, terms))
    stuck, _ = rebalance(removed, scores, terms, toxic_above=-1)
    assert stuck.tolist() == removed.tolist()
