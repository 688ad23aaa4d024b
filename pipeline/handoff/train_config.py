"""`handoff/train.yaml` as models: everything the pre-training recipe can be told, with its default and its meaning."""

from typing import Literal

from pydantic import Field

from pipeline.handoff.base import FORMAT_VERSION, HandoffModel
from pipeline.size.shape import Architecture, Objective


class ModelSettings(HandoffModel):
    """Which model. A preset fixes the shape; any field given beside it overrides the preset's."""

    preset: str | None = Field(
        default=None, description="name of a shape (see PRESETS); null: the fields below, else the plan's, else tiny"
    )
    architecture: Architecture | None = Field(default=None, description="null: the preset's")
    hidden_size: int | None = Field(default=None, gt=0, description="width; null: the preset's")
    num_layers: int | None = Field(default=None, gt=0, description="blocks (encoder blocks of t5 and bart)")
    num_decoder_layers: int | None = Field(default=None, gt=0, description="t5 and bart only; null: as num_layers")
    num_heads: int | None = Field(default=None, gt=0)
    num_kv_heads: int | None = Field(default=None, gt=0, description="grouped-query attention; null: as num_heads")
    head_dim: int | None = Field(default=None, gt=0, description="null: hidden_size / num_heads")
    intermediate_size: int | None = Field(default=None, gt=0, description="width of the feed-forward part")
    tie_embeddings: bool | None = Field(default=None, description="share input embedding and output head")
    rope_theta: float | None = Field(default=None, gt=0, description="base of the rotary positions")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="in attention and feed-forward; 0 is usual for one pass of data"
    )
    init_from: str | None = Field(
        default=None,
        description="local Hugging Face model folder to continue from; its shape wins over every field above",
    )


class ObjectiveSettings(HandoffModel):
    """What is learnt from a window of tokens."""

    kind: Objective | None = Field(default=None, description="null: the architecture's own")
    sequence_length: int | None = Field(
        default=None, ge=8, description="tokens per sample (encoder side of t5 and bart); null: the plan's, else 256"
    )
    document_masks: bool = Field(
        default=True, description="packed documents attend to themselves only, positions restart"
    )
    mask_probability: float = Field(
        default=0.15, gt=0, lt=1, description="masked: share of tokens predicted (80/10/10)"
    )
    noise_density: float = Field(default=0.15, gt=0, lt=1, description="spans: share of tokens replaced by sentinels")
    mean_span: float = Field(default=3.0, ge=1, description="spans and infilling: mean length of a replaced span")
    infill_density: float = Field(default=0.30, gt=0, lt=1, description="infilling: share of tokens hidden")


Sharding = Literal["none", "ddp", "zero1", "zero2", "full", "hybrid"]


class ParallelSettings(HandoffModel):
    """How the processes share the work and the memory."""

    sharding: Sharding = Field(
        default="full",
        description="none: one process; ddp: copies; zero1: optimizer states shared; zero2: gradients too; "
        "full: parameters too (FSDP, ZeRO-3); hybrid: full inside groups of sharding_factor, copies between them",
    )
    sharding_factor: int | None = Field(
        default=None,
        gt=0,
        description="processes that share one copy; must divide them; null: all (hybrid: those of a node)",
    )
    offload: bool = Field(default=False, description="keep parameters and optimizer states in CPU memory")
    activation_checkpointing: Literal["none", "selective", "full"] = Field(
        default="none",
        description="recompute activations: none, all but the matrix products and attention, or whole blocks",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp8"] = Field(
        default="auto",
        description="of the computation, auto: bf16 on a GPU, fp32 on a CPU; weights, sums, optimizer stay fp32",
    )
    compile: bool = Field(default=False, description="torch.compile each block")


class OptimizerSettings(HandoffModel):
    """The optimizer. Null fields follow from the size of the model and the batch (`default_train_config`)."""

    name: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon: for the blocks' matrices, AdamW for the rest"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="null: the plan's, else 0.00235 * (N / 108e6)^(-1/3)"
    )
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float | None = Field(
        default=None, ge=0, lt=1, description="null: 0.95 from 524,288 tokens per step on, else 0.99"
    )
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0, description="of matrices; norms, biases and embeddings have none")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    z_loss: float = Field(default=0.0, ge=0, description="weight of log(Z)^2, which keeps logits small")
    skip_sigma: float = Field(
        default=6.0,
        ge=0,
        description="skip an update whose loss or gradient norm is this many deviations high; 0: never",
    )
    skip_window: int = Field(default=128, ge=8, description="steps the deviation is taken over")


class ScheduleSettings(HandoffModel):
    """Learning rate over the steps."""

    kind: Literal["wsd", "cosine"] = Field(default="wsd", description="warm-up, stable, decay; or cosine")
    warmup_steps: int | None = Field(
        default=None, ge=0, description="null: N tokens' worth, at most a tenth of the run"
    )
    decay_fraction: float = Field(
        default=0.2, gt=0, le=1, description="wsd: last share of the steps that decays linearly"
    )
    final_ratio: float = Field(
        default=0.0, ge=0, le=1, description="share of the learning rate left after the last step"
    )


class CheckpointSettings(HandoffModel):
    """When the state is written and what is kept. A checkpoint is complete or absent."""

    every_steps: int = Field(default=100, gt=0)
    every_minutes: float | None = Field(default=None, gt=0, description="also after this much time")
    keep_last: int = Field(default=2, gt=0, description="older ones are deleted")
    keep_every_steps: int | None = Field(default=None, gt=0, description="multiples of this are kept for ever")
    asynchronous: bool = Field(default=True, description="write in the background while training goes on")


class EvaluateSettings(HandoffModel):
    """Held-out loss and bits per byte, by source."""

    every_steps: int = Field(default=100, gt=0)
    max_samples: int = Field(default=64, gt=0, description="windows per source, the same ones every time")
    max_terms: int = Field(
        default=256, ge=0, description="held-out occurrences of the domain's terms to complete or fill in; 0: none"
    )
    samples: int = Field(
        default=8, ge=0, description="causal: texts written at the end, one after each of so many terms; 0: none"
    )


class ExportSettings(HandoffModel):
    """What is written at the end, beside the checkpoints."""

    huggingface: bool = Field(default=True, description="train/model, for from_pretrained")
    int8: bool = Field(default=False, description="also train/model-int8, with its loss beside (extra `quant`)")
    qat: bool = Field(default=False, description="compute with int8 weights while training, so that int8 loses nothing")


class ReportSettings(HandoffModel):
    """Metrics. JSONL is always written."""

    every_steps: int = Field(default=10, gt=0)
    tensorboard: bool = Field(default=False, description="also to train/tensorboard, when installed")
    wandb: str | None = Field(default=None, description="also to this Weights & Biases project, when installed")
    price_per_gpu_hour: float | None = Field(default=None, gt=0, description="for the cost in the metrics")


class TrainConfig(HandoffModel):
    """`handoff/train.yaml`, and the recipe's `pretrain:` block."""

    format_version: Literal[1] = FORMAT_VERSION
    out: str = Field(default="train", description="folder of metrics, checkpoints, export; relative to the run")
    seed: int = Field(default=0, ge=0, description="of initial weights, order of samples, noise")
    steps: int | None = Field(default=None, gt=0, description="optimizer steps; null: the plan's tokens over the batch")
    global_batch: int | None = Field(
        default=None, gt=0, description="samples per step over all processes; null: from the size"
    )
    micro_batch: int = Field(default=8, gt=0, description="samples per process and forward pass")
    model: ModelSettings = ModelSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    parallel: ParallelSettings = ParallelSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    export: ExportSettings = ExportSettings()
    report: ReportSettings = ReportSettings()
