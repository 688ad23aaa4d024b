"""`handoff/train.yaml` as models: everything the pre-training recipe can be told, with its default and its meaning."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.handoff.base import FORMAT_VERSION, HandoffModel
from pipeline.size.shape import Architecture, Objective

Sharding = Literal["none", "ddp", "zero1", "zero2", "full", "hybrid"]


class ModelSettings(HandoffModel):
    """The model. A preset fixes its shape; a field given beside it overrides the preset's."""

    preset: str | None = None
    """Named shape (see size.preset); null: the fields below, else the plan's shape, else tiny."""
    architecture: Architecture | None = None
    """`null`: the preset's."""
    hidden_size: int | None = Field(default=None, gt=0)
    """Width of the residual stream; null: the preset's."""
    num_layers: int | None = Field(default=None, gt=0)
    """Number of layers; of t5 and bart, in the encoder."""
    num_decoder_layers: int | None = Field(default=None, gt=0)
    """`t5` and bart only; `null`: same as num_layers."""
    num_heads: int | None = Field(default=None, gt=0)
    """Attention heads."""
    num_kv_heads: int | None = Field(default=None, gt=0)
    """Key-value heads (grouped-query attention); null: same as num_heads."""
    head_dim: int | None = Field(default=None, gt=0)
    """Width of a head; null: hidden_size / num_heads."""
    intermediate_size: int | None = Field(default=None, gt=0)
    """Width of the feed-forward layers."""
    tie_embeddings: bool | None = None
    """Use one matrix as input embedding and output head."""
    gated: bool | None = None
    """T5 only: a gated GELU feed-forward of three matrices (v1.1) instead of ReLU; null: ReLU."""
    rope_theta: float | None = Field(default=None, gt=0)
    """Base of the rotary position embedding."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate; 0 is usual for one pass over the data."""
    init_from: str | None = None
    """Local Hugging Face model folder to continue training from; replaces the fields above."""


class ObjectiveSettings(HandoffModel):
    """What the model is trained to predict."""

    kind: Objective | None = None
    """`null`: the objective of the architecture."""
    sequence_length: int | None = Field(default=None, ge=8)
    """Tokens per sample, of t5 and bart on the encoder's side; null: the plan's, else 256."""
    document_masks: bool = True
    """Tokens attend only within their own document, and positions restart with each document."""
    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """`masked`: share of tokens to predict (80 % masked, 10 % random, 10 % kept)."""
    noise_density: float = Field(default=0.15, gt=0, lt=1)
    """`spans`: share of tokens replaced by sentinels."""
    mean_span: float = Field(default=3.0, ge=1)
    """Spans and infilling: mean length of a replaced span."""
    infill_density: float = Field(default=0.30, gt=0, lt=1)
    """`infilling`: share of tokens hidden."""


class LoraSettings(HandoffModel):
    """Low-rank adapters beside frozen matrices, for a continued model on one device (needs extra `lora`)."""

    rank: int = Field(default=16, gt=0)
    """Rank of the adapters."""
    alpha: float = Field(default=32.0, gt=0)
    """Their product is scaled by alpha / rank."""
    targets: Literal["all-linear"] | list[str] = "all-linear"
    """Modules that get one, by the end of their names: [q_proj, v_proj]; `all-linear`: every matrix but the head."""
    embeddings: bool = False
    """Train embedding and head too, whole: for a tokenizer that was extended."""


class ParallelSettings(HandoffModel):
    """How memory and work are divided between processes."""

    sharding: Sharding = "full"
    """`none`: one process; `ddp`: a full copy in each; `zero1`: sharded optimizer states; `zero2`: also gradients; `full`: also
    parameters (FSDP, ZeRO-3); `hybrid`: full within groups of sharding_factor, copies across groups."""
    sharding_factor: int | None = Field(default=None, gt=0)
    """Processes that share one copy; must divide their number; null: all (hybrid: one node)."""
    tensor: int = Field(default=1, gt=0)
    """Processes that divide the matrices of each layer (llama, qwen3); must divide the key-value heads. Not run on a GPU."""
    context: int = Field(default=1, gt=0)
    """Processes that divide the places of each sample (llama, qwen3, gpt2). Not run on a GPU."""
    offload: bool = False
    """Keep parameters and optimizer states in CPU memory."""
    activation_checkpointing: Literal["none", "selective", "full"] = "none"
    """Recompute in backward: nothing, all but matrix products and attention, or whole layers."""
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp8"] = "auto"
    """Of matrix products; auto: bf16 on a GPU, fp32 on a CPU; weights and optimizer stay fp32."""
    matmul: Literal["highest", "high", "medium"] = "highest"
    """How fp32 matrix products are computed (torch.set_float32_matmul_precision): high is TF32 on a GPU."""
    compile: bool = False
    """Compile each layer with torch.compile."""
    fused_loss: bool = False
    """Compile what follows the head's matrix product, 2,048 targets at a time (causal models). Not run on a GPU."""
    expandable_segments: bool = False
    """CUDA: let the allocator grow its segments, against fragmentation. Not run on a GPU."""


class OptimizerSettings(HandoffModel):
    """The optimizer. Null fields follow the plan, else the size of the model."""

    name: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon for the matrices of the layers, AdamW for everything else."""
    scaling: Literal["none", "mup"] = "none"
    """`mup`: the learning rate is that of a model of base_width, and holds for any width (causal models, adamw)."""
    base_width: int = Field(default=256, gt=0)
    """`mup`: hidden_size of the model whose learning rate is given; keep its head_dim."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak; null: the plan's, else 0.00235 * (non-embedding parameters / 108e6)^(-1/3)."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay rate of the first moment."""
    beta2: float | None = Field(default=None, ge=0, lt=1)
    """Of the second; null: 0.95 from 524,288 tokens per step on, else 0.99."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the denominator of AdamW's update."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Of matrices; norms, biases and embeddings have none."""
    clip: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    z_loss: float = Field(default=0.0, ge=0)
    """Weight of the auxiliary loss log(Z)^2, which keeps logits small."""
    skip_sigma: float = Field(default=6.0, ge=0)
    """Skip updates with loss or gradient norm this many deviations above the mean; 0: never."""
    skip_window: int = Field(default=128, ge=8)
    """Number of past steps in that mean and deviation."""


class ScheduleSettings(HandoffModel):
    """Learning rate over the steps."""

    kind: Literal["wsd", "cosine"] = "wsd"
    """`wsd`: warm-up, stable, linear decay; or cosine decay."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """`null`: one token per parameter, at most a tenth of the steps."""
    decay_fraction: float = Field(default=0.2, gt=0, le=1)
    """`wsd`: share of the steps, at the end, that decay."""
    final_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of the peak learning rate left at the end."""


class BatchRamp(HandoffModel):
    """Small batches at first, which learn more from each token while the loss falls fast."""

    first: int = Field(gt=0)
    """Samples of the first step; the batch grows in multiples of it."""
    steps: int = Field(gt=0)
    """Steps until global_batch is reached. The learning rate does not follow, and the run's tokens are fewer."""


class Phase(HandoffModel):
    """A part of the run with a mix of its own, from a step on: mid-training, or annealing where the learning rate decays."""

    at: Annotated[int, Field(gt=0)] | Literal["decay"] = "decay"
    """First step of the phase, counted from 0; `decay`: where the decay of a wsd schedule begins."""
    mix: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    """Share of each source by name, or of the roles `domain` and `general` by the sources' weights; they sum to 1."""


class WatchSettings(HandoffModel):
    """What ends a training that goes nowhere, with a sentence and exit code 1."""

    skip_limit: int = Field(default=32, ge=0)
    """End after this many skipped steps in a row, or when more than half of eight times as many were skipped; 0: never.
    fp16 skips up to 16 at first."""
    flat_steps: int = Field(default=200, ge=0)
    """End when the loss has not moved in optimizer.skip_window steps, or is within 1 % of the first one this many
    steps after the warm-up (not of a continued model); 0: never."""
    repeat_steps: int = Field(default=16, ge=0)
    """End when this many batches in a row were seen a few steps before; 0: never."""
    wait_minutes: float = Field(default=30, gt=0)
    """End when data, storage or another process keep a step waiting for so long."""
    slow_factor: float = Field(default=1.5, ge=0)
    """Say which process keeps the others waiting: one that needs this many times the median for its data or for a fixed
    matrix product, compared every 100 steps; 0: never."""


class CheckpointSettings(HandoffModel):
    """When checkpoints are written and how long they are kept. A checkpoint is complete or absent."""

    every_steps: int | None = Field(default=None, gt=0)
    """Steps between checkpoints; null: by time alone."""
    every_minutes: float | None = Field(default=10, gt=0)
    """Minutes between checkpoints, more where max_share asks for it; null: by steps alone."""
    max_share: float = Field(default=0.02, gt=0, le=1)
    """Share of the training time that checkpoints by time may hold training up."""
    keep_last: int = Field(default=2, gt=0)
    """Number of checkpoints kept; older ones are deleted."""
    keep_every_steps: int | None = Field(default=None, gt=0)
    """Never delete the first one at or past each multiple of this many steps."""
    asynchronous: bool = True
    """Write in the background while training goes on."""
    pinned: bool = False
    """CUDA: copy to pinned memory first, which stays allocated; faster. It has run on no GPU yet."""


class EvaluateSettings(HandoffModel):
    """Evaluation on held-out text: loss and bits per byte by source."""

    every_steps: int = Field(default=100, gt=0)
    """Steps between evaluations."""
    max_samples: int = Field(default=64, gt=0)
    """Windows per source, the same ones every time."""
    max_terms: int = Field(default=256, ge=0)
    """Held-out occurrences of domain terms the model has to complete or fill in; 0: none."""
    samples: int = Field(default=8, ge=0)
    """`causal`: texts to generate after training, prompted with this many domain terms; `0`: none."""
    harness: list[str] = []
    """`causal`: tasks of lm-evaluation-harness for the exported model, offline (needs extra `evaluate`): fpb, fiqa_sa,
    headlines, convfinqa, finance_ner, legalbench, pubmedqa, medqa, or your own."""
    harness_data: str = "benchmarks"
    """Folder of the files that the tasks read (recipes/pretrain/tasks/README.md); relative to the run."""
    harness_tasks: str | None = None
    """Folder with YAML files of your own tasks; the paths in them are relative to harness_data."""
    harness_limit: int | None = Field(default=None, gt=0)
    """Examples of each task at most."""


class ExportSettings(HandoffModel):
    """What is written after training, beside the checkpoints."""

    huggingface: bool = True
    """Write train/model, which from_pretrained opens."""
    dtype: Literal["fp32", "bf16"] = "fp32"
    """Number format of the exported weights."""
    int8: bool = False
    """Also write train/model-int8 and its held-out loss (needs extra `quant`)."""
    qat: bool = False
    """Quantization-aware training: round weights to int8 in the forward pass."""


class ReportSettings(HandoffModel):
    """Metrics. metrics.jsonl is always written."""

    every_steps: int = Field(default=10, gt=0)
    """Steps between lines of metrics."""
    tensorboard: bool = False
    """Also write train/tensorboard (needs the package tensorboard)."""
    wandb: str | None = None
    """Also log to this Weights & Biases project (needs wandb)."""
    price_per_gpu_hour: float | None = Field(default=None, gt=0)
    """Adds the cost so far to the metrics."""


class TrainConfig(HandoffModel):
    """`handoff/train.yaml`, and the recipe's `pretrain:` block."""

    format_version: Literal[1] = FORMAT_VERSION
    """Version of this file's format."""
    out: str = "train"
    """Metrics, checkpoints, export: a folder in the run, a path or a URL (s3://…)."""
    seed: int = Field(default=0, ge=0)
    """Of initial weights, sample order and noise."""
    steps: int | None = Field(default=None, gt=0)
    """Optimizer steps; null: the plan's tokens / tokens per step."""
    global_batch: int | None = Field(default=None, gt=0)
    """Samples per step over all processes; null: the plan's, else by model size."""
    batch_ramp: BatchRamp | None = None
    """Smaller batches at first: {first: samples, steps: until global_batch}."""
    phases: list[Phase] = []
    """Changes of the mix: [{at: step or decay, mix: {source or role: share}}, …]."""
    micro_batch: int = Field(default=8, gt=0)
    """Samples per process and forward pass."""
    check_shards: bool = True
    """Compare local shards with the manifest's sums, once before the first step."""
    on_divergence: Literal["stop", "rewind"] = "stop"
    """After skip_limit skipped steps: end (the next start resumes the last good checkpoint), or go back to it at
    once, pass over the batches since and cut the learning rate, three times at most."""
    rewind_rate: float = Field(default=0.5, gt=0, le=1)
    """`rewind`: the learning rate is multiplied by this."""
    model: ModelSettings = ModelSettings()
    lora: LoraSettings | None = None
    """Train adapters alone: {rank, alpha, targets}; the export holds them merged."""
    objective: ObjectiveSettings = ObjectiveSettings()
    parallel: ParallelSettings = ParallelSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    watch: WatchSettings = WatchSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    export: ExportSettings = ExportSettings()
    report: ReportSettings = ReportSettings()
