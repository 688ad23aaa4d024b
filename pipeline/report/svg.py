"""A few lines of SVG: shapes styled by the report's style sheet, every text escaped."""

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

WIDE = 600
"""Units of width above which the words of a drawing do not fit a phone."""


class Svg:
    """A drawing of `width` by `height` units that scales with the page. Classes are those of report.css."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, css: str, *, tip: str = "", radius: float = 2
    ) -> None:
        """A rectangle; `tip` shows when the pointer rests on it."""
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        box = f'x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(max(height, 0))}" rx="{_n(radius)}"'
        self._parts.append(f'<rect class="{css}" {box}>{inner}</rect>')

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """A straight line."""
        self._parts.append(f'<line class="{css}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>')

    def path(self, points: Iterable[tuple[float, float]], css: str) -> None:
        """An open line through points."""
        moves = " ".join(f"{'M' if i == 0 else 'L'}{_n(x)} {_n(y)}" for i, (x, y) in enumerate(points))
        if moves:
            self._parts.append(f'<path class="{css}" d="{moves}"/>')

    def dot(self, x: float, y: float, radius: float, css: str, *, tip: str = "") -> None:
        """A filled circle."""
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        self._parts.append(f'<circle class="{css}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}">{inner}</circle>')

    def text(self, x: float, y: float, text: str, css: str = "t", *, anchor: str = "start", turn: float = 0) -> None:
        """A line of text; `anchor` is start, middle or end."""
        spin = f' transform="rotate({_n(turn)} {_n(x)} {_n(y)})"' if turn else ""
        place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{spin}'
        self._parts.append(f'<text class="{css}" {place}>{escape(text)}</text>')

    def drawn(self) -> str:
        """The element alone."""
        box = f"0 0 {_n(self.width)} {_n(self.height)}"
        return f'<svg viewBox="{box}" role="img" aria-label="{escape(self.title)}">{"".join(self._parts)}</svg>'

    def done(self) -> Markup:
        """The drawing as markup of a page: a wide one scrolls in a box on a phone, where its words would be too small to read."""
        return Markup(f'<div class="scroll">{self.drawn()}</div>' if self.width > WIDE else self.drawn())


def _n(value: float) -> str:
    """A coordinate in at most two decimals; infinities and NaN would break the whole drawing."""
    if not math.isfinite(value):
        raise ValueError("a coordinate is not finite")
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Scale:
    """Maps values from `low`..`high` to `start`..`end` units, straight or by logarithm."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool = False) -> None:
        self.log = log
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)
        if self.high <= self.low:
            self.high = self.low + 1
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        value = math.log10(value) if self.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values inside the range: powers of ten (1, 2 and 5 of each over few) by logarithm, else even steps."""
        if self.log:
            first, last = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
            if self.high - self.low < 3:
                fine = [m * 10.0**power for power in range(first - 1, last + 1) for m in (1, 2, 5)]
                return [value for value in fine if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9]
            step = max(1, round((last - first) / count))
            return [10.0**power for power in range(first, last + 1, step)]
        raw = (self.high - self.low) / count
        size = 10 ** math.floor(math.log10(raw))
        step = next(size * m for m in (1, 2, 5, 10) if size * m >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]
