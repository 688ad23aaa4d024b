"""What a page is made of, and the run it is made from."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
from starlette.datastructures import QueryParams

from pipeline.ask.documents import Documents, finite
from pipeline.ask.run import FinishedRun
from pipeline.core.ledger import LEDGER
from pipeline.core.run_folder import open_run
from pipeline.errors import PipelineError, UsageError

BLOCK = 1 << 20
MOST_SECONDS = 60.0
"""That the answer to a condition may take."""
KINDS = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "txt": "text/plain",
}


@dataclass
class Page:
    """A template and what it shows: `data` is also the page as JSON, `drawn` is for the HTML alone."""

    template: str
    title: str
    data: dict[str, Any]
    drawn: dict[str, Any] = field(default_factory=dict)


@dataclass
class Download:
    """A selection as a file of one of KINDS."""

    documents: Documents
    ending: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"documents.{self.ending}"

    @property
    def kind(self) -> str:
        """The media type."""
        return KINDS[self.ending]

    def parts(self) -> Iterator[bytes]:
        """The file, written beside and then sent, so memory does not grow with it."""
        with tempfile.TemporaryFile() as file:
            self.documents.write(file, f".{self.ending}")
            file.seek(0)
            while block := file.read(BLOCK):
                yield block


class Explorer:
    """A run, opened again whenever a step has been recorded since; `others` are runs that it may be compared with."""

    def __init__(self, path: str, others: list[str]) -> None:
        self.path, self.others = path, others
        for other in others:
            open_run(other)  # a wrong one is said at the start, not on the page
        self.answering = threading.Lock()
        """One question about other bounds at a time."""
        self._run = self._open()
        self._seen = self._state()

    @property
    def name(self) -> str:
        """The folder, as the page's heading."""
        return self.path.rstrip("/")

    @property
    def run(self) -> FinishedRun:
        """The run as it is now."""
        if (now := self._state()) != self._seen:
            self._run, self._seen = self._open(), now
        return self._run

    def _open(self) -> FinishedRun:
        run = FinishedRun(open_run(self.path))
        if run.folder.verdict_step is not None:
            _ = run.tables.light
            run.tables.seconds = MOST_SECONDS
            threading.Thread(target=self.hold, args=(run,), daemon=True).start()
        return run

    def hold(self, run: FinishedRun) -> None:
        """What questions read, into memory, while the first pages are looked at; what is damaged is said when it is asked for."""
        with contextlib.suppress(PipelineError, duckdb.Error), self.answering:
            run.tables.hold()
            _ = run.standing

    def _state(self) -> int:
        """Changes whenever a step has been recorded. On another storage, where each look is a request, a run is opened once."""
        store = self._run.folder.store
        if not store.local:
            return 0
        return max(
            (entry.stat().st_mtime_ns for entry in os.scandir(store.locate(LEDGER)) if entry.is_file()), default=0
        )

    def other(self, path: str) -> FinishedRun:
        """A run that was named at the start. Raises UsageError for any other folder."""
        if path not in self.others:
            raise UsageError("compare with a run that was named at the start: explore --run DIR --other DIR")
        return FinishedRun(open_run(path))


def whole(asked: QueryParams, name: str, default: int, most: int) -> int:
    """A number of the address, from 0 to `most`. Raises UsageError for another word."""
    text = asked.get(name) or str(default)
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{name}={text[:40]!r}: expected a whole number")
    return min(int(text[:12]), most)


def number(name: str, text: str) -> float:
    """A number of the address. Raises UsageError for another word."""
    if (value := finite(text)) is None:
        raise UsageError(f"{name}={text[:40]!r}: expected a number")
    return value
