"""Number formats: bytes of a parameter, and what a value becomes in each."""

import math
import struct
from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
Layout = Literal["masters", "zero"]
"""How mixed precision keeps its numbers. `masters`: fp32 weights and gradients, a low-precision copy of the block at
work (FSDP2, what the pre-training recipe does). `zero`: low-precision weights and gradients, fp32 masters counted to
the optimizer (DeepSpeed, the ZeRO paper's 2 + 2 + 12)."""

COMPUTE_BYTES: dict[Precision, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
"""Bytes of one weight as matrix products read it; also what one parameter takes when a model only serves."""

RULE_FP32 = {"weights": 4, "gradients": 4, "optimizer": 8, "activations": 8}
"""The course's rule for fp32 training with Adam, bytes per parameter: 24 GB per billion. Its 8 bytes for activations
and temporaries stand for one sequence of about 4,000 tokens a GPU and are far too low for large micro-batches."""


@dataclass(frozen=True)
class StateBytes:
    """Bytes a parameter takes during training with Adam, before anything is sharded."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """Weights, gradients and optimizer together."""
        return self.weights + self.gradients + self.optimizer


def state_bytes(precision: Precision, layout: Layout = "masters") -> StateBytes:
    """Bytes per parameter. fp8 and int8 training keep masters: fp8 casts inside matrix products, int8 is
    quantisation-aware training with rounding simulated in higher precision."""
    if precision == "fp32" or layout == "masters":
        return StateBytes(4, 4, 8)
    if precision == "int8":
        return StateBytes(4, 4, 8)
    return StateBytes(COMPUTE_BYTES[precision], 2, 12)


def rounded(value: float, precision: Literal["float16", "bfloat16", "int8"]) -> float:
    """The nearest value of the format (ties to even); int8 clips to -128..127.

    >>> rounded(3.14159265, "bfloat16"), rounded(3.14159265, "float16"), rounded(3.14159265, "int8")
    (3.140625, 3.140625, 3)
    """
    if precision == "int8":
        return max(-128, min(127, round(value)))
    if precision == "float16":
        return struct.unpack("<e", struct.pack("<e", value))[0]
    if not math.isfinite(value):
        return value
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]
