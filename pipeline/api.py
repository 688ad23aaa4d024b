"""What `import pipeline` offers: open a finished run, or run a recipe."""

import contextlib
import io
import json
from collections.abc import Mapping
from typing import Any

from pipeline import run as command
from pipeline.ask.run import FinishedRun
from pipeline.core import run_folder
from pipeline.errors import EXIT_GATE, EXIT_OK, InfrastructureError, UsageError


def open_run(path: str) -> FinishedRun:
    """A finished run: a folder, or any fsspec URL such as s3://bucket/run. Raises UsageError when it holds none."""
    return FinishedRun(run_folder.open_run(str(path)))


def run_recipe(
    recipe: str,
    *,
    set: Mapping[str, Any] | None = None,
    out: str | None = None,
    to: str | None = None,
    ray: str = "local",
    train: bool = False,
) -> FinishedRun:
    """Run a recipe (a file, or the name of a shipped one), or go on with its run, and open what it made.

    `set` changes settings by path, as {"mix.domain": 0.6}; `to` is the last stage; `ray` is "local", "none" or an address. A
    red gate is no error here: `result.json` and the report say so. Raises UsageError and InfrastructureError as the command
    would say them.
    """
    words = [str(recipe), "--json", "--ray", ray, "--train" if train else "--no-train"]
    for path, value in (set or {}).items():
        words += ["--set", f"{path}={json.dumps(value)}"]
    for option, value in (("--out", out), ("--to", to)):
        words += [option, str(value)] if value is not None else []
    said, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaints):
        code = command.main(words)
    if code not in (EXIT_OK, EXIT_GATE):
        problem = complaints.getvalue().strip().removeprefix("error: ") or f"exit code {code}"
        raise (UsageError if code == UsageError.exit_code else InfrastructureError)(problem)
    return open_run(json.loads(said.getvalue().splitlines()[-1])["out"])
