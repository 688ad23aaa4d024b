"""BloombergGPT's two figures: optimal parameters and tokens by compute, with published models and the user's run."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.report.svg import Scale, Svg
from pipeline.size.laws import LAWS, Point
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


def scaling_figure(kind: str, plan: Mapping[str, Any]) -> Markup:
    """`kind` is "parameters" or "tokens"; `plan` is PlanResult.to_json() (or {"chosen": Plan.to_json()})."""
    width, height, left, right, bottom = 520.0, 380.0, 58.0, 14.0, 42.0
    which: Callable[[Point], float] = (lambda p: p.params) if kind == "parameters" else (lambda p: p.tokens)
    runs = _runs(plan, "params" if kind == "parameters" else "tokens")
    published = [(m.name, m.flops, m.params if kind == "parameters" else m.tokens) for m in MODELS]
    flops = [point[1] for point in [*published, *runs]]
    sizes = [point[2] for point in [*published, *runs]]
    x_low, x_high = 10 ** math.floor(math.log10(min(flops)) - 0.3), 10 ** math.ceil(math.log10(max(flops)) + 0.3)
    y_low, y_high = 10 ** math.floor(math.log10(min(sizes)) - 0.2), 10 ** math.ceil(math.log10(max(sizes)) + 0.2)
    x = Scale(x_low, x_high, left, width - right, log=True)
    y = Scale(y_low, y_high, height - bottom, 30, log=True)
    drawing = Svg(width, height, f"Optimal {kind} against training FLOPs")
    drawing.text(0, 14, f"Optimal {kind} by training FLOPs", "t strong")
    for tick in x.ticks(7):
        drawing.line(x(tick), 30, x(tick), height - bottom, "grid")
        drawing.text(x(tick), height - bottom + 16, _power(tick), "t small", anchor="middle")
    for tick in y.ticks(7):
        drawing.line(left, y(tick), width - right, y(tick), "grid")
        drawing.text(left - 6, y(tick) + 4, short_text(tick), "t small", anchor="end")
    drawing.text((left + width - right) / 2, height - 6, "training FLOPs (6ND)", "t small", anchor="middle")
    for name, _, css in LINES:
        law, points = LAWS[name], []
        for step in range(121):
            budget = 10 ** (math.log10(x_low) + (math.log10(x_high) - math.log10(x_low)) * step / 120)
            value = which(law.optimum(budget))
            if y_low <= value <= y_high:
                points.append((x(budget), y(value)))
        drawing.path(points, css)
    for name, budget, value in published:
        drawing.dot(x(budget), y(value), 3.2, "model", tip=f"{name}: {value:.3g} {kind}, {budget:.3g} FLOPs")
    _name_published(drawing, [(name, x(b), y(v)) for name, b, v in published], top=kind == "parameters", height=height)
    taken: list[tuple[float, float, float]] = []
    for name, budget, value in runs:
        drawing.dot(x(budget), y(value), 6.5, "you", tip=f"{name}: {value:.4g} {kind}, {budget:.3g} FLOPs")
        _label(drawing, taken, x(budget), y(value), name, width)
    return drawing.done()


def legend() -> Markup:
    """The lines' names, for both figures."""
    drawing = Svg(1040, 22, "Legend")
    x = 0.0
    for _, name, css in LINES:
        drawing.line(x, 11, x + 26, 11, css)
        drawing.text(x + 32, 15, name, "t small")
        x += 46 + 7.0 * len(name) + 22
    drawing.dot(x + 4, 11, 3.4, "model")
    drawing.text(x + 12, 15, "published", "t small")
    drawing.dot(x + 92, 11, 6, "you")
    drawing.text(x + 103, 15, "this run", "t small")
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


def _name_published(drawing: Svg, dots: Sequence[tuple[str, float, float]], *, top: bool, height: float) -> None:
    """Names in a column where no line runs (top left, bottom right), each tied to its dot by a thin line."""
    column = min(x for _, x, _ in dots) - 44
    step = 14.0
    start = 44.0 if top else height - 52 - step * (len(dots) - 1)
    # From the top the highest dots come first, from the right below them the lowest last: the ties do not cross.
    ordered = sorted(dots, key=lambda dot: (dot[2], dot[1]))
    for number, (name, x, y) in enumerate(ordered):
        place = start + step * number
        drawing.path([(column + 4, place - 4), (x, y)], "tie")
        drawing.text(column, place, name, "t small", anchor="end")


def _label(drawing: Svg, taken: list[tuple[float, float, float]], x: float, y: float, text: str, width: float) -> None:
    """Write a name beside its dot, where no earlier name or dot of a run stands."""
    wide = 7.2 * len(text)
    options = ((x + 11, y + 4, 1), (x + 6, y + 20, 1), (x + 6, y - 11, 1), (x - 11, y + 4, 0), (x - 6, y - 11, 0))
    for place_x, place_y, forward in options:
        start = place_x if forward else place_x - wide
        clear = all(start > right or start + wide < left or abs(place_y - line) > 13 for left, right, line in taken)
        if start > 60 and start + wide < width and clear:
            taken += [(start, start + wide, place_y), (x - 8, x + 8, y)]
            drawing.text(place_x, place_y, text, "t strong", anchor="start" if forward else "end")
            return


def _power(value: float) -> str:
    digits = str(round(math.log10(value)))
    return "10" + digits.translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
