"""`report`: write report.html again, from the report.json of a finished run."""

import argparse

from pydantic import ValidationError

from pipeline.commands.console import answer
from pipeline.core.run_folder import refuse_old_layout
from pipeline.core.store import Store
from pipeline.errors import UsageError
from pipeline.flow import steps
from pipeline.publish.export import record_loose
from pipeline.report.render import render
from pipeline.report.run_report import RunReport


def run(arguments: argparse.Namespace) -> int:
    """Raises UsageError when the folder has no report of this version."""
    store = Store(arguments.run)
    refuse_old_layout(store)
    if not store.exists("report.json"):
        raise UsageError(
            f"{arguments.run}: no finished run is here; python -m pipeline.run RECIPE --out {arguments.run}"
        )
    try:
        report = RunReport.model_validate_json(store.read("report.json"))
    except ValidationError as error:
        raise UsageError(f"{arguments.run}/report.json is of another version; run the recipe again") from error
    info = store.put("report.html", render(report).encode())
    record_loose(store, steps())
    path = f"{arguments.run}/report.html"
    return answer(arguments, {"path": path, "bytes": info.bytes}, [f"{path}: {info.bytes:,} bytes"])
