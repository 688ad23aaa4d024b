"""What the plain laws leave out: data that is seen more than once, and tokens a model will serve after training."""

import math
from collections.abc import Callable
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.size.laws import LAWS, MUENNIGHOFF_R_D, MUENNIGHOFF_R_N, Law, Point


def unique_worth(epochs: float) -> float:
    """What `epochs` passes over the same tokens are worth, in multiples of one pass (arXiv 2305.16264, eq. 5).

    >>> round(unique_worth(4), 4), round(unique_worth(math.inf), 4)
    (3.7257, 16.3878)
    """
    if epochs <= 1:
        return epochs
    return 1 + MUENNIGHOFF_R_D * -math.expm1(-(epochs - 1) / MUENNIGHOFF_R_D)


def repeated_loss(law: Law, params: float, tokens: float, unique: float) -> float:
    """The loss after `tokens` tokens of which `unique` are different, in nats per token (arXiv 2305.16264, eq. 6)."""
    assert law.surface is not None
    unique = min(unique, tokens)
    worth = unique * unique_worth(tokens / unique)
    enough = min(params, law.at_tokens(unique).params)  # parameters that unique tokens alone can pay for
    excess = params / enough - 1
    useful = enough * (1 + MUENNIGHOFF_R_N * -math.expm1(-excess / MUENNIGHOFF_R_N))
    return law.surface.loss(useful, worth)


def repeated_optimum(flops: float, unique: float, law: Law = LAWS["muennighoff"]) -> Point:
    """The best model for a budget when only `unique` tokens exist; they may be repeated."""
    centre = math.log10(law.optimum(flops).params)

    def loss(log_params: float) -> float:
        return repeated_loss(law, 10**log_params, flops / (6 * 10**log_params), unique)

    params = 10 ** lowest(loss, centre - 4, centre + 1)
    tokens = flops / (6 * params)
    return Point(params, tokens, repeated_loss(law, params, tokens, unique))


class Served(NamedTuple):
    """A model trained for longer because it will serve. FLOPs count training (6ND) and serving (2ND) together."""

    params: float
    tokens: float
    loss: float
    flops: float
    saving: float
    """Share of the lifetime FLOPs saved against the compute-optimal model of the same loss, 0 to 1."""


def inference_aware(same_quality_as: float, inference_tokens: float) -> Served:
    """The cheapest model over its life with the loss of the compute-optimal model of `same_quality_as` parameters.

    Minimises 6 N D + 2 N D_inference at fixed L(N, D): arXiv 2401.00448.
    """
    surface, reference = LAWS["inference_aware"].surface, LAWS["inference_aware"].at_params(same_quality_as)
    assert surface is not None
    loss = surface.loss(reference.params, reference.tokens)
    floor = (surface.A / (loss - surface.E)) ** (1 / surface.alpha)  # below this no number of tokens is enough

    def flops(log_params: float) -> float:
        params = 10**log_params
        return params * (6 * surface.tokens_for_loss(loss, params) + 2 * inference_tokens)

    best = lowest(lambda x: math.log(flops(x)), math.log10(floor) + 1e-9, math.log10(same_quality_as))
    params = 10**best
    before = reference.params * (6 * reference.tokens + 2 * inference_tokens)
    tokens = surface.tokens_for_loss(loss, params)
    return Served(params, tokens, loss, flops(best), 1 - flops(best) / before)


def inference_aware_for(inference_tokens: float, *, flops: float | None = None, tokens: float | None = None) -> Served:
    """The inference-aware model for a lifetime budget of FLOPs, or for a number of training tokens at hand."""
    wanted = flops if flops is not None else tokens
    assert wanted is not None
    low, high = 4.0, 14.0  # log10 of the reference model's parameters
    for _ in range(80):
        middle = (low + high) / 2
        trial = inference_aware(10**middle, inference_tokens)
        if (trial.flops if flops is not None else trial.tokens) < wanted:
            low = middle
        else:
            high = middle
    served = inference_aware(10**high, inference_tokens)
    if not math.isclose(served.flops if flops is not None else served.tokens, wanted, rel_tol=0.01):
        raise UsageError(
            f"no inference-aware model fits {wanted:.3g} {'FLOPs' if flops is not None else 'training tokens'} "
            f"with {inference_tokens:.3g} tokens to serve"
        )
    return served


def lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Golden-section minimum of a function with one valley, to about twelve digits of the bracket."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(60):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2
