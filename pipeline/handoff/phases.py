"""How a run's batches grow and when its mix changes: pure functions of (settings, step), so that a resume needs no state.

A phase begins with a step and is kept as the number of that step's first sample. After a divergence that passed over
batches (`on_divergence: rewind`) a sample comes some steps earlier than planned, and so does its phase.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import UsageError
from pipeline.handoff.manifest import Manifest
from pipeline.handoff.order import Turns
from pipeline.handoff.train_config import ScheduleSettings, TrainConfig

Phases = list[tuple[int, dict[str, float]]]
"""(first sample, share of each source from there on), ascending; the first begins with sample 0."""


def decay_start(steps: int, settings: ScheduleSettings) -> int:
    """First step of the decay (wsd); a checkpoint from here can be continued with more data."""
    return max(settings.warmup_steps or 0, steps - round(steps * settings.decay_fraction))


def batch_at(config: TrainConfig, step: int) -> int:
    """Samples of step 0, 1, …: `global_batch`, or what the ramp has reached.

    >>> from pipeline.handoff.train_config import BatchRamp
    >>> config = TrainConfig(global_batch=10, batch_ramp=BatchRamp(first=4, steps=6))
    >>> [batch_at(config, step) for step in range(8)]
    [4, 4, 8, 8, 10, 10, 10, 10]
    """
    batch, ramp = config.global_batch or 1, config.batch_ramp
    if ramp is None or step >= ramp.steps:
        return batch
    levels = math.ceil(batch / ramp.first)
    return min(batch, ramp.first * (1 + step * levels // ramp.steps))


def samples_before(config: TrainConfig, step: int) -> int:
    """Samples of all steps before this one."""
    ramped = min(step, config.batch_ramp.steps) if config.batch_ramp else 0
    return sum(batch_at(config, at) for at in range(ramped)) + (step - ramped) * (config.global_batch or 1)


def phases(manifest: Manifest, config: TrainConfig) -> Phases:
    """The mix of the manifest, then those of `phases`. UsageError where a mix names no source or a phase never comes."""
    weights = {source.name: source.weight for source in manifest.sources}
    listed: Phases = [(0, weights)]
    for number, phase in enumerate(config.phases):
        where = f"phases.{number}"
        if phase.at == "decay" and config.schedule.kind != "wsd":
            raise UsageError(f"{where}.at: a {config.schedule.kind} schedule has no decay of its own; give a step")
        at = decay_start(config.steps or 1, config.schedule) if phase.at == "decay" else phase.at
        first = samples_before(config, at)
        if first <= listed[-1][0] or at >= (config.steps or 1):
            raise UsageError(
                f"{where}.at: step {at} is not between the phase before it and the last step, {config.steps}"
            )
        listed.append((first, _shares(manifest, phase.mix, f"{where}.mix")))
    return listed


def _shares(manifest: Manifest, mix: Mapping[str, float], where: str) -> dict[str, float]:
    """Share of every source: those named by themselves, and a role's share over its other sources by their weights."""
    names = {source.name for source in manifest.sources}
    if unknown := sorted(mix.keys() - names - {"domain", "general"}):
        raise UsageError(
            f"{where}: {unknown[0]} is neither a source ({', '.join(sorted(names))}) nor domain or general"
        )
    if abs(math.fsum(mix.values()) - 1) > 1e-6:
        raise UsageError(f"{where}: the shares sum to {math.fsum(mix.values()):g}, not to 1")
    shares = {name: mix.get(name, 0.0) for name in sorted(names)}
    for role in mix.keys() & {"domain", "general"} - names:
        others = {s.name: s.weight for s in manifest.sources if s.role == role and s.name not in mix}
        if not (total := math.fsum(others.values())):
            raise UsageError(f"{where}: no source of the role {role} is left to share {mix[role]:g}; name the sources")
        shares |= {name: mix[role] * weight / total for name, weight in others.items()}
    for source in manifest.sources:
        if shares[source.name] and not source.num_tokens():
            raise UsageError(f"{where}: source {source.name} has no training tokens")
    return shares


class PhasedTurns:
    """Source and within-source number of any sample; each phase takes turns by its own shares and goes on in each source
    where the phase before stopped, so that no window is seen twice before all of its source were."""

    def __init__(self, listed: Sequence[tuple[int, Mapping[str, float]]], names: Sequence[str]) -> None:
        self.starts = [first for first, _ in listed]
        self.turns = [Turns([shares.get(name, 0.0) for name in names]) for _, shares in listed]
        self.before = [[0] * len(names)]
        for at, (start, stop) in enumerate(zip(self.starts, self.starts[1:], strict=False)):
            drawn = self.turns[at].counts(stop - start)
            self.before.append([a + b for a, b in zip(self.before[at], drawn, strict=True)])

    def _phase(self, k: int) -> int:
        return bisect.bisect_right(self.starts, k) - 1

    def __call__(self, k: int) -> tuple[int, int]:
        """(number of the source, how many samples that source had before sample k)."""
        at = self._phase(k)
        source, ordinal = self.turns[at](k - self.starts[at])
        return source, self.before[at][source] + ordinal

    def counts(self, k: int) -> list[int]:
        """Samples of each source among the first k."""
        at = self._phase(k)
        return [a + b for a, b in zip(self.before[at], self.turns[at].counts(k - self.starts[at]), strict=True)]


def sources_of(manifest: Manifest, listed: Sequence[tuple[int, Mapping[str, Any]]]) -> list[int]:
    """Numbers of the manifest's sources that any phase draws on."""
    return [i for i, s in enumerate(manifest.sources) if any(shares.get(s.name) for _, shares in listed)]
