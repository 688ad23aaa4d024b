"""Compute: FLOPs of training, petaFLOP/s-days, GPU-hours, energy and MFU, each by a stated counting rule."""

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

from pipeline.size.gpus import Gpu
from pipeline.size.shape import DecoderShape

PETAFLOPS_DAY = 1e15 * 86_400
"""FLOPs of one petaFLOP/s for a day: 8.64e19."""
DEFAULT_MFU = 0.40
"""Share of the peak that useful FLOPs reach: published dense runs on H100 lie between 0.34 and 0.50."""

Counting = Literal["6N", "6N+attention"]
Kind = Literal["decoder", "encoder", "encoder_decoder"]


def training_flops(params: float, tokens: float, kind: Kind = "decoder") -> float:
    """6ND; 3ND for encoder-decoders, where a token passes half the parameters (arXiv 2005.14165, table D.1)."""
    return (3 if kind == "encoder_decoder" else 6) * params * tokens


def flops_per_token(shape: DecoderShape, sequence: int) -> float:
    """6 * N_mm + 12 * L * H * Q * T: forward and backward of one token, recomputation not counted.

    N_mm are the parameters that multiply tokens: blocks and the LM head (a tied head once), without the input
    embedding and norms; attention is the full square, causality not discounted. torchtitan, llm-foundry and PaLM
    count like this. Of an encoder-decoder a token passes one of the two stacks, half the parameters.
    """
    passes = 0.5 if shape.architecture == "t5" else 1.0
    return passes * 6 * shape.matmul_params + 12 * shape.layers * shape.heads * shape.head_dim * sequence


def mfu(tokens_per_second: float, shape: DecoderShape, sequence: int, peak_tflops: float) -> float:
    """Model FLOPs utilisation of one device, 0 to 1, against its dense peak."""
    return tokens_per_second * flops_per_token(shape, sequence) / (peak_tflops * 1e12)


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


def hardware_flops(tflops_per_gpu: float, gpus: int, seconds_per_step: float, steps: int) -> float:
    """FLOPs that hardware counters would show: achieved rate times time. Includes recomputation, so it is no 6ND.

    BloombergGPT prints 2.36e23 by this count; its 6ND is 1.73e23.
    """
    return tflops_per_gpu * 1e12 * gpus * seconds_per_step * steps


def scheduled_tokens(steps: Iterable[tuple[int, int, int]]) -> int:
    """Tokens of a batch schedule of (steps, sequences a step, tokens a sequence).

    >>> scheduled_tokens([(7200, 1024, 2048), (132000, 2048, 2048)])
    568747622400
    """
    return sum(count * batch * sequence for count, batch, sequence in steps)


class Equivalent(NamedTuple):
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
