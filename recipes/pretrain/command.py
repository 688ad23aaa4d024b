"""What the recipe's commands share: an expected failure is one sentence on standard error and an exit code."""

import importlib.util
import os
import sys
from collections.abc import Callable

from pipeline.handoff import EXIT_INTERRUPTED, PipelineError, UsageError


def need_torch() -> None:
    """Raises UsageError, saying how to install it, where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise UsageError("pre-training needs torch, which is not installed: pip install -c constraints.txt '.[train]'")


def run(command: Callable[[], int]) -> int:
    """The exit code of a command; an expected failure or an interruption ends it without a traceback."""
    try:
        return command()
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
