"""`python -m bench.licences [--write]`: the licences of everything that a run installs, from the metadata of what is installed.

Follows the requirements of pyproject.toml and of its extras for training, quantisation and fastText, as pip does. Versions are
in constraints.txt; development tools and the peers of the benches are no part of a run.
"""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/licences.md"
EXTRAS = ("train", "documents", "quant", "explore", "fasttext")
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD-3-Clause, Apache-2.0, dependency licenses": "BSD-3-Clause AND Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What older metadata says, as SPDX. Those that say BSD and no more (Jinja2, Numba, SymPy, mpmath) have three clauses."""
BY_HAND = {"torchao": "BSD-3-Clause", "olefile": "BSD-2-Clause"}
"""Of an extra that not every machine installs, or whose metadata only says BSD; read on the package's page."""
COPYLEFT = re.compile(r"(?<!L)GPL|AGPL|SSPL|BUSL", re.IGNORECASE)
HEAD = """\
# Third-party licences

What `pip install domain-corpus` brings, and what each extra adds, with the licence that its metadata states. Nothing is
under the GPL or AGPL. Versions are in `constraints.txt`. Written by `python -m bench.licences --write`; a test compares it with
what is installed. `torch` from PyPI brings NVIDIA's CUDA libraries on Linux, under NVIDIA's own licence; its CPU build does not.

| package | licence | needed by |
|---|---|---|
"""


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(name: str) -> str:
    """The licence of an installed distribution as SPDX. Raises PackageNotFoundError."""
    metadata = importlib.metadata.distribution(name).metadata
    if name in BY_HAND:
        return BY_HAND[name]
    if expression := metadata.get("License-Expression"):
        return expression
    stated = (metadata.get("License") or "").strip().split("\n")[0]
    classified = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License")
    ]
    for text in (stated, *classified):
        if text:
            return SPDX.get(text, text)
    return "not stated"


def closure(requirements: list[str]) -> set[str]:
    """Names of the installed distributions that these requirements lead to, and of those in BY_HAND."""
    waiting, seen = [Requirement(text) for text in requirements], set()
    while waiting:
        requirement = waiting.pop()
        key = (canonical(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        try:
            further = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            if key[0] in BY_HAND:
                seen.add(key)
            continue
        seen.add(key)
        for inner in map(Requirement, further):
            extras = ["", *requirement.extras]
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(inner)
    return {name for name, _ in seen}


def rows() -> dict[str, tuple[str, str]]:
    """Name -> (licence, who needs it): every package, or the first extra that brings it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"every run": project["dependencies"]}
    groups |= {f"the extra `{extra}`": project["optional-dependencies"][extra] for extra in EXTRAS}
    table: dict[str, tuple[str, str]] = {}
    for group, requirements in groups.items():
        for name in closure(requirements) - table.keys():
            table[name] = (BY_HAND.get(name) or licence(name), group)
    return dict(sorted(table.items()))


def page() -> str:
    """docs/licences.md."""
    return HEAD + "".join(f"| {name} | {stated} | {group} |\n" for name, (stated, group) in rows().items())


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        print(page(), end="")
