"""`diff RUN OTHER`: settings that differ, and documents whose verdict, reasons or text do, by rule and source with tokens."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pipeline.ask.diff import compare
from pipeline.ask.tables import Tables
from pipeline.commands.console import answer
from pipeline.core.run_folder import open_run

FEW = 5


def run(arguments: argparse.Namespace) -> int:
    """Print the changes."""
    found = compare(Tables(open_run(arguments.one)), Tables(open_run(arguments.other)))
    return answer(arguments, found, lines(found))


def lines(found: dict[str, Any]) -> Iterator[str]:
    """For a person."""
    for one in found["settings"]:
        yield f"setting {one['path']}: {json.dumps(one['before'])} → {json.dumps(one['after'])}"
    for kind, count in sorted(found["documents"].items()):
        yield f"{count:>12,} documents {found['pretokens'][kind]:>14,} pre-tokens  {kind}"
        for name, mark in (("rules", "by rule"), ("sources", "by source")):
            for entry, number in list(found["changes"].get(kind, {}).get(name, {}).items())[:FEW]:
                size = found["changes"][kind][f"{name}_pretokens"][entry]
                yield f"{number:>24,} {size:>24,}  {mark} {entry}"
        for own in found["examples"].get(kind, [])[:FEW]:
            yield f"{'':14}{own}"
