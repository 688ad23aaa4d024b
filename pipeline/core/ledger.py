"""The ledger: commit records are the only truth about what exists. Readers never list folders of data.

The units of one task are committed by one record, whose name begins each of their fingerprints: a listing of a step's records
says which of them to read. Every record carries a checksum (`pipeline.core.sealed`). A damaged one is as good as none: its units
are found by the record of their step, or made again.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pipeline.core import sealed
from pipeline.core.conserve import Balance
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import InfrastructureError

Counts = TypeVar("Counts")
LEDGER = f"{WORK}/ledger"
PLAIN = ("step", "unit", "fingerprint", "parts", "counts")
"""Fields of a commit that are JSON values as they are."""
NAMED = 10
"""Digits of each fingerprint in the name of a record of several units."""
UNITS_OF_A_RECORD = 16
"""So that its name fits every file system."""
REQUESTS_AT_ONCE = 16
"""Checksums leave the interpreter's lock, and a request to an object store mostly waits."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A finished unit of work: its key, what it was made from, its files and what it counted."""

    step: str
    unit: str
    fingerprint: str
    parts: dict[str, Any]
    files: dict[str, FileInfo]
    counts: dict[str, Any] = field(default_factory=dict)
    """The fields of the step's own dataclass; `counted` reads them."""
    balance: Balance | None = None
    record: str = ""
    """The name of the record that commits it with others; empty for one of its own, which its fingerprint names."""

    def counted(self, kind: type[Counts]) -> Counts:
        """What the unit counted, as the dataclass that stands beside the step. A field that is missing has its default."""
        return adapter(kind).validate_python(self.counts)

    def to_json(self) -> dict[str, Any]:
        """The record as it is stored."""
        plain = {name: getattr(self, name) for name in PLAIN}
        files = {name: asdict(info) for name, info in self.files.items()}
        balance = asdict(self.balance) if self.balance else None
        return plain | {"files": files, "balance": balance} | ({"record": self.record} if self.record else {})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Commit":
        """The inverse of `to_json`."""
        files = {name: FileInfo(**info) for name, info in value["files"].items()}
        balance = Balance(**value["balance"]) if value["balance"] else None
        return cls(
            **{name: value[name] for name in PLAIN}, files=files, balance=balance, record=value.get("record", "")
        )


@cache
def adapter(kind: type[Counts]) -> TypeAdapter[Counts]:
    return TypeAdapter(kind)


def commits_in(value: dict[str, Any]) -> list[Commit]:
    """The units of a unit record, of one unit or of several."""
    return [Commit.from_json(one) for one in value.get("commits", [value])]


def units_in(value: dict[str, Any]) -> Iterator[Commit]:
    """The units of a step record, which has the settings that many of them share once. Takes them out of the record."""
    units = value["units"]
    for name in list(units):
        one = units.pop(name)
        settings = one["parts"]["settings"]
        if isinstance(settings, int):  # a record may have them in every unit
            one["parts"]["settings"] = value["settings"][settings]
        yield Commit.from_json(one)


class Ledger:
    """Commit records of units, found by fingerprint, and the last effective record of each step."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @staticmethod
    def unit_path(commit: Commit) -> str:
        """Where the record of a unit lies."""
        return f"{LEDGER}/{commit.step}/{commit.record or commit.fingerprint}.json"

    def find(self, step: str, fingerprints: Collection[str]) -> dict[str, Commit]:
        """The commits of these keys that have a whole record, by key. Their files may be gone or damaged."""
        if not fingerprints:
            return {}
        named: dict[str, list[str]] = {}
        for path in self.store.list(f"{LEDGER}/{step}"):
            for part in path.rpartition("/")[2].removesuffix(".json").split("-"):
                named.setdefault(part[:NAMED], []).append(path)
        paths = {path for key in fingerprints for path in named.get(key[:NAMED], ())}
        commits = (commit for record in self.read(sorted(paths)) for commit in record or ())
        return {commit.fingerprint: commit for commit in commits if commit.fingerprint in fingerprints}

    def read(self, paths: Iterable[str]) -> Iterator[list[Commit] | None]:
        """The commits of unit records, several read at once; None for a record that is gone or damaged."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            for value in pool.map(lambda path: sealed.read(self.store, path), paths):
                yield None if value is None else commits_in(value)

    def write(self, commits: Sequence[Commit]) -> list[Commit]:
        """Make the units of one task exist: their files are already in place and checked. Returns them with their record."""
        done = []
        for at in range(0, len(commits), UNITS_OF_A_RECORD):
            some = commits[at : at + UNITS_OF_A_RECORD]
            record = "-".join(commit.fingerprint[:NAMED] for commit in some) if len(some) > 1 else ""
            done += self.put([replace(commit, record=record) for commit in some])
        return done

    def put(self, commits: Sequence[Commit]) -> Sequence[Commit]:
        """Write the record that these units have in common."""
        values = [commit.to_json() for commit in commits]
        value = values[0] if not commits[0].record else {"step": commits[0].step, "commits": values}
        sealed.write(self.store, self.unit_path(commits[0]), value)
        return commits

    @staticmethod
    def step_path(step: str) -> str:
        """Where the record of a step lies."""
        return f"{LEDGER}/{step}.json"

    def last(self, step: str, *, must_be_whole: bool = False) -> dict[str, Commit]:
        """The units of the step as the latest finished run had them; empty when it never finished, or its record is damaged.

        A reader sets `must_be_whole`: a damaged record raises InfrastructureError then, where a run makes it again.
        """
        path = self.step_path(step)
        value = sealed.read(self.store, path)
        if value is None:
            if must_be_whole and self.store.exists(path):
                raise InfrastructureError(
                    f"{self.store.locate(path)} is damaged, or of an earlier version; run the recipe into this folder again, "
                    "which makes it again"
                )
            return {}
        return {commit.unit: commit for commit in units_in(value)}

    def write_step(self, step: str, commits: dict[str, Commit]) -> None:
        """Record which units make up the step now."""
        shared: dict[str, int] = {}
        units = {}
        for unit, commit in commits.items():
            settings = json.dumps(commit.parts["settings"], sort_keys=True)
            number = shared.setdefault(settings, len(shared))
            units[unit] = commit.to_json() | {"parts": commit.parts | {"settings": number}}
        sealed.write(self.store, self.step_path(step), {"settings": list(map(json.loads, shared)), "units": units})
