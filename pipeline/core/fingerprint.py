"""Fingerprints: the key of a unit of work, and the one phrase that says why it changed."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.kernels.unicode import UNICODE_VERSION


def canonical(value: Any) -> bytes:
    """One byte string per JSON value: sorted keys, no spaces, shortest floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint(parts: Mapping[str, Any]) -> str:
    """32 hex digits (128 bits of sha256) over the canonical JSON of the parts."""
    return hashlib.sha256(canonical(parts)).hexdigest()[:32]


@cache
def _installed(name: str) -> str:
    if name == "unicode":
        return UNICODE_VERSION
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def library_versions(names: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Installed versions of the distributions that decide content ("unicode": Python's Unicode tables)."""
    return {name: _installed(name) for name in sorted(names)}


def _first_difference(old: Any, new: Any, path: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    return f"{path} {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = "unset" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "…"


def why_changed(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """One phrase: the first thing that differs between two fingerprints' parts.

    >>> why_changed({"settings": {"ngram": 5}}, {"settings": {"ngram": 7}})
    'setting ngram 5 → 7'
    """
    if old is None:
        return "not run before"
    if old.get("version") != new.get("version"):
        return f"code version {old.get('version')} → {new.get('version')}"
    if old.get("settings") != new.get("settings"):
        return "setting " + _first_difference(old.get("settings"), new.get("settings"), "")
    if old.get("libraries") != new.get("libraries"):
        return "library " + _first_difference(old.get("libraries"), new.get("libraries"), "")
    if old.get("inputs") != new.get("inputs"):
        return "its input changed"
    return "did not change"
