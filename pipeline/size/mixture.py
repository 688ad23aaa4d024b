"""Mixture search: losses of a few small proxy runs at different domain shares, a law through them, and the best share.

The law is L(r) = c + k exp(t r) in the domain share r (data mixing laws, arXiv 2403.16952, for two roles, whose shares
sum to one). A band comes from a residual bootstrap. Nothing is ever said outside the shares that were tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError

_SLOPES = np.concatenate([-np.geomspace(30, 0.02, 240), np.geomspace(0.02, 30, 240)])
FEWEST_RUNS = 3
FORMAT_VERSION = 1
"""Of `mixture.json`, which the proxies leave and a recipe names under `mix.search`."""


@dataclass(frozen=True)
class Curve:
    """c + k exp(t r), valid for domain shares from `low` to `high`. Losses in the unit of the runs (bits per byte)."""

    c: float
    k: float
    t: float
    low: float
    high: float

    def __call__(self, share: float) -> float:
        """The fitted loss at a domain share; UsageError outside the shares that were tried."""
        if not self.low - 1e-9 <= share <= self.high + 1e-9:
            raise UsageError(
                f"a domain share of {share:.2%} lies outside the tried {self.low:.2%} to {self.high:.2%}: "
                "the law does not extrapolate; run a proxy there"
            )
        return self.c + self.k * float(np.exp(self.t * share))


def fit_curve(shares: Sequence[float], losses: Sequence[float]) -> Curve:
    """Least squares: for every slope of a grid, c and k are a linear problem; the best slope wins.

    Raises UsageError with fewer than three different shares: three numbers cannot be fitted to two.
    """
    r, y = np.asarray(shares, np.float64), np.asarray(losses, np.float64)
    if len(np.unique(r)) < FEWEST_RUNS:
        raise UsageError(f"a mixture law needs {FEWEST_RUNS} different shares, and {len(np.unique(r))} were tried")
    if not (np.isfinite(r).all() and np.isfinite(y).all()):
        raise UsageError("a proxy run has no finite loss: leave it out or run it again")
    t, k = _least(_SLOPES, r, y)
    near = int(np.searchsorted(_SLOPES, t))
    t, k = _least(np.linspace(_SLOPES[max(near - 1, 0)], _SLOPES[min(near + 1, len(_SLOPES) - 1)], 240), r, y)
    scaled = k * float(np.exp(-t * r.mean()))
    constant = float(y.mean() - (scaled * np.exp(t * r)).mean())
    return Curve(constant, scaled, t, float(r.min()), float(r.max()))


def _least(slopes: np.ndarray, r: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The slope with the least squared error, and its k for exp(t (r - mean r))."""
    basis = np.exp(slopes[:, None] * (r - r.mean()))
    centred, target = basis - basis.mean(1, keepdims=True), y - y.mean()
    k = (centred @ target) / np.maximum((centred**2).sum(1), 1e-300)
    errors = ((k[:, None] * centred - target) ** 2).sum(1)
    best = int(errors.argmin())
    return float(slopes[best]), float(k[best])


def within_role(sizes: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """Parts of one role's sources, which sum to 1: a named one gets its share, the others the rest by their sizes.

    Shares that leave nothing to divide, or have no other source to give it to, are taken in proportion.

    >>> within_role({"news": 1, "calls": 2, "speeches": 2}, {"news": 0.5})
    {'news': 0.5, 'calls': 0.25, 'speeches': 0.25}
    """
    given = {name: shares[name] for name in sizes if name in shares}
    others = sum(size for name, size in sizes.items() if name not in given)
    rest = 1 - sum(given.values()) if others else 0.0
    parts = {name: given.get(name, max(rest, 0.0) * size / others if others else 0.0) for name, size in sizes.items()}
    total = sum(parts.values())
    return {name: part / total if total else 0.0 for name, part in parts.items()}


@dataclass(frozen=True)
class Best:
    """The domain share with the lowest weighted loss, and where 90 % of the bootstrap puts it."""

    share: float
    low: float
    high: float
    losses: Mapping[str, float]
    """Fitted loss on each held-out set at that share."""
    at_border: bool
    """The best share is the smallest or largest tried one: the optimum may lie beyond it."""


ROUNDS = 200
"""Of the bootstrap."""


def best_share(shares: Sequence[float], losses: Mapping[str, Sequence[float]], weights: Mapping[str, float]) -> Best:
    """The best domain share between those tried.

    `losses[held_out][i]` is the loss on a held-out set of the run at `shares[i]`; `weights` says what each set counts.
    """
    grid = np.linspace(min(shares), max(shares), 401)
    r = np.asarray(shares, np.float64)
    curves = {name: fit_curve(shares, values) for name, values in losses.items()}
    fitted = {name: np.array([curve(share) for share in shares]) for name, curve in curves.items()}
    rest = {name: np.asarray(losses[name], np.float64) - fitted[name] for name in curves}
    draw = np.random.default_rng(0)

    def lowest(fits: Mapping[str, Curve]) -> float:
        total = sum(weights[name] * (c.c + c.k * np.exp(c.t * grid)) for name, c in fits.items())
        return float(grid[int(np.argmin(total))])

    spread = []
    for _ in range(ROUNDS):
        rows = draw.integers(0, len(r), len(r))
        again = {name: fit_curve(r.tolist(), (fitted[name] + rest[name][rows]).tolist()) for name in curves}
        spread.append(lowest(again))
    share = lowest(curves)
    low, high = np.quantile(spread, [0.05, 0.95])
    at = {name: curve(share) for name, curve in curves.items()}
    return Best(share, float(low), float(high), at, share in (float(grid[0]), float(grid[-1])))
