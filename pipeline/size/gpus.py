"""What GPUs can do, from their makers' data sheets. An unknown name is an error, never another GPU's figures."""

from dataclasses import dataclass

from pipeline.errors import named
from pipeline.size.published import TABLES


@dataclass(frozen=True)
class Gpu:
    """One accelerator. `peak_tflops`: dense bf16 products, fp16 where there is no bf16; `watts`: board power."""

    name: str
    peak_tflops: float
    memory_gb: float
    watts: float
    sparse_tflops: float | None = None
    """The figure with 2:4 sparsity that data sheets print first; no dense training reaches it."""
    fp8: bool = False
    bf16: bool = True
    price: float | None = None
    """US dollars for an hour, on demand: list prices of large clouds and GPU renters in 2025, rounded. Yours differ."""


GPUS: dict[str, Gpu] = {row["name"]: Gpu(**row) for row in TABLES["gpus"]}
_ALIASES = {
    "a100-80gb": "a100",
    "h100-sxm": "h100",
    "h200-sxm": "h200",
    "v100-32gb": "v100",
    "4090": "rtx-4090",
    "rtx4090": "rtx-4090",
}


def gpu_named(name: str) -> Gpu:
    """The GPU of that name, case and separators apart; else a UsageError that names the nearest."""
    key = name.lower().strip().replace("_", "-").replace(" ", "-").removeprefix("nvidia-").removeprefix("amd-")
    return named("GPU", GPUS, _ALIASES.get(key, key))
