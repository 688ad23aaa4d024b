"""Weights that stand in the package beside the code which uses them: read once a process, known by their hash."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np


@dataclass
class ShippedWeights:
    """A file of named arrays, `name` in a package."""

    package: str
    name: str

    @cached_property
    def stored(self) -> bytes:
        """The file as it is."""
        return resources.files(self.package).joinpath(self.name).read_bytes()

    @cached_property
    def sha256(self) -> str:
        """Its hash, for fingerprints: other weights are another result."""
        return hashlib.sha256(self.stored).hexdigest()

    @cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        """Its arrays by name."""
        from safetensors.numpy import load

        return load(self.stored)
