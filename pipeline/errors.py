"""The exception tree and the exit codes.

PipelineError
├── UsageError            2  the recipe or the command line is wrong; nothing was run
├── InfrastructureError   3  storage, network or a worker failed; running again resumes
├── KilledWorkerError     3  documents killed their worker; the run quarantines them and goes on
├── ConservationError     3  a step lost or invented documents; it did not commit (a defect: please report it)
└── GateError             1  the run finished and a gate is red
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

Value = TypeVar("Value")
EXIT_OK = 0
EXIT_GATE = 1
EXIT_USAGE = 2
EXIT_INFRASTRUCTURE = 3
EXIT_INTERRUPTED = 130


STORAGE_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "google", "gcsfs", "azure", "adlfs")
"""Whose errors are those of storage, though not all are OSErrors: no credentials, an endpoint that is down."""


def is_of_storage(error: BaseException) -> bool:
    """Whether an error is the operating system's, or one that an object store's library raises of its own."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in STORAGE_LIBRARIES


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """ "; did you mean x?" when something known is close, else nothing."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def near(name: str, known: Iterable[Any]) -> str:
    """ "; did you mean x?" when something known is close, else what there is."""
    names = sorted(map(str, known))
    if close := did_you_mean(name, names):
        return close
    return f" (known: {', '.join(names[:12])}{', …' if len(names) > 12 else ''})" if names else ""


class PipelineError(Exception):
    """Base of every error this project raises on purpose. The message is one a user can act on."""

    exit_code = EXIT_INFRASTRUCTURE


class UsageError(PipelineError):
    """The recipe or the command line is wrong."""

    exit_code = EXIT_USAGE


class InfrastructureError(PipelineError):
    """Storage, network or a worker failed; running again resumes."""


def missing_library(url: str, error: ImportError) -> UsageError:
    """What to say of a URL whose storage needs a library that is not installed."""
    scheme = url.partition("://")[0]
    extra = "'domain-corpus[s3]'" if scheme in ("s3", "s3a") else "the library that this names"
    return UsageError(f"{url}: {scheme}:// cannot be opened ({error}); pip install {extra}")


class KilledWorkerError(PipelineError):
    """Documents killed the process that worked on them; `killers` says which (`pipeline.core.sandbox.Killer`)."""

    def __init__(self, killers: Sequence[Any]) -> None:
        super().__init__(f"{len(killers)} documents killed their worker")
        self.killers = list(killers)


class ConservationError(PipelineError):
    """A step lost or invented documents or bytes."""


class GateError(PipelineError):
    """The run finished, and a gate of the recipe is red."""

    exit_code = EXIT_GATE


def named(what: str, table: Mapping[str, Value], name: str) -> Value:
    """`table[name]`. Raises a UsageError that names the nearest key, and all of them.

    >>> named("preset", {"tiny": 1, "small": 2}, "small")
    2
    """
    if name not in table:
        raise UsageError(f"no {what} named {name!r}{did_you_mean(name, list(table)) or ';'} known: {', '.join(table)}")
    return table[name]
