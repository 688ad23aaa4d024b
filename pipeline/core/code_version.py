"""Which code and libraries a process runs: a worker compares its own with the driver's before it commits.

A worker with another version would commit other results under the driver's fingerprints, and every later run would keep them.
"""

import hashlib
import platform
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.fingerprint import library_versions

PACKAGES = ("pipeline", "tokenizer")
LIBRARIES = ("fastwarc", "ftfy", "numba", "numpy", "protego", "pyarrow", "resiliparse", "tokenizers", "unicode")
"""Those that decide what a document becomes."""


def folders() -> list[Path]:
    """Where the packages lie, found without importing them."""
    specs = [find_spec(name) for name in PACKAGES]
    return [Path(spec.submodule_search_locations[0]) for spec in specs if spec and spec.submodule_search_locations]


@cache
def code_version() -> dict[str, str]:
    """A short sha256 of each file of the package (code and shipped weights) and the version of each library, by name."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])} | library_versions(LIBRARIES)
    for root in folders():
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[f"{root.name}/{path.relative_to(root).as_posix()}"] = hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()[:16]
    return found


def difference(expected: dict[str, str]) -> str:
    """The first thing in which this process differs from what is expected, as a phrase; empty when nothing does."""
    own = code_version()
    for name in sorted(expected.keys() | own.keys()):
        if expected.get(name) != own.get(name):
            return f"{name} is {own.get(name, 'absent')} there and {expected.get(name, 'absent')} here"
    return ""
