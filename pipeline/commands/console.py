"""What every command line here shares: how it is called, its version, and an exit code and a sentence for every error."""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.errors import EXIT_INTERRUPTED, EXIT_OK, InfrastructureError, PipelineError

COMMAND = "domain-corpus"
OURS = ("pipeline", "tokenizer", "recipes")


def program(module: str) -> str:
    """How the user called it: `domain-corpus`, or `python -m` and the module."""
    return COMMAND if Path(sys.argv[0]).name == COMMAND else f"python -m {module}"


def add_version(parser: argparse.ArgumentParser) -> None:
    """The option `--version`."""
    parser.add_argument("--version", action="version", version=f"{COMMAND} {__version__}", help="print it and exit")


def missing(error: ImportError) -> str | None:
    """One sentence for a library that is not installed; None when the module that is missing is one of ours."""
    name = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not name or name in OURS:
        return None
    return (
        f"the library {name} is not installed for {sys.executable}: `pip install {COMMAND}`, "
        "or in a checkout `pip install -c constraints.txt .`"
    )


def answer(arguments: argparse.Namespace, found: Mapping[str, Any], lines: Iterable[str], code: int = EXIT_OK) -> int:
    """Print what a command found, as one line of JSON with --json and else as these lines; returns the exit code."""
    if arguments.json:
        print(json.dumps({"exit": code, **found}, ensure_ascii=False, default=str))
    else:
        for line in lines:
            print(line)
    return code


def report_error(error: PipelineError, as_json: bool) -> int:
    """Say what is wrong, on stderr and, with --json, as the last line. Returns the exit code."""
    print(f"error: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
    if as_json:
        print(json.dumps({"exit": error.exit_code, "error": str(error)}, ensure_ascii=False))
    return error.exit_code


def guarded(call: Callable[[], int], words: Sequence[str], defect: str, interrupted: str = "interrupted") -> int:
    """The exit code of `call`, or of the error it ended with.

    `words` is the command line, looked at for --json; `defect` is added to what is said of an error that is nobody's
    mistake but ours.
    """
    as_json = "--json" in words
    try:
        return call()
    except PipelineError as error:
        return report_error(error, as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours, said in full
        if isinstance(error, ImportError) and (sentence := missing(error)):
            return report_error(InfrastructureError(sentence), as_json)
        traceback.print_exc()
        return report_error(InfrastructureError(f"{type(error).__name__}: {error}. {defect}"), as_json)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return EXIT_INTERRUPTED
