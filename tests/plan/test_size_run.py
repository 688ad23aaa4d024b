"""From tokens at hand to a chosen model: the demonstration, the data limit, the compute limit, and what is missing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.plan.sizing import SizeSettings, size_run, usable_tokens

SHARES = {"domain": 0.51, "general": 0.49}


def test_a_sample_gives_the_demonstration() -> None:
    made = size_run({"domain": 153_000, "general": 400_000}, SHARES, SizeSettings(), vocab=4096)
    assert made.usable_tokens == 300_000
    assert made.optimal.params == 15_000
    assert made.limited_by == "demonstration"
    assert "300,000 tokens would be a model of 15,000 parameters" in made.label
    assert 1.0e6 < made.chosen.params < 1.6e6
    assert made.chosen.params == made.chosen.shape.params
    assert 200 <= made.chosen.training.steps <= 400
    assert made.chosen.loss is None
    json.dumps(made.to_json())


@pytest.mark.parametrize(
    ("share", "steps", "said"), [(0.1, 2930, "on 10% of"), (1.0, 29_297, None), (0.0, 300, "on 1% of")]
)
def test_a_demonstration_trains_its_share_of_the_tokens_and_says_so(share: float, steps: int, said: str | None) -> None:
    made = size_run(
        {"domain": 15_300_000, "general": 18_000_000}, SHARES, SizeSettings(demonstration=share), vocab=8192
    )
    assert made.limited_by == "demonstration"
    assert made.chosen.training.steps == steps
    assert made.chosen.tokens == steps * 1024
    assert (said or "falls") in made.label
    assert ("size.demonstration=1" in made.label) == (said is not None)


def test_data_decides_when_there_is_enough() -> None:
    made = size_run({"domain": 1_020_000_000, "general": 9_000_000_000}, SHARES, SizeSettings(), vocab=32_000)
    assert made.limited_by == "data"
    assert made.chosen.params == made.optimal.params == 100_000_000
    assert made.chosen.shape.params == pytest.approx(100e6, rel=0.03)


def test_epochs_allowed_by_the_mix_make_more_tokens() -> None:
    made = size_run(
        {"domain": 510_000_000, "general": 9e9}, SHARES, SizeSettings(), vocab=32_000, max_epochs={"domain": 4.0}
    )
    assert made.usable_tokens == 4_000_000_000
    assert made.chosen.epochs == pytest.approx(4)


def test_a_compute_budget_limits() -> None:
    settings = SizeSettings(gpu="a100", gpus=8, hours=24)
    made = size_run({"domain": 10**12, "general": 10**12}, SHARES, settings, vocab=32_000)
    assert made.limited_by == "compute"
    assert made.chosen.hours == pytest.approx(24, rel=1e-6)


def test_a_preset_fixes_the_shape() -> None:
    made = size_run({"domain": 10**10, "general": 10**10}, SHARES, SizeSettings(preset="125m"), vocab=32_000)
    assert made.limited_by == "preset"
    assert made.chosen.shape.vocab == 32_000
    assert made.chosen.tokens_per_param == pytest.approx(20)


def test_missing_at_the_measured_keep_rate() -> None:
    settings = SizeSettings(wanted_params=[1e9])
    made = size_run({"domain": 200_000, "general": 10**11}, SHARES, settings, vocab=4096, keep_rates={"domain": 0.02})
    (missing,) = made.missing
    domain, general = missing.roles
    assert (domain.needed_tokens, domain.missing_tokens) == (10_200_000_000, 10_199_800_000)
    assert domain.raw_tokens == 509_990_000_000
    assert general.missing_tokens == 0
    assert "10,199,800,000 more domain tokens" in missing.sentence()
    assert "general" not in missing.sentence()


def test_an_empty_side_is_no_crash() -> None:
    made = size_run({"general": 10**9}, SHARES, SizeSettings(), vocab=4096)
    assert made.usable_tokens == 0
    assert made.limited_by == "demonstration"


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_usable_tokens_never_ask_for_more_than_there_is(domain: int, general: int, share: float, cap: float) -> None:
    total = usable_tokens(
        {"domain": domain, "general": general}, {"domain": share, "general": 1 - share}, {"domain": cap}
    )
    assert total * share <= domain * cap * (1 + 1e-9) + 1
    assert total * (1 - share) <= general * (1 + 1e-9) + 1


@pytest.mark.parametrize(
    ("field", "said"), [({"law": "chinchila"}, "did you mean chinchilla"), ({"gpu": "h1000"}, "did you mean h100"), ({"preset": "tinny"}, "did you mean tiny"), ({"law": "inference_aware"}, "needs inference_tokens")]
)  # fmt: skip
def test_settings_name_the_nearest(field: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SizeSettings(**field)
