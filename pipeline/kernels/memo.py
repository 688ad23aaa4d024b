"""A memory for what several judges of one batch derive from the same columns."""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

Value = TypeVar("Value")
Array = pa.Array | np.ndarray
"""NumPy's must be views of what Arrow holds, or of tables that nobody changes."""


def _identity(array: Array) -> tuple[object, ...]:
    """Equal for arrays of the same bytes in the same places."""
    if isinstance(array, np.ndarray):
        return array.ctypes.data, array.shape, array.strides, array.dtype
    buffers = tuple((buffer.address, buffer.size) if buffer else None for buffer in array.buffers())
    return len(array), array.offset, array.type, buffers


class LastColumns(Generic[Value]):
    """Remembers the last arrays and what was made of them, of the last `most` different ones.

    It holds the arrays: their buffers cannot be freed and their addresses reused, and Arrow data never changes, so
    equal addresses mean equal content. Few entries, because the judges of a batch run one after the other.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._entries: list[tuple[tuple[Array, ...], object, Value]] = []

    def get(self, arrays: tuple[Array, ...], make: Callable[[], Value], key: object = None) -> Value:
        """The remembered value when the arrays, and the settings `key`, are among the last ones, else `make()`."""
        wanted = [*map(_identity, arrays)]
        for known, own, value in self._entries:
            if own == key and [*map(_identity, known)] == wanted:
                return value
        while len(self._entries) >= self._most:  # before the new one is made: both need room
            self._entries.pop(0)
        value = make()
        self._entries.append((arrays, key, value))
        return value

    def clear(self) -> None:
        """Forget, and let go of the arrays."""
        self._entries.clear()
