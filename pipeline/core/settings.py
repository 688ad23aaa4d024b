"""Settings models: the pydantic base, and the mark that says which fields only the decision reads."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, field_validator

from pipeline.errors import did_you_mean


class Settings(BaseModel):
    """Base of every recipe model: unknown keys are errors, values are validated and frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )  # a threshold that is no number would switch its rule off in silence


class DecidedBy:
    """Marks a field that enters the decision's fingerprint alone; judges never see its value."""


Threshold = Annotated[float | None, DecidedBy()]
"""Compared with the signal of the same name: `max_x` removes above it, `min_x` below it; null switches it off."""


class Bound(NamedTuple):
    """One threshold that is set: the field's name, the signal it is compared with, which side, and the value."""

    name: str
    signal: str
    side: Literal["min", "max"]
    value: float


def side_of(name: str) -> tuple[Literal["min", "max"], str] | None:
    """Side and signal that a threshold's name stands for; None for a name of another form.

    >>> side_of("max_dup_line_frac"), side_of("exempt")
    (('max', 'dup_line_frac'), None)
    """
    side, _, signal = name.partition("_")
    return (side, signal) if side in ("min", "max") and signal else None


class JudgeSettings(Settings):
    """Base of a judge's settings. Fields marked `DecidedBy` (all `Threshold`s) are the decision's, not the judge's.

    >>> class Repetition(JudgeSettings):
    ...     ngram: int = 5
    ...     max_dup_line_frac: Threshold = None
    >>> Repetition(max_dup_line_frac=0.3).measured()
    {'ngram': 5}
    >>> [(bound.signal, bound.side, bound.value) for bound in Repetition(max_dup_line_frac=0.3).bounds()]
    [('dup_line_frac', 'max', 0.3)]
    """

    exempt: Annotated[list[str], DecidedBy()] = []
    """Names of sources whose documents this judge measures but never removes."""
    by_role: Annotated[dict[Literal["domain", "general"], dict[str, float | None]], DecidedBy()] = {}
    """Thresholds for the documents of a role, in place of those above: `{general: {min_num_words: 100}}`."""
    by_source: Annotated[dict[str, dict[str, float | None]], DecidedBy()] = {}
    """Thresholds for the documents of a source, in place of those above and of its role's: `{news: {min_num_words: 25}}`."""

    @field_validator("by_role", "by_source")
    @classmethod
    def _are_thresholds(cls, groups: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
        known = sorted(name for name in cls.decided_fields() if side_of(name))
        for group, bounds in groups.items():
            for name in bounds:
                if name not in known:
                    raise ValueError(f"{group}: no threshold named {name!r}{did_you_mean(name, known)}")
        return groups

    def at(self, source: str | None, role: str | None) -> Self:
        """The settings for the documents of a source and a role (None: of none that has bounds of its own)."""
        own = {**self.by_role.get(role, {}), **self.by_source.get(source, {})}  # type: ignore[call-overload]
        return self.model_copy(update=own) if own else self

    @classmethod
    def decided_fields(cls) -> set[str]:
        """Names of the fields that only the decision reads."""
        return {
            name for name, field in cls.model_fields.items() if any(isinstance(m, DecidedBy) for m in field.metadata)
        }

    def measured(self) -> dict[str, Any]:
        """The effective settings that what the judge computes depends on (JSON values)."""
        return self.model_dump(mode="json", exclude=self.decided_fields())

    def decided(self) -> dict[str, Any]:
        """The effective settings that only the decision depends on (JSON values)."""
        return self.model_dump(mode="json", include=self.decided_fields())

    def bounds(self) -> Iterator[Bound]:
        """The thresholds that are set, in the order of the fields."""
        decided = self.decided_fields()
        for name in type(self).model_fields:
            parsed, value = side_of(name), getattr(self, name)
            if parsed and name in decided and value is not None:
                yield Bound(name, parsed[1], parsed[0], value)

    def libraries(self) -> list[str]:
        """Distributions that decide the output only because of these settings."""
        return []

    def check(self) -> None:
        """Look, before anything runs, at the files that the settings name. Raises UsageError when one is not right."""

    def without_thresholds(self) -> Self:
        """A copy whose decision fields are back at their defaults: what a judge is given."""
        return type(self).model_validate(self.measured())
