"""`whatif judge.threshold=value …`: the verdicts other thresholds would give, from the signals of a finished run."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from pipeline.ask.whatif import answer as answered
from pipeline.commands.console import answer
from pipeline.core.run_folder import open_run
from pipeline.errors import UsageError


def parsed(changes: Iterable[str]) -> dict[str, Any]:
    """`judge.threshold=value` as path and YAML value. Raises UsageError for a word of another form."""
    found = {}
    for change in changes:
        path, separator, text = change.partition("=")
        if not separator:
            raise UsageError(f"{change}: expected judge.threshold=value")
        try:
            found[path] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{change}: the value is not valid YAML") from error
    return found


def run(arguments: argparse.Namespace) -> int:
    """Print both columns side by side."""
    found = answered(open_run(arguments.run), parsed(arguments.changes))
    return answer(arguments, {"changes": arguments.changes, **found}, lines(found))


def lines(found: dict[str, Any]) -> Iterator[str]:
    """For a person."""
    if "sentence" in found:
        yield found["sentence"]
        return
    before, after = found["before"], found["after"]
    rows = [
        (f"{name} ({unit})", before[kind].get(name, 0), after[kind].get(name, 0))
        for kind, unit in (("verdicts", "documents"), ("first_reasons", "documents, first reason"))
        for name in sorted(before[kind].keys() | after[kind].keys())
    ]
    rows.append(("kept text before cuts (bytes)", before["kept_text_bytes"], after["kept_text_bytes"]))
    wide = max(len(name) for name, *_ in rows)
    yield f"{'':{wide}}{'now':>14}{'what if':>14}{'change':>12}"
    for name, old, new in rows:
        yield f"{name:{wide}}{old:>14,}{new:>14,}{new - old:>+12,}"
    yield "Exact through decide; cuts, tokens and the mix would follow in a run."
