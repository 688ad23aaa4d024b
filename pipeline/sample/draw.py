"""A reproducible random stream: the same numbers for the same seed on every machine and every Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of choices that depends on its key alone.

    Only `Random.random()` is used, the one method whose sequence Python promises to keep for a given seed; a string
    seed is hashed by SHA-512 there, never by `hash()`.

    >>> Draw(1, "page", 7).between(1, 6) == Draw(1, "page", 7).between(1, 6)
    True
    """

    def __init__(self, *key: str | int) -> None:
        self._next = random.Random("/".join(map(str, key))).random

    def below(self, count: int) -> int:
        """An integer in [0, count)."""
        return int(self._next() * count)

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + int(self._next() * (high - low + 1))

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + self._next() * (high - low)

    def date(self, first: int, last: int) -> str:
        """A day of the years `first` to `last`, as ISO 8601; every month has 28 days here."""
        return f"{self.between(first, last)}-{self.between(1, 12):02d}-{self.between(1, 28):02d}"

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._next() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self._next() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A new list in random order (Fisher-Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed
