"""report.html: one file that explains a run, without scripts and without anything fetched.

Text of documents is hostile: everything passes through autoescape, and the page's own content policy forbids scripts,
images and connections, so that even a mistake here could not run what a crawl brought along.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import charts as figures
from pipeline.report import scaling
from pipeline.report.run_report import RunReport, funnel, shares
from pipeline.report.stats import BiasRow, Histogram
from pipeline.size.units import bytes_text, flops_text, hours_text, number_text, short_text

FIRST_HISTOGRAMS = 12
"""Signals shown at once, those that remove most; the others are folded."""
MOST_BIAS_ROWS = 24


@cache
def environment() -> Environment:
    """The templates, with autoescape and the filters that give numbers their units."""
    made = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., object]] = {
        "count": lambda value: f"{value:,}",
        "words": number_text,
        "size": bytes_text,
        "percent": lambda value, digits=2: f"{value:.{digits}%}",
        "flops": flops_text,
        "hours": hours_text,
        "short": short_text,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "show": _visible,
    }
    made.filters.update(filters)
    return made


def _visible(text: str) -> str:
    """Text with control and direction characters made visible: they could turn the page's words around."""
    return "".join(_glyph(character) for character in text)


def _glyph(character: str) -> str:
    code = ord(character)
    if character in "\n\t":
        return character
    if code < 32:
        return chr(0x2400 + code)
    if 0x7F <= code < 0xA0 or 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E or 0x2060 <= code <= 0x206F:
        return f"‹U+{code:04X}›"
    return "�" if 0xD800 <= code <= 0xDFFF else character


TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)


def _with_labels(table: re.Match[str]) -> str:
    """A table whose cells carry their column's heading, which a phone shows beside the value: a row becomes a card there.

    What comes from documents is escaped in the page already, so a tag that is found here is the template's.
    """
    heads = [re.sub(r"<[^>]*>", "", head) for head in re.findall(r"<th[^>]*>(.*?)</th>", table[0], re.DOTALL)]

    def labelled(row: re.Match[str]) -> str:
        names = iter(["", *heads[1:]])
        return re.sub(r"<td(?! colspan)", lambda _: f'<td data-h="{next(names, "")}"', row[0])

    return ROW.sub(labelled, table[0])


def with_labels(page: str) -> str:
    """A page whose tables read as cards on a phone."""
    return TABLE.sub(_with_labels, page)


def render(report: RunReport) -> str:
    """The whole page. Deterministic: the same report gives the same bytes."""
    steps = funnel(report.totals, report.reasons)
    template = environment().get_template("report.html.jinja")
    page = template.render(
        r=report,
        tone=report.verdict[0],
        verdict=report.verdict[1],
        css=Markup(environment().get_template("report.css").render()),
        charts=_charts(report, steps),
        removed=[reason for reason in report.reasons if reason.verdict == "removed"],
        quarantined=[reason for reason in report.reasons if reason.verdict == "quarantined"],
        languages=shares({count.name: count.documents for count in report.languages}),
        histograms=_histograms(report, 0, FIRST_HISTOGRAMS),
        more_histograms=_histograms(report, FIRST_HISTOGRAMS, None),
        judged=sorted((row for row in report.bias if row.verdict != "too_few"), key=_striking),
        most_bias_rows=MOST_BIAS_ROWS,
        laws=scaling.LINES,
        scaling_figures=scaling.scaling_figures(report.plan) if report.plan else [],
        nav=_nav(report),
        taken_sources=sorted(
            {name for row in report.taken for name in row.documents}, key=lambda name: (name == "others", name)
        ),
    )
    return with_labels(page)


def _striking(row: BiasRow) -> tuple[Any, ...]:
    """Failures first, then warnings, then the lowest ratios: what a reader looks for."""
    grave = {"fail": 0, "warn": 1}
    return grave.get(row.verdict, 2), 9.0 if row.ratio is None else row.ratio, row.stage, row.term


def _charts(report: RunReport, steps: list[Any]) -> dict[str, Markup]:
    charts = {
        "raw": figures.for_screens(
            figures.raw_bar(report.totals, steps), figures.raw_bar(report.totals, steps, figures.PHONE)
        ),
        "funnel": figures.funnel_chart(report.totals, steps),
    }
    if report.mix:
        charts["mix"] = figures.mix_chart(report.mix["realised"], report.mix["requested"])
    if report.dial and report.dial.get("search"):
        charts["search"] = figures.search_chart(report.dial["search"])
    if report.training and report.training.points:
        charts["curve"] = figures.curve_chart(report.training.points)
    return charts


def _histograms(report: RunReport, first: int, last: int | None) -> list[tuple[Histogram, Markup]]:
    ordered = sorted(report.histograms, key=lambda found: -found.removed)
    return [(found, figures.histogram_chart(found)) for found in ordered[first:last]]


def _nav(report: RunReport) -> list[tuple[str, str]]:
    """(anchor, title) of the sections there are."""
    there: Mapping[str, tuple[str, object]] = {
        "funnel": ("Funnel", True),
        "removed": ("What was removed", report.reasons),
        "signals": ("Signals", report.histograms),
        "samples": ("Samples", report.kept_samples or report.removed_samples),
        "mix": ("Mix and sources", report.mix or report.sources),
        "rights": ("Rights", report.rights),
        "contamination": ("Contamination", report.contamination),
        "bias": ("Bias", report.bias),
        "classifiers": ("Classifiers", report.classifiers),
        "dial": ("The dial", report.dial),
        "duplicates": ("Duplicates", report.duplicates),
        "tokenizer": ("Tokenizer", report.tokenizer),
        "plan": ("Plan", report.plan),
        "training": ("Training", report.training),
        "truth": ("Score", report.truth),
        "run": ("Run", True),
    }
    return [(anchor, title) for anchor, (title, found) in there.items() if found]
