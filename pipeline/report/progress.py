"""Progress: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.core.execute import Progress
from pipeline.core.steps import Step, is_inner, label_of
from pipeline.size.units import bytes_text


@dataclass
class _Line:
    started: float
    done: int = 0
    total: int = 0
    reused: int = 0
    why: str = ""
    documents: int = 0
    bytes: int = 0
    kept: int = 0
    removed: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    verdicts: bool = False

    @property
    def finished(self) -> bool:
        return self.done >= self.total

    def rate(self) -> str:
        """Bytes of text or payload a second, of the units this run did."""
        return f"{bytes_text(self.bytes / self.seconds)}/s" if self.bytes and self.seconds > 0.05 else ""

    def left(self) -> str:
        """Seconds left, by the mean time of the units done in this run."""
        fresh = self.done - self.reused
        if self.finished or not fresh:
            return ""
        return f"{(self.total - self.done) * self.seconds / fresh:.0f} s"


@dataclass
class Display:
    """Listens to the runner. `quiet` shows nothing (`--json`)."""

    quiet: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True))
    lines: dict[str, _Line] = field(default_factory=dict)
    _live: Live | None = None

    def __enter__(self) -> "Display":
        if self.console.is_terminal and not self.quiet:
            self._live = Live(self._table(), console=self.console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update(self._table())
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Take in one event."""
        line = self.lines.setdefault(progress.step, _Line(time.monotonic()))
        line.seconds = time.monotonic() - line.started
        line.done, line.total, line.reused, line.why = progress.done, progress.total, progress.reused, progress.why
        commit = progress.commit
        if commit is not None and (balance := commit.balance):
            line.verdicts = progress.step in (Step.EXTRACT, Step.DECIDE, Step.SETTLE)
            line.documents += balance.entered + balance.children
            line.kept += balance.kept
            line.removed += balance.removed
            line.quarantined += balance.quarantined
            line.bytes += commit.counts.get("raw_bytes", balance.bytes_entered)
        elif commit is not None:
            line.documents += commit.counts.get("documents", 0)
        if self._live is not None:
            self._live.update(self._table())
        elif not self.quiet and line.finished and not is_inner(progress.step):
            print(self._sentence(progress.step, line), file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """A statement between the steps."""
        if not self.quiet:
            self.console.print(sentence, style="dim", highlight=False)

    def _sentence(self, step: str, line: _Line) -> str:
        parts = [f"{label_of(step):22} {line.done}/{line.total} units", f"{line.seconds:.1f} s", line.why]
        if line.documents:
            parts.insert(1, f"{line.documents:,} documents")
        if line.verdicts:
            parts.insert(2, f"{line.kept:,} kept, {line.removed:,} removed, {line.quarantined:,} quarantined")
        return " · ".join(parts)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in "step units documents bytes kept removed quarantined rate time left why".split():
            table.add_column(title, justify="left" if title in ("step", "why") else "right", no_wrap=title != "why")
        for step, line in self.lines.items():
            if line.finished and is_inner(step):
                continue
            verdicts = [f"{n:,}" if line.verdicts else "" for n in (line.kept, line.removed, line.quarantined)]
            table.add_row(
                label_of(step),
                f"{line.done}/{line.total}",
                f"{line.documents:,}" if line.documents else "",
                bytes_text(line.bytes) if line.bytes else "",
                *verdicts,
                line.rate(),
                f"{line.seconds:.1f} s",
                line.left(),
                line.why,
                style="" if line.finished else "bold",
            )
        return table
