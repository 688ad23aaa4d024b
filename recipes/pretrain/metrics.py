"""Metrics of a run: JSONL always, lines or a progress bar on the terminal, TensorBoard and W&B when asked for.

On a disk each line of metrics.jsonl is there at once. Objects cannot be appended to: on an object store the whole file is
written with each checkpoint and at the end, so a process that is killed leaves the lines up to its last checkpoint, which
is where the next start goes on.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.handoff import TrainConfig, UsageError
from pipeline.size.flops import flops_per_token
from pipeline.size.gpus import GPUS
from pipeline.size.shape import Shape
from recipes.pretrain.storage import Where, write_durably


def peak_flops(device_name: str) -> float | None:
    """Dense bf16 FLOP/s of a device in the planner's table; None for an unknown one.

    >>> peak_flops("NVIDIA H200"), peak_flops("NVIDIA H100 PCIe"), peak_flops("NVIDIA H800"), peak_flops("cpu")
    (989400000000000.0, 756000000000000.0, None, None)
    """
    words = f"-{device_name.lower().replace(' ', '-')}-"
    matching = [gpu for name, gpu in GPUS.items() if f"-{name}-" in words and gpu.bf16]
    return max(matching, key=lambda gpu: len(gpu.name)).peak_tflops * 1e12 if matching else None


Sink = tuple[Callable[[dict[str, float], int], None], Callable[[], None]]
"""Takes the numbers of a step, by name, and the step; and what closes it."""


class Reporter:
    """Writes metrics on rank 0, does nothing on the other ranks."""

    def __init__(self, folder: Where, config: TrainConfig, resume_step: int, active: bool) -> None:
        self.active, self.steps = active, config.steps or 1
        self.bar: Any = None
        self.file: Any = None
        self.sinks: list[Sink] = []
        if not active:
            return
        self.path = folder / "metrics.jsonl"
        self.lines: list[str] = []
        if self.path.exists() and resume_step:  # steps that will be taken again are told again
            lines = self.path.read_text("utf-8").splitlines(keepends=True)
            self.lines = [line for line in lines if _step_of(line) <= resume_step]
        write_durably(self.path, "".join(self.lines))
        if isinstance(self.path, Path):
            self.file = self.path.open("a", encoding="utf-8")
        if config.report.tensorboard:
            if not isinstance(folder, Path):
                raise UsageError("report.tensorboard writes to a disk, and `out` is a URL; report.wandb goes with both")
            self.sinks.append(_tensorboard(folder / "tensorboard", resume_step))
        if config.report.wandb:
            self.sinks.append(_wandb(config.report.wandb, folder, config, resume_step))
        if sys.stderr.isatty():
            self.bar = _progress_bar(self.steps, resume_step)

    def write(self, metrics: dict[str, Any]) -> None:
        """One line of metrics, which have `step`, for files, writers and the reader at the terminal."""
        if not self.active:
            return
        line = json.dumps(metrics) + "\n"
        if self.file is None:
            self.lines.append(line)
        else:
            self.file.write(line)
            self.file.flush()
        for sink, _ in self.sinks:
            sink(_numbers(metrics), metrics["step"])
        if self.bar is not None:
            self.bar(metrics)
        else:
            say(f"step {metrics['step']}/{self.steps}  {_line(metrics)}")

    def flush(self) -> None:
        """Write what an object store does not have yet."""
        if self.active and self.file is None:
            write_durably(self.path, "".join(self.lines))

    def close(self) -> None:
        if self.active:
            if self.bar is not None:
                self.bar(None)
            self.flush()
            if self.file is not None:
                self.file.close()
            for _, close in self.sinks:  # they write in threads of their own, which the process does not wait for
                close()


def say(text: str) -> None:
    """A line for the user, on standard error: standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def _line(metrics: dict[str, Any]) -> str:
    parts = []
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.4f}  lr {metrics['lr']:.2e}  norm {metrics['grad_norm']:.2f}")
        if metrics.get("skipped"):
            parts.append(f"skipped {metrics['skipped']:,}")
        parts.append(f"{metrics['tokens_per_s']:,.0f} tokens/s")
        if metrics.get("mfu") is not None:
            parts.append(f"MFU {metrics['mfu']:.1%} as published, {metrics['mfu_packed']:.1%} as computed")
        parts.append(f"ETA {metrics['eta_s']:.0f} s")
    for name, result in metrics.get("val", {}).items():
        bits = result["bits_per_byte"]
        parts.append(f"{name}: {result['loss']:.4f}" + (f" ({bits:.4f} bits/byte)" if bits is not None else ""))
    if "cloze" in metrics:
        cloze = metrics["cloze"]
        parts.append(f"terms: {cloze['accuracy']:.1%} of {cloze['terms']} ({cloze['bits_per_byte']:.4f} bits/byte)")
    return "  ".join(parts)


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62  # a line torn by a crash


def _progress_bar(steps: int, done: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("pretrain"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[line]}"),
        console=Console(stderr=True),
    )
    task = progress.add_task("pretrain", total=steps, completed=done, line="")
    progress.start()

    def update(metrics: dict[str, Any] | None) -> None:
        if metrics is None:
            progress.stop()
        elif "val" in metrics:
            progress.console.print(
                f"step {metrics['step']}  held out: {_line({k: metrics[k] for k in ('val', 'cloze') if k in metrics})}"
            )
        else:
            progress.update(task, completed=metrics["step"], line=_line(metrics))

    return update


def _numbers(metrics: dict[str, Any], prefix: str = "") -> dict[str, float]:
    out: dict[str, float] = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            out.update(_numbers(value, f"{prefix}{key}/"))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            out[prefix + key] = value
    return out


def _tensorboard(folder: Path, resume_step: int) -> Sink:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("report.tensorboard needs the package tensorboard, which is not installed") from None
    # what an interrupted part wrote of steps that are taken again is hidden
    writer = SummaryWriter(str(folder), purge_step=resume_step + 1 if resume_step else 0)

    def sink(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return sink, writer.close


def _wandb(project: str, folder: Where, config: TrainConfig, resume_step: int) -> Sink:
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UsageError("report.wandb needs the package wandb, which is not installed") from None
    id_file = folder / "wandb-run.txt"  # a resumed training goes on as the same run
    resumed = {"id": id_file.read_text("utf-8"), "resume": "allow"} if resume_step and id_file.exists() else {}
    local = str(folder) if isinstance(folder, Path) else tempfile.gettempdir()
    run = wandb.init(project=project, dir=local, config=config.model_dump(mode="json"), **resumed)
    write_durably(id_file, run.id)
    return lambda values, step: run.log(values, step=step), run.finish


class Speed:
    """Tokens per second and what follows from it, over the steps since the last report.

    Utilisation comes in two conventions: `mfu` as published (attention a full square of the sample), `mfu_packed` as
    packed documents compute (attention inside documents alone).
    """

    def __init__(self, shape: Shape | None, world_size: int, device: torch.device, price: float | None) -> None:
        self.shape, self.world_size, self.device, self.price = shape, world_size, device, price
        self.peak = peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
        self.begun = self.last = time.perf_counter()
        self.tokens = self.pairs = self.places = 0
        self.data_wait = 0.0

    def saw(self, docs: np.ndarray) -> None:
        """Count what attention does in a micro-batch: `docs` [B, T] numbers the document of each place."""
        ends = np.ones(docs.shape, dtype=np.bool_)
        ends[:, :-1] = docs[:, 1:] != docs[:, :-1]
        lengths = np.diff(np.flatnonzero(ends), prepend=-1)
        self.pairs, self.places = self.pairs + int((lengths * lengths).sum()), self.places + docs.size

    def _utilisation(self, per_second: float, sequence: float) -> float | None:
        if self.shape is None or self.peak is None:
            return None
        return per_second * flops_per_token(self.shape, sequence) / self.peak / self.world_size

    def report(self, step: int, steps: int, steps_since: int) -> dict[str, Any]:
        """tokens_per_s, utilisation (null on an unknown device), memory, data wait, ETA, cost."""
        now = time.perf_counter()
        seconds = max(now - self.last, 1e-9)
        per_second = self.tokens / seconds
        out = {
            "tokens_per_s": per_second,
            "mfu": self._utilisation(per_second, self.shape.sequence if self.shape else 0),
            "mfu_packed": self._utilisation(per_second, self.pairs / max(1, self.places)),
            "memory_bytes": torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None,
            "data_wait_ms": self.data_wait * 1000 / max(1, steps_since),
            "eta_s": seconds / max(1, steps_since) * (steps - step),
        }
        if self.price is not None and self.device.type == "cuda":
            out["cost"] = (now - self.begun) / 3600 * self.world_size * self.price
        self.last, self.tokens, self.data_wait, self.pairs, self.places = now, 0, 0.0, 0, 0
        return out
