"""The sandbox: finds the one document that kills the process that works on it, and lets the others pass.

A parser in C may fault, a model may take all memory, a recursion may not end: then there is no exception to catch. So
when a task's process died, the task is done again in a process of its own (`pipeline.core.supervise`) in which a `Probe`
is at work: every batch goes to a forked child under limits, a batch whose child dies is halved, down to the single
document. What is found becomes a `Killer`, the run takes it out at extract and goes on. The limits are bytes.
"""

import contextlib
import faulthandler
import hashlib
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pydantic import Field

from pipeline.core.settings import Settings

RULE = "killed_worker"
OUT_OF_MEMORY, RAISED = 86, 87
"""Exit codes of a forked child: no memory or too deep a recursion, and an exception that is a defect of ours."""

Function = Callable[[pa.RecordBatch], pa.RecordBatch]


class SandboxSettings(Settings):
    """Limits of the process in which a task is done again whose process died."""

    max_memory_bytes: int = Field(default=4 * 2**30, ge=2**26)
    """Address space one batch may add, there and in a supervised run."""
    max_cpu_s: int | None = Field(default=None, ge=1)
    """CPU seconds one batch may take; setting it runs every task in the sandbox from the first try, and makes the
    result depend on the machine's speed."""


@dataclass(frozen=True)
class Killer:
    """What killed its process: a document by its id, or a file after so many of its records were read."""

    shard: str
    name: str
    reason: str
    detail: str
    records: int | None = None


@dataclass
class _State:
    probe: "Probe | None" = None
    mark: str | None = None


_STATE = _State()


@contextlib.contextmanager
def mark_at(path: str | None) -> Iterator[None]:
    """While inside, `path` exists whenever documents are being worked on: after a death it says so to the next run."""
    before, _STATE.mark = _STATE.mark, path
    try:
        yield
    finally:
        _STATE.mark = before


@contextlib.contextmanager
def probing(probe: "Probe") -> Iterator["Probe"]:
    """While inside, `rows` and `reads` look for killers."""
    _STATE.probe = probe
    try:
        yield probe
    finally:
        _STATE.probe = None


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """Documents are being worked on. A mark that cannot be written only means that a death will not be known."""
    if _STATE.mark is None:
        yield
        return
    with contextlib.suppress(OSError):
        os.close(os.open(_STATE.mark, os.O_CREAT | os.O_WRONLY, 0o644))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(_STATE.mark)


def watched(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches; reading one counts as work on documents."""
    iterator = iter(batches)
    while True:
        with at_work():
            batch = next(iterator, None)
        if batch is None:
            return
        yield batch


def rows(shard: str, stage: str, batch: pa.RecordBatch, function: Function, without: Function) -> pa.RecordBatch:
    """`function(batch)`, whose rows must not depend on each other. In a probe, a row that kills is noted as a `Killer`
    of `stage` and passed on as `function(without(row))`, which must be harmless; the batch then needs a column `id`."""
    if _STATE.probe is not None:
        return _STATE.probe.rows(shard, stage, batch, function, without)
    with at_work():
        return function(batch)


def reads(shard: str, path: str, records: Callable[[], Iterable[object]]) -> None:
    """In a probe, see whether a file can be read to its end; if not, note how far. Otherwise do nothing."""
    if _STATE.probe is not None:
        _STATE.probe.reads(shard, path, records)


def is_probing() -> bool:
    """Whether killers are being looked for."""
    return _STATE.probe is not None


class InnerError(RuntimeError):
    """An exception of a forked child, with its traceback as text."""


@dataclass
class Probe:
    """Bisects batches in forked children. What it found is in `killers`."""

    settings: SandboxSettings
    killers: list[Killer] = field(default_factory=list)

    def rows(self, shard: str, stage: str, batch: pa.RecordBatch, function: Function, without: Function) -> Any:
        """See `rows`."""
        function(batch.slice(0, 0))  # what every child needs is loaded once, before they fork
        parts: list[pa.RecordBatch] = []
        waiting = [batch] if batch.num_rows else []
        while waiting:
            part = waiting.pop()
            death, result = self._try(function, part)
            if death and part.num_rows > 1:
                half = part.num_rows // 2
                waiting += [part.slice(half), part.slice(0, half)]
                continue
            if death:  # once more, alone: something else may have killed the child
                death, result = self._try(function, part)
            if death:
                self.killers.append(_killer(shard, stage, part, death))
                again, result = self._try(function, without(part))
                if again:
                    raise InnerError(f"{stage} {shard}: document {_name(part)} kills its worker even without its text")
            parts += [result] if result is not None else []
        if not parts:
            return function(batch)
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

    def reads(self, shard: str, path: str, records: Callable[[], Iterable[object]]) -> None:
        """See `reads`."""
        with mmap.mmap(-1, 8) as shared:

            def count(_: IO[bytes]) -> None:
                for number, _record in enumerate(records(), start=1):
                    shared[:] = number.to_bytes(8, "little")

            death = self._forked(count)
            done = int.from_bytes(shared[:], "little")
            if death and self._forked(count):
                detail = f"reading on after record {done} {death}; the rest of the file is not read"
                self.killers.append(Killer(shard, path, f"ingest.{RULE}", detail, done))

    def _try(self, function: Function, batch: pa.RecordBatch) -> tuple[str | None, pa.RecordBatch | None]:
        """How the child died, and otherwise what it made."""
        with tempfile.TemporaryFile() as file:

            def work(target: IO[bytes]) -> None:
                made = function(batch)
                with pa.ipc.new_stream(target, made.schema) as writer:
                    writer.write_batch(made)

            death = self._forked(work, file)
            if death:
                return death, None
            file.seek(0)
            made = pa.ipc.open_stream(file).read_all().combine_chunks().to_batches()
            return None, made[0] if made else None

    def _forked(self, work: Callable[[IO[bytes]], None], target: IO[bytes] | None = None) -> str | None:
        """Run in a forked child: how it died, or None. Its exceptions are raised here as `InnerError`."""
        with tempfile.TemporaryFile() as errors:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                os._exit(_inside(work, target or errors, errors, self.settings))
            try:
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            except BaseException:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise
            if code == RAISED:
                errors.seek(0)
                raise InnerError(errors.read().decode("utf-8", "replace"))
            if code in (-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP):
                raise KeyboardInterrupt
            return how_it_died(code, self.settings) if code else None


def _inside(work: Callable[[IO[bytes]], None], target: IO[bytes], errors: IO[bytes], settings: SandboxSettings) -> int:
    """The life of a forked child; returns its exit code."""
    try:
        faulthandler.disable()
        limit_memory(settings.max_memory_bytes)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if settings.max_cpu_s is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (settings.max_cpu_s, settings.max_cpu_s + 1))
        with contextlib.suppress(OSError):  # when the machine runs out of memory, this process is the one to end
            Path("/proc/self/oom_score_adj").write_text("1000")
        work(target)
        target.flush()
        return 0
    except (MemoryError, RecursionError):
        return OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001 - the parent raises it again
        errors.write(traceback.format_exc().encode("utf-8", "replace"))
        errors.flush()
        return RAISED


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes of address space beyond what it has. Without /proc there is no limit."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))


def how_it_died(code: int, settings: SandboxSettings) -> str:
    """A phrase for an exit code; the same death gives the same phrase everywhere.

    >>> how_it_died(-11, SandboxSettings())
    'killed the worker (signal 11, SIGSEGV)'
    """
    if code == OUT_OF_MEMORY:
        return f"killed the worker (out of memory at {settings.max_memory_bytes:,} bytes, or endless recursion)"
    if code == -signal.SIGXCPU:
        return f"killed the worker (more than {settings.max_cpu_s} s of CPU)"
    if code < 0:
        return f"killed the worker (signal {-code}, {signal.Signals(-code).name})"
    return f"killed the worker (exit code {code})"


def _name(row: pa.RecordBatch) -> str:
    return str(row.column("id")[0])


def _killer(shard: str, stage: str, row: pa.RecordBatch, death: str) -> Killer:
    """The finding for a single row: how it died, and the bytes that did it."""
    content = b""
    for column in ("payload", "text"):
        if column in row.schema.names:
            value = row.column(column)[0].as_py() or b""
            content = value.encode() if isinstance(value, str) else value
            break
    digest = hashlib.sha256(content).hexdigest()
    return Killer(shard, _name(row), f"{stage}.{RULE}", f"{death}; {len(content):,} bytes, sha256 {digest}")


def to_line(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=True).encode() + b"\n"
