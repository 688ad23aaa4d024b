"""Number formats: bytes of a parameter in each, when training and when serving."""

from typing import Literal, NamedTuple

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


class StateBytes(NamedTuple):
    """Bytes a parameter takes during training with Adam, before anything is sharded."""

    weights: int
    gradients: int
    optimizer: int


def state_bytes(precision: Precision, layout: Layout = "masters") -> StateBytes:
    """Bytes per parameter. fp8 and int8 training keep masters: fp8 casts inside matrix products, int8 is
    quantisation-aware training with rounding simulated in higher precision."""
    if layout == "masters" or precision in ("fp32", "int8"):
        return StateBytes(4, 4, 8)
    return StateBytes(COMPUTE_BYTES[precision], 2, 12)
