"""The mix: exact shares, caps, whole totals, order that does not matter, and plain words when a side runs out."""

import io
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import UsageError
from pipeline.handoff.order import Turns
from pipeline.handoff.windows import Visits, Window
from pipeline.plan.fill import fill
from pipeline.plan.mix import MixPlan, MixSettings, MixSource, mix
from tests.plan.shares import temperature_weights, unimax

SOURCES = st.lists(
    st.tuples(st.sampled_from(["domain", "general"]), st.integers(0, 10**12), st.integers(0, 10**4)), max_size=8
).map(lambda rows: [MixSource(f"s{i}", role, n, 1, min(n, big)) for i, (role, n, big) in enumerate(rows)])
SETTINGS = st.builds(
    MixSettings,
    domain=st.floats(0, 1),
    strategy=st.sampled_from(["proportional", "temperature", "unimax"]),
    temperature=st.floats(1, 10),
    max_epochs=st.floats(0.1, 20),
    on_shortage=st.sampled_from(["shrink", "repeat", "lower_share"]),
    total_tokens=st.none() | st.integers(1, 10**13),
)


@given(SOURCES, SETTINGS)
@settings(max_examples=300, deadline=None)
def test_laws_of_a_mix(sources: list[MixSource], asked: MixSettings) -> None:
    made = mix(sources, asked)
    assert sum(line.used_tokens for line in made.sources) == made.total_tokens
    for line in made.sources:
        assert 0 <= line.used_tokens <= line.tokens * asked.max_epochs + 1e-6 * line.tokens
    if asked.total_tokens is not None:
        assert made.total_tokens <= asked.total_tokens
    if made.total_tokens:
        assert sum(made.realised.values()) == pytest.approx(1)
        assert sum(line.weight for line in made.sources) == pytest.approx(1)
        if asked.on_shortage != "lower_share":
            assert abs(made.realised["domain"] - asked.domain) <= 1.5 / made.total_tokens + 2e-9
    if asked.on_shortage == "shrink":
        for role in ("domain", "general"):
            used = sum(line.used_tokens for line in made.sources if line.role == role)
            assert used <= sum(source.tokens for source in sources if source.role == role)


@given(SOURCES, SETTINGS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_sources_changes_nothing(sources: list[MixSource], asked: MixSettings, order: random.Random) -> None:
    shuffled = list(sources)
    order.shuffle(shuffled)
    assert mix(shuffled, asked) == mix(sources, asked)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 10**9)), max_size=8), st.integers(0, 10**10))
def test_fill_gives_everything_it_can(pairs: list[tuple[float, int]], budget: int) -> None:
    weights, limits = [p[0] for p in pairs], [p[1] for p in pairs]
    given_ = fill(weights, limits, budget)
    assert sum(given_) == min(budget, sum(limits))
    assert all(0 <= g <= limit for g, limit in zip(given_, limits, strict=True))


def test_fill_is_by_weight_below_the_limits() -> None:
    """Water filling: a source below its limit never gets less per weight than any other."""
    assert fill([1, 1, 2], [100, 5, 100], 45) == [13, 5, 27]


def test_known_answers() -> None:
    """Temperature sampling of mT5 and UniMax (arXiv 2304.09151)."""
    assert temperature_weights([1, 10, 100], 2) == pytest.approx([0.0706, 0.2233, 0.7061], rel=1e-3)
    assert unimax([1, 10, 100], 60, 4) == [4, 28, 28]


def example(**asked: object) -> MixPlan:
    sources = [
        {"name": "news", "role": "domain", "tokens": 120_000, "largest_document": 900, "raw_bytes": 48_000_000},
        {"name": "calls", "role": "domain", "tokens": 80_000, "largest_document": 4000, "raw_bytes": 12_000_000},
        {"name": "web", "role": "general", "tokens": 600_000, "largest_document": 2000},
    ]
    return mix(sources, MixSettings(**asked), keep_rates={"domain": 0.02})


@pytest.mark.parametrize("share", [0.51, 0.30])
def test_shares_are_exact(share: float) -> None:
    made = example(domain=share)
    assert made.realised["domain"] == pytest.approx(share, abs=1e-5)
    assert made.exact
    assert made.scarcer == "domain"
    assert made.total_tokens == pytest.approx(200_000 / share, abs=2)


def test_repeat_uses_the_plentiful_side_once() -> None:
    made = example(domain=0.5, on_shortage="repeat")
    assert made.total_tokens == 1_200_000
    assert {line.name: line.epochs for line in made.sources} == {"calls": 3.0, "news": 3.0, "web": 1.0}
    assert made.unique_tokens == 800_000


def test_repeat_stops_at_the_cap() -> None:
    made = example(domain=0.5, on_shortage="repeat", max_epochs=2)
    assert made.total_tokens == 800_000
    assert "1.2 million tokens were wanted" in made.statement


def test_lower_share_uses_everything_once() -> None:
    made = example(domain=0.51, on_shortage="lower_share")
    assert made.total_tokens == 800_000
    assert made.realised["domain"] == 0.25
    assert not made.exact


def test_choices_say_what_they_cost() -> None:
    made = example(domain=0.5)
    said = {choice.name: choice.sentence for choice in made.choices}
    assert [choice.name for choice in made.choices if choice.taken] == ["shrink"]
    assert "400 thousand tokens" in said["shrink"]
    assert "3.0 times" in said["repeat"]
    assert "25.00%" in said["lower_share"]
    assert "400 thousand more domain tokens" in said["collect"]
    assert "20 million raw tokens" in said["collect"]
    assert "120.0 MB as collected" in said["collect"]  # 60 MB made 200,000 tokens


def test_an_empty_side_is_said() -> None:
    made = mix([MixSource("web", "general", 1000)], MixSettings())
    assert made.total_tokens == 0
    assert "no domain tokens at all" in made.missing[0]
    assert "one side is empty" in made.statement
    assert [choice.name for choice in made.choices] == ["collect"]
    assert mix([MixSource("web", "general", 1000)], MixSettings(domain=0)).total_tokens == 1000


def test_caps_by_name() -> None:
    made = example(domain=0.5, on_shortage="repeat", max_epochs_by={"news": 1, "domain": 2})
    assert {line.name: line.used_tokens for line in made.sources} == {"calls": 160_000, "news": 120_000, "web": 280_000}


def test_a_source_gets_its_share_of_its_role() -> None:
    sources = [MixSource("calls", "domain", 400), MixSource("news", "domain", 600), MixSource("web", "general", 9000)]
    sources.append(MixSource("speeches", "domain", 200))
    made = mix(sources, MixSettings(domain=0.5, within={"calls": 0.2}))
    used = {line.name: line.used_tokens for line in made.sources}
    assert used == {"calls": 240, "news": 720, "speeches": 240, "web": 1200}
    assert made.statement.count("capped") == 0
    capped = mix(sources, MixSettings(domain=0.5, within={"speeches": 1.0}, max_epochs=1))
    used = {line.name: line.used_tokens for line in capped.sources}
    assert used == {"calls": 400, "news": 600, "speeches": 200, "web": 1200}
    assert "speeches gives 16.67% of the domain text, not 100.00%: its epochs are capped" in capped.statement
    with pytest.raises(UsageError, match="did you mean calls"):
        mix(sources, MixSettings(within={"call": 0.2}))


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.floats(0.5, 4), st.integers(0, 6000),
)  # fmt: skip
def test_no_token_of_a_role_is_lost_to_within(sizes: list[int], shares: list[float], cap: float, total: int) -> None:
    sources = [MixSource(f"s{n}", "domain", size) for n, size in enumerate(sizes)]
    settings = MixSettings(
        domain=1, max_epochs=cap, on_shortage="repeat", total_tokens=total or None,
        within={f"s{n}": share for n, share in enumerate(shares[: len(sizes) // 2])},
    )  # fmt: skip
    made = mix(sources, settings)
    plain = mix(sources, settings.model_copy(update={"within": {}}))
    assert made.total_tokens == plain.total_tokens
    assert all(line.used_tokens <= int(line.tokens * cap) for line in made.sources)


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ValidationError, match="must be 1"):
        MixSettings(domain=0.5, general=0.6)
    assert MixSettings(domain=0.6).shares()["general"] == pytest.approx(0.4)


def real_documents() -> dict[str, tuple[str, np.ndarray]]:
    """Source -> (role, words of each document) of real text."""
    if "CORPORA" not in os.environ:
        pytest.skip("set CORPORA to a folder with finance/ and general/")
    zstandard = pytest.importorskip("zstandard")
    found = {}
    for name, role in (
        ("finance/reuters_news_2006_2010", "domain"),
        ("finance/earnings_calls_2020_2021", "domain"),
        ("general/wikipedia_en_a", "general"),
        ("general/classic_books", "general"),
    ):
        path = Path(os.environ["CORPORA"]) / f"{name}.jsonl.zst"
        with path.open("rb") as file:
            stream = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file)
            texts = []
            for line in io.TextIOWrapper(stream, encoding="utf-8"):
                texts.append(json.loads(line)["text"])
                if len(texts) == 1500:
                    break
        found[name] = (role, np.array([len(text.split()) for text in texts]))
    return found


def test_shares_on_real_text() -> None:
    """51/49, 30/70 and a wish that cannot be met, on news, calls, encyclopaedia and books, down to the document."""
    documents = real_documents()
    sources = [
        MixSource(name, role, int(words.sum()), len(words), int(words.max()))
        for name, (role, words) in documents.items()
    ]
    for share in (0.51, 0.30):
        made = mix(sources, MixSettings(domain=share))
        assert made.exact
        assert made.realised["domain"] == pytest.approx(share, abs=1e-5)
        window, used = Window(512, 1), {"domain": 0.0, "general": 0.0}
        samples = made.total_tokens // window.stride
        taken = Turns([line.weight for line in made.sources]).counts(samples)
        for line, count in zip(made.sources, taken, strict=True):
            role, words = documents[line.name]
            whole = window.count(int(words.sum()))
            visits = Visits(line.name, 1, window.stride, whole, *divmod(count, whole))
            tokens = float((visits.uses(0, words) * words).sum())
            assert abs(tokens - line.weight * samples * window.stride) <= window.stride * (visits.epochs + 2)
            used[role] += tokens
        assert abs(used["domain"] / sum(used.values()) - share) <= 0.001
    wish = mix(sources, MixSettings(domain=0.51, total_tokens=10**9))
    assert wish.total_tokens < 10**9
    assert "1 billion tokens were wanted" in wish.statement
    assert {choice.name for choice in wish.choices} == {"shrink", "repeat", "lower_share", "collect"}
    nothing = mix([s for s in sources if s.role == "general"], MixSettings())
    assert nothing.missing
    assert "no domain tokens at all" in nothing.missing[0]


def test_buckets_are_weighed_and_repeated_within_their_caps_and_leave_sources_their_shares():
    parts = [MixSource(f"web-b{n}", "general", 100, bucket=n) for n in (1, 2, 3, 4, 5)]
    given = [MixSource("news", "domain", 500), MixSource("talk", "general", 500), *parts]
    told = MixSettings(domain=0.5, total_tokens=1000, buckets={5: 3, 1: 0}, within={"web": 0.5}, max_epochs=2)
    used = {line.name: line.used_tokens for line in mix(given, told).sources}
    assert sum(used.values()) == 1000
    assert used["talk"] == 250
    assert used == {"news": 500, "talk": 250, "web-b1": 0, "web-b2": 42, "web-b3": 42, "web-b4": 41, "web-b5": 125}
    capped = mix(given, told.model_copy(update={"max_epochs_by": {"web-b5": 1.0, "web": 0.5}})).sources
    assert {line.name: line.used_tokens for line in capped if line.name != "news"} == {
        "talk": 250, "web-b1": 0, "web-b2": 50, "web-b3": 50, "web-b4": 50, "web-b5": 100,
    }  # fmt: skip
    with pytest.raises(UsageError, match="did you mean web"):
        mix(given, MixSettings(within={"wbe": 0.5}))
