"""The ledger: commit records are the only truth about what exists. Readers never list folders.

Every record carries a checksum (`pipeline.core.sealed`). A damaged one is as good as none: its units are found by their own
records, or made again.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pipeline.core import sealed
from pipeline.core.conserve import Balance
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import InfrastructureError

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
        """The commit of this key; None without a whole record of it. Its files may be gone or damaged."""
        value = sealed.read(self.store, self.unit_path(step, fingerprint))
        return Commit.from_json(value) if value is not None else None

    def write(self, commit: Commit) -> None:
        """Make a unit exist: its files are already in place and checked."""
        sealed.write(self.store, self.unit_path(commit.step, commit.fingerprint), commit.to_json())

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
        return {unit: Commit.from_json(one) for unit, one in value["units"].items()}

    def write_step(self, step: str, commits: dict[str, Commit]) -> None:
        """Record which units make up the step now."""
        sealed.write(self.store, self.step_path(step), {"units": {unit: c.to_json() for unit, c in commits.items()}})
