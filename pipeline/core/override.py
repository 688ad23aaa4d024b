"""`--set path=value`: one setting of a recipe or of train.yaml for one run, put in before the settings are checked."""

import re
from typing import Any

import yaml

from pipeline.errors import UsageError, did_you_mean

Path = tuple[str | int, ...]


def path_text(path: Path) -> str:
    """`curate[3].repetition.max_dup_line_frac`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def override(value: dict[str, Any], assignment: str) -> None:
    """Apply one `path=value` in place. The value is read as YAML, so numbers are numbers and lists are lists.

    An entry of a list is named by its position, or a judge or a source by its name:
    `curate.repetition.max_dup_line_frac=0.2`. Raises UsageError when the path leads nowhere.
    """
    path, separator, text = assignment.partition("=")
    parts = _segments(path.strip())
    if not separator or not parts:
        raise UsageError(f"--set {assignment}: expected path=value, as in --set seed=1")
    try:
        new = yaml.safe_load(text) if text.strip() else None
    except yaml.YAMLError as error:
        hint = unquoted_variable(text, error)
        raise UsageError(f"--set {assignment}: the value is not valid YAML{hint}") from error
    current: Any = value
    for number, part in enumerate(parts):
        holder, key = _place(current, part, f"--set {assignment}:", path_text(parts[:number]))
        if number == len(parts) - 1:
            holder[key] = new
        elif isinstance(holder, dict) and not isinstance(holder.get(key), dict | list):
            holder[key] = {}
        current = holder[key]


def _segments(path: str) -> Path:
    """`a.b[2].c` as its keys and positions."""
    return tuple(int(index) if index else word for word, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path))


def _place(current: Any, part: str | int, said: str, where: str) -> tuple[Any, Any]:
    """The dict or list that holds what `part` of `current` means, and its key there.

    Raises UsageError, which begins with `said` and calls `current` by its path `where`.
    """
    if isinstance(current, dict):
        return current, str(part)
    if not isinstance(current, list):
        raise UsageError(f"{said} {where} holds a plain value")
    if isinstance(part, int):
        if part >= len(current):
            raise UsageError(f"{said} {where} has {len(current)} entries")
        return current, part
    for index, entry in enumerate(current):
        if entry == part:  # a judge without settings
            current[index] = {part: {}}
            return current[index], part
        if isinstance(entry, dict) and entry.get("name") == part:
            return current, index
        if isinstance(entry, dict) and part in entry:
            return entry, part
    names = [name for entry in current for name in _names(entry)]
    nearest = did_you_mean(part, names) or (f" (there are {', '.join(names)})" if names else "")
    raise UsageError(f"{said} no entry named {part!r} in {where}{nearest}")


def _names(entry: Any) -> list[str]:
    """What `_place` finds an entry by: a source's name, a judge's name."""
    if isinstance(entry, dict):
        return [str(entry["name"])] if "name" in entry else list(map(str, entry))
    return [entry] if isinstance(entry, str) else []


def unquoted_variable(text: str, error: yaml.YAMLError) -> str:
    """What to do when the error is an unquoted `${NAME}` inside {…} or […], where YAML takes its brace for its own."""
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return ""
    line, column = lines[mark.line], mark.column
    found = re.match(r"\$\{\w+\}", line[max(0, column - 1) :])
    return f'; inside {{…}} and […] put quotes around the value with {found[0]}, as in "{found[0]}"' if found else ""
