"""`diff RUN OTHER`: documents whose verdict, reasons or text differ between two runs."""

import argparse
import json
from collections import Counter
from typing import Any

from pipeline.core.run_folder import RunFolder, open_run

SHOWN = 20


def state(opened: RunFolder) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """id → (verdict, reasons, hash of the text as published)."""
    found = {}
    for shard in opened.shards:
        verdicts, texts = opened.verdicts(shard), opened.texts(shard)
        hashes = (
            [value.hex() for value in texts["text_hash"].to_pylist()] if texts is not None else [""] * verdicts.num_rows
        )
        for row, text in zip(verdicts.select(["id", "verdict", "reasons"]).to_pylist(), hashes, strict=True):
            found[row["id"]] = (row["verdict"], tuple(row["reasons"]), text)
    return found


def compare(one: RunFolder, other: RunFolder) -> dict[str, Any]:
    """Counts by kind of change, and the first documents of each."""
    left, right = state(one), state(other)
    kinds: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for own in sorted(left.keys() | right.keys()):
        before, after = left.get(own), right.get(own)
        if before == after:
            kinds["same"] += 1
            continue
        if before is None or after is None:
            kind = "only in the second" if before is None else "only in the first"
        elif before[0] != after[0]:
            kind = f"{before[0]} → {after[0]}"
        else:
            kind = "other reasons" if before[1] != after[1] else "other text"
        kinds[kind] += 1
        examples.setdefault(kind, [])
        if len(examples[kind]) < SHOWN:
            examples[kind].append(own)
    return {"documents": dict(kinds), "examples": examples}


def run(arguments: argparse.Namespace) -> int:
    """Print the changes."""
    found = compare(open_run(arguments.one), open_run(arguments.other))
    if arguments.json:
        print(json.dumps({"exit": 0, **found}, ensure_ascii=False))
        return 0
    for kind, count in sorted(found["documents"].items()):
        print(f"{count:>12,} documents  {kind}")
        for own in found["examples"].get(kind, [])[:5]:
            print(f"{'':14}{own}")
    return 0
