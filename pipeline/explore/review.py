"""What a person thinks of a document: one JSON line each in the run folder's `review.jsonl`, with who, when and why.

A decision of the recipe is not changed by it. A later line about the same document stands beside the earlier one; the last
counts.
"""

import getpass
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.ask.tables import literal
from pipeline.core.store import Store
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.explore.page import Explorer

FILE = "review.jsonl"
REVIEWS = ("keep", "drop", "wrong")
MOST_CHARACTERS = 2000
_writing = threading.Lock()


def read(store: Store) -> list[dict[str, Any]]:
    """All reviews, oldest first."""
    if not store.exists(FILE):
        return []
    return [json.loads(line) for line in store.read(FILE).decode().splitlines() if line.strip()]


def add(explorer: "Explorer", wanted: str, review: str, why: str) -> str:
    """Write a review of a document of the run; returns its id. Raises UsageError for another document or word."""
    if review not in REVIEWS:
        raise UsageError(f"{review[:40]!r}: expected one of {', '.join(REVIEWS)}")
    query = f"SELECT id, source, path, verdict, reasons FROM documents WHERE id = {literal(wanted)} LIMIT 1"
    rows = explorer.run.tables.rows(query)
    if not rows:
        raise UsageError(f"{wanted[:80]!r}: no document of this run has that id")
    line = rows[0] | {
        "review": review,
        "why": " ".join(why.split())[:MOST_CHARACTERS],
        "who": getpass.getuser(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store = explorer.run.folder.store
    with _writing:
        lines = [*read(store), line]
        store.put(FILE, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines).encode())
    return rows[0]["id"]
