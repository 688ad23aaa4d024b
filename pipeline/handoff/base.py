"""What the hand-off's models share: strict pydantic, and validation errors as sentences."""

import difflib

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT_VERSION = 1


class HandoffModel(BaseModel):
    """Base of the hand-off's models: unknown keys are errors, values are validated and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """Every problem of a validation error in one line each, joined; an unknown key with what was probably meant."""
    parts = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _keys(model), 1)
            message = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
        parts.append(f"{where}: {message}" if where else message)
    return "; ".join(parts)


def _keys(model: type[BaseModel]) -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation)
    return keys
