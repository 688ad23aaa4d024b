"""Compute: FLOPs of training, petaFLOP/s-days, GPU-hours and energy, each by a stated counting rule."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.size.gpus import Gpu
from pipeline.size.shape import Kind, Shape

PETAFLOPS_DAY = 1e15 * 86_400
"""FLOPs of one petaFLOP/s for a day: 8.64e19."""
DEFAULT_MFU = 0.40
"""Share of the peak that useful FLOPs reach: published dense runs on H100 lie between 0.34 and 0.50."""


def training_flops(params: float, tokens: float, kind: Kind = "decoder") -> float:
    """6ND; 3ND for encoder-decoders, where a token passes half the parameters (arXiv 2005.14165, table D.1)."""
    return (3 if kind == "encoder_decoder" else 6) * params * tokens


def flops_per_token(shape: Shape, sequence: float) -> float:
    """6 * N_mm + 12 * L * H * Q * T: forward and backward of one token, recomputation not counted.

    N_mm are the parameters that multiply tokens: blocks and the LM head (a tied head once), without the input
    embedding and norms; attention is the full square, causality not discounted. torchtitan, llm-foundry and PaLM
    count like this. Of an encoder-decoder a token passes one of the two stacks, half the parameters.
    """
    passes = 0.5 if shape.kind == "encoder_decoder" else 1.0
    return passes * 6 * shape.matmul_params + 12 * shape.depth * shape.heads * shape.head_dim * sequence


PUBLISHED_CONVENTION = "model FLOPs as published: attention as a full square of the sequence, no recomputation"
PACKED_CONVENTION = "as packed documents compute: attention inside documents alone, no recomputation"


def attended(lengths: Iterable[float]) -> float:
    """Mean length of a token's own document: what stands for the sequence in `flops_per_token` of packed documents.

    >>> attended([580, 580]), attended([100, 300])
    (580.0, 250.0)
    """
    listed = list(lengths)
    return sum(length * length for length in listed) / sum(listed)


def petaflops_days(flops: float) -> float:
    """FLOPs in petaFLOP/s-days."""
    return flops / PETAFLOPS_DAY


def gpu_hours(flops: float, gpu: Gpu, utilisation: float = DEFAULT_MFU) -> float:
    """Hours of one GPU at `utilisation` of its dense bf16 peak."""
    return flops / (gpu.peak_tflops * 1e12 * utilisation) / 3600


def budget_flops(gpu: Gpu, gpus: int, hours: float, utilisation: float = DEFAULT_MFU) -> float:
    """FLOPs that `gpus` GPUs deliver in `hours` at `utilisation` of their dense bf16 peak."""
    return gpu.peak_tflops * 1e12 * utilisation * gpus * hours * 3600


def energy_kwh(gpu: Gpu, hours: float) -> float:
    """Energy of `hours` GPU-hours at board power, in kWh; host, network and cooling come on top."""
    return gpu.watts * hours / 1000


@dataclass(frozen=True)
class Equivalent:
    """GPUs that make one petaFLOP/s. `whole` is the course's rounding: GPUs at the data sheet's highest figure."""

    gpu: str
    peak_tflops: float
    at_peak: float
    printed_tflops: float
    at_printed: float
    whole: int


def petaflops_equivalent(gpu: Gpu) -> Equivalent:
    """How many of a GPU make one petaFLOP/s: 8 V100 or 2 A100, at 125 and at 312 to 624 TFLOP/s."""
    printed = gpu.sparse_tflops or gpu.peak_tflops
    return Equivalent(
        gpu.name, gpu.peak_tflops, 1000 / gpu.peak_tflops, printed, 1000 / printed, math.ceil(1000 / printed)
    )
