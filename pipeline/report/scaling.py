"""BloombergGPT's two figures: optimal parameters and tokens by compute, with published models and the user's run."""

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pipeline.report.svg import Scale, Svg
from pipeline.size.laws import LAWS
from pipeline.size.published import MODELS
from pipeline.size.units import short_text

LINES = (
    ("kaplan", "Kaplan", "series s5"),
    ("chinchilla_1", "Chinchilla 1", "series s1"),
    ("chinchilla_2", "Chinchilla 2", "series s2 dash"),
    ("chinchilla_3", "Chinchilla 3", "series s3"),
    ("besiroglu", "Besiroglu", "series s4 dash"),
    ("rule_of_20", "20 per parameter", "series s0"),
)
"""Laws drawn, their names in the legend, and their classes."""


ZOOM = 1e22, 2e24
"""Training FLOPs of BloombergGPT's own figures; runs outside get a second pair of figures over the whole range."""


def scaling_figures(plan: Mapping[str, Any]) -> list[Markup]:
    """Parameters and tokens against FLOPs, side by side: the published range, and the whole one where the run needs it.

    `plan` is PlanResult.to_json() (or {"chosen": Plan.to_json()}).
    """
    found = [_figure(kind, plan, ZOOM) for kind in ("parameters", "tokens")]
    flops = [run[1] for run in _runs(plan, "params")]
    if any(not ZOOM[0] <= budget <= ZOOM[1] for budget in flops):
        low = 10 ** math.floor(math.log10(min([*flops, ZOOM[0]])) - 0.3)
        high = 10 ** math.ceil(math.log10(max([*flops, ZOOM[1]])) + 0.3)
        found = [_figure(kind, plan, (low, high)) for kind in ("parameters", "tokens")] + found
    return found


def _figure(kind: str, plan: Mapping[str, Any], budgets: tuple[float, float]) -> Markup:
    width, height, left, right, bottom = 520.0, 340.0, 58.0, 14.0, 42.0
    close = budgets == ZOOM
    published = [(m.name, m.flops, m.params if kind == "parameters" else m.tokens) for m in MODELS]
    runs = _runs(plan, "params" if kind == "parameters" else "tokens")
    runs = [run for run in runs if budgets[0] <= run[1] <= budgets[1]]
    sizes = [value for _, _, value in [*published, *runs]]
    room = 1.6 if close else 8.0
    low, high = min(sizes) / room, max(sizes) * room
    x = Scale(*budgets, left, width - right, log=True)
    y = Scale(low, high, height - bottom, 30, log=True)
    drawing = Svg(width, height, f"Optimal {kind} against training FLOPs")
    scope = "where published models stand" if close else "from this run to the published models"
    drawing.text(0, 14, f"Optimal {kind}, {scope}", "t strong")
    for tick in x.ticks(7):
        drawing.line(x(tick), 30, x(tick), height - bottom, "grid")
        label = _power(tick) if abs(math.log10(tick) % 1) < 1e-9 else ""
        drawing.text(x(tick), height - bottom + 16, label, "t small", anchor="middle")
    for tick in y.ticks(7):
        drawing.line(left, y(tick), width - right, y(tick), "grid")
        drawing.text(left - 6, y(tick) + 4, short_text(tick), "t small", anchor="end")
    drawing.text((left + width - right) / 2, height - 6, "training FLOPs (6ND)", "t small", anchor="middle")
    for name, _, css in LINES:
        points = []
        for step in range(241):
            budget = budgets[0] * (budgets[1] / budgets[0]) ** (step / 240)
            best = LAWS[name].optimum(budget)
            value = best.params if kind == "parameters" else best.tokens
            if low <= value <= high:
                points.append((x(budget), y(value)))
        drawing.path(points, css)
    dots = [(x(b), y(v)) for _, b, v in [*published, *runs]]
    taken = [(px - 6, px + 6, py + 4) for px, py in dots]
    for name, budget, value in runs:
        drawing.dot(x(budget), y(value), 6.5, "you", tip=f"{name}: {value:.4g} {kind}, {budget:.3g} FLOPs")
        _label(drawing, taken, x(budget), y(value), name, width, "t strong halo")
    for name, budget, value in published:
        drawing.dot(x(budget), y(value), 3.4, "model", tip=f"{name}: {value:.3g} {kind}, {budget:.3g} FLOPs")
        if close:
            _label(drawing, taken, x(budget), y(value), name, width, "t small halo")
    return drawing.done()


def _runs(plan: Mapping[str, Any], field: str) -> list[tuple[str, float, float]]:
    """(label, FLOPs, value) of the chosen and, where it differs, the optimal model."""
    found = []
    chosen = plan.get("chosen")
    optimal = plan.get("optimal")
    if chosen and chosen["flops"] > 0:
        found.append(("this run", float(chosen["flops"]), float(chosen[field])))
    if optimal and optimal["flops"] > 0 and (not chosen or optimal["params"] != chosen["params"]):
        found.append(("optimum", float(optimal["flops"]), float(optimal[field])))
    return found


def _label(
    drawing: Svg, taken: list[tuple[float, float, float]], x: float, y: float, text: str, width: float, css: str
) -> None:
    """Write a name beside its dot where neither a name nor another dot stands; `taken` are (left, right, line)."""
    wide = (7.2 if "strong" in css else 6.1) * len(text)
    options = ((9, 4, 1), (-9, 4, 0), (6, -7, 1), (6, 16, 1), (-6, -7, 0), (-6, 16, 0), (8, 27, 1), (-8, -18, 0))
    for across, down, forward in options:
        start = x + across - (0 if forward else wide)
        line = y + down
        clear = all(start > right or start + wide < left or abs(line - other) > 11 for left, right, other in taken)
        if start > 60 and start + wide < width and clear:
            taken.append((start, start + wide, line))
            drawing.text(x + across, line, text, css, anchor="start" if forward else "end")
            return


def _power(value: float) -> str:
    digits = str(round(math.log10(value)))
    return "10" + digits.translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
