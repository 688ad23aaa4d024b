"""Tombstones: hashes of what was forgotten, so that no later run takes it in again. They hold no text and no address."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa

from pipeline.core import sealed
from pipeline.core.batch import DOCUMENTS
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError, UsageError

FILE = "tombstones.json"
REASON = "rights.forgotten"
DETAIL = "forgotten on request"
_KEPT = ("id", "source", "role", "licence", "parent")
"""Columns a forgotten document's row keeps: enough to account for it."""


def mark(kind: str, value: str) -> str:
    """The hash of one thing to forget: `kind` is id, url or text.

    >>> len(mark("url", "https://example.com/a"))
    64
    """
    return hashlib.sha256(f"{kind}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


def load(store: Store, others: Iterable[str] = ()) -> list[str]:
    """The run's own tombstones and those of other files, sorted.

    Raises UsageError for a file that holds none, InfrastructureError when the run's own are damaged: without them what was
    forgotten would come back.
    """
    own = sealed.read(store, FILE)
    if own is None and store.exists(FILE):
        raise InfrastructureError(
            f"{store.locate(FILE)} is damaged: it says what this run must not take in again. Put a whole copy back, or delete "
            "it and forget the same documents again"
        )
    found = set(own["sha256"]) if own else set()
    for path in others:
        try:
            with fsspec.open(path, "rt") as file:
                found |= set(json.load(file)["sha256"])  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise UsageError(f"tombstones {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"tombstones {path}: not a file that `forget` wrote ({error})") from error
    return sorted(found)


def save(store: Store, hashes: Iterable[str]) -> None:
    """Put the run's own tombstones in place, all or nothing."""
    sealed.write(store, FILE, {"version": 1, "sha256": sorted(set(hashes))})


def digest(hashes: list[str]) -> str | None:
    """One hash over all tombstones, for fingerprints; None without any."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest() if hashes else None


def buried(documents: pa.RecordBatch | pa.Table, hashes: set[str]) -> np.ndarray:
    """bool[n]: documents whose id, address or extracted text has a tombstone, or that are forgotten already."""
    found = np.array([reason == REASON for reason in documents["reason"].to_pylist()], np.bool_)
    for kind in ("id", "url", "text") if hashes else ():
        values = documents[kind].to_pylist()
        found |= np.array([bool(value) and mark(kind, value) in hashes for value in values], np.bool_)
    return found


def bury(documents: pa.RecordBatch, hashes: set[str]) -> pa.RecordBatch:
    """The same rows; of forgotten documents only the id and what accounts for it are left, and the reason."""
    gone = buried(documents, hashes)
    if not gone.any():
        return documents
    rows: list[dict[str, Any]] = documents.to_pylist()
    for row, forgotten in zip(rows, gone.tolist(), strict=True):
        if forgotten:
            row.update(blank(row))
    return pa.RecordBatch.from_pylist(rows, schema=DOCUMENTS)


def blank(row: dict[str, Any]) -> dict[str, Any]:
    """The row of a forgotten document."""
    empty: dict[str, Any] = {field.name: 0 if pa.types.is_integer(field.type) else None for field in DOCUMENTS}
    kept = {name: row[name] for name in _KEPT}
    lists = {field.name: [] for field in DOCUMENTS if pa.types.is_list(field.type)}
    return empty | kept | lists | {"tdm": "unknown", "text": "", "reason": REASON, "detail": DETAIL}
