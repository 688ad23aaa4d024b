"""Pages as HTML. Every text is escaped, control and direction characters are made visible, and only http addresses become
links."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader
from starlette.datastructures import QueryParams

from pipeline.report import render as report

if TYPE_CHECKING:
    from pipeline.explore.page import Explorer, Page

NAV = {
    "/": "Overview",
    "/documents": "Documents",
    "/rules": "Rules",
    "/clusters": "Duplicates",
    "/sources": "Sources and hosts",
    "/spans": "Masks and cuts",
    "/tokenizer": "Tokenizer",
    "/mix": "Mix",
    "/training": "Training",
    "/compare": "Compare",
    "/steps": "Steps",
}


def link(path: str, **changes: Any) -> str:
    """An address of the explorer with these parameters; those that are None or "" are left out."""
    asked = address(list(changes.items()))
    return f"{path}?{asked}" if asked else path


def address(asked: list[tuple[str, Any]]) -> str:
    """Parameters of an address, those without a value left out."""
    return urlencode([(name, value) for name, value in asked if value not in (None, "")], errors="replace")


def figure(value: Any) -> str:
    """A number for a table: thousands apart, four digits of a fraction; a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


@cache
def environment() -> Environment:
    """The templates, with the report's filters."""
    made = report.environment().overlay(loader=PackageLoader("pipeline.explore", "templates"))
    made.filters |= {
        "figure": figure,
        "change": "{:+,}".format,
        "web": lambda url: str(url).lower().startswith(("http://", "https://")),
    }
    made.globals |= {"link": link, "address": address, "nav": NAV}
    return made


@cache
def style() -> str:
    """The report's style sheet and the few lines of the explorer."""
    own = (files("pipeline.explore") / "templates" / "explore.css").read_text()
    return report.environment().get_template("report.css").render() + own


def html(explorer: "Explorer", page: "Page", token: str, path: str, asked: QueryParams) -> str:
    """A page as HTML."""
    template = environment().get_template(f"{page.template}.jinja")
    return report.with_labels(
        template.render(
            **page.data, **page.drawn, name=explorer.name, token=token, here=path, q=asked, title=page.title
        )
    )


def error_page(explorer: "Explorer", sentence: str) -> str:
    """What is said of a question that cannot be answered."""
    template = environment().get_template("error.jinja")
    return template.render(sentence=sentence, name=explorer.name, here="", title="Not answered")
