"""Tasks in a process of their own, whose death is seen: plainly at first, and after a death in a probe."""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO, Any

from pipeline import errors
from pipeline.core.execute import Assignment, Work, perform
from pipeline.core.ledger import Commit
from pipeline.core.sandbox import Killer, Probe, SandboxSettings, limit_memory, probing, to_line
from pipeline.core.steps import out_of_memory
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError, PipelineError

Reply = dict[str, Any]


class DiedError(Exception):
    """The process ended without an answer."""


def task_of(root: str, work: Work, assignments: list[Assignment], probe: bool) -> dict[str, Any]:
    """A task as JSON values: work functions go by name."""
    function: Any = work
    return {
        "root": root,
        "work": f"{function.__module__}:{function.__qualname__}",
        "assignments": [assigned.to_json() for assigned in assignments],
        "probe": probe,
    }


@dataclass
class Child:
    """A fresh interpreter that does tasks one after the other."""

    settings: SandboxSettings
    process: subprocess.Popen[bytes] | None = None

    def ask(self, task: dict[str, Any]) -> Reply:
        """The answer to one task. Raises DiedError, and is without a process then."""
        process = self.process or self._start()
        asked, answered = process.stdin, process.stdout
        try:
            asked.write(to_line(task))  # pyright: ignore[reportOptionalMemberAccess]
            asked.flush()  # pyright: ignore[reportOptionalMemberAccess]
            line = answered.readline()  # pyright: ignore[reportOptionalMemberAccess]
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            code = process.wait()
            self.process = None
            if -code in (signal.SIGINT, signal.SIGTERM):
                raise KeyboardInterrupt
            raise DiedError(f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.Signals(-code).name}")
        return json.loads(line)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path or os.getcwd() for path in sys.path))
        command = [sys.executable, "-m", "pipeline.core.supervise", self.settings.model_dump_json()]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return self.process

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def performed(child: Child, root: str, work: Work, assignments: list[Assignment], plainly: bool) -> Reply:
    """A task's reply, `{"commits"}` or `{"killers"}`: tried plainly when told to, and in a probe after a death.

    Raises InfrastructureError when it dies in a probe too, and what the work function raised.
    """
    where = f"{assignments[0].step} {assignments[0].name}"
    if plainly:
        try:
            reply = child.ask(task_of(root, work, assignments, probe=False))
            if "died" not in reply:
                return _raised(reply)
        except DiedError:
            pass
        child.close()
    try:
        return _raised(child.ask(task_of(root, work, assignments, probe=True)))
    except DiedError as error:
        raise InfrastructureError(
            f"{where}: the worker died ({error}), and not by one of its documents. {out_of_memory(assignments[0].step)}"
        ) from error


def _raised(reply: Reply) -> Reply:
    if "error" in reply:
        kind, message = reply["error"]
        raise getattr(errors, kind, InfrastructureError)(message)
    return reply


def commits_of(reply: Reply) -> list[Commit]:
    """The commits of a reply."""
    return [Commit.from_json(value) for value in reply.get("commits", [])]


def killers_of(reply: Reply) -> list[Killer]:
    """The killers of a reply."""
    return [Killer(**value) for value in reply.get("killers", [])]


def _answer(task: dict[str, Any], settings: SandboxSettings) -> Reply:
    """Do one task, in the child."""
    module, _, name = task["work"].partition(":")
    work: Callable[..., Any] = getattr(importlib.import_module(module), name)
    assignments = [Assignment.from_json(value) for value in task["assignments"]]
    where = f"{assignments[0].step} {assignments[0].name}"
    store = Store(task["root"])
    try:
        if not task["probe"]:
            return {"commits": [c.to_json() for c in perform(store, work, assignments)]}
        with probing(Probe(settings)) as probe:
            commits = perform(store, work, assignments, lambda: not probe.killers)
        if probe.killers:
            return {"killers": [asdict(killer) for killer in probe.killers]}
        return {"commits": [commit.to_json() for commit in commits]}
    except PipelineError as error:
        return {"error": [type(error).__name__, str(error)]}
    except (MemoryError, RecursionError):
        return {"died": True}
    except Exception:  # noqa: BLE001 - reported in full to the driver, which stops the run
        return {"error": ["InfrastructureError", f"{where} failed:\n{traceback.format_exc()}"]}


def serve(source: IO[bytes], target: IO[bytes], settings: SandboxSettings) -> None:
    """Answer tasks until there is none. Plain tasks run under the memory limit, so that they die before the machine."""
    limited = False
    for line in source:
        task = json.loads(line)
        if not task["probe"] and not limited:
            limit_memory(settings.max_memory_bytes)
            limited = True
        target.write(to_line(_answer(task, settings)))
        target.flush()


def main() -> None:
    """The child's own entry: what anything prints goes to stderr, answers to what was stdout."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, SandboxSettings.model_validate_json(sys.argv[1]))


if __name__ == "__main__":
    main()
