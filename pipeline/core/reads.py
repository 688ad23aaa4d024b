"""What a unit of work reads, as one structure from which both its fingerprint and its worker's paths are derived.

A work function gets its unit's settings, which are in the fingerprint, and its reads, whose identities are in the
fingerprint. There is no third way in, so nothing can change a result without changing its key.
"""

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from pipeline.core.fingerprint import fingerprint


@runtime_checkable
class Readable(Protocol):
    """A frozen dataclass of JSON values that a unit reads."""

    def identity(self) -> Any:
        """A JSON value that is another one whenever the content is."""
        ...


@dataclass(frozen=True)
class Digest:
    """Something that a work function finds by itself, such as weights inside a package, known by its digest."""

    value: str

    def identity(self) -> str:
        """The digest."""
        return self.value


@dataclass(frozen=True)
class PinnedFile:
    """A file outside the run folder that the recipe names with its sha256; where it lies does not matter."""

    path: str
    sha256: str

    def identity(self) -> str:
        """The sha256."""
        return self.sha256


@dataclass(frozen=True)
class Values:
    """A list of JSON values too long to repeat in every commit record."""

    values: list[Any]

    def identity(self) -> str:
        """A hash over all of them."""
        return fingerprint({"values": self.values})


Reads = Mapping[str, Any]
"""Readables by name; a value may also be a list or a dict of them, to any depth."""


def identities(reads: Any) -> Any:
    """The same structure with the identity of every readable: what enters the fingerprint."""
    if isinstance(reads, Mapping):
        return {name: identities(value) for name, value in reads.items()}
    if isinstance(reads, list):
        return [identities(value) for value in reads]
    return reads.identity()


def to_json(reads: Any) -> Any:
    """The structure as JSON values, for a worker in another process."""
    if isinstance(reads, Mapping):
        return {"of": "dict", "value": {name: to_json(value) for name, value in reads.items()}}
    if isinstance(reads, list):
        return {"of": "list", "value": [to_json(value) for value in reads]}
    kind = type(reads)
    return {"of": f"{kind.__module__}:{kind.__qualname__}", "value": asdict(reads)}


def from_json(value: Mapping[str, Any]) -> Any:
    """The inverse of `to_json`."""
    if value["of"] == "dict":
        return {name: from_json(inner) for name, inner in value["value"].items()}
    if value["of"] == "list":
        return [from_json(inner) for inner in value["value"]]
    module, _, name = value["of"].partition(":")
    return getattr(importlib.import_module(module), name)(**value["value"])
