"""A one-entry memory for what several judges of one batch derive from the same columns."""

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
    """Remembers the last arrays and what was made of them.

    It holds the arrays: their buffers cannot be freed and their addresses reused, and Arrow data never changes, so
    equal addresses mean equal content. One entry, because the judges of a batch run one after the other.
    """

    def __init__(self) -> None:
        self._arrays: tuple[pa.Array, ...] = ()
        self._key: object = None
        self._value: Value | None = None

    def get(self, arrays: tuple[pa.Array, ...], make: Callable[[], Value], key: object = None) -> Value:
        """The remembered value when the arrays, and the settings `key`, are the last ones, else `make()`."""
        known = len(arrays) == len(self._arrays) and key == self._key and all(map(_same, arrays, self._arrays))
        if not known or self._value is None:
            self._value = make()
            self._arrays, self._key = arrays, key
        return self._value

    def clear(self) -> None:
        """Forget, and let go of the arrays."""
        self._arrays, self._value = (), None
