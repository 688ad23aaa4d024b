"""Look-ups by name that fail with the nearest known name."""

from collections.abc import Mapping
from typing import TypeVar

from pipeline.errors import UsageError, did_you_mean

Value = TypeVar("Value")


def named(what: str, table: Mapping[str, Value], name: str) -> Value:
    """`table[name]`. Raises a UsageError that names the nearest key, and all of them.

    >>> named("preset", {"tiny": 1, "small": 2}, "small")
    2
    """
    if name not in table:
        raise UsageError(f"no {what} named {name!r}{did_you_mean(name, list(table)) or ';'} known: {', '.join(table)}")
    return table[name]
