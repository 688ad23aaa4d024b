"""train.yaml as text: written with each setting's meaning beside it, read with overrides."""

import json
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.core.override import override
from pipeline.errors import UsageError
from pipeline.handoff.base import sentences
from pipeline.handoff.train_config import TrainConfig


def dump_train_config(config: TrainConfig) -> str:
    """The text of train.yaml: every setting with its value, its meaning beside it.

    >>> print(dump_train_config(TrainConfig()).splitlines()[2])
    out: train                                          # Metrics, checkpoints, export: a folder in the run, a path or a URL (s3://…).
    """
    lines = ["# What the pre-training recipe does, every default spelled out. Paths are relative to the run folder."]
    _dump_model(config, 0, lines)
    return "\n".join(lines) + "\n"


def _dump_model(model: BaseModel, depth: int, lines: list[str]) -> None:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            lines.append(f"{'  ' * depth}{name}:")
            _dump_model(value, depth + 1, lines)
            continue
        scalar = json.dumps(value) if isinstance(value, str) and not value.isidentifier() else _scalar(value)
        entry = f"{'  ' * depth}{name}: {scalar}"
        lines.append(f"{entry:<51} # {' '.join(field.description.split())}" if field.description else entry)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        value = [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value]
    if isinstance(value, float):  # YAML 1.1 reads 1e-08 as text; 1.0e-08 is a number
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).splitlines()[0]


def parse_train_config(text: str, name: str = "train.yaml", overrides: Sequence[str] = ()) -> TrainConfig:
    """A configuration from its YAML text, with `path=value` overrides applied, e.g. `optimizer.learning_rate=1e-3`.

    Raises UsageError that names every wrong key with what was probably meant.
    """
    try:
        fields = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise UsageError(f"{name}: expected a mapping of settings")
    for assignment in overrides:
        override(fields, assignment)
    try:
        return TrainConfig.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"{name}: {sentences(error, TrainConfig)}") from None
