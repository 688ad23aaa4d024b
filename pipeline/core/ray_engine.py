"""The Ray engine: one Ray Core task per unit group, a bounded number in flight, workers that commit themselves."""

import contextlib
import logging
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline import errors
from pipeline.core import nodes
from pipeline.core.code_version import code_version, difference
from pipeline.core.execute import Assignment, Work, is_document_work, perform
from pipeline.core.ledger import Commit
from pipeline.core.sandbox import Killer, SandboxSettings
from pipeline.core.steps import out_of_memory
from pipeline.core.store import Store
from pipeline.core.supervise import Child, Reply, commits_of, killers_of, performed
from pipeline.errors import InfrastructureError, KilledWorkerError, PipelineError

LOOK_AT_NODES_S = 5.0
NO_NODE_S = 40.0
"""With `LOOK_AT_NODES_S`: a cluster without a node for under a minute may be one whose nodes are being replaced."""
RETRIES = 2
"""A task whose worker process died is tried this often again, document work in the sandbox: commits make it harmless."""


def guarded(
    root: str, work: Work, assignments: list[Assignment], expected: dict[str, str]
) -> list[Commit] | tuple[str, str] | None:
    """`perform` for a worker process: errors come back as values, because exception classes do not always travel.

    `expected`: the driver's `code_version`. None: it ran out of memory or recursed without end, which is as good as its death.
    """
    where = f"{assignments[0].step} {assignments[0].name}"
    try:
        if differs := difference(expected):
            return "InfrastructureError", f"{where}: a worker on {platform.node()} runs another version: {differs}"
        return perform(Store(root), work, assignments)
    except PipelineError as error:
        return type(error).__name__, str(error)
    except (MemoryError, RecursionError):
        if is_document_work(work):
            return None
        return "InfrastructureError", f"{where}: the worker ran out of memory. {out_of_memory(assignments[0].step)}"
    except Exception:  # noqa: BLE001 - reported in full to the driver, which stops the run
        return "InfrastructureError", f"{where} failed:\n{traceback.format_exc()}"


def rescued(
    root: str, work: Work, assignments: list[Assignment], expected: dict[str, str], settings: dict[str, Any]
) -> Reply | tuple[str, str]:
    """The same task in the sandbox: its commits, or the documents that kill its worker."""
    child = Child(SandboxSettings.model_validate(settings))
    try:
        if differs := difference(expected):
            return "InfrastructureError", f"a worker on {platform.node()} runs another version: {differs}"
        return performed(child, root, work, assignments, plainly=False)
    except PipelineError as error:
        return type(error).__name__, str(error)
    finally:
        child.close()


class RayEngine:
    """Runs tasks on a Ray of its own ("local"), on the one that runs on this machine ("auto"), or at an address."""

    def __init__(
        self, address: str = "local", workers: int | None = None, settings: SandboxSettings | None = None
    ) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)  # its advice on tokens and GPUs is not this run's business
        self._ray, self._address = ray, address
        self._settings = settings or SandboxSettings()
        if address == "local":
            self._connect(num_cpus=workers, include_dashboard=False)  # one of its own, whatever RAY_ADDRESS says
        else:
            if address != "auto":
                nodes.reach(address)
            self._connect()

    def _connect(self, **told: Any) -> None:
        ray = self._ray
        try:
            ray.init(
                address=self._address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False, **told
            )
        except (ConnectionError, RuntimeError, OSError, ValueError) as error:
            raise InfrastructureError(
                f"cannot reach Ray at {self._address!r}: {error}. `--ray none` runs in process."
            ) from error
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._code = ray.put(code_version())
        self._task = ray.remote(num_cpus=1, max_retries=0)(guarded)  # a death must be seen: it may be a document's
        self._again = ray.remote(num_cpus=1, max_retries=RETRIES)(guarded)
        self._rescue = ray.remote(num_cpus=1, max_retries=RETRIES)(rescued)

    def check(self, store: Store) -> None:
        """Before the first step. Nodes without the package get it for this run. Raises InfrastructureError for one that runs
        another version, or does not see the run folder."""
        if self._address == "local":
            return
        root = nodes.folder_for_all(store)
        problems = nodes.problems(self._ray, store, root)
        if any(nodes.NO_PACKAGE in problem for problem in problems):
            self._ray.shutdown()
            self._connect(runtime_env=nodes.runtime_env())
            problems = nodes.problems(self._ray, store, root)
        if problems:
            raise InfrastructureError("\n".join(problems))

    def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]]) -> Iterator[list[Commit]]:
        """See `Engine`. Commits come in the order in which tasks finish."""
        ray = self._ray
        if not tasks:
            return
        documents, always = is_document_work(work), self._settings.max_cpu_s is not None
        first = documents and always
        waiting, pending = [(assignments, first) for assignments in reversed(tasks)], {}
        killers: list[Killer] = []
        while waiting or pending:
            while waiting and len(pending) < 2 * self.workers:
                assignments, in_sandbox = waiting.pop()
                started = self._start(store, work, assignments, in_sandbox)
                pending[started] = assignments, in_sandbox
            ready = self._next(list(pending))
            assignments, in_sandbox = pending.pop(ready[0])
            try:
                result = ray.get(ready[0])
            except ray.exceptions.RayError as error:
                where = f"{assignments[0].step} {assignments[0].name}"
                if lacking := nodes.missing_library(error):
                    raise InfrastructureError(f"{where}: a worker {lacking}") from error
                if in_sandbox or not documents:
                    raise InfrastructureError(
                        f"{where}: the worker died {RETRIES + 1} times "
                        f"({type(error).__name__}). {out_of_memory(assignments[0].step)}"
                    ) from error
                result = None
            if result is None:
                waiting.append((assignments, True))
            elif isinstance(result, tuple):
                kind, message = result
                raise getattr(errors, kind, InfrastructureError)(message)
            elif isinstance(result, dict):
                killers += killers_of(result)
                if "commits" in result:
                    yield commits_of(result)
            else:
                yield result
        if killers:
            raise KilledWorkerError(killers)

    def _next(self, pending: list[Any]) -> list[Any]:
        """The next finished task. Raises InfrastructureError when the cluster has had no node to do one for a while."""
        lonely_since: float | None = None
        while True:
            ready, _ = self._ray.wait(pending, num_returns=1, timeout=LOOK_AT_NODES_S)
            if ready:
                return ready
            if nodes.working(self._ray):
                lonely_since = None
            elif lonely_since is None:
                lonely_since = time.monotonic()
            elif time.monotonic() - lonely_since > NO_NODE_S:
                raise InfrastructureError(
                    f"no node of the cluster is left to work on {len(pending)} tasks. What was committed stays: start nodes, "
                    "then run the same command again"
                )

    def _start(self, store: Store, work: Work, assignments: list[Assignment], in_sandbox: bool) -> Any:
        root = nodes.folder_for_all(store)
        if in_sandbox:
            return self._rescue.remote(root, work, assignments, self._code, self._settings.model_dump())
        task = self._task if is_document_work(work) else self._again
        return task.remote(root, work, assignments, self._code)

    def spread(self, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
        """See `Engine`. A call that fails is left to fail, and to be reported, where its work is really needed."""
        task = self._ray.remote(num_cpus=1, max_retries=0)(function)
        for reference in [task.remote(*arguments) for arguments in calls]:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.get(reference)

    def close(self) -> None:
        """Stop the local Ray, or disconnect."""
        self._ray.shutdown()
