"""The arguments of every command, from `commands.toml`: `--help` and a mistyped word need no Arrow and no kernel."""

import argparse
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

TABLE: dict[str, Any] = tomllib.loads(files("pipeline.commands").joinpath("commands.toml").read_text("utf-8"))
COMMANDS: dict[str, str] = {name: command["help"] for name, command in TABLE.items()}
"""What each command does."""


def whole(text: str) -> int:
    """A count: a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def quantity(text: str) -> float:
    """A number with an optional K, M, B, T suffix.

    >>> quantity("1.3B"), quantity("569e9")
    (1300000000.0, 569000000000.0)
    """
    scale = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}.get(text[-1:].lower(), 1.0)
    return float(text.replace("_", "").replace(",", "")[: None if scale == 1.0 else -1]) * scale


TYPES: dict[str, Any] = {"int": int, "float": float, "whole": whole, "quantity": quantity}


def declare(parser: argparse.ArgumentParser, command: str, **names: Sequence[str]) -> None:
    """Give a parser the arguments of a command. `names`: what `{…}` in help, or a word for choices, stands for."""
    groups: dict[str, Any] = {"": parser}
    for row in TABLE[command]["arguments"]:
        spec = dict(row)
        name, group, exclusive = spec.pop("name"), spec.pop("group", ""), spec.pop("one_of", "")
        if spec.pop("unset", False):
            spec["default"] = None
        if "type" in spec:
            spec["type"] = TYPES[spec["type"]]
        if isinstance(spec.get("choices"), str):
            spec["choices"] = names[spec["choices"]]
        for key, listed in names.items():
            if "help" in spec:
                spec["help"] = spec["help"].replace(f"{{{key}}}", ", ".join(listed))
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        if exclusive and exclusive not in groups:
            groups[exclusive] = parser.add_mutually_exclusive_group()
        groups[group or exclusive].add_argument(name, **spec)
