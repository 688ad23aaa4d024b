"""Temperature sampling and UniMax by their definitions."""

from collections.abc import Sequence

from pipeline.plan.fill import fill


def temperature_weights(sizes: Sequence[float], temperature: float) -> list[float]:
    """Shares that go with size^(1/temperature): 1 is proportional, larger is flatter.

    >>> [round(share, 4) for share in temperature_weights([1, 10, 100], 2)]
    [0.0706, 0.2233, 0.7061]
    """
    powers = [size ** (1 / temperature) for size in sizes]
    return [power / sum(powers) for power in powers]


def unimax(sizes: Sequence[int], budget: int, max_epochs: float) -> list[int]:
    """As equal as the caps allow (UniMax, arXiv 2304.09151).

    >>> unimax([1, 10, 100], 60, 4)
    [4, 28, 28]
    """
    return fill([1.0] * len(sizes), [int(size * max_epochs) for size in sizes], budget)
