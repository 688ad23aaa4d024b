"""The loader: sample k of the run as arrays, batches of one process in order, read ahead by a thread.

State is one number, the samples consumed. Process r of W takes samples r, r+W, … of each step, so any number of
processes, any micro-batch and any read-ahead gives the same training.
"""

import itertools
import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pipeline.handoff import InfrastructureError, UsageError
from pipeline.handoff.order import keys
from pipeline.handoff.phases import PhasedTurns, phases, sources_of
from pipeline.handoff.windows import Window, turn
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.objectives import Objective, Sample
from recipes.pretrain.token_stream import TokenStream

READ_AHEAD = 4
REQUESTS = 16
"""Range requests to an object store under way at a time, of up to READ_AHEAD steps."""


class Windows:
    """A split of one source cut into windows of `stride` tokens; the last may be short."""

    def __init__(self, handoff: Handoff, source: int, split: str, objective: Objective) -> None:
        self.name = handoff.manifest.sources[source].name
        self.stream = TokenStream(handoff, handoff.manifest.sources[source].splits.get(split, []))
        self.objective = objective
        self.count = Window(objective.stride, objective.overlap).count(self.stream.num_tokens)

    def read(self, window: int, k: int, seed: int) -> Sample:
        """Window number `window` as a sample whose noise is drawn from (seed, k)."""
        start = window * self.objective.stride
        stop = min(self.stream.num_tokens, start + self.objective.stride + self.objective.overlap)
        tokens, ends = self.stream.read(start, stop)
        return self.objective.sample(tokens, ends, np.random.Generator(np.random.Philox(key=keys(seed, k, count=2))))


class Samples:
    """The endless sequence of training samples."""

    def __init__(self, handoff: Handoff, objective: Objective) -> None:
        self.seed, self.objective = handoff.config.seed, objective
        self.sources = sources = handoff.manifest.sources
        self.phases = phases(handoff.manifest, handoff.config)
        self.active = sources_of(handoff.manifest, self.phases)
        self.windows = [Windows(handoff, i, "train", objective) for i in self.active]
        for windows in self.windows:
            if not windows.count:
                raise UsageError(f"source {windows.name} has too few training tokens for one window")
        self.turns = PhasedTurns(self.phases, [sources[i].name for i in self.active])
        remote = any(windows.stream.remote for windows in self.windows)
        self.pool = ThreadPoolExecutor(REQUESTS, "range") if remote else None

    def begin(self, numbers: list[int | None], wait_s: float | None = None) -> Iterable[Sample]:
        """Samples by number, an empty one for None. From an object store they are under way when this returns; waiting
        longer than `wait_s` for them raises TimeoutError."""
        readers = [self._reader(k) for k in numbers]
        return (
            self.pool.map(lambda read: read(), readers, timeout=wait_s) if self.pool else [read() for read in readers]
        )

    def _reader(self, k: int | None) -> Callable[[], Sample]:
        """What reads sample k, whose place is looked up at once: that is not for several threads."""
        if k is None:
            return self.objective.empty
        source, _, window = self.locate(k)
        return partial(self.windows[source].read, window, k, self.seed)

    def locate(self, k: int) -> tuple[int, int, int]:
        """(source, epoch, window) of sample k."""
        source, ordinal = self.turns(k)
        windows = self.windows[source]
        return source, *turn(ordinal, windows.count, self.seed, windows.name)

    def __getitem__(self, k: int) -> Sample:
        return self._reader(k)()

    def realised(self, consumed: int) -> dict[str, float]:
        """Epochs gone through per source after `consumed` samples."""
        counts = self.turns.counts(consumed)
        return {w.name: count / w.count for w, count in zip(self.windows, counts, strict=True)}

    def shares(self, consumed: int) -> dict[str, float]:
        """Share of each role in the first `consumed` samples; of a continued training, `general` is its replay."""
        by_role = {"domain": 0, "general": 0}
        for at, count in zip(self.active, self.turns.counts(consumed), strict=True):
            by_role[self.sources[at].role] += int(count)
        return {role: count / max(1, consumed) for role, count in by_role.items()}


def share_of(rank: int, world: int, first: int, batch: int) -> list[int | None]:
    """Samples of one process in the step that starts at sample `first`; None fills up so that all have equally many."""
    mine: list[int | None] = list(range(first + rank, first + batch, world))
    return mine + [None] * (math.ceil(batch / world) - len(mine))


def stack(samples: list[Sample]) -> Sample:
    """Samples of equal length as one batch of arrays [samples, positions]."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def begin_step(
    samples: Samples, mine: list[int | None], size: int, wait_s: float | None = None
) -> Callable[[], list[Sample]]:
    """One process's step as micro-batches of exactly `size` samples (the last filled up with empty ones).

    From an object store the requests have begun when this returns, and the call of what it returns waits for them.
    """
    size = min(size, len(mine))
    under_way = samples.begin(mine + [None] * (-len(mine) % size), wait_s)

    def finish() -> list[Sample]:
        read = list(under_way)
        return [stack(read[i : i + size]) for i in range(0, len(read), size)]

    if samples.pool:
        return finish
    step = finish()
    return lambda: step


def micro_batches(samples: Samples, mine: list[int | None], size: int) -> list[Sample]:
    """The same at once."""
    return begin_step(samples, mine, size)()


class Loader:
    """Steps of one process, prepared by a thread while the device computes.

    An error in the thread (a shard cut short, an id past the vocabulary) is raised where the step is asked for.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        consumed: int,
        batch: int | Iterable[int],
        micro: int,
        rank: int,
        world: int,
        wait_s: float = 1800,
    ) -> None:
        """batch: samples of every step, or of each in turn."""
        self.samples, self.wait_s = samples, wait_s
        self.micro, self.rank, self.world = micro, rank, world
        self.batches = itertools.repeat(batch) if isinstance(batch, int) else iter(batch)
        self.ready: queue.Queue[Callable[[], list[Sample]] | BaseException] = queue.Queue(READ_AHEAD)
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._fill, args=(consumed,), daemon=True, name="loader")
        self.thread.start()

    def _fill(self, first: int) -> None:
        for batch in self.batches:
            if self.closed.is_set():
                return
            try:
                mine = share_of(self.rank, self.world, first, batch)
                step: Callable[[], list[Sample]] | BaseException
                step = begin_step(self.samples, mine, self.micro, self.wait_s)
            except Exception as error:  # noqa: BLE001  handed to the consumer, who raises it
                step = error
            while not self.closed.is_set():
                try:
                    self.ready.put(step, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(step, BaseException):
                return
            first += batch

    def __iter__(self) -> Iterator[list[Sample]]:
        while True:
            try:
                step = self.ready.get(timeout=self.wait_s)
                batches = step if isinstance(step, BaseException) else step()
            except (queue.Empty, TimeoutError):
                raise InfrastructureError(
                    f"process {self.rank} waited {self.wait_s / 60:.3g} minutes for its data (watch.wait_minutes); is the "
                    "storage there? running again resumes"
                ) from None
            if isinstance(batches, BaseException):
                raise batches
            yield batches

    def close(self) -> None:
        """Stop reading ahead."""
        self.closed.set()
        self.thread.join(timeout=5)
