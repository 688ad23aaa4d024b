"""Execution: units of work by fingerprint, in process or as Ray tasks, through the same code.

Workers commit; the driver only schedules. A unit whose commit exists is not run again, so running again is resuming.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import wraps
from typing import Any, Literal, Protocol

from pipeline.core.conserve import Balance
from pipeline.core.fingerprint import fingerprint, library_versions, why_changed
from pipeline.core.ledger import REQUESTS_AT_ONCE, Commit, Ledger
from pipeline.core.reads import Reads, from_json, identities, to_json
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import InfrastructureError


@dataclass(frozen=True, slots=True)
class Unit:
    """Work to be done: its name, and everything that decides its content, which is all that the work function gets."""

    name: str
    reads: Reads = field(default_factory=dict)
    """What it reads, by name. The identities enter the fingerprint, the paths reach the work function."""
    settings: dict[str, Any] = field(default_factory=dict)
    """JSON values. They enter the fingerprint and reach the work function."""
    version: int = 1
    libraries: dict[str, str] = field(default_factory=dict)
    group: str = ""
    """Units of one group are computed by one task in one pass; empty: alone."""


@dataclass(frozen=True)
class Assignment:
    """A unit as the work function gets it."""

    step: str
    name: str
    fingerprint: str
    parts: dict[str, Any]
    reads: Reads

    @property
    def settings(self) -> dict[str, Any]:
        """The unit's settings."""
        return self.parts["settings"]

    def path(self, folder: str, name: str | None = None, suffix: str = ".parquet") -> str:
        """A file of the run folder that only this unit with this fingerprint writes; `name` is the unit's if not given."""
        return f"{WORK}/{folder}/{self.name if name is None else name}-{self.fingerprint[:12]}{suffix}"

    def to_json(self) -> dict[str, Any]:
        """JSON values, for a worker in another process."""
        return {**vars(self), "reads": to_json(self.reads)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Assignment":
        """The inverse of `to_json`."""
        return cls(**{**value, "reads": from_json(value["reads"])})


@dataclass
class Produced:
    """What the work function made for one assignment: files, a dataclass of what it counted, and a balance, which is checked
    before the commit."""

    files: dict[str, FileInfo]
    counts: Any = None
    balance: Balance | None = None


Work = Callable[[Store, list[Assignment]], list[Produced]]


def each(work: Callable[[Store, Assignment], Produced]) -> Work:
    """The work function of a task from one that makes a single unit: unit after unit."""

    @wraps(work)
    def all_units(store: Store, assignments: list[Assignment]) -> list[Produced]:
        return [work(store, assigned) for assigned in assignments]

    return all_units


_DOCUMENT_WORK: set[Work] = set()


def works_on_documents(work: Work) -> Work:
    """Marks a work function that hands documents to parsers and judges through `sandbox.rows`, so that one which kills
    the process can be found. It must be a module's own function."""
    _DOCUMENT_WORK.add(work)
    return work


def is_document_work(work: Work) -> bool:
    """Whether `works_on_documents`."""
    return work in _DOCUMENT_WORK


@dataclass(frozen=True)
class Progress:
    """What the display hears: units of a step done of all, and the commit of the one just done."""

    step: str
    done: int
    total: int
    reused: int
    why: str
    commit: Commit | None


class Listener(Protocol):
    """Anything that wants to hear of progress."""

    def __call__(self, progress: Progress) -> None:
        """Called in the driver, once at the start of a step and once per finished unit."""


def perform(
    store: Store, work: Work, assignments: list[Assignment], may_commit: Callable[[], bool] = lambda: True
) -> list[Commit]:
    """Run a work function and commit what it made, if it may; the body of every task, local or remote."""
    _settle()
    produced = work(store, assignments)
    if not may_commit():
        return []
    if len(produced) != len(assignments):
        raise InfrastructureError(f"{assignments[0].step}: {len(produced)} results for {len(assignments)} units")
    commits = []
    for assigned, made in zip(assignments, produced, strict=True):
        if made.balance is not None:
            made.balance.check(f"{assigned.step} {assigned.name}")
        counts = asdict(made.counts) if made.counts is not None else {}
        key, parts = assigned.fingerprint, assigned.parts
        commits.append(Commit(assigned.step, assigned.name, key, parts, made.files, counts, made.balance))
    return Ledger(store).write(commits)


def _settle() -> None:
    """What is loaded by now (libraries, kernels) is here to stay: the collector need not walk it again and again.

    Garbage goes first, so that none is kept; after the first task that is a look at what is new since the last.
    """
    gc.collect()
    gc.freeze()


class Engine(Protocol):
    """Runs tasks and yields their commits as they finish."""

    workers: int

    def check(self, store: Store) -> None:
        """Raise InfrastructureError, before the first step, when a worker could not do its work in this run folder."""

    def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]]) -> Iterator[list[Commit]]:
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
        "inputs": identities(unit.reads),
    }


def record(store: Store, step: str, unit: Unit, files: dict[str, FileInfo], counts: dict[str, Any]) -> None:
    """Commit a unit that the driver made by itself, and with it its step, which has no other unit.

    Its files keep their names, so what an earlier record says of them no longer holds: it goes.
    """
    parts = parts_of(step, unit)
    commit, ledger = Commit(step, unit.name, fingerprint(parts), parts, files, counts), Ledger(store)
    ledger.write([commit])
    ledger.write_step(step, {unit.name: commit})
    own = ledger.unit_path(commit)
    for path in store.list(own.rpartition("/")[0]):
        if path != own:
            store.delete(path)


Verify = Literal["sums", "sizes"]
"""How a file of an earlier run is checked before it is used again: by its checksum, which reads it, or by its size alone."""


@dataclass
class Runner:
    """Executes steps: finds what is committed, runs what is not, and says why."""

    store: Store
    engine: Engine
    verify: Verify = "sums"
    rehash: bool = False
    """Whether input files are told apart by their content, not by size and time alone."""
    may_go_on: Callable[[], None] = lambda: None
    """Called before every step; it raises when this run must not write any more."""
    listener: Listener | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """For each step of this run, one phrase: reused or rerun, and why."""

    def execute(self, step: str, units: Sequence[Unit], work: Work) -> dict[str, Commit]:
        """Bring all units of a step into existence and return their commits by name, in the order given."""
        self.may_go_on()
        ledger = Ledger(self.store)
        before = ledger.last(step)
        found: dict[str, Commit] = {}
        waiting: dict[str, list[Assignment]] = {}
        reason = ""
        keyed = [(unit, fingerprint(parts_of(step, unit))) for unit in units]
        same = {unit.name for unit, key in keyed if unit.name in before and before[unit.name].fingerprint == key}
        others = ledger.find(step, {key for unit, key in keyed if unit.name not in same})
        known_by = {u.name: before[u.name] if u.name in same else others.get(key) for u, key in keyed}
        committed = {name: commit for name, commit in known_by.items() if commit is not None}
        damaged = self._damaged(committed.values())
        self._mend_records(ledger, committed, before)
        for unit, key in keyed:
            if unit.name in committed and unit.name not in damaged:
                found[unit.name] = committed[unit.name]
                continue
            parts = parts_of(step, unit)
            if not reason:
                known = before.get(unit.name)
                reason = why_changed(known.parts if known else None, parts)
                if unit.name in damaged:
                    reason = "its files are gone or damaged"
            task = waiting.setdefault(unit.group or unit.name, [])
            task.append(Assignment(step, unit.name, key, parts, unit.reads))
        tasks, reused = list(waiting.values()), len(found)
        todo = sum(map(len, tasks))
        self.reasons[step] = self._phrase(reused, todo, reason)
        self._tell(step, reused, len(units), reused, None)
        for commits in self.engine.run(self.store, work, tasks):
            for commit in commits:
                found[commit.unit] = commit
                self._tell(step, len(found), len(units), reused, commit)
        ordered = {unit.name: found[unit.name] for unit in units}
        if todo or {n: c.fingerprint for n, c in before.items()} != {n: c.fingerprint for n, c in ordered.items()}:
            ledger.write_step(step, ordered)
        return ordered

    def _damaged(self, commits: Iterable[Commit]) -> set[str]:
        """Units of which a file is gone or does not hold what was committed."""
        named = [(commit.unit, info) for commit in commits for info in commit.files.values()]
        if self.verify == "sizes":
            present = self.store.those_present(info for _, info in named)
            return {unit for unit, info in named if info.path not in present}
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            checked = pool.map(self.store.whole, [info for _, info in named])
            return {unit for (unit, _), right in zip(named, checked, strict=True) if not right}

    def _mend_records(self, ledger: Ledger, committed: dict[str, Commit], before: dict[str, Commit]) -> None:
        """Write again the damaged records of units that the record of their step still has."""
        records: dict[str, list[Commit]] = {}
        for name, commit in committed.items() if self.verify == "sums" else ():
            if before.get(name) is commit:
                records.setdefault(ledger.unit_path(commit), []).append(commit)
        for found, commits in zip(ledger.read(records), records.values(), strict=True):
            if not {one.fingerprint for one in found or ()} >= {commit.fingerprint for commit in commits}:
                ledger.put(commits)

    @staticmethod
    def _phrase(reused: int, todo: int, reason: str) -> str:
        if not todo:
            return "reused: did not change"
        if not reused:
            return f"ran: {reason}"
        return f"ran {todo} of {reused + todo}: {reason}"

    def _tell(self, step: str, done: int, total: int, reused: int, commit: Commit | None) -> None:
        if self.listener is not None:
            self.listener(Progress(step, done, total, reused, self.reasons[step], commit))


def libraries(*names: str) -> dict[str, str]:
    """Versions of the libraries that decide a unit's content."""
    return library_versions(names)


def worker_count() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
