"""Filters of datatrove as a judge: slow, one document at a time, for those who want exactly theirs."""

import importlib
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from datatrove.pipeline.filters.base_filter import BaseFilter

FILTERS = {
    "GopherQualityFilter": "gopher_quality_filter",
    "GopherRepetitionFilter": "gopher_repetition_filter",
    "FineWebQualityFilter": "fineweb_quality_filter",
    "C4QualityFilter": "c4_filters",
    "C4ParagraphFilter": "c4_filters",
    "RegexFilter": "regex_filter",
    "URLFilter": "url_filter",
}
"""Registered filters and their modules. Those that download lists or models or draw lots are left out."""
ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a filter is known to raise on one document; the document is then left unjudged, with the error as its reason."""


class Datatrove(JudgeSettings):
    """One filter by its class name, with its own arguments."""

    filter: str
    """Class name of a registered filter."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the filter."""
    remove: Annotated[bool, DecidedBy()] = True
    """Remove what the filter drops; false only measures."""

    @field_validator("filter")
    @classmethod
    def _registered(cls, name: str) -> str:
        if name not in FILTERS:
            raise ValueError(f"{name} is no registered datatrove filter; there are {', '.join(FILTERS)}")
        return name


def build(settings: Datatrove) -> "BaseFilter":
    """The filter object, or a `UsageError` that says what is missing or wrong."""
    try:
        module = importlib.import_module(f"datatrove.pipeline.filters.{FILTERS[settings.filter]}")
        return getattr(module, settings.filter)(**settings.args)
    except ImportError as error:
        raise UsageError(
            f"datatrove's {settings.filter} needs {error.name or error}: pip install 'domain-corpus[peers]'"
        ) from error
    except TypeError as error:
        raise UsageError(f"datatrove's {settings.filter} does not take these args: {error}") from error


@judge(
    "datatrove",
    version=1,
    settings=Datatrove,
    reads=["id", "url", "text"],
    adds={"passed": pa.bool_(), "reason": pa.string()},
    libraries=["datatrove", "spacy"],
)
def datatrove(batch: pa.RecordBatch, settings: Datatrove) -> Columns:
    """Ask the filter about each document. It may change its own copy of the text; ours stays as it is."""
    block = build(settings)
    from datatrove.data import Document

    passed, reasons = [], []
    for name, url, text in zip(*(batch[column].to_pylist() for column in ("id", "url", "text")), strict=True):
        try:
            answer = block.filter(Document(text=text or "", id=name or "", metadata={"url": url or ""}))
        except ImportError as error:
            raise UsageError(
                f"datatrove's {settings.filter} needs {error.name or error}: pip install 'domain-corpus[peers]'"
            ) from error
        except ERRORS as error:
            passed.append(None)
            reasons.append(f"error_{type(error).__name__}")
            continue
        kept, reason = answer if isinstance(answer, tuple) else (answer, None)
        passed.append(bool(kept))
        reasons.append(None if kept else reason or settings.filter)
    return {"passed": pa.array(passed, pa.bool_()), "reason": pa.array(reasons, pa.string())}


@datatrove.rule
def _dropped(signals: pa.Table, settings: Datatrove) -> dict[str, pa.Array]:
    """One rule per reason that the filter gave."""
    if not settings.remove:
        return {}
    dropped = pc.equal(signals["passed"], False)
    reasons = sorted(set(pc.filter(signals["reason"], pc.fill_null(dropped, False)).to_pylist()))
    return {reason: pc.and_(dropped, pc.equal(signals["reason"], reason)) for reason in reasons}
