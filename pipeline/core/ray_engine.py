"""The Ray engine: one Ray Core task per unit group, a bounded number in flight, workers that commit themselves."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline import errors
from pipeline.core.execute import Assignment, Work, guarded
from pipeline.core.ledger import Commit
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError

RETRIES = 2
"""A task whose worker process died is tried this often again: commits make retries harmless."""


class RayEngine:
    """Runs tasks on a Ray cluster (`address`) or on a local Ray started for this run ("local")."""

    def __init__(self, address: str = "local", workers: int | None = None) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)  # its advice on tokens and GPUs is not this run's business
        self._ray = ray
        try:
            ray.init(
                address=None if address == "local" else address,
                num_cpus=workers if address == "local" else None,
                include_dashboard=False if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, OSError, ValueError) as error:
            raise InfrastructureError(
                f"cannot reach Ray at {address!r}: {error}. `--ray none` runs in process."
            ) from error
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._task = ray.remote(num_cpus=1, max_retries=RETRIES)(guarded)

    def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]], shared: Any) -> Iterator[list[Commit]]:
        """See `Engine`. Commits come in the order in which tasks finish."""
        ray = self._ray
        if not tasks:
            return
        reference = ray.put(shared)
        waiting, pending = list(reversed(tasks)), {}
        while waiting or pending:
            while waiting and len(pending) < 2 * self.workers:
                assignments = waiting.pop()
                pending[self._task.remote(store.root, work, assignments, reference)] = assignments
            ready, _ = ray.wait(list(pending), num_returns=1)
            assignments = pending.pop(ready[0])
            try:
                result = ray.get(ready[0])
            except ray.exceptions.RayError as error:
                raise InfrastructureError(
                    f"{assignments[0].step} {assignments[0].name}: the worker died {RETRIES + 1} times "
                    f"({type(error).__name__}). Usually memory: give Ray fewer CPUs or smaller shards, "
                    "then run the same command again."
                ) from error
            if isinstance(result, tuple):
                kind, message = result
                raise getattr(errors, kind, InfrastructureError)(message)
            yield result

    def spread(self, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
        """See `Engine`. A call that fails is left to fail, and to be reported, where its work is really needed."""
        task = self._ray.remote(num_cpus=1, max_retries=0)(function)
        for reference in [task.remote(*arguments) for arguments in calls]:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.get(reference)

    def close(self) -> None:
        """Stop the local Ray, or disconnect."""
        self._ray.shutdown()
