"""Which process keeps the others waiting: each one's own time, compared now and then, and a sentence when one stands out.

Inside a step all processes wait for each other, so its seconds are the same on each of them. Compared are two things that
are a process's own: how long it waits for its data before a step, and a fixed matrix product (a device that is throttled,
a host that is busy), the least of a few. The price is one gather of two numbers every EVERY steps and some
milliseconds of products; a slow network is not seen.
"""

import statistics
import time
from typing import Any

import torch
import torch.distributed as dist

from recipes.pretrain.parallel import World

EVERY = 100
"""Steps between two comparisons."""
PROBES, SIDE = 5, {"cpu": 256, "cuda": 4096}
"""Products of square matrices, and their side by device."""
NOTABLE = 0.1
"""Share of a step that a process must wait for data, beside the factor, to be called slow."""


def probe(device: torch.device) -> float:
    """Seconds of a matrix product: the least of PROBES, which other work on the machine disturbs least."""
    matrix = torch.ones(SIDE[device.type], SIDE[device.type], device=device)
    wait = torch.cuda.synchronize if device.type == "cuda" else int
    times = []
    for _ in range(PROBES):
        wait()
        begun = time.perf_counter()
        torch.mm(matrix, matrix)
        wait()
        times.append(time.perf_counter() - begun)
    return min(times)


def slowest(own: list[tuple[float, float]], step_s: float, factor: float) -> tuple[int, str] | None:
    """The process that stands out and what of it does, from the seconds of
    waiting for data in a step and of the product, of each.

    It stands out at `factor` times the median of all, of two the faster one.
    """
    worst = None
    for column, what, least in (
        (0, "of each step to wait for its data", NOTABLE * step_s),
        (1, "for a matrix product", 0.0),
    ):
        values = [row[column] for row in own]
        usual, most = statistics.median_low(values), max(values)
        times = most / max(usual, 1e-9)
        if times > factor and most - usual > least and (worst is None or times > worst[0]):
            told = f"it needs {most * 1000:.3g} ms {what}, the median process {usual * 1000:.3g} ms"
            worst = times, values.index(most), told
    return None if worst is None else (worst[1], worst[2])


class Stragglers:
    """Compares the processes every EVERY steps. Collective."""

    def __init__(self, world: World, factor: float) -> None:
        self.world, self.factor = world, factor
        self.waited, self.steps, self.told = 0.0, 0, -1
        self.begun = time.perf_counter()

    def stepped(self, waited_s: float) -> str | None:
        """Count a step that waited so long for its data; a sentence when another process than before stands out."""
        self.waited, self.steps = self.waited + waited_s, self.steps + 1
        if self.world.size == 1 or not self.factor or self.steps < EVERY:
            return None
        mine = (self.waited / self.steps, probe(self.world.device))
        own: list[Any] = [None] * self.world.size
        dist.all_gather_object(own, mine, group=self.world.control)
        found = slowest(own, (time.perf_counter() - self.begun) / self.steps, self.factor)
        self.waited, self.steps, self.begun = 0.0, 0, time.perf_counter()
        before, self.told = self.told, found[0] if found else -1
        if found is None or self.told == before:
            return None
        return f"process {found[0]} keeps the others waiting: {found[1]} (watch.slow_factor)"
