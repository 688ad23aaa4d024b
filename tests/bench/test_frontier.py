"""The fit over budgets: leads that are straight lines by construction come back, with the budget at which they change sign."""

import math

import pytest

from bench.frontier import crossings


def losses(lead, budgets=(1000, 4000, 64_000)):
    return {budget: {0.1: 3.0 + lead(math.log2(budget)), 1.0: 3.0} for budget in budgets}


@pytest.mark.parametrize(
    ("lead", "said"),
    [(lambda x: 0.02 * (x - 18), "+0.0200 a doubling: from 262,144 tokens"),
     (lambda x: 0.02 * (x - 12), "+0.0200 a doubling: wins now"),
     (lambda x: -0.02 * (x - 18), "-0.0200 a doubling: wins now, loses from 262,144 tokens"),
     (lambda x: -0.02 * (x - 12), "-0.0200 a doubling: never, by this line")],
)  # fmt: skip
def test_the_larger_share_wins_from_where_its_lead_changes_sign(lead, said):
    ((smaller, larger, now, words),) = crossings(losses(lead))
    assert (smaller, larger) == (0.1, 1.0)
    assert now == pytest.approx(lead(math.log2(64_000)))
    assert words == said


def test_one_budget_extrapolates_nothing_and_a_share_not_measured_everywhere_is_left_out():
    assert crossings({1000: {0.1: 3.0, 1.0: 2.9}}) == []
    rows = crossings({1000: {0.01: 3.0, 0.1: 3.0, 1.0: 2.9}, 2000: {0.1: 2.9, 1.0: 2.7}})
    assert [row[:2] for row in rows] == [(0.1, 1.0)]
