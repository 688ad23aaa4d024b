"""The report's charts of the corpus: funnel, histograms, mix, training curve."""

from collections.abc import Sequence
from statistics import fmean

from markupsafe import Markup

from pipeline.report.run_report import FunnelStep
from pipeline.report.stats import CurvePoint, Histogram, Totals
from pipeline.report.svg import Scale, Svg
from pipeline.size.units import number_text, short_text

WIDTH = 1040.0
PHONE = 340.0
"""Units of width of a drawing for a phone, which the style sheet shows in place of the wide one."""


def raw_bar(totals: Totals, steps: Sequence[FunnelStep], whole: float = WIDTH) -> Markup:
    """Where the raw pre-tokens went: markup and boilerplate, removed text, kept text, on one bar."""
    drawing = Svg(whole, 62, "Where the raw pre-tokens went")
    raw = max(totals.raw_pretokens, totals.extracted_pretokens, 1)
    removed = sum(step.removed_pretokens for step in steps)
    parts = [
        ("markup, boilerplate and unreadable", raw - totals.extracted_pretokens, "markup"),
        ("removed by filters", removed, "removed"),
        ("cut inside kept text", totals.extracted_pretokens - removed - totals.kept_pretokens, "quarantined"),
        ("kept", totals.kept_pretokens, "kept"),
    ]
    x, y = 0.0, 24.0
    drawing.text(0, 14, f"{number_text(raw)} raw pre-tokens", "t strong")
    labels = []
    for name, value, css in parts:
        if value <= 0:
            continue
        width = max(whole * value / raw, 2)
        drawing.rect(
            x, y, min(width, whole - x), 20, css, tip=f"{name}: {value:,} pre-tokens, {value / raw:.2%} of raw"
        )
        labels.append((x, min(width, whole - x), f"{name} {value / raw:.1%}"))
        x += width
    for start, width, label in labels:
        if width > 6.4 * len(label):
            drawing.text(start + 6, y + 14.5, label, "t" if label.startswith("markup") else "t on")
    shown = [label for _, width, label in labels if width <= 6.4 * len(label) and not label.endswith(" 0.0%")]
    if shown:
        place = (whole, 14, "end") if whole > PHONE else (0, 59, "start")
        drawing.text(*place[:2], " · ".join(shown), "t muted", anchor=place[2])
    return drawing.done()


def funnel_chart(totals: Totals, steps: Sequence[FunnelStep]) -> Markup:
    """One row a stage: what it took, and what is left of the extracted pre-tokens."""
    return for_screens(_funnel(totals, steps, WIDTH), _funnel(totals, steps, PHONE))


def for_screens(wide: Markup, narrow: Markup) -> Markup:
    """Two drawings of the same, of which the style sheet shows one."""
    return Markup('<div class="phone">') + narrow + Markup("</div>") + wide


def _funnel(totals: Totals, steps: Sequence[FunnelStep], width: float) -> Markup:
    """On a phone the words of a row stand over its bar, on a wide page beside it."""
    narrow = width == PHONE
    row, left, bar = (42.0, 0.0, PHONE) if narrow else (30.0, 150.0, 450.0)
    drawing = Svg(width, row * (len(steps) + 2), "Funnel from extracted to kept text")
    whole = max(totals.extracted_pretokens, 1)
    documents = totals.documents_in + totals.children - totals.quarantined
    rows = [("extracted", totals.extracted_pretokens, 0, documents, 0)]
    rows += [(s.stage, s.left_pretokens, s.removed_pretokens, s.left_documents, s.removed_documents) for s in steps]
    rows.append(("kept", totals.kept_pretokens, 0, totals.kept, 0))
    for number, (name, kept, gone, docs, gone_docs) in enumerate(rows):
        y, last = number * row, number == len(rows) - 1
        words, top, height = (y + 13, y + 19, 14) if narrow else (y + 15.5, y, row - 8)
        share = f"−{gone / whole:.1%}" if gone / whole >= 0.0005 else "under 0.1%"
        told = [share + ("" if narrow else f" and {gone_docs:,} documents taken")] if gone_docs else []
        told.append(f"{kept / whole:.1%} left, {docs:,} documents" + (" after cuts" if last and not narrow else ""))
        drawing.text(
            *((0, words) if narrow else (left - 12, words)),
            name,
            "t strong" if last else "t",
            anchor="start" if narrow else "end",
        )
        drawing.text(width, words, " · ".join(told), "t num", anchor="end")
        drawing.rect(left, top, bar, height, "track")
        drawing.rect(
            left, top, bar * kept / whole, height, "kept", tip=f"{name}: {kept:,} of {whole:,} pre-tokens left"
        )
        drawing.rect(
            left + bar * kept / whole,
            top,
            bar * gone / whole,
            height,
            "removed",
            tip=f"{name}: {gone:,} pre-tokens taken",
        )
    return drawing.done()


def histogram_chart(found: Histogram) -> Markup:
    """One signal's distribution; bars strictly beyond a threshold have the colour of removal, the threshold is a line."""
    width, height, base = 320.0, 120.0, 96.0
    drawing = Svg(width, height, f"Distribution of {found.judge}.{found.signal}")
    x = Scale(found.edges[0], found.edges[-1], 4, width - 4)
    top = max(max(found.counts), 1)
    # A document at a bound stays, so only bins that lie wholly beyond it are red. Bins are closed below and open above,
    # but the last one, which holds its upper edge too. The edges carry rounding errors of linspace.
    error = 1e-9 * (found.edges[-1] - found.edges[0])
    last = len(found.counts) - 1
    for number, count in enumerate(found.counts):
        low, high = found.edges[number], found.edges[number + 1]
        out = (found.lower is not None and number < last and high <= found.lower + error) or (
            found.upper is not None and low > found.upper + error
        )
        # The square root keeps rare values visible beside a tall bar.
        tall = (count / top) ** 0.5 * (base - 14)
        tip = f"{low:.4g} to {high:.4g}: {count:,} documents"
        drawing.rect(
            x(low) + 0.5, base - tall, x(high) - x(low) - 1, tall, "removed" if out else "bar", tip=tip, radius=1
        )
    drawing.line(4, base, width - 4, base, "axis")
    for bound in (found.lower, found.upper):
        if bound is not None:
            drawing.line(x(bound), 6, x(bound), base, "threshold")
    for tick in x.ticks(4):
        drawing.text(x(tick), height - 8, f"{tick:,g}", "t small", anchor="middle")
    return drawing.done()


def search_chart(runs: Sequence[tuple[float, float]]) -> Markup:
    """Held-out loss of every proxy (a dot) over the share of words it kept, by logarithm, and a line through the means."""
    width, height = 420.0, 190.0
    drawing = Svg(width, height, "Held-out loss by share kept")
    shares, losses = zip(*runs, strict=True)
    pad = (max(losses) - min(losses)) * 0.1 or 0.1
    x = Scale(min(shares), max(shares), 52, width - 14, log=True)
    y = Scale(min(losses) - pad, max(losses) + pad, height - 40, 26)
    drawing.text(0, 14, "held-out loss, mean of the roles", "t strong")
    for tick in y.ticks(4):
        drawing.line(52, y(tick), width - 14, y(tick), "grid")
        drawing.text(46, y(tick) + 4, f"{tick:g}", "t small", anchor="end")
    means = {share: fmean(loss for own, loss in runs if own == share) for share in sorted(set(shares))}
    drawing.path([(x(share), y(loss)) for share, loss in means.items()], "series s1")
    for share in means:
        drawing.text(x(share), height - 22, f"{share:.3g}", "t small", anchor="middle")
    for share, loss in runs:
        drawing.dot(x(share), y(loss), 3, "kept", tip=f"{share:g}: {loss:.4f}")
    drawing.text(width - 14, height - 6, "share of words kept", "t small", anchor="end")
    return drawing.done()


def mix_chart(realised: dict[str, float], requested: dict[str, float]) -> Markup:
    """Domain and general share of the training tokens, with marks at the requested shares."""
    return for_screens(*(_mix(realised, requested, width) for width in (WIDTH, PHONE)))


def _mix(realised: dict[str, float], requested: dict[str, float], whole: float) -> Markup:
    drawing = Svg(whole, 58, "Realised mix")
    x = 0.0
    for role, css in (("domain", "domain"), ("general", "general")):
        share = realised.get(role, 0.0)
        width = whole * share
        drawing.rect(x, 8, width, 28, css, tip=f"{role}: {share:.3%} of training tokens")
        if width > 110:
            drawing.text(x + 10, 27, f"{role} {share:.2%}", "t on strong")
        x += width
    mark = whole * requested.get("domain", 0.0)
    if 0 < mark < whole:
        drawing.line(mark, 2, mark, 42, "threshold")
        anchor = "start" if mark < whole * 0.5 else "end"
        drawing.text(mark, 54, f"requested: {requested['domain']:.2%} domain", "t small", anchor=anchor)
    return drawing.done()


def curve_chart(points: Sequence[CurvePoint]) -> Markup:
    """Training loss in nats per token (left) and held-out bits per byte by source (right), over training tokens."""
    width, height = WIDTH, 300.0
    drawing = Svg(width, height, "Training curve")
    half = width / 2 - 20
    train = [(p.tokens or p.step, p.loss) for p in points if p.loss is not None]
    names = sorted({name for point in points for name in point.val})
    held = {name: [(p.tokens or p.step, p.val[name]) for p in points if name in p.val] for name in names}
    unit = "training tokens" if any(p.tokens for p in points) else "steps"
    panels: list[tuple[float, str, list[tuple[str, list[tuple[int, float]], str]]]] = [
        (0.0, "training loss, nats per token", [("train", train, "series s0")])  # type: ignore[list-item]
    ]
    if names:
        series = [(name, held[name], f"series s{number % 6 + 1}") for number, name in enumerate(names)]
        panels.append((half + 40, "held out, bits per byte", series))
    else:
        half = width
    for start, title, series in panels:
        _panel(drawing, start, half, height, title, unit, series)
    return drawing.done()


def _panel(
    drawing: Svg,
    start: float,
    width: float,
    height: float,
    title: str,
    unit: str,
    series: Sequence[tuple[str, Sequence[tuple[int, float]], str]],
) -> None:
    values = [y for _, points, _ in series for _, y in points]
    places = [x for _, points, _ in series for x, _ in points]
    if not values:
        return
    pad = (max(values) - min(values)) * 0.08 or 0.1
    labels = {name: f"{points[-1][1]:.3f} {name}"[:32] for name, points, _ in series if points}
    right = start + width - 20 - 6.0 * max(map(len, labels.values()))  # the lines' names stand behind their ends
    x = Scale(min(places), max(places), start + 46, right)
    y = Scale(min(values) - pad, max(values) + pad, height - 40, 30)
    drawing.text(start, 16, title, "t strong")
    for tick in y.ticks(5):
        drawing.line(start + 46, y(tick), right, y(tick), "grid")
        drawing.text(start + 40, y(tick) + 4, f"{tick:g}", "t small", anchor="end")
    for tick in x.ticks(4):
        drawing.text(x(tick), height - 22, short_text(tick), "t small", anchor="middle")
    drawing.text((start + 46 + right) / 2, height - 4, unit, "t small", anchor="middle")
    ends: list[float] = []
    for name, points, css in series:
        drawing.path([(x(a), y(b)) for a, b in points], css)
        if not points:
            continue
        last = y(points[-1][1])
        while any(abs(last - other) < 13 for other in ends):
            last += 13
        ends.append(last)
        drawing.text(right + 6, last + 4, labels[name], "t small " + css.split()[-1] + "t")
