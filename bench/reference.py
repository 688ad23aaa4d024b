"""`python -m bench.reference [--write]`: docs/reference.md, every setting, judge, command and exit code, from the code.

A test compares the page with what this gives, so that it cannot fall behind.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.__main__ import COMMANDS, parsers
from pipeline.core.judge import SPANS, judges
from pipeline.recipe.model import json_schema
from pipeline.run import EPILOG

PAGE = Path(__file__).resolve().parent.parent / "docs/reference.md"
HEAD = """\
# Reference

Every setting of a recipe, every judge with the columns it writes, every command. Written from the code by
`python -m bench.reference --write`; an editor shows the same beside the recipe, from `recipes/recipe.schema.json`.
"""


def cell(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def kind(field: dict[str, Any]) -> str:
    """A field's type in words: `number or null`, `one of a, b`, `list of text`."""
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(kind(part) for part in field["anyOf"]))
    if field.get("type") == "array":
        inner = field.get("items") or {}
        return f"list of {kind(inner)}" if inner else "list"
    name = str(field.get("type", "any"))
    return words.get(name, name)


def bounds(field: dict[str, Any]) -> str:
    """What a number must obey, as `> 0, <= 1`."""
    parts = [field, *field.get("anyOf", [])]
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return ", ".join(f"{sign} {part[key]:g}" for part in parts for key, sign in signs.items() if key in part)


def settings() -> Iterator[str]:
    """A table for each model of the recipe, the recipe itself first."""
    schema = json_schema()
    yield "## Settings\n"
    for name, model in [("Recipe", schema), *sorted(schema["$defs"].items())]:
        if not model.get("properties"):
            continue
        yield f"### {name}\n"
        if text := model.get("description"):
            yield cell(text.split("\n\n")[0].split("Examples:")[0]) + "\n"
        yield "| setting | default | what it takes | what it does |\n|---|---|---|---|"
        needed = model.get("required", [])
        for key, field in model["properties"].items():
            default = "needed" if key in needed else "its own" if "$ref" in field else f"`{field.get('default')}`"
            takes = "; ".join(filter(None, [kind(field), bounds(field)]))
            model_text = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {}).get("description", "")
            text = field.get("description") or model_text.split("\n\n")[0]
            yield f"| `{key}` | {cell(default)} | {cell(takes)} | {cell(text)} |"
        yield ""


def all_judges() -> Iterator[str]:
    """Each judge: version, what it reads and writes, its fields of the recipe above."""
    yield "## Judges\n\nColumns stand as `JUDGE_COLUMN` beside each document in `inspect`, `explain` and the published rows.\n"
    yield "| judge | version | reads | columns | spans |\n|---|---|---|---|---|"
    for name, judge in sorted(judges().items()):
        columns = ", ".join(f"`{column}` {arrow}" for column, arrow in judge.columns.items() if arrow != SPANS)
        spans = ", ".join(
            f"`{column}`" + (f": {judge.cuts[column]}" if column in judge.cuts else "")
            for column, arrow in judge.columns.items()
            if arrow == SPANS
        )
        yield f"| `{name}` | {judge.version} | {', '.join(judge.reads)} | {cell(columns)} | {cell(spans)} |"
    yield ""


def commands() -> Iterator[str]:
    """Each command with its arguments."""
    yield "## Commands\n"
    for name, parser in parsers().items():
        yield f"### {name}\n\n{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.\n"
        yield "| argument | meaning |\n|---|---|"
        for action in parser._actions:
            if isinstance(action, argparse._HelpAction | argparse._VersionAction):
                continue
            written = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                written += f" {action.metavar or (action.choices and '|'.join(map(str, action.choices))) or action.dest.upper()}"
            help_text = (action.help or "").replace("%%", "%")
            yield f"| `{cell(written)}` | {cell(re.sub(r'%[(]default[)]s', str(action.default), help_text))} |"
        yield ""


def page() -> str:
    """The whole page."""
    meanings = re.findall(r"(\d+) ([^;.]+)", EPILOG.partition("exit codes:")[2])
    codes = [
        "## Exit codes\n",
        "| code | meaning |\n|---:|---|",
        *(f"| {code} | {cell(text)} |" for code, text in meanings),
    ]
    return "\n".join([HEAD, *settings(), *all_judges(), *commands(), *codes]) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        raise SystemExit(f"{PAGE.name} is not what the code says: python -m bench.reference --write")
