"""Where a run can be watched from: Prometheus' text format for its textfile collector, and OpenLineage events.

Both are for the tools that people have already, through their own libraries (extra `monitor`). Neither can stop a run: what one
cannot write or send is said once, at the end.
"""

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.core.execute import Progress
from pipeline.errors import UsageError
from pipeline.report.progress import Display

if TYPE_CHECKING:
    from pipeline.recipe.model import RecipeBase

EVERY_S = 5.0
"""Seconds from one writing of metrics to the next, while a step goes on."""
PRODUCER = f"https://pypi.org/project/domain-corpus/{__version__}"
PUBLISHED = {"corpus/kept": "kept", "corpus/removed": "removed", "corpus/quarantined": "quarantined"}


@dataclass
class Watch:
    """What a run tells, and to whom. `result` is set when it ends well."""

    display: Display
    metrics: Callable[["Watch"], None] | None = None
    result: dict[str, Any] | None = None
    failed: dict[str, str] = field(default_factory=dict)
    _written: float = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take in one event of the runner."""
        self.display(progress)
        now = time.monotonic()
        if self.metrics is not None and (progress.done == progress.total or now - self._written > EVERY_S):
            self._written = now
            self.attempt("--metrics", self.metrics, self)

    def attempt(self, what: str, work: Callable[..., None], *given: Any) -> None:
        """Do it, or remember why it could not be done."""
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 - whatever a monitor's library raises
            self.failed.setdefault(what, f"{what}: {type(error).__name__}: {error}")


@contextlib.contextmanager
def watched(recipe: "RecipeBase", out: str, display: Display, metrics: str | None, lineage: bool) -> Iterator[Watch]:
    """The runner's listener: the display, and the monitors that the command line asks for.

    Raises UsageError when a monitor's library is not installed.
    """
    watch = Watch(display, _metrics(metrics, recipe.name) if metrics else None)
    tell = _lineage(recipe, out) if lineage else None
    if tell is not None:
        watch.attempt("--lineage", tell, watch, None)
    error: BaseException | None = None
    try:
        yield watch
    except BaseException as raised:
        error = raised
        raise
    finally:
        if tell is not None:
            watch.attempt("--lineage", tell, watch, error)
        for sentence in watch.failed.values():
            print(sentence, file=sys.stderr)


def _missing(option: str, package: str) -> UsageError:
    return UsageError(f"{option} needs {package}: pip install 'domain-corpus[monitor]'")


def _metrics(path: str, name: str) -> Callable[[Watch], None]:
    """Writes gauges of every step so far to a file, which a reader sees whole or not at all."""
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
    except ImportError:
        raise _missing("--metrics", "prometheus-client") from None
    registry = CollectorRegistry()

    def gauge(what: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"domain_corpus_{what}", says, ["recipe", "step", *labels], registry=registry)

    units = gauge("units", "Units of a step: done, of which reused, and in all", "state")
    documents = gauge(
        "documents", "Documents that a step has gone over in this run, by verdict where it gives one", "verdict"
    )
    size = gauge("bytes", "Bytes that a step has gone over in this run")
    seconds = gauge("seconds", "Seconds that a step has taken in this run")

    def write(watch: Watch) -> None:
        for step, line in watch.display.lines.items():
            for state, count in (("done", line.done), ("reused", line.reused), ("all", line.total)):
                units.labels(name, step, state).set(count)
            documents.labels(name, step, "any").set(line.documents)
            if line.verdicts:
                for verdict in ("kept", "removed", "quarantined"):
                    documents.labels(name, step, verdict).set(getattr(line, verdict))
            size.labels(name, step).set(line.bytes)
            seconds.labels(name, step).set(line.seconds)
        write_to_textfile(path, registry)

    return write


def _lineage(recipe: "RecipeBase", out: str) -> Callable[[Watch, BaseException | None], None]:
    """Sends START when first called, then COMPLETE, FAIL or ABORT, to where OPENLINEAGE_URL or openlineage.yml says."""
    try:
        from openlineage.client import OpenLineageClient, event_v2, facet_v2
    except ImportError:
        raise _missing("--lineage", "openlineage-python") from None
    client, run = OpenLineageClient(), event_v2.Run(runId=str(uuid.uuid4()))
    job = event_v2.Job(namespace="domain-corpus", name=recipe.name)
    sources = [(source.name, str(getattr(source, "path", None) or source.name)) for source in recipe.chosen]
    inputs = [event_v2.InputDataset(namespace=f"source:{name}", name=path) for name, path in sources]
    state = event_v2.RunState
    started: list[bool] = []

    def tell(watch: Watch, error: BaseException | None) -> None:
        kind, outputs = state.START, []
        if started:
            kind = (
                state.COMPLETE if error is None else state.ABORT if isinstance(error, KeyboardInterrupt) else state.FAIL
            )
        started.append(True)
        counts = (watch.result or {}).get("documents", {})
        for folder, verdict in PUBLISHED.items() if counts else ():
            rows = facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=counts[verdict]
            )
            outputs.append(event_v2.OutputDataset(namespace=out, name=folder, outputFacets={"outputStatistics": rows}))
        at = datetime.now(UTC).isoformat()
        client.emit(
            event_v2.RunEvent(
                eventTime=at, producer=PRODUCER, run=run, job=job, eventType=kind, inputs=inputs, outputs=outputs
            )
        )

    return tell
