"""`status`: which steps of a run folder are done."""

import argparse
import json

from rich.console import Console
from rich.table import Table

from pipeline.core.run_folder import open_run
from pipeline.flow import steps


def run(arguments: argparse.Namespace) -> int:
    """Print each step with its units, files and size."""
    opened = open_run(arguments.run)
    rows = []
    for step in steps():
        commits = opened.commits(step)
        files = [info for commit in commits.values() for info in commit.files.values()]
        missing = sum(not opened.store.present(info) for info in files)
        size = sum(info.bytes for info in files)
        rows.append({"step": step, "units": len(commits), "files": len(files), "bytes": size, "missing_files": missing})
    if arguments.json:
        print(json.dumps({"exit": 0, "run": arguments.run, "steps": rows}))
        return 0
    table = Table(box=None, pad_edge=False)
    for name in ("step", "units", "files", "bytes", "missing files"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for row in rows:
        table.add_row(row["step"], f"{row['units']:,}" if row["units"] else "not run", f"{row['files']:,}",
                      f"{row['bytes']:,}", f"{row['missing_files']:,}" if row["missing_files"] else "")  # fmt: skip
    Console().print(table)
    return 0
