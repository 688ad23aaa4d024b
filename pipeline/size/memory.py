"""Memory of one training step on each GPU, by precision and sharding, and what fits where. GB are 10^9 bytes."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pipeline.errors import UsageError
from pipeline.size.activations import (
    COMPUTE_BYTES,
    RULE_FP32,
    Checkpointing,
    Layout,
    Precision,
    backward_bytes,
    block_bytes,
    head_transient_bytes,
    recomputed_bytes,
    saved_bytes,
    state_bytes,
)
from pipeline.size.gpus import Gpu
from pipeline.size.shape import Shape

Sharding = Literal["none", "ddp", "zero1", "zero2", "zero3", "full", "hybrid", "replicated"]
"""`full` is ZeRO-3 (FSDP full shard), `hybrid` shards in groups of `sharding_factor`, `replicated` is FSDP over 1."""
EXPORT_FILE_BYTES = 2 << 30
"""Of one file of exported weights: what rank 0's host holds beside its shard while it exports."""
CONTEXT_BYTES = 1_000_000_000
"""What the driver, libraries and the allocator's rounding take of a GPU."""


@dataclass(frozen=True)
class Setup:
    """How a model is trained. `micro_batch` counts sequences of `sequence` tokens on one GPU."""

    precision: Precision = "bf16"
    sharding: Sharding = "full"
    gpus: int = 1
    sharding_factor: int | None = None
    """GPUs that share one copy of the states; null: all of them, 8 for hybrid."""
    micro_batch: int = 1
    sequence: int = 2048
    checkpointing: Checkpointing = "none"
    chunked_loss: bool = True
    offload: bool = False
    """Keep weights, gradients and optimizer in host memory; a GPU holds the block at work."""
    accumulation: int = 1
    layout: Layout = "masters"

    def factors(self) -> tuple[int, int, int]:
        """GPUs that share one copy of weights, gradients and optimizer states."""
        factor = self.sharding_factor
        if factor is not None and (factor < 1 or self.gpus % factor):
            raise UsageError(f"sharding_factor {factor} does not divide {self.gpus} GPUs")
        if self.sharding in ("none", "ddp", "replicated"):
            return 1, 1, 1
        if self.sharding == "hybrid" and factor is None:
            factor = next(n for n in range(min(8, self.gpus), 0, -1) if self.gpus % n == 0)
        factor = factor or self.gpus
        if self.sharding == "zero1":
            return 1, 1, factor
        if self.sharding == "zero2":
            return 1, factor, factor
        return factor, factor, factor


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU, and with offload on its host. `peak` follows the step: gradients grow while activations go."""

    weights: float
    copies: float
    """Low-precision or gathered weights that stand beside the sharded ones."""
    gradients: float
    optimizer: float
    activations: float
    """What the backward pass needs, the loss included."""
    transient: float
    """Logits and their gradients while the loss is computed."""
    peak: float
    """Of a step."""
    host: float = 0.0
    start: float = 0.0
    """While weights are drawn or read: this GPU's share, and one whole parameter at a time."""
    export: float = 0.0
    """While weights are written: states, and one whole parameter at a time. Rank 0's host also holds one file of them."""

    @property
    def most(self) -> float:
        """Bytes that must be there: of start, step and export the largest."""
        return max(self.peak, self.start, self.export)

    @property
    def static(self) -> float:
        """Weights, copies, gradients and optimizer."""
        return self.weights + self.copies + self.gradients + self.optimizer

    def to_json(self) -> dict[str, Any]:
        """Bytes by part."""
        return {
            f"{name}_bytes": round(value)
            for name, value in (asdict(self) | {"static": self.static, "most": self.most}).items()
        }


def rule_fp32(params: float) -> dict[str, float]:
    """The course's rule for fp32 with Adam in bytes, by part and in all: 24 GB per billion parameters."""
    parts = {name: each * params for name, each in RULE_FP32.items()}
    return parts | {"total": sum(parts.values())}


def static_bytes(params: float, setup: Setup) -> tuple[float, float, float, float]:
    """Bytes a GPU holds whatever the batch: weights, low-precision copies, gradients, optimizer states."""
    each = state_bytes(setup.precision, setup.layout)
    by_weights, by_gradients, by_optimizer = setup.factors()
    mixed = setup.layout == "masters" and setup.precision != "fp32"
    # Without resharding after the forward pass, every block's low-precision copy stays.
    copies = COMPUTE_BYTES[setup.precision] * params if mixed and by_weights == 1 else 0.0
    masters = by_optimizer if mixed else by_weights
    return (
        each.weights * params / masters,
        copies,
        each.gradients * params / by_gradients,
        each.optimizer * params / by_optimizer,
    )


def step_memory(shape: Shape, setup: Setup) -> Memory:
    """Memory of one GPU in one training step. Only decoders compute their loss in chunks."""
    weights, copies, gradients, optimizer = static_bytes(shape.params, setup)
    compute = COMPUTE_BYTES[setup.precision]
    edge = shape.embedding_params + shape.hidden
    if setup.factors()[0] > 1 or setup.offload:
        # Embedding and head stay gathered, one block works and the next is fetched, each with its gradient.
        copies += compute * (edge + 2 * shape.block_params) + compute * shape.block_params
    host = 0.0
    if setup.offload:
        host, weights, gradients, optimizer = weights + gradients + optimizer, 0.0, 0.0, 0.0
    tokens = setup.micro_batch * setup.sequence
    chunked = setup.chunked_loss and shape.kind == "decoder"
    saved = saved_bytes(shape, setup.precision, tokens, setup.checkpointing, chunked=chunked, sequence=setup.sequence)
    again = recomputed_bytes(shape, setup.precision, tokens, setup.checkpointing, setup.sequence)
    transient = head_transient_bytes(shape, setup.precision, tokens, chunked=chunked)
    held = weights + copies + optimizer
    # Three moments: the loss, with all activations and its own tensors; the first block's backward pass, with the head's
    # gradient (in low precision, scaled, and summed); the end, with all gradients and one block's activations, or with the
    # two parts of a tied embedding's gradient beside their sum. Earlier micro-batches leave their gradients in all of them.
    earlier = gradients if setup.accumulation > 1 else 0.0
    head = shape.vocab * shape.hidden * (4 if setup.precision == "fp32" else 8)
    work = backward_bytes(shape, setup.precision, tokens)
    both_parts = 2 * shape.vocab * shape.hidden * compute if shape.tied else 0.0
    block = tokens * block_bytes(shape, setup.precision, "none", setup.sequence)
    late = gradients + max(block + work, both_parts)
    peak = held + max(earlier + saved + transient, earlier + saved + again + head + work, late)
    activations = saved + again
    whole = 4 * max(shape.vocab * shape.hidden, shape.hidden * shape.ffn)
    return Memory(
        weights, copies, gradients, optimizer, activations, transient, peak, host,
        start=weights + whole, export=weights + optimizer + whole,
    )  # fmt: skip


def zero_paper_gb(params: float, gpus: int) -> dict[str, float]:
    """GB a GPU for fp16 training with Adam by ZeRO stage, 2 + 2 + 12 bytes as arXiv 1910.02054 counts in figure 1."""
    stages: dict[str, Sharding] = {"ddp": "ddp", "stage1": "zero1", "stage2": "zero2", "stage3": "zero3"}
    return {
        name: sum(static_bytes(params, Setup("fp16", sharding, gpus, layout="zero"))) / 1e9
        for name, sharding in stages.items()
    }


@dataclass(frozen=True)
class Fit:
    """Whether a setup fits on a GPU, with both sides of the comparison in GB."""

    gpu: str
    gpus: int
    sharding: str
    needed_gb: float
    memory_gb: float
    fits: bool


def fit(needed_bytes: float, setup: Setup, gpu: Gpu) -> Fit:
    """Compare what a step needs on one GPU, driver included, with what the GPU has."""
    needed = (needed_bytes + CONTEXT_BYTES) / 1e9
    return Fit(gpu.name, setup.gpus, setup.sharding, needed, gpu.memory_gb, needed <= gpu.memory_gb)


def fewest_gpus(shape: Shape, setup: Setup, gpu: Gpu) -> Fit:
    """The smallest power-of-two number of GPUs on which the setup fits with full sharding; 4,096 when none does."""
    for gpus in (2**power for power in range(13)):
        way: Sharding = "full" if gpus > 1 else "none"
        result = _fit_step(shape, replace(setup, gpus=gpus, sharding=way, sharding_factor=None), gpu)
        if result.fits:
            break
    return result


def strategies(shape: Shape, setup: Setup, gpu: Gpu) -> list[Fit]:
    """The same step under each way of sharding, on the setup's GPUs (8 where it has one)."""
    gpus = setup.gpus if setup.gpus > 1 else 8
    ways: tuple[Sharding, ...] = ("ddp", "zero1", "zero2", "hybrid", "full")
    return [_fit_step(shape, replace(setup, gpus=gpus, sharding=way, sharding_factor=None), gpu) for way in ways]


def _fit_step(shape: Shape, setup: Setup, gpu: Gpu) -> Fit:
    return fit(step_memory(shape, setup).most, setup, gpu)


def t5_under_ddp_and_fsdp(gpu: Gpu, gpus: int = 8) -> list[dict[str, Any]]:
    """FSDP against DDP for T5 611M, 2.28B and 11.3B (arXiv 2304.11277, section 5.2): static fp32 states with Adam.

    Up to 2.28B both fit an 80 GB GPU; 11.3B under DDP needs 181 GB and runs out of memory, under FSDP 23 GB do.
    """
    rows = []
    for params in (611e6, 2.28e9, 11.3e9):
        row: dict[str, Any] = {"params": params, "gpu": gpu.name, "gpus": gpus}
        for sharding in ("ddp", "full"):
            setup = Setup("fp32", sharding, gpus)
            result = fit(sum(static_bytes(params, setup)), setup, gpu)
            row |= {f"{sharding}_gb": result.needed_gb, f"{sharding}_fits": result.fits}
        rows.append(row)
    return rows
