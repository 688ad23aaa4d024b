"""What the recipe's commands share: their usual arguments, an exit code, and one sentence on standard error for a failure."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence

from pipeline.handoff import EXIT_INTERRUPTED, PipelineError, UsageError


def parser(module: str, description: str, handoff: str = "the hand-off folder of a run") -> argparse.ArgumentParser:
    """The command line of `python -m recipes.pretrain<module>`: a hand-off, settings of its train.yaml, JSON or not."""
    cli = argparse.ArgumentParser(prog=f"python -m recipes.pretrain{module}", description=description)
    cli.add_argument("handoff", metavar="HANDOFF", help=handoff)
    cli.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a setting of train.yaml"
    )
    cli.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    return cli


def need_torch() -> None:
    """Raises UsageError, saying how to install it, where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise UsageError("pre-training needs torch, which is not installed: pip install -c constraints.txt '.[train]'")


def run(
    cli: argparse.ArgumentParser, command: Callable[[argparse.Namespace], int], arguments: Sequence[str] | None
) -> int:
    """The exit code of a command; an expected failure or an interruption ends it without a traceback."""
    options = cli.parse_args(arguments)
    try:
        return command(options)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def leave(code: int) -> None:
    """End the process at once: gloo's threads can abort the interpreter's own exit after all work is done and on disk."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
