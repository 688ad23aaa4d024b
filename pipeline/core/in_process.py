"""The engine in process: `--ray none`. After a death it works in a child, so that the next death is seen."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.core.execute import Assignment, Work, is_document_work, perform
from pipeline.core.ledger import LEDGER, Commit
from pipeline.core.sandbox import Killer, SandboxSettings, mark_at
from pipeline.core.store import Store
from pipeline.core.supervise import Child, commits_of, killers_of, performed
from pipeline.errors import KilledWorkerError

MARK = f"{LEDGER}/at_work"
"""Exists while documents are being worked on. Found at the start, the run before died over them."""


class InProcess:
    """One task after the other, in this process, and document work in a child when the run before it died over it."""

    workers = 1

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self._settings = settings or SandboxSettings()
        self._child: Child | None = None

    def run(self, store: Store, work: Work, tasks: Sequence[list[Assignment]]) -> Iterator[list[Commit]]:
        """See `Engine`."""
        killers: list[Killer] = []
        mark = store.locate(MARK) if store.local else None
        always = self._settings.max_cpu_s is not None
        documents = is_document_work(work)
        if mark is not None and documents:
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(mark), exist_ok=True)
            if os.path.exists(mark):
                os.unlink(mark)
                self._child = self._child or Child(self._settings)
        for assignments in tasks:
            if documents and (self._child is not None or always):
                reply = self._supervised(store, work, assignments, not always)
            else:
                try:
                    with mark_at(mark if documents else None):
                        done = perform(store, work, assignments)
                    yield done
                    continue
                except (MemoryError, RecursionError):
                    if not documents:
                        raise
                    reply = self._supervised(store, work, assignments, False)
            killers += killers_of(reply)
            if "commits" in reply:
                yield commits_of(reply)
        if killers:
            raise KilledWorkerError(killers)

    def _supervised(self, store: Store, work: Work, assignments: list[Assignment], plainly: bool) -> Any:
        self._child = self._child or Child(self._settings)
        return performed(self._child, store.root, work, assignments, plainly)

    def check(self, store: Store) -> None:
        """See `Engine`: this process is all there is."""

    def spread(self, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
        """Nothing to gain in one process: it does the work when it comes to it."""

    def close(self) -> None:
        """End the child, where there is one."""
        if self._child is not None:
            self._child.close()
