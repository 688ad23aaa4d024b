"""JSON records that carry their own checksum: one that is empty, torn or edited counts as absent.

The checksum stands in the record, under `checksum`, so that a record needs no second file. It finds damage and careless
edits; it is no signature.
"""

import hashlib
import json
from typing import Any

from pipeline.core.store import FileInfo, Store

CHECKSUM = "checksum"


def _json(value: dict[str, Any]) -> bytes:
    """One byte string per value. Unlike a fingerprint's, what a step counted may be no number."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def checksum(value: dict[str, Any]) -> str:
    """sha256, 64 hex digits, over the JSON of a record that has no checksum yet."""
    return hashlib.sha256(_json(value)).hexdigest()


def write(store: Store, path: str, value: dict[str, Any]) -> FileInfo:
    """Write a record with its checksum, on one line: a step of 10^5 units is written in seconds, indented in minutes."""
    return store.put(path, _json({**value, CHECKSUM: checksum(value)}) + b"\n")


def read(store: Store, path: str) -> dict[str, Any] | None:
    """The record without its checksum; None when there is none, or none that is whole."""
    data = store.read_if_there(path) or b""
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or not _holds(data, value.pop(CHECKSUM), value):
            return None
    except (ValueError, KeyError):
        return None
    return value


def _holds(data: bytes, given: Any, value: dict[str, Any]) -> bool:
    """Whether a record has the checksum that it gives: of its bytes as they were written, or else of what they say.

    A step of 10^6 units is half a gigabyte, which is not written again to be compared.
    """
    bare = data.rstrip(b"\n").replace(f'"{CHECKSUM}":"{given}",'.encode(), b"", 1)
    return hashlib.sha256(bare).hexdigest() == given or checksum(value) == given
