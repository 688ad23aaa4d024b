"""What people decided about single documents: `overrides:`, reviews as the explorer writes them, and `exclude_ids:`, ids alone.

A document kept by hand is removed by no rule and by no `select:`, and stays before its copies; only a copy in an earlier run,
a text that cuts made equal to another's, or nothing left of it still removes it. One left out by its id is removed whatever
else is said. Both are in the run folder as tables, under names that hold their content.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import UsageError, near

ACTIONS = ("keep", "drop", "wrong")
OPPOSITE = {"kept": "drop", "removed": "keep"}
"""What "wrong" says of a verdict."""
RULES = {"overrides": "overrides.drop", "exclude_ids": "exclude_ids.listed"}
ID = re.compile(r"[0-9a-f]{32}")
TABLE = pa.schema([(name, pa.string()) for name in ("id", "action", "who", "when", "why")])
"""One row an id: `keep` or `drop`."""


def reviews_of(data: bytes, name: str) -> list[dict[str, Any]]:
    """The lines of a review file. Raises UsageError for the first one that says nothing of a document."""
    found = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        try:
            one = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            raise UsageError(f"{name}, line {number}: no JSON") from None
        if one is None:
            continue
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise UsageError(f"{name}, line {number}: expected an object with an id")
        if (review := one.get("review")) not in ACTIONS:
            raise UsageError(f"{name}, line {number}: review {review!r}{near(str(review), ACTIONS)}")
        if review == "wrong" and one.get("verdict") not in OPPOSITE:
            raise UsageError(f"{name}, line {number}: wrong needs the verdict that is wrong, kept or removed")
        found.append(one)
    return found


def read_lists(paths: Mapping[str, str | None]) -> dict[str, pa.Table]:
    """TABLE of each list that is named; of several lines about a document the last counts. Raises UsageError."""
    tables = {}
    for name, path in paths.items():
        if path is None:
            continue
        try:
            with fsspec.open(path, "rb") as file:
                data: bytes = file.read()  # type: ignore[attr-defined]
            lines = data.decode("utf-8-sig").splitlines() if name == "exclude_ids" else []
        except (OSError, ValueError) as error:
            raise UsageError(f"{name}: {path}: {getattr(error, 'strerror', None) or error}") from error
        if name == "exclude_ids":
            words = [line.partition("#")[0].strip().lower() for line in lines]
            if wrong := [number for number, word in enumerate(words, 1) if word and not ID.fullmatch(word)]:
                raise UsageError(f"{name}: {path}, line {wrong[0]}: expected an id, 32 hex digits, and nothing else")
            rows = {word: {"id": word, "action": "drop"} for word in words if word}
        else:
            rows = {
                one["id"]: {key: str(one.get(key) or "").encode("utf-8", "replace").decode() for key in TABLE.names}
                | {"action": OPPOSITE[one["verdict"]] if one["review"] == "wrong" else one["review"]}
                for one in reviews_of(data, f"{name}: {path}")
            }
        tables[name] = pa.Table.from_pylist([rows[own] for own in sorted(rows)], TABLE)
    return tables


def put_lists(store: Store, paths: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """The lists as files of the run folder, as JSON values."""
    put = {}
    for name, table in read_lists(paths).items():
        digest = hashlib.sha256(json.dumps(table.to_pylist()).encode()).hexdigest()
        put[name] = asdict(store.put_table(f"{WORK}/by_hand/{name}-{digest[:16]}.parquet", [table], TABLE))
    return put


def list_files(settings: Mapping[str, Any]) -> dict[str, FileInfo]:
    """The lists that a decision was made with, from its settings."""
    return {name: FileInfo(**info) for name, info in settings.get("by_hand", {}).items()}


def marked(
    store: Store, files: Mapping[str, Any], ids: pa.ChunkedArray, action: str, name: str = "overrides"
) -> np.ndarray:
    """bool[n]: documents that a list, if there is one among the files, keeps or drops."""
    if name not in files:
        return np.zeros(len(ids), np.bool_)
    table = store.read_table(files[name].path, ["id", "action"])
    return np.asarray(pc.is_in(ids, table["id"].filter(pc.equal(table["action"], action)).combine_chunks()))


def said_of(store: Store, settings: Mapping[str, Any], own: str) -> list[dict[str, str]]:
    """What the lists of a decision say of a document: the list's name, the action, who, when and why."""
    files = list_files(settings)
    return [
        {"list": name, **row}
        for name, info in files.items()
        for row in store.read_table(info.path).filter(pc.field("id") == own).to_pylist()
    ]
