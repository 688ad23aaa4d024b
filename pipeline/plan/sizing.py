"""Sizing of a run: from the tokens that curation left to the optimal and the chosen model, and to what is missing."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.core.settings import Settings
from pipeline.errors import UsageError, named
from pipeline.size.activations import Precision
from pipeline.size.design import Hyperparameters
from pipeline.size.dial import FIELD_KEEP_RATES, Plan, Request, affordable, complete
from pipeline.size.flops import DEFAULT_MFU, budget_flops
from pipeline.size.gpus import gpu_named
from pipeline.size.laws import Law, Point, law_named, tokens_per_param
from pipeline.size.memory import Setup
from pipeline.size.regimes import inference_aware_for
from pipeline.size.shape import KINDS, PRESETS, Objective, Shape, preset

DEMONSTRATION = Hyperparameters(1024, 128, 300, 30, 3e-3, 0.99, "demonstration")
"""What a demonstration trains at least: one to five minutes on two CPU cores, by the vocabulary."""


def _checked(look_up: Callable[[str], object]) -> AfterValidator:
    """A name that `look_up` knows; its UsageError becomes a located error of the recipe."""

    def check(name: str) -> str:
        try:
            look_up(name)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return name

    return AfterValidator(check)


class SizeSettings(Settings):
    """How large a model is trained on the corpus."""

    law: Annotated[str, _checked(law_named)] = "rule_of_20"
    """Scaling law that sizes the model."""
    tokens_per_param: float = Field(default=20, gt=0)
    """Training tokens per parameter, for the law rule_of_20."""
    preset: Annotated[str, _checked(lambda name: named("preset", {"auto": None, **PRESETS}, name))] = Field(
        default="auto", description=f"auto sizes the model by the law; a name fixes its shape: {', '.join(PRESETS)}"
    )
    min_params: float = Field(default=2e6, gt=0)
    """Train the preset tiny as a demonstration when the optimal size is below this."""
    demonstration: float = Field(default=0, ge=0, le=1)
    """Share of the tokens a demonstration could learn from that it trains on; at least 307,200 tokens."""
    wanted_params: list[float] = [125e6, 1.3e9]
    """Model sizes for which the plan states how much text is missing."""
    gpu: Annotated[str, _checked(gpu_named)] = "h100"
    """GPU for which time and memory are stated."""
    gpus: int | None = Field(default=None, ge=1)
    """Number of GPUs; null: the fewest whose memory holds the model."""
    hours: float | None = Field(default=None, gt=0)
    """Most hours of training on these GPUs; null: no limit."""
    mfu: float = Field(default=DEFAULT_MFU, gt=0, le=1)
    """Expected model FLOPs utilization, as a share of the dense bf16 peak."""
    precision: Precision = "bf16"
    """Number format of matrix products."""
    sequence_length: int = Field(default=2048, ge=16)
    """Tokens per training sequence."""
    objective: Objective = "causal"
    """What the model learns: causal, masked, spans or infilling; a preset brings its own."""
    inference_tokens: float | None = Field(default=None, gt=0)
    """Tokens the model will serve over its life, for the law inference_aware."""

    @model_validator(mode="after")
    def _served(self) -> Self:
        if self.law == "inference_aware" and self.inference_tokens is None:
            raise ValueError("the law inference_aware needs inference_tokens, the tokens the model will serve")
        return self


@dataclass(frozen=True)
class MissingRole:
    """What one role lacks for a wanted size. `raw_tokens` at the measured keep rate (kept tokens over raw tokens)."""

    role: str
    needed_tokens: int
    have_tokens: int
    missing_tokens: int
    keep_rate: float | None
    raw_tokens: int | None


@dataclass(frozen=True)
class Missing:
    """What a wanted size would need."""

    params: int
    tokens: int
    roles: list[MissingRole]

    def sentence(self) -> str:
        """For a person."""
        lacks = [
            f"{role.missing_tokens:,} more {role.role} tokens"
            + (f" = {role.raw_tokens:,} raw tokens at the keep rate of {role.keep_rate:.2%}" if role.raw_tokens else "")
            for role in self.roles
            if role.missing_tokens
        ]
        need = f"{self.params:,} parameters want {self.tokens:,} tokens"
        return f"{need}: {' and '.join(lacks)}" if lacks else f"{need}: they are at hand"


@dataclass(frozen=True)
class PlanResult:
    """`optimal` follows the law; `chosen` is what is trained. `limited_by`: data, compute, preset or demonstration."""

    optimal: Plan
    chosen: Plan
    limited_by: Literal["data", "compute", "preset", "demonstration"]
    label: str
    usable_tokens: int
    """Training tokens the corpus allows at the mix's shares and epoch caps."""
    missing: list[Missing]

    def to_json(self) -> dict[str, Any]:
        """JSON values; `chosen` holds everything the hand-off needs."""
        return {
            "optimal": self.optimal.to_json(),
            "chosen": self.chosen.to_json(),
            "limited_by": self.limited_by,
            "label": self.label,
            "usable_tokens": self.usable_tokens,
            "missing": [asdict(item) | {"sentence": item.sentence()} for item in self.missing],
        }


def usable_tokens(
    tokens_by_role: Mapping[str, int], shares: Mapping[str, float], max_epochs: Mapping[str, float]
) -> int:
    """Training tokens until the scarcer role runs out: min over roles of tokens * epochs / share.

    >>> usable_tokens({"domain": 200, "general": 900}, {"domain": 0.5, "general": 0.5}, {})
    400
    """
    wanted = {role: share for role, share in shares.items() if share > 0}
    return int(min(tokens_by_role.get(role, 0) * max_epochs.get(role, 1.0) / share for role, share in wanted.items()))


@dataclass(frozen=True)
class Corpus:
    """What curation left: kept tokens by role, their shares of the mix, epochs each may be seen, measured keep rates."""

    tokens: Mapping[str, int]
    shares: Mapping[str, float]
    max_epochs: Mapping[str, float]
    keep_rates: Mapping[str, float]

    def missing(self, law: Law, params: float) -> Missing:
        """What a model of `params` parameters would need beyond this corpus."""
        tokens = law.at_params(params).tokens
        roles = []
        for role, share in sorted(self.shares.items()):
            needed, have = round(tokens * share / self.max_epochs.get(role, 1.0)), self.tokens.get(role, 0)
            rate, lacking = self.keep_rates.get(role), max(0, needed - have)
            roles.append(MissingRole(role, needed, have, lacking, rate, round(lacking / rate) if rate else None))
        return Missing(round(params), round(tokens), roles)


def size_run(
    tokens_by_role: Mapping[str, int],
    shares: Mapping[str, float],
    settings: SizeSettings,
    *,
    vocab: int,
    max_epochs: Mapping[str, float] | None = None,
    keep_rates: Mapping[str, float] | None = None,
) -> PlanResult:
    """Size a model to a corpus.

    `tokens_by_role` are kept tokens of the trained tokenizer; `shares` the mix's; `max_epochs` how often a role may be
    seen (1 where absent); `keep_rates` the measured kept tokens over raw tokens by role. Raises no error for a tiny
    corpus: it says so in `label` and chooses the demonstration. An empty side gives `usable_tokens` 0.
    """
    corpus = Corpus(tokens_by_role, shares, max_epochs or {}, keep_rates or {})
    usable = usable_tokens(tokens_by_role, shares, corpus.max_epochs)
    shape = None if settings.preset == "auto" else preset(settings.preset, vocab, settings.sequence_length)
    law = tokens_per_param(settings.tokens_per_param) if settings.law == "rule_of_20" else law_named(settings.law)
    request = _request(settings, vocab, corpus, shape)
    tokens = float(max(usable, 1))
    optimum = _at_tokens(law, tokens, settings)
    optimal = complete(request, law, optimum, [law.note] if law.note else [])
    point, limited_by = optimum, "data"
    if settings.hours is not None and settings.gpus is not None:
        budget = budget_flops(gpu_named(settings.gpu), settings.gpus, settings.hours, settings.mfu)
        if optimal.flops_with_attention > budget:
            point, limited_by = (
                affordable(replace(request, hours=settings.hours), gpu_named(settings.gpu), law)[0],
                "compute",
            )
    label = f"{point.params:,.0f} parameters, limited by {limited_by}"
    if settings.preset == "tiny" or (shape is None and point.params < settings.min_params):
        chosen = _demonstration(request, law, optimal, usable, settings)
        limited_by, label = "demonstration", chosen.notes[0]
    else:
        if shape is not None:
            limited_by, point = "preset", Point(shape.params, min(tokens, law.at_params(shape.params).tokens))
            label = f"preset {settings.preset}: {point.tokens / point.params:.1f} tokens per parameter"
        chosen = complete(request, law, point, [], shape)
    missing = [corpus.missing(law, params) for params in settings.wanted_params]
    return PlanResult(optimal, chosen, limited_by, label, usable, missing)


def _demonstration(request: Request, law: Law, optimal: Plan, usable: int, settings: SizeSettings) -> Plan:
    """The preset tiny for a few steps; its first note says what it stands for."""
    shape, batch = preset("tiny", request.vocab, DEMONSTRATION.sequence_length), DEMONSTRATION.batch_tokens
    request = replace(request, kind=shape.kind)
    whole = min(usable, law.at_params(shape.params).tokens)
    training = replace(DEMONSTRATION, steps=max(DEMONSTRATION.steps, round(whole * settings.demonstration / batch)))
    point = Point(shape.params, batch * training.steps)
    label = (
        f"demonstration: {optimal.tokens_per_param:.0f} tokens per parameter on {usable:,} tokens would be a model of "
        f"{optimal.params:,} parameters; the preset tiny trains {training.steps:,} steps to show that the loss falls"
    )
    if point.tokens < whole:
        label += f", on {100 * point.tokens / whole:.2g}% of the tokens it could learn from (size.demonstration=1 trains on all)"
    return complete(request, law, point, [label], shape, training)


def _at_tokens(law: Law, tokens: float, settings: SizeSettings) -> Point:
    if law.name == "inference_aware" and settings.inference_tokens:
        served = inference_aware_for(settings.inference_tokens, tokens=tokens)
        return Point(served.params, served.tokens, served.loss)
    return law.at_tokens(tokens)


def _request(settings: SizeSettings, vocab: int, corpus: Corpus, shape: Shape | None) -> Request:
    measured = corpus.keep_rates.get("domain")
    unique = usable_tokens(corpus.tokens, corpus.shares, {})
    return Request(
        gpu=settings.gpu,
        gpus=settings.gpus,
        law=settings.law,
        kind=shape.kind if shape else KINDS[settings.objective],
        vocab=vocab,
        setup=Setup(settings.precision, sequence=settings.sequence_length),
        mfu=settings.mfu,
        domain_share=corpus.shares.get("domain", 1.0) or 1.0,
        keep_rates=(measured,) if measured else FIELD_KEEP_RATES,
        unique_tokens=float(unique) if unique else None,
        inference_tokens=settings.inference_tokens,
    )
