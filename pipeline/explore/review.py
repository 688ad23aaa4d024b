"""What a person thinks of a document: one JSON line each in the run folder's `review.jsonl`, with who, when and why.

No verdict changes by it until a recipe reads it, as `overrides:`. A later line about the same document stands beside the earlier
one; the last counts.
"""

import getpass
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.ask.tables import literal
from pipeline.core.store import Store
from pipeline.decide.by_hand import ACTIONS, reviews_of
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.explore.page import Explorer

FILE = "review.jsonl"
MOST_CHARACTERS = 2000
_writing = threading.Lock()


def read(store: Store) -> list[dict[str, Any]]:
    """All reviews, oldest first."""
    if not store.exists(FILE):
        return []
    return reviews_of(store.read(FILE), FILE)


def add(explorer: "Explorer", wanted: str, review: str, why: str) -> str:
    """Write a review of a document of the run; returns its id. Raises UsageError for another document or word."""
    if review not in ACTIONS:
        raise UsageError(f"{review[:40]!r}: expected one of {', '.join(ACTIONS)}")
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
