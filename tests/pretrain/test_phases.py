"""Batches that grow and mixes that change at a step: what is drawn, and that a killed run goes on bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.handoff import TrainConfig, UsageError, batch_at, parse_manifest
from pipeline.handoff.phases import PhasedTurns, phases, samples_before
from pipeline.handoff.train_config import BatchRamp
from pipeline.handoff.windows import planned_visits
from recipes.pretrain.data import Samples
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.objectives import build_objective

from .conftest import case, train_here
from .forked import forked
from .test_resume import curve

pytestmark = pytest.mark.train

RUN = ["steps=12", "checkpoint.every_steps=2", "evaluate.every_steps=12", "evaluate.max_samples=2", "micro_batch=4",
       "evaluate.max_terms=0", "export.huggingface=false", "parallel.sharding=none", "checkpoint.asynchronous=false",
       "batch_ramp={first: 2, steps: 4}", "phases=[{at: 6, mix: {filings: 0.1, wiki: 0.9}}, {mix: {domain: 1}}]"]  # fmt: skip


def sources_drawn(handoff, *settings):
    opened = open_handoff(str(handoff), list(settings))
    samples = Samples(opened, build_objective(opened.config.objective, opened.manifest.tokenizer))
    total = samples_before(opened.config, opened.config.steps)
    return opened, samples, np.array([samples.locate(k)[0] for k in range(total)])


def test_a_ramp_reaches_the_batch_in_multiples_of_its_first():
    config = TrainConfig(steps=100, global_batch=100, batch_ramp=BatchRamp(first=16, steps=70))
    sizes = [batch_at(config, step) for step in range(100)]
    assert (sizes[0], sizes[69], sizes[70]) == (16, 100, 100)
    assert sizes == sorted(sizes)
    assert set(sizes) == {16, 32, 48, 64, 80, 96, 100}
    for step in (0, 1, 35, 70, 71, 100):
        assert samples_before(config, step) == sum(sizes[:step])
    larger = TrainConfig(global_batch=8, batch_ramp=BatchRamp(first=16, steps=3))
    assert [batch_at(larger, step) for step in range(4)] == [8, 8, 8, 8]


def test_each_phase_has_its_own_mix_and_goes_on_in_each_source(handoff):
    opened, samples, drawn = sources_drawn(handoff, *RUN)
    # 2, 4, 6, 8 and then 8 samples a step; the last phase comes with the decay, 2 of 12 steps before the end
    assert [first for first, _ in samples.phases] == [0, 20 + 16, 20 + 48]
    shares = [np.mean(part == 0) for part in np.split(drawn, [36, 68])]
    assert shares == pytest.approx([0.51, 0.1, 1.0], abs=1 / 32)
    places = [samples.locate(k) for k in range(len(drawn))]
    assert len(set(places)) == len(places)  # no window of an epoch twice, also across the switches
    visits = planned_visits(opened.manifest, opened.config)
    for name, epochs in samples.realised(len(drawn)).items():
        assert (visits[name].epochs * visits[name].count + visits[name].rest) / visits[name].count == epochs


def test_a_role_shares_what_its_named_sources_leave(handoff):
    manifest = parse_manifest((handoff / "manifest.json").read_text())
    config = TrainConfig.model_validate(
        {"steps": 10, "global_batch": 1, "phases": [{"at": 5, "mix": {"filings": 0.3, "general": 0.7}}]}
    )
    assert phases(manifest, config)[1] == (5, {"filings": 0.3, "wiki": 0.7})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("[{at: 3, mix: {filings: 0.5}}]", r"phases\.0\.mix: the shares sum to 0\.5"),
        ("[{at: 3, mix: {filing: 1}}]", r"filing is neither a source \(filings, wiki\) nor domain or general"),
        ("[{at: 12, mix: {filings: 1}}]", r"phases\.0\.at: step 12 is not between"),
        ("[{at: 5, mix: {wiki: 1}}, {at: 5, mix: {filings: 1}}]", r"phases\.1\.at: step 5 is not between"),
        ("[{at: 3, mix: {filings: 0.4, wiki: 0.2, domain: 0.4}}]", "no source of the role domain is left"),
    ],
)
def test_a_phase_that_cannot_be_is_a_sentence(handoff, given, reason):
    with pytest.raises(UsageError, match=reason):
        sources_drawn(handoff, "steps=12", f"phases={given}")


def test_a_cosine_schedule_has_no_decay_to_begin_with(handoff):
    with pytest.raises(UsageError, match="a cosine schedule has no decay of its own"):
        sources_drawn(handoff, "schedule.kind=cosine", "phases=[{mix: {domain: 1}}]")


def test_phases_stand_in_train_yaml(handoff):
    from pipeline.handoff import dump_train_config, parse_train_config

    config = open_handoff(str(handoff), RUN).config
    assert "phases: [{at: 6, mix: {filings: 0.1, wiki: 0.9}}, {at: decay, mix: {domain: 1.0}}]" in dump_train_config(
        config
    )
    assert parse_train_config(dump_train_config(config)) == config


def test_killed_before_at_and_after_a_switch(handoff, tmp_path, world):
    """Killed in steps 5, 6 (the first of the new mix) and 7, each time with SIGKILL: the curve of a run left alone."""
    train_here([case("whole", handoff, tmp_path, *RUN)], world)
    words = [w for s in [*RUN, f"out={tmp_path / 'killed'}"] for w in ("--set", s)]
    script = str(Path(__file__).with_name("killed.py"))
    codes = []
    for step in (5, 6, 7, 99):
        done = forked(script, str(tmp_path / f"marker-{step}"), "0", str(step), str(handoff), *words)
        codes.append(done.returncode)
    assert codes == [-9, -9, -9, 0]
    assert "resuming after step 6 of 12" in done.stderr
    assert len(curve(tmp_path / "whole")) == 12
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    summary = json.loads((tmp_path / "killed" / "summary.json").read_text())
    assert summary["samples"] == 20 + 8 * 8
    assert [phase["first_sample"] for phase in summary["phases"]] == [36, 68]


def test_a_past_phase_may_not_change_and_a_future_one_may(handoff, tmp_path, world):
    first = case("first", handoff, tmp_path, *RUN, into="run", stop_after=8)
    other = [*RUN[:-1], "phases=[{at: 6, mix: {filings: 0.2, wiki: 0.8}}, {mix: {domain: 1}}]"]
    later = [*RUN[:-1], "phases=[{at: 6, mix: {filings: 0.1, wiki: 0.9}}, {at: 11, mix: {general: 1}}]"]
    found = train_here(
        [
            first,
            case("other", handoff, tmp_path, *other, into="run"),
            case("later", handoff, tmp_path, *later, into="run"),
        ],
        world,
    )
    assert "was made with other phases" in found["other"]["error"]
    assert found["later"]["summary"]["finished"]


def test_turns_of_one_phase_are_those_without_phases():
    from pipeline.handoff.order import Turns

    plain, phased = Turns([0.3, 0.7]), PhasedTurns([(0, {"a": 0.3, "b": 0.7})], ["a", "b"])
    assert [plain(k) for k in range(200)] == [phased(k) for k in range(200)]
    assert plain.counts(123) == phased.counts(123)
