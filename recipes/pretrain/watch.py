"""What ends a training that goes nowhere, with a sentence: skipped steps, a flat loss, data that repeats, divergence.

Device numbers are fetched every few steps, never more often than metrics are reported. The price: a run of skipped steps
is noticed at most that many steps late.
"""

import json
import math
import os
import zlib
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.handoff import PipelineError, WatchSettings
from recipes.pretrain.objectives import Sample
from recipes.pretrain.optimizer import SpikeGuard

RECORD = "diverged.json"
PERIOD = 64
"""Steps among which a batch is looked for again."""
LEARNT = 0.99
"""A model trained from nothing whose mean loss is still above this share of its first loss has learnt nothing."""
WORSE = 1.25
"""A continued model whose mean loss stays above this multiple of its first loss has lost what it knew."""
MAX_REWINDS = 3
LONG = 8
"""Times skip_limit: the steps of which not more than half may be skipped, in a row or not."""


class StalledError(PipelineError):
    """The training goes on and nothing is learnt."""

    exit_code = 1


class DivergedError(StalledError):
    """No update has been taken for many steps. `record` says where it began, for the start that follows."""

    def __init__(self, sentence: str, record: "Divergence") -> None:
        super().__init__(sentence)
        self.record = record


@dataclass(frozen=True)
class Divergence:
    """`checkpoints/diverged.json`: the `number`-th divergence of a run, noticed at `step`, `consumed` samples in.

    A checkpoint counts as good when it was written after this divergence (its own number is as high) or when its step
    is at most `last_good`.
    """

    number: int
    step: int
    last_good: int
    consumed: int
    reason: str
    job: str = field(default_factory=lambda: os.environ.get("TORCHELASTIC_RUN_ID", ""))
    """torchrun's name of the job in which it was."""

    def restarted(self) -> bool:
        """Whether this process is torchrun's own restart after it: with the same settings it would diverge again."""
        again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0
        return again and os.environ.get("TORCHELASTIC_RUN_ID") == self.job

    def spoils(self, step: int, state: dict[str, Any]) -> bool:
        """Whether the checkpoint of `step` with this state must not be resumed."""
        return state.get("divergences", 0) < self.number and step > self.last_good

    def dump(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


class Watch:
    """Looks at the numbers of a run every `every` steps and at the data of every step."""

    def __init__(self, settings: WatchSettings, report_every: int, learns_after: int | None) -> None:
        """learns_after: the step from which a loss near the first one is a fault; None for a continued model, whose loss
        may stay near it and must not be far above."""
        self.settings, self.learns_after = settings, learns_after
        self.every = min(report_every, settings.skip_limit or report_every)
        self.first_loss: float | None = None
        self.hashes: deque[int] = deque(maxlen=PERIOD)
        self.repeated = 0
        self.skips: deque[tuple[int, int]] = deque()

    def repeats(self, micro_batches: list[Sample]) -> bool:
        """Whether this step's batch and those of many steps before it were all seen shortly before."""
        value = 0
        for batch in micro_batches:
            value = zlib.crc32(batch["inputs"].tobytes(), value)
        self.repeated = self.repeated + 1 if value in self.hashes else 0
        self.hashes.append(value)
        return 0 < self.settings.repeat_steps <= self.repeated

    def look(
        self, step: int, consumed: int, loss: float, guard: SpikeGuard, divergences: int, last: bool = False
    ) -> None:
        """Raises DivergedError after `skip_limit` skipped steps in a row, or when most of a long stretch, or at the `last`
        step of the whole run, were skipped; StalledError when the loss is flat or stays far above the first one."""
        in_row, limit = int(guard.in_row), self.settings.skip_limit
        if limit and in_row >= limit:
            first, finite = step - in_row + 1, math.isfinite(loss)
            reason = (
                f"the last {in_row} updates were skipped, steps {first:,} to {step:,}: "
                + ("loss or gradient norm stands out every time" if finite else "loss or gradient is no number")
            )  # fmt: skip
            # what the first of them could not be computed from is the checkpoint right before it
            record = Divergence(divergences + 1, step, first - 1 if finite else first - 2, consumed, reason)
            raise DivergedError(f"{reason}; running again resumes the last good checkpoint", record)
        self._look_far(step, consumed, int(guard.skipped), divergences, last)
        if self.first_loss is None and math.isfinite(loss):
            self.first_loss = loss
        flat, values = self.settings.flat_steps, guard.values[0]
        if not flat or step < flat or int(guard.seen) < guard.window or not math.isfinite(loss):
            return
        spread, mean = float(values.max() - values.min()), float(values.mean())
        if spread <= 1e-6 * abs(mean):
            raise StalledError(
                f"the loss is flat: {mean:.6f} at each of the last {guard.window} steps; is the learning rate 0, or "
                "does the model not see its data?"
            )
        late, bound = step >= (self.learns_after or 0) + flat, LEARNT if self.learns_after is not None else WORSE
        if late and self.first_loss is not None and mean > bound * self.first_loss:
            raise StalledError(
                f"the loss {'has risen' if mean > WORSE * self.first_loss else 'is flat'}: {mean:.4f} over the last "
                f"{guard.window} steps, {self.first_loss:.4f} at the first; look at optimizer.learning_rate and the data, "
                "and start again in another `out`, or set watch.flat_steps=0"
            )

    def _look_far(self, step: int, consumed: int, skipped: int, divergences: int, last: bool) -> None:
        if last and self.settings.skip_limit and 2 * skipped > step:
            reason = f"{skipped} of all {step} updates were skipped"
            record = Divergence(divergences + 1, step, step, consumed, reason)
            raise DivergedError(f"{reason}; lower optimizer.learning_rate", record)
        stretch = LONG * self.settings.skip_limit
        if self.skips and step <= self.skips[-1][0]:
            self.skips.clear()  # the run went back to a checkpoint
        self.skips.append((step, skipped))
        while len(self.skips) > 1 and self.skips[1][0] <= step - stretch:
            self.skips.popleft()
        since, before = self.skips[0]
        if 0 < stretch <= step - since < 2 * (skipped - before):
            reason = f"{skipped - before} of the {step - since} updates up to step {step:,} were skipped"
            # what was saved meanwhile is of updates that were taken
            record = Divergence(divergences + 1, step, step, consumed, reason)
            raise DivergedError(f"{reason}; running again resumes the last good checkpoint", record)


def repeats_sentence(settings: WatchSettings, step: int) -> str:
    """Why a run whose batches repeat is ended."""
    return (
        f"the data stream repeats: each of the last {settings.repeat_steps} batches up to step {step:,} is the same as "
        f"one of the {PERIOD} before it; is the corpus smaller than a few batches? watch.repeat_steps=0 allows it"
    )
