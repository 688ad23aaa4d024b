"""Laws of the laws: budgets are kept, optima are optima, and every dial gives the same line."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.size.dial import plan, premium
from pipeline.size.laws import LAWS, law_named, tokens_per_param
from pipeline.size.regimes import inference_aware, inference_aware_for, repeated_loss, repeated_optimum, unique_worth

BUDGETS = st.floats(18, 27).map(lambda x: 10**x)
NAMES = st.sampled_from(sorted(LAWS))
PARAMETRIC = st.sampled_from([name for name, law in LAWS.items() if law.surface])


@given(NAMES, BUDGETS)
def test_the_dials_agree(name: str, flops: float) -> None:
    law = LAWS[name]
    point = law.optimum(flops)
    assert law.at_params(point.params).tokens == pytest.approx(point.tokens, rel=1e-9)
    assert law.at_tokens(point.tokens).params == pytest.approx(point.params, rel=1e-9)
    tolerance = 0.02 if name.startswith("chinchilla") else 1e-9  # N and D were fitted apart there
    assert 6 * point.params * point.tokens == pytest.approx(flops, rel=tolerance)


@given(PARAMETRIC, BUDGETS, st.floats(-1, 1))
def test_the_optimum_is_one(name: str, flops: float, shift: float) -> None:
    law = LAWS[name]
    best = law.optimum(flops)
    other = best.params * 10**shift
    assert law.surface.loss(other, flops / (6 * other)) >= best.loss - 1e-12


@given(BUDGETS, st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_premium_is_zero_on_the_line_and_positive_off_it(flops: float, off: float) -> None:
    law = LAWS["besiroglu"]
    best = law.optimum(flops)
    assert premium(law, best.params, best.tokens) == pytest.approx(0, abs=1e-5)
    if abs(math.log(off)) > 0.5:
        assert premium(law, best.params * off, best.tokens / off) > 0.01


@given(st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_repetition_never_beats_fresh_text(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert unique_worth(low) <= unique_worth(high) <= high
    assert unique_worth(high) <= 16.3878


@given(st.floats(20, 24).map(lambda x: 10**x), st.floats(8, 12).map(lambda x: 10**x))
@settings(max_examples=30, deadline=None)
def test_repeated_optimum_is_no_better_than_fresh_and_better_than_naive(flops: float, unique: float) -> None:
    law = LAWS["muennighoff"]
    fresh, found = law.optimum(flops), repeated_optimum(flops, unique)
    assert found.loss >= fresh.loss - 1e-9
    assert found.loss <= repeated_loss(law, fresh.params, fresh.tokens, unique) + 1e-9


@given(st.floats(8, 11).map(lambda x: 10**x), st.floats(9, 13).map(lambda x: 10**x))
@settings(max_examples=30, deadline=None)
def test_serving_makes_models_smaller(params: float, served: float) -> None:
    law = LAWS["inference_aware"]
    made = inference_aware(params, served)
    assert made.params <= params
    assert made.tokens >= law.at_params(params).tokens * (1 - 1e-6)
    assert made.saving >= -1e-9
    assert law.surface.loss(made.params, made.tokens) == pytest.approx(made.loss, rel=1e-9)


def test_serving_nothing_is_the_optimum() -> None:
    made = inference_aware(1e9, 1.0)
    assert made.params == pytest.approx(1e9, rel=1e-3)
    assert made.saving == pytest.approx(0, abs=1e-6)


def test_every_dial_of_inference_aware() -> None:
    by_flops = inference_aware_for(2e12, flops=8e22)
    assert by_flops.flops == pytest.approx(8e22, rel=1e-6)
    assert inference_aware_for(2e12, tokens=by_flops.tokens).params == pytest.approx(by_flops.params, rel=1e-3)
    made = plan(params=13e9, law="inference_aware", inference_tokens=2e12)
    assert made.params == pytest.approx(6.97e9, rel=0.01)


def test_other_ratios() -> None:
    law = tokens_per_param(8)
    assert law.at_params(1e9).tokens == pytest.approx(8e9)
    assert law.name == "rule_of_8"


def test_unknown_laws_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean besiroglu"):
        law_named("besiroglou")
