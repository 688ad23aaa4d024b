"""Execution: units of work by fingerprint, in process or as Ray tasks, through the same code.

Workers commit; the driver only schedules. A unit whose commit exists is not run again, so running again is resuming.
"""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.core.conserve import Balance
from pipeline.core.fingerprint import fingerprint, library_versions, why_changed
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.store import FileInfo, Store
from pipeline.errors import InfrastructureError


@dataclass(frozen=True)
class Unit:
    """One row of work to be: its name, what decides its content, and what the work function needs to know."""

    name: str
    inputs: list[Any] = field(default_factory=list)
    """Digests of what it reads, in order. They enter the fingerprint."""
    settings: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    libraries: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    """Where to find the inputs and the like: must be implied by what enters the fingerprint."""
    group: str = ""
    """Units of one group are computed by one task in one pass; empty: alone."""


@dataclass(frozen=True)
class Assignment:
    """A unit as the work function gets it."""

    step: str
    name: str
    fingerprint: str
    parts: dict[str, Any]
    arguments: dict[str, Any]

    def path(self, folder: str, suffix: str = ".parquet") -> str:
        """A file name that only this unit with this fingerprint writes."""
        return f"{folder}/{self.name}-{self.fingerprint[:12]}{suffix}"


@dataclass
class Produced:
    """What the work function made for one assignment. A balance, when given, is checked before the commit."""

    files: dict[str, FileInfo]
    counts: dict[str, Any] = field(default_factory=dict)
    balance: Balance | None = None


Work = Callable[[Store, list[Assignment], Any], list[Produced]]
_DOCUMENT_WORK: set[Work] = set()


def works_on_documents(work: Work) -> Work:
    """Marks a work function that hands documents to parsers and judges through `sandbox.rows`, so that one which kills
    the process can be found. It must be a module's own function, and its assignments and `shared` JSON values."""
    _DOCUMENT_WORK.add(work)
    return work


def is_document_work(work: Work) -> bool:
    """Whether `works_on_documents`."""
    return work in _DOCUMENT_WORK


@dataclass(frozen=True)
class Progress:
    """What the display hears: units of a step done of all, and the counts of the one just done."""

    step: str
    done: int
    total: int
    reused: int
    why: str
    counts: dict[str, Any]


class Listener(Protocol):
    """Anything that wants to hear of progress."""

    def __call__(self, progress: Progress) -> None:
        """Called in the driver, once at the start of a step and once per finished unit."""


def perform(
    store: Store, work: Work, assignments: list[Assignment], shared: Any, may_commit: Callable[[], bool] = lambda: True
) -> list[Commit]:
    """Run a work function and commit what it made, if it may; the body of every task, local or remote."""
    _settle()
    produced = work(store, assignments, shared)
    if not may_commit():
        return []
    if len(produced) != len(assignments):
        raise InfrastructureError(f"{assignments[0].step}: {len(produced)} results for {len(assignments)} units")
    commits, ledger = [], Ledger(store)
    for assigned, made in zip(assignments, produced, strict=True):
        counts = dict(made.counts)
        if made.balance is not None:
            made.balance.check(f"{assigned.step} {assigned.name}")
            counts["balance"] = made.balance.to_json()
        commit = Commit(assigned.step, assigned.name, assigned.fingerprint, assigned.parts, made.files, counts)
        ledger.write(commit)
        commits.append(commit)
    return commits


def _settle() -> None:
    """What is loaded by now (libraries, kernels) is here to stay: the collector need not walk it again and again.

    Garbage goes first, so that none is kept; after the first task that is a look at what is new since the last.
    """
    gc.collect()
    gc.freeze()


class Engine(Protocol):
    """Runs tasks and yields their commits as they finish."""

    workers: int

    def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]], shared: Any) -> Iterator[list[Commit]]:
        """Each task is a list of assignments for one call of `work`."""
        ...

    def spread(self, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
        """Call a function once per tuple of arguments, on whichever worker is free, for what it does to the machine."""

    def close(self) -> None:
        """Let go of workers."""


def parts_of(step: str, unit: Unit) -> dict[str, Any]:
    """What a unit's fingerprint is taken over."""
    return {
        "step": step,
        "unit": unit.name,
        "version": unit.version,
        "settings": unit.settings,
        "libraries": unit.libraries,
        "inputs": unit.inputs,
    }


@dataclass
class Runner:
    """Executes steps: finds what is committed, runs what is not, and says why."""

    store: Store
    engine: Engine
    listener: Listener | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """For each step of this run, one phrase: reused or rerun, and why."""

    def execute(self, step: str, units: Sequence[Unit], work: Work, shared: Any = None) -> dict[str, Commit]:
        """Bring all units of a step into existence and return their commits by name, in the order given.

        `shared` goes to every task and must be implied by the units' fingerprints.
        """
        ledger = Ledger(self.store)
        before = ledger.last(step)
        found: dict[str, Commit] = {}
        waiting: dict[str, list[Assignment]] = {}
        reason = ""
        for unit in units:
            parts = parts_of(step, unit)
            key = fingerprint(parts)
            known = before.get(unit.name)
            if known is not None and known.fingerprint == key and all(map(self.store.present, known.files.values())):
                found[unit.name] = known
                continue
            commit = ledger.find(step, key)
            if commit is not None:
                found[unit.name] = commit
                continue
            if not reason:
                reason = why_changed(known.parts if known else None, parts)
                if known is not None and known.fingerprint == key:
                    reason = "its files are gone or damaged"
            task = waiting.setdefault(unit.group or unit.name, [])
            task.append(Assignment(step, unit.name, key, parts, unit.arguments))
        tasks, reused = list(waiting.values()), len(found)
        todo = sum(map(len, tasks))
        self.reasons[step] = self._phrase(reused, todo, reason)
        self._tell(step, reused, len(units), reused, {})
        for commits in self.engine.run(self.store, work, tasks, shared):
            for commit in commits:
                found[commit.unit] = commit
                self._tell(step, len(found), len(units), reused, commit.counts)
        ordered = {unit.name: found[unit.name] for unit in units}
        if todo or {n: c.fingerprint for n, c in before.items()} != {n: c.fingerprint for n, c in ordered.items()}:
            ledger.write_step(step, ordered)
        return ordered

    @staticmethod
    def _phrase(reused: int, todo: int, reason: str) -> str:
        if not todo:
            return "reused: did not change"
        if not reused:
            return f"ran: {reason}"
        return f"ran {todo} of {reused + todo}: {reason}"

    def _tell(self, step: str, done: int, total: int, reused: int, counts: dict[str, Any]) -> None:
        if self.listener is not None:
            self.listener(Progress(step, done, total, reused, self.reasons[step], counts))


def libraries(*names: str) -> dict[str, str]:
    """Versions of the libraries that decide a unit's content."""
    return library_versions(names)


def worker_count() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
