"""What a search with proxy runs leaves in a file, as its reader and its writer agree on it: `mixture.json`, `selection.json`."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

SELECTION_VERSION = 1
"""Format of `selection.json`; that of `mixture.json` stands in `pipeline.size.mixture`."""


class SearchPart(BaseModel):
    """A part of such a file: every number is finite, and what a later version adds is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


Search = TypeVar("Search", bound=SearchPart)


def read_search_file(path: str, kind: type[Search], version: int, module: str) -> Search:
    """A search from the file that `module` writes. ValueError in one sentence when it is missing, damaged or of another
    version."""
    try:
        fields: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"search: {path} does not exist; `python -m {module} HANDOFF` writes it") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"search: {path} is no JSON file: {error}") from None
    found = fields.get("format_version") if isinstance(fields, dict) else None
    if found != version:
        raise ValueError(f"search: {path} has format version {found}; this release reads {version}")
    try:
        return kind.model_validate(fields)
    except ValidationError as errors:
        first = errors.errors()[0]
        raise ValueError(f"search: {path}, {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None
