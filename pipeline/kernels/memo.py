"""A memory for what several judges of one batch derive from the same columns."""

from collections.abc import Callable
from typing import Generic, TypeVar

import pyarrow as pa

Value = TypeVar("Value")


def _same(one: pa.Array, other: pa.Array) -> bool:
    if len(one) != len(other) or one.offset != other.offset or one.type != other.type:
        return False
    pairs = zip(one.buffers(), other.buffers(), strict=True)
    return all((a.address, a.size) == (b.address, b.size) if a and b else a is b for a, b in pairs)


class LastColumns(Generic[Value]):
    """Remembers the last arrays and what was made of them, of the last `most` different ones.

    It holds the arrays: their buffers cannot be freed and their addresses reused, and Arrow data never changes, so
    equal addresses mean equal content. Few entries, because the judges of a batch run one after the other.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._entries: list[tuple[tuple[pa.Array, ...], object, Value]] = []

    def get(self, arrays: tuple[pa.Array, ...], make: Callable[[], Value], key: object = None) -> Value:
        """The remembered value when the arrays, and the settings `key`, are among the last ones, else `make()`."""
        for known, own, value in self._entries:
            if len(known) == len(arrays) and own == key and all(map(_same, arrays, known)):
                return value
        while len(self._entries) >= self._most:  # before the new one is made: both need room
            self._entries.pop(0)
        value = make()
        self._entries.append((arrays, key, value))
        return value

    def clear(self) -> None:
        """Forget, and let go of the arrays."""
        self._entries.clear()
