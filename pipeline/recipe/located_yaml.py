"""YAML with a position for every value: duplicate keys, alias bombs and oversized files are refused."""

from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.core.override import Path, unquoted_variable
from pipeline.errors import UsageError

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000
MAX_DEPTH = 40


@dataclass(frozen=True)
class Located:
    """A document as plain data, and (line, column), from 1, for the path of every key and item."""

    value: Any
    positions: dict[Path, tuple[int, int]]

    def position(self, path: Path) -> tuple[int, int]:
        """The position of a path, or of its nearest parent that the file has."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))


class _Reader(yaml.SafeLoader):
    """Reads one document node by node, so that nothing is built before it is checked."""


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.positions: dict[Path, tuple[int, int]] = {}
        self.count = 0
        self.problems: list[str] = []

    def _problem(self, node: yaml.Node, text: str) -> None:
        self.problems.append(f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1} {text}")

    def build(self, reader: _Reader, node: yaml.Node, path: Path) -> Any:
        """Plain data of a node. An alias is expanded, and counted, every time it is used."""
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise UsageError(
                f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1} more than "
                f"{MAX_VALUES:,} values or {MAX_DEPTH} levels after expanding aliases: refused"
            )
        self.positions.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(reader, node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(reader, item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            value = reader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._problem(node, f"{node.value!r} with the tag {node.tag.rpartition(':')[2]} is no plain value")
            return None
        return value if isinstance(value, str | int | float | bool | None) else str(node.value)

    def _mapping(self, reader: _Reader, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._problem(key_node, "a key must be a plain word")
                continue
            if key in found:
                first = self.positions[(*path, key)]
                self._problem(key_node, f"{key} is given twice (first on line {first[0]})")
                continue
            self.positions[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            found[key] = self.build(reader, value_node, (*path, key))
        return found


def read_yaml(name: str, data: bytes) -> Located:
    """Parse one YAML document. Raises UsageError with `name:line:column` for everything that is wrong with its form."""
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name}: {len(data):,} bytes; a recipe has at most {MAX_BYTES:,}")
    try:
        reader = _Reader(data.decode("utf-8"))
        node = reader.get_single_node()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        hint = unquoted_variable(data.decode(), error)
        raise UsageError(f"{place} not valid YAML: {error.problem or error.context}{hint}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{name}: not valid YAML: {type(error).__name__}") from error
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{name}:1:1 a recipe is a mapping of settings; this file is not")
    builder = _Builder(name)
    value = builder.build(reader, node, ())
    if builder.problems:
        raise UsageError("\n".join(builder.problems))
    return Located(value, builder.positions)
