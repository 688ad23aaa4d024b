"""Windows of tokens: how many a sample consumes, how often each is visited, and so how often each document is used.

Pure functions that the loader and the hand-off share: what is published beside the corpus is what training does.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.handoff.manifest import Manifest
from pipeline.handoff.order import keys, permute, unpermute
from pipeline.handoff.phases import PhasedTurns, phases, samples_before, sources_of
from pipeline.handoff.train_config import ObjectiveSettings, TrainConfig
from pipeline.size.shape import span_lengths


class Window(NamedTuple):
    """A sample consumes `stride` tokens; of `overlap` more it only predicts."""

    stride: int
    overlap: int

    def count(self, num_tokens: int) -> int:
        """Windows of a source of so many tokens; the last may be short.

        >>> Window(4, 1).count(9), Window(4, 1).count(10), Window(4, 0).count(0)
        (2, 3, 0)
        """
        return max(0, -(-(num_tokens - self.overlap) // self.stride))


def window_of(settings: ObjectiveSettings) -> Window:
    """The window of an objective whose kind and length are filled in (256 where it is not).

    Windows of next-token prediction overlap by one token; a window of span corruption is longer than what the encoder
    sees of it.
    """
    length = settings.sequence_length or 256
    if settings.kind == "spans":
        return Window(span_lengths(length, settings.noise_density, settings.mean_span)[0], 0)
    return Window(length, int(settings.kind in ("causal", None)))


def turn(ordinal: int, count: int, seed: int, source: str) -> tuple[int, int]:
    """(epoch, window) of a source's sample number `ordinal`; each epoch has an order of its own."""
    epoch, index = divmod(ordinal, count)
    return epoch, permute(index, count, keys(seed, source, epoch))


@dataclass(frozen=True)
class Visits:
    """What a run takes of one source: `epochs` times all of its `count` windows, then the first `rest` of the next epoch."""

    source: str
    seed: int
    stride: int
    count: int
    epochs: int
    rest: int

    def more(self, first: int, last: int) -> np.ndarray:
        """bool[last - first]: which of the windows first, …, last - 1 are visited once more than `epochs` times."""
        if self.rest in (0, self.count):
            return np.full(last - first, self.rest > 0)
        order = keys(self.seed, self.source, self.epochs)
        return np.array([unpermute(window, self.count, order) < self.rest for window in range(first, last)], np.bool_)

    def uses(self, start: int, lengths: np.ndarray) -> np.ndarray:
        """float64[n]: how often each document's tokens are visited, on average over its tokens.

        Documents lie one after the other from token `start` of the source's training tokens; lengths int64[n] count the
        end-of-text token. The last token belongs to the last window, also where that one only predicts it.
        """
        ends = start + np.cumsum(lengths)
        if not len(lengths) or not self.count:
            return np.zeros(len(lengths))
        first, last = min(start // self.stride, self.count - 1), min(int(ends[-1]) // self.stride, self.count - 1)
        more = self.more(first, last + 1)
        # Tokens visited once more before a place, counted from the start of window `first`.
        before = np.concatenate([[0], np.cumsum(more[:-1] * self.stride)])

        def visited(place: np.ndarray) -> np.ndarray:
            window = np.minimum(place // self.stride, last) - first
            return before[window] + more[window] * (place - (window + first) * self.stride)

        extra = visited(ends) - visited(ends - lengths)
        return self.epochs + extra / lengths


def planned_visits(manifest: Manifest, config: TrainConfig) -> dict[str, Visits]:
    """The visits of every source in the run that `train.yaml` plans: the samples of all its steps, in the loader's order.

    `config` has every default filled in. A source without weight, or with too few tokens for a window, has no visits.
    """
    if config.steps is None or config.global_batch is None:
        raise ValueError("steps and global_batch are not filled in: give what default_train_config returns")
    window = window_of(config.objective)
    listed = phases(manifest, config)
    active = [manifest.sources[i].name for i in sources_of(manifest, listed)]
    taken = dict(zip(active, PhasedTurns(listed, active).counts(samples_before(config, config.steps)), strict=True))
    visits = {}
    for source in manifest.sources:
        count = window.count(source.num_tokens())
        epochs, rest = divmod(taken.get(source.name, 0), count) if count else (0, 0)
        visits[source.name] = Visits(source.name, config.seed, window.stride, count, epochs, rest)
    return visits
