"""Mixture search: a planted law is found, noise widens the band, and nothing is said beyond what was tried."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.size.mixture import best_share, fit_curve

SHARES = [0.1, 0.3, 0.5, 0.7, 0.9]


@given(st.floats(0.5, 3), st.floats(0.1, 2), st.floats(-6, 6).filter(lambda t: abs(t) > 0.2))
@settings(deadline=None, max_examples=40)
def test_a_planted_law_is_found(c: float, k: float, t: float) -> None:
    def law(r: float) -> float:
        return c + k * math.exp(t * r)

    curve = fit_curve(SHARES, [law(r) for r in SHARES])
    for r in np.linspace(0.1, 0.9, 17):
        assert curve(float(r)) == pytest.approx(law(float(r)), rel=5e-3)


def planted(noise: float) -> dict[str, list[float]]:
    draw = np.random.default_rng(3)
    return {
        "domain": [1.0 + math.exp(-3 * r) + noise * draw.normal() for r in SHARES],
        "general": [1.2 + 0.02 * math.exp(3.5 * r) + noise * draw.normal() for r in SHARES],
    }


def test_best_share_between_two_wishes() -> None:
    weights = {"domain": 0.5, "general": 0.5}
    exact = best_share(SHARES, planted(0), weights)
    true = math.log(3 / (0.02 * 3.5)) / 6.5
    assert exact.share == pytest.approx(true, abs=0.01)
    assert exact.high - exact.low < 0.02
    assert not exact.at_border
    noisy = best_share(SHARES, planted(0.03), weights)
    assert noisy.low < noisy.high
    assert noisy.high - noisy.low > exact.high - exact.low
    assert best_share(SHARES, planted(0.03), weights) == noisy


def test_a_best_share_at_the_border_is_said() -> None:
    assert best_share(SHARES, planted(0), {"domain": 1.0, "general": 0.0}).at_border
    assert best_share(SHARES, planted(0), {"domain": 1.0, "general": 0.0}).share == 0.9


def test_no_extrapolation() -> None:
    curve = fit_curve(SHARES, planted(0)["domain"])
    with pytest.raises(UsageError, match=r"outside the tried 10.00% to 90.00%"):
        curve(0.95)
    with pytest.raises(UsageError, match="3 different shares"):
        fit_curve([0.2, 0.2, 0.5], [1, 1, 1])
    with pytest.raises(UsageError, match="no finite loss"):
        fit_curve([0.2, 0.3, 0.5], [1, float("nan"), 1])
