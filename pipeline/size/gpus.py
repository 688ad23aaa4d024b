"""What GPUs can do, from their makers' data sheets. An unknown name is an error, never another GPU's figures."""

from dataclasses import dataclass

from pipeline.size.names import named


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


GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        Gpu("t4", 65, 16, 70, bf16=False, price=0.35),
        Gpu("v100-16gb", 125, 16, 300, bf16=False, price=2.5),
        Gpu("v100", 125, 32, 300, bf16=False, price=2.5),
        Gpu("a10", 125, 24, 150, 250, price=0.75),
        Gpu("l4", 121, 24, 72, 242, fp8=True, price=0.7),
        Gpu("rtx-4090", 165.2, 24, 450, 330.3, fp8=True, price=0.7),
        Gpu("l40s", 362, 48, 350, 733, fp8=True, price=0.9),
        Gpu("a100-40gb", 312, 40, 400, 624, price=1.3),
        Gpu("a100", 312, 80, 400, 624, price=1.8),
        Gpu("h100-pcie", 756, 80, 350, 1513, fp8=True, price=2.5),
        Gpu("h100-nvl", 835, 94, 400, 1671, fp8=True, price=2.6),
        Gpu("h100", 989.4, 80, 700, 1979, fp8=True, price=3.0),
        Gpu("h20", 148, 96, 400, 296, fp8=True),
        Gpu("h200", 989.4, 141, 700, 1979, fp8=True, price=3.8),
        Gpu("h200-nvl", 835, 141, 600, 1671, fp8=True),
        Gpu("b200", 2250, 180, 1000, 4500, fp8=True, price=5.0),
        Gpu("gb200", 2500, 186, 1200, 5000, fp8=True),
        Gpu("mi300x", 1300, 192, 750, 2600, fp8=True, price=3.0),
    )
}
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
