"""The ledger: commit records are the only truth about what exists. Readers never list folders."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pipeline.core.conserve import Balance
from pipeline.core.store import WORK, FileInfo, Store

Counts = TypeVar("Counts")
LEDGER = f"{WORK}/ledger"


@dataclass(frozen=True)
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

    def counted(self, kind: type[Counts]) -> Counts:
        """What the unit counted, as the dataclass that stands beside the step. A field that is missing has its default."""
        return _adapter(kind).validate_python(self.counts)

    def to_json(self) -> dict[str, Any]:
        """The record as it is stored."""
        return {
            "step": self.step,
            "unit": self.unit,
            "fingerprint": self.fingerprint,
            "parts": self.parts,
            "files": {name: info.to_json() for name, info in self.files.items()},
            "counts": self.counts,
            "balance": self.balance.to_json() if self.balance else None,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Commit":
        """The inverse of `to_json`."""
        files = {name: FileInfo(**info) for name, info in value["files"].items()}
        balance = Balance(**value["balance"]) if value["balance"] else None
        return cls(value["step"], value["unit"], value["fingerprint"], value["parts"], files, value["counts"], balance)


@cache
def _adapter(kind: type[Counts]) -> TypeAdapter[Counts]:
    return TypeAdapter(kind)


class Ledger:
    """Commit records of units, found by fingerprint, and the last effective record of each step."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @staticmethod
    def unit_path(step: str, fingerprint: str) -> str:
        """Where the record of a unit lies."""
        return f"{LEDGER}/{step}/{fingerprint}.json"

    def find(self, step: str, fingerprint: str) -> Commit | None:
        """The commit of this key, when its record and all of its files are there."""
        path = self.unit_path(step, fingerprint)
        if not self.store.exists(path):
            return None
        commit = Commit.from_json(self.store.read_json(path))
        return commit if all(self.store.present(info) for info in commit.files.values()) else None

    def write(self, commit: Commit) -> None:
        """Make a unit exist: its files are already in place and checked."""
        self.store.put_json(self.unit_path(commit.step, commit.fingerprint), commit.to_json())

    def last(self, step: str) -> dict[str, Commit]:
        """The units of the step as the latest finished run had them; empty when it never finished."""
        path = f"{LEDGER}/{step}.json"
        if not self.store.exists(path):
            return {}
        return {unit: Commit.from_json(value) for unit, value in self.store.read_json(path)["units"].items()}

    def write_step(self, step: str, commits: dict[str, Commit]) -> None:
        """Record which units make up the step now."""
        self.store.put_json(f"{LEDGER}/{step}.json", {"units": {unit: c.to_json() for unit, c in commits.items()}})
