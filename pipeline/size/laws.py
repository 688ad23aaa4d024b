"""Scaling laws: what is the best model for a compute budget, a parameter count or a number of tokens.

Every law here is a straight line on log axes: N = 10^n0 * C^a parameters and D = 10^d0 * C^b tokens for C training
FLOPs. Laws with a loss surface L(N, D) = E + A/N^alpha + B/D^beta also say what a model off the line costs. The
published fits disagree (at 5.76e23 FLOPs from 32 to 72 billion parameters), so a plan always names its law.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any, NamedTuple

from pipeline.errors import named
from pipeline.size.published import CHINCHILLA, TABLES


class Point(NamedTuple):
    """A model size and its training tokens; `loss` in nats per token, where the law has a loss surface."""

    params: float
    tokens: float
    loss: float | None = None


@dataclass(frozen=True)
class Surface:
    """L(N, D) = E + A/N^alpha + B/D^beta, in nats per token of the fit's own tokenizer."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, params: float, tokens: float) -> float:
        """The loss after `tokens` seen once by a model of `params` parameters."""
        return self.E + self.A / params**self.alpha + self.B / tokens**self.beta

    def tokens_for_loss(self, loss: float, params: float) -> float:
        """Tokens at which a model reaches `loss`; infinite when it is too small ever to reach it."""
        left = loss - self.E - self.A / params**self.alpha
        return (self.B / left) ** (1 / self.beta) if left > 0 else math.inf

    def frontier(self) -> tuple[float, float, float, float]:
        """(n0, a, d0, b) of the optimum under C = 6ND, in closed form (arXiv 2203.15556, eq. 4)."""
        total = self.alpha + self.beta
        log_g = math.log10(self.alpha * self.A / (self.beta * self.B)) / total
        a, b = self.beta / total, self.alpha / total
        return log_g - a * math.log10(6), a, -log_g - b * math.log10(6), b


@dataclass(frozen=True)
class Law:
    """A named law. `source` says where it is printed, `note` what to beware of."""

    name: str
    n0: float
    a: float
    d0: float
    b: float
    source: str
    surface: Surface | None = None
    note: str = ""

    def _point(self, log_flops: float) -> Point:
        params, tokens = 10 ** (self.n0 + self.a * log_flops), 10 ** (self.d0 + self.b * log_flops)
        return Point(params, tokens, self.surface.loss(params, tokens) if self.surface else None)

    def optimum(self, flops: float) -> Point:
        """The best model for a budget of training FLOPs."""
        return self._point(math.log10(flops))

    def at_params(self, params: float) -> Point:
        """The point of the line with this many parameters."""
        return self._point((math.log10(params) - self.n0) / self.a)._replace(params=params)

    def at_tokens(self, tokens: float) -> Point:
        """The point of the line with this many tokens."""
        return self._point((math.log10(tokens) - self.d0) / self.b)._replace(tokens=tokens)


def _refit(name: str, column: int, note: str) -> Law:
    """Least squares on log10 of a published table; the rounded coefficients in circulation miss by up to 0.6 %."""
    flops = [math.log10(row[column]) for row in CHINCHILLA]
    params = linear_regression(flops, [math.log10(row.params) for row in CHINCHILLA])
    tokens = linear_regression(flops, [math.log10(row[column + 1]) for row in CHINCHILLA])
    source = "arXiv 2203.15556, " + ("table 3" if column == 1 else "table A3") + ", log-log fit"
    return Law(name, params.intercept, params.slope, tokens.intercept, tokens.slope, source, note=note)


def _parametric(row: Mapping[str, Any]) -> Law:
    """A law with a loss surface, from its row of the table."""
    surface = Surface(*row["surface"])
    return Law(row["name"], *surface.frontier(), row["source"], surface, row.get("note", ""))


def tokens_per_param(ratio: float) -> Law:
    """A fixed number of tokens for each parameter; 20 is the rule of 20."""
    n0 = -math.log10(6 * ratio) / 2
    return Law(
        "rule_of_20" if ratio == 20 else f"rule_of_{ratio:g}",
        n0,
        0.5,
        n0 + math.log10(ratio),
        0.5,
        "arXiv 2203.15556, the ratio of its tables at 1-70 billion parameters" if ratio == 20 else "the recipe",
        note=f"{ratio:g} tokens per parameter is a default, not a law: fits and setups give from 8 to over 90",
    )


_KAPLAN_N0 = math.log10(4.68e9) - 0.73 * 21
MUENNIGHOFF_R_D, MUENNIGHOFF_R_N = 15.387756, 5.309743
"""How fast repeated tokens (and parameters beyond what unique tokens pay for) lose worth: arXiv 2305.16264, table 5."""

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        tokens_per_param(20),
        Law(
            "kaplan",
            _KAPLAN_N0,
            0.73,
            -_KAPLAN_N0 - math.log10(6),
            0.27,
            "arXiv 2001.08361 (slope), anchored as arXiv 2203.15556 D.4 draws it",
            note="other anchors are in use; superseded by Chinchilla",
        ),
        _refit("chinchilla_1", 1, "fixed model sizes, varying tokens"),
        _refit("chinchilla_2", 3, "IsoFLOP profiles"),
        _refit("chinchilla_3", 5, "parametric fit, misprint of the 175B row corrected"),
        *map(_parametric, TABLES["laws"]),
    )
}


def law_named(name: str) -> Law:
    """The law of that name, else a UsageError that names the nearest."""
    return named("law", LAWS, name)
