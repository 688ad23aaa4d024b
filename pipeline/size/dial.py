"""The plan: one dial in (parameters, compute, tokens, or GPUs for a time), everything else out, each with its unit."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipeline.errors import UsageError
from pipeline.size import flops as compute
from pipeline.size.activations import Checkpointing
from pipeline.size.advise import warnings
from pipeline.size.design import Hyperparameters, design, hyperparameters, outside_ladder
from pipeline.size.facts import EQUIVALENTS
from pipeline.size.gpus import Gpu, gpu_named
from pipeline.size.laws import LAWS, Law, Point, law_named
from pipeline.size.memory import Fit, Memory, Setup, fewest_gpus, fit, rule_fp32, step_memory, strategies
from pipeline.size.regimes import inference_aware, inference_aware_for, lowest, repeated_loss, repeated_optimum
from pipeline.size.shape import Kind, Shape, preset

FIELD_KEEP_RATES = (0.01, 0.03)
"""Kept share of raw crawl tokens in published pipelines; stands in until a run has measured its own."""
SMALLEST_FITTED = 1e7
"""Parameters below which no law here was fitted, so no loss is stated."""
SHORT = 8192
"""Tokens of a sequence up to which activation checkpointing is the usual answer to a lack of memory."""
YARDSTICK = "besiroglu"
"""The law whose loss surface judges plans whose own law has none."""


@dataclass(frozen=True)
class Request:
    """What is asked of a plan: exactly one dial, or a size and tokens together to judge the pair."""

    params: float | None = None
    flops: float | None = None
    tokens: float | None = None
    preset: str | None = None
    """A named shape: fixes parameters and kind."""
    gpu: str = "h100"
    gpus: int | None = None
    hours: float | None = None
    law: str = "rule_of_20"
    kind: Kind = "decoder"
    vocab: int = 32_768
    setup: Setup = field(default_factory=Setup)
    mfu: float = compute.DEFAULT_MFU
    domain_share: float = 0.51
    keep_rates: tuple[float, ...] = FIELD_KEEP_RATES
    unique_tokens: float | None = None
    """Different tokens at hand; more training tokens than these are repetitions."""
    document_tokens: float | None = None
    """Mean length of a token's own document: packed documents see only themselves, which costs less than a full square."""
    price: float | None = None
    """US dollars of a GPU-hour; null: the table's."""
    inference_tokens: float | None = None
    """Tokens the model will serve over its life, for the law inference_aware."""


@dataclass(frozen=True)
class RawCrawl:
    """Raw tokens to collect for the domain side at a keep rate (kept tokens over raw tokens)."""

    keep_rate: float
    raw_tokens: int


@dataclass(frozen=True)
class Plan:
    """A sized model. `tokens` are training tokens, `flops` by `counting`, loss in nats per token of `loss_law`."""

    params: int
    tokens: int
    tokens_per_param: float
    flops: float
    petaflops_days: float
    counting: str
    flops_with_attention: float
    """As published figures of utilisation count: attention a full square, input embeddings out. Hours rest on these."""
    flops_packed: float | None
    """What packed documents of `document_tokens` compute; null where their length is not given."""
    loss: float | None
    """Null below 10 million parameters: no law was fitted there."""
    law: str
    law_source: str
    loss_law: str
    premium: float | None
    """FLOPs above the compute-optimal model's of the same loss under `loss_law`: 0.1 is 10 % more. Null like `loss`."""
    shape: Shape
    training: Hyperparameters
    gpu: str
    gpus: int
    gpu_hours: float
    hours: float
    energy_kwh: float
    mfu: float
    mfu_convention: str
    peak_tflops: float
    price_per_gpu_hour: float | None
    cost: float | None
    """US dollars of the GPU-hours."""
    context_parallel: int
    """GPUs that must share one sequence for its activations to fit; 1: one GPU holds it."""
    memory: Memory
    memory_rule_fp32_gb: float
    fit: Fit
    strategies: list[Fit]
    """The same step under each way of sharding."""
    equivalents: list[compute.Equivalent]
    """GPUs that make one petaFLOP/s, so that many for a day are a petaFLOP/s-day."""
    domain_share: float
    raw_crawl: list[RawCrawl]
    epochs: float
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return asdict(self) | {"shape": self.shape.to_json(), "memory": self.memory.to_json()}


def plan(request: Request | None = None, **asked: Any) -> Plan:
    """Answer a request, given whole or as its fields: `plan(params=1.3e9)`, `plan(gpu="h100", gpus=64, hours=72)`."""
    request = request or Request(**asked)
    gpu, law = gpu_named(request.gpu), law_named(request.law)
    _check(request)
    shape = None
    if request.preset is not None:
        shape = preset(request.preset, request.vocab, request.setup.sequence)
        request = replace(request, params=float(shape.params), kind=shape.kind)
    point, notes = affordable(request, gpu, law, shape)
    if request.kind == "encoder_decoder":
        notes.append("encoder-decoder: each token passes half the parameters, counted as 3ND")
    if request.setup.precision == "bf16" and not gpu.bf16:
        notes.append(f"{gpu.name} has no bf16: use fp16 with loss scaling")
    return complete(request, law, point, notes, shape)


def _check(request: Request) -> None:
    dials = [name for name in ("preset", "params", "flops", "tokens") if getattr(request, name) is not None]
    for name in "params flops tokens gpus hours unique_tokens inference_tokens document_tokens price".split():
        value = getattr(request, name)
        if value is not None and not 0 < value < 1e40:
            raise UsageError(f"{name} must be a positive number, not {value}")
    if not 0 < request.mfu <= 1:
        raise UsageError(f"mfu is a share of the peak between 0 and 1, not {request.mfu}")
    if not 0 < request.domain_share <= 1:
        raise UsageError(f"domain_share is a share between 0 and 1, not {request.domain_share}")
    if any(not 0 < rate <= 1 for rate in request.keep_rates):
        raise UsageError("a keep rate is a share between 0 and 1")
    if not dials and (request.gpus is None or request.hours is None):
        raise UsageError("give one of --params, --preset, --flops, --tokens, or --gpu with --gpus and --hours")
    if len(dials) > 1 and dials not in (["params", "tokens"], ["preset", "tokens"]):
        raise UsageError(f"{' and '.join('--' + name for name in dials)} contradict each other: give one of them")
    if dials and request.hours is not None and request.gpus is not None:
        raise UsageError(f"--{dials[0]} already fixes the run: leave out --hours (it is an answer) or --{dials[0]}")


def _attention_ratio(request: Request, point: Point, shape: Shape | None = None) -> float:
    """FLOPs with attention as a full square over those of 6ND (3ND)."""
    shape = shape or design(point.params, request.vocab, request.kind, request.setup.sequence)
    each = compute.training_flops(point.params, 1.0, request.kind)
    return compute.flops_per_token(shape, request.setup.sequence) / each


def affordable(request: Request, gpu: Gpu, law: Law, shape: Shape | None = None) -> tuple[Point, list[str]]:
    """`_point`, and of GPUs for a time the point whose FLOPs with attention are what they deliver."""
    if request.hours is None or request.gpus is None:
        return _point(request, gpu, law)
    part = 1.0
    for _ in range(3):
        point, _ = _point(request, gpu, law, part)
        part = 1 / _attention_ratio(request, point, shape)
    point, notes = _point(request, gpu, law, part)
    if law.name != "inference_aware":  # shapes come in steps: the tokens take up what is left of the time
        budget = compute.budget_flops(gpu, request.gpus, request.hours, request.mfu)
        each = compute.training_flops(point.params, 1.0, request.kind) * _attention_ratio(request, point, shape)
        point = point._replace(tokens=budget / each)
    return point, notes


def _point(request: Request, gpu: Gpu, law: Law, part: float = 1.0) -> tuple[Point, list[str]]:
    """Parameters and tokens by the request's law, and sentences on how they came about.

    part: share of the budget of GPUs for a time that 6ND may take; attention takes the rest.
    """
    share = 2.0 if request.kind == "encoder_decoder" else 1.0  # FLOPs of 3ND buy twice the 6ND product
    budget = request.flops
    notes = [law.note] if law.note else []
    if request.params is not None and request.tokens is not None:
        return Point(request.params, request.tokens), [
            "parameters and tokens were both given; the law only judges them"
        ]
    if request.params is None and request.tokens is None and budget is None:
        assert request.gpus is not None
        assert request.hours is not None
        budget = compute.budget_flops(gpu, request.gpus, request.hours, request.mfu)
        notes.append(
            f"budget: {request.gpus} {gpu.name} for {request.hours:g} h at MFU {request.mfu:g} = {budget:.3e} FLOPs "
            "with attention"
        )
        budget *= part
    if law.name == "inference_aware" and request.preset is None:
        return _served(request, budget, share, notes)
    if request.params is not None:
        return law.at_params(request.params), notes
    if request.tokens is not None:
        return law.at_tokens(request.tokens), notes
    assert budget is not None
    if law.name == "muennighoff" and request.unique_tokens:
        return repeated_optimum(budget * share, request.unique_tokens, law), notes
    return law.optimum(budget * share), notes


def _served(request: Request, budget: float | None, share: float, notes: list[str]) -> tuple[Point, list[str]]:
    if request.inference_tokens is None:
        raise UsageError("the law inference_aware needs --inference-tokens, the tokens the model will serve")
    if request.params is not None:
        served = inference_aware(request.params, request.inference_tokens)
        notes.append(
            f"cheapest over its life at the loss of the compute-optimal model of {request.params:.3g} parameters"
        )
    elif request.tokens is not None:
        served = inference_aware_for(request.inference_tokens, tokens=request.tokens)
    else:
        assert budget is not None
        served = inference_aware_for(request.inference_tokens, flops=budget * share)
        notes.append("the budget covers training (6ND) and serving (2ND) together")
    notes.append(
        f"saves {served.saving:.1%} of the FLOPs of training and serving {request.inference_tokens:.3g} tokens"
    )
    return Point(served.params, served.tokens, served.loss), notes


def complete(
    request: Request,
    law: Law,
    point: Point,
    notes: list[str],
    shape: Shape | None = None,
    training: Hyperparameters | None = None,
) -> Plan:
    """Everything that follows from parameters and tokens: compute, time, memory, and the crawl to collect."""
    gpu, setup = gpu_named(request.gpu), request.setup
    shape = shape or design(point.params, request.vocab, request.kind, setup.sequence)
    if training:
        setup = replace(setup, sequence=training.sequence_length)
        flagged = None
    else:
        non_embedding = shape.params - shape.embedding_params
        training = hyperparameters(non_embedding, point.tokens, setup.sequence)
        flagged = outside_ladder(non_embedding, training)
    notes = [*notes, *([flagged] if flagged else [])]
    if shape.params > 1.5 * point.params:
        notes.append(
            f"no shape is that small: with {shape.vocab:,} tokens the smallest has {shape.params:,} parameters"
        )
    setup = _place(request, shape, setup, gpu, notes)
    memory = step_memory(shape, setup)
    context_parallel = _context_parallel(shape, setup, gpu, notes)
    samples = training.batch_tokens // training.sequence_length
    if samples * context_parallel < setup.gpus:
        notes.append(
            f"a step has {samples:,} samples of {training.sequence_length:,} tokens, fewer than {setup.gpus:,} GPUs: the "
            "hours count GPUs that have nothing to do; take fewer, shorter samples, or tensor parallelism"
        )
    total = compute.training_flops(point.params, point.tokens, request.kind)
    with_attention = compute.flops_per_token(shape, setup.sequence) * point.tokens
    document = request.document_tokens and min(request.document_tokens, setup.sequence)
    loss_law = law if law.surface else LAWS[YARDSTICK]
    unique = request.unique_tokens or point.tokens
    fitted = point.params >= SMALLEST_FITTED
    return Plan(
        params=round(point.params),
        tokens=round(point.tokens),
        tokens_per_param=point.tokens / point.params,
        flops=total,
        petaflops_days=compute.petaflops_days(total),
        counting=("3ND" if request.kind == "encoder_decoder" else "6ND") + ", embeddings in, attention out",
        flops_with_attention=with_attention,
        flops_packed=compute.flops_per_token(shape, document) * point.tokens if document else None,
        loss=repeated_loss(loss_law, point.params, point.tokens, unique) if fitted else None,
        law=law.name,
        law_source=law.source,
        loss_law=loss_law.name,
        premium=premium(loss_law, point.params, point.tokens) if fitted else None,
        shape=shape,
        training=training,
        **_time(with_attention, gpu, setup.gpus, request),
        context_parallel=context_parallel,
        memory=memory,
        memory_rule_fp32_gb=rule_fp32(point.params)["total"] / 1e9,
        fit=fit(memory.most, setup, gpu),
        strategies=strategies(shape, setup, gpu),
        equivalents=[compute.petaflops_equivalent(gpu_named(name)) for name in EQUIVALENTS],
        domain_share=request.domain_share,
        raw_crawl=[RawCrawl(rate, round(point.tokens * request.domain_share / rate)) for rate in request.keep_rates],
        epochs=point.tokens / unique,
        notes=notes + warnings(point.params, point.tokens, unique_tokens=request.unique_tokens, gpus=setup.gpus),
    )


def _time(flops: float, gpu: Gpu, gpus: int, request: Request) -> dict[str, Any]:
    """The fields of a plan on hours, energy and money of these FLOPs."""
    hours = compute.gpu_hours(flops, gpu, request.mfu)
    price = request.price if request.price is not None else gpu.price
    return {
        "gpu": gpu.name,
        "gpus": gpus,
        "gpu_hours": hours,
        "hours": hours / gpus,
        "energy_kwh": compute.energy_kwh(gpu, hours),
        "mfu": request.mfu,
        "mfu_convention": compute.PUBLISHED_CONVENTION,
        "peak_tflops": gpu.peak_tflops,
        "price_per_gpu_hour": price,
        "cost": None if price is None else price * hours,
    }


def _place(request: Request, shape: Shape, setup: Setup, gpu: Gpu, notes: list[str]) -> Setup:
    """The setup on the GPUs asked for, else on the fewest that hold the model; adds to `notes` what would need fewer."""
    if request.gpus is not None:
        return replace(setup, gpus=request.gpus)
    needed = fewest_gpus(shape, setup, gpu)
    setup = replace(setup, gpus=needed.gpus, sharding="full" if needed.gpus > 1 else "none", sharding_factor=None)
    lean = fewest_gpus(shape, replace(setup, checkpointing="full"), gpu)
    if lean.fits and (lean.gpus < needed.gpus or not needed.fits):
        notes.append(f"full activation checkpointing fits on {lean.gpus} {gpu.name}, for about a third more compute")
    return setup


def _context_parallel(shape: Shape, setup: Setup, gpu: Gpu, notes: list[str]) -> int:
    """The fewest GPUs that must share a long sequence for its activations to fit; adds the sentence where they are many."""

    def needed(checkpointing: Checkpointing) -> int:
        spread = replace(
            setup, checkpointing=checkpointing, micro_batch=1, gpus=4096, sharding="full", sharding_factor=None
        )
        for shared in (2**power for power in range(11)):
            short = replace(spread, sequence=max(1, setup.sequence // shared))
            if fit(step_memory(shape, short).most, short, gpu).fits:
                return shared
        return 1

    asked, lean = needed(setup.checkpointing), needed("full")
    if asked == 1 or (lean == 1 and setup.sequence <= SHORT):
        return 1
    recomputed = "one GPU holds it" if lean == 1 else f"{lean} GPUs share it"
    notes.append(
        f"one sequence of {setup.sequence:,} tokens needs context parallelism over {asked} {gpu.name} (with full activation "
        f"checkpointing {recomputed}, for about a third more compute): parallel.context (llama, qwen3, gpt2; not run on a "
        "GPU yet), or export the shards to torchtitan or Megatron"
    )
    return asked


def premium(law: Law, params: float, tokens: float) -> float:
    """FLOPs of (N, D) over those of the compute-optimal model of the same loss under `law`, minus one."""
    assert law.surface is not None
    surface, loss = law.surface, law.surface.loss(params, tokens)

    def gap(log_flops: float) -> float:
        return (surface.loss(*law.optimum(10**log_flops)[:2]) - loss) ** 2

    cheapest = 10 ** lowest(gap, 6.0, 36.0)
    return max(0.0, 6 * params * tokens / cheapest - 1)
