"""How often a document is used: what is published equals drawing every sample of the loader, and no token is lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.handoff import ObjectiveSettings
from pipeline.handoff.windows import Visits, Window, planned_visits, turn, window_of
from recipes.pretrain.data import Samples
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.objectives import OBJECTIVES, build_objective


def visited(starts: np.ndarray, stride: int, count: int, windows: list[int]) -> np.ndarray:
    """Visits per document by counting every token of every window drawn; starts int64[n + 1]."""
    tokens = np.zeros(int(starts[-1]), np.int64)
    for window in windows:
        # The last window has the source's last token, also where it only predicts it.
        tokens[window * stride : len(tokens) if window == count - 1 else (window + 1) * stride] += 1
    return np.add.reduceat(tokens, starts[:-1]) / np.diff(starts)


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 30), st.integers(0, 1), st.data())
def test_uses_equal_drawing_every_sample(lengths, stride, overlap, data):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    count = Window(stride, overlap).count(int(starts[-1]))
    drawn = data.draw(st.integers(0, 4 * count + 3)) if count else 0
    wanted = visited(starts, stride, count, [turn(k, count, 5, "s")[1] for k in range(drawn)])
    visits = Visits("s", 5, stride, count, *(divmod(drawn, count) if count else (0, 0)))
    border = data.draw(st.integers(0, len(lengths)))  # two shards: each is computed alone
    found = [
        visits.uses(int(starts[first]), np.array(lengths[first:last], np.int64))
        for first, last in ((0, border), (border, len(lengths)))
    ]
    assert np.concatenate(found) == pytest.approx(wanted)


@pytest.fixture(scope="module")
def opened(handoff) -> Handoff:
    return open_handoff(str(handoff))


def starts_of(opened: Handoff, number: int) -> np.ndarray:
    """Where each training document of a source starts, and where the last one ends."""
    ends, base = [0], 0
    for shard in opened.manifest.sources[number].splits["train"]:
        ends += [base + int(end) for end in np.fromfile(f"{opened.at(shard.path)}.index", "<u8")]
        base += shard.num_tokens
    return np.array(ends)


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_planned_uses_are_what_the_loader_reads_and_add_up(opened, kind):
    config = opened.config.model_copy(
        update={
            "objective": opened.config.objective.model_copy(update={"kind": kind, "sequence_length": 64}),
            "steps": 70,
            "global_batch": 8,
        }
    )
    objective = build_objective(config.objective, opened.manifest.tokenizer)
    samples = Samples(replace(opened, config=config), objective)
    drawn: dict[int, list[int]] = {0: [], 1: []}
    for k in range(560):
        source, _, window = samples.locate(k)
        drawn[samples.active[source]].append(window)
    found = planned_visits(opened.manifest, config)
    for number, source in enumerate(opened.manifest.sources):
        starts, visits = starts_of(opened, number), found[source.name]
        uses = visits.uses(0, np.diff(starts))
        assert uses == pytest.approx(visited(starts, objective.stride, visits.count, drawn[number]))
        # Within one sample of the plan; a source's last window is short, once an epoch.
        short = visits.count * objective.stride - int(starts[-1])
        planned = source.weight * 560 * objective.stride
        total = float((uses * np.diff(starts)).sum())
        assert abs(total + visits.epochs * short - planned) <= 2 * objective.stride


def test_windows_of_the_objectives():
    assert window_of(ObjectiveSettings(sequence_length=128)) == (128, 1)
    assert window_of(ObjectiveSettings(kind="masked", sequence_length=128)) == (128, 0)
    assert window_of(ObjectiveSettings(kind="spans", sequence_length=512)) == (568, 0)
    assert window_of(ObjectiveSettings(kind="infilling")) == (256, 0)
