"""`diff RUN OTHER`: settings that differ, and documents whose verdict, reasons or text do, by rule and source with tokens.

It holds a line for every document of both runs: about 300 bytes each.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.core import sealed
from pipeline.core.run_folder import RECIPE, RunFolder, open_run

SHOWN = 20
FEW = 5


class State(NamedTuple):
    """A document as one run has it. `pretokens` are of the extracted text; `text` is the hash of the published one."""

    verdict: str
    reasons: tuple[str, ...]
    text: str
    source: str
    pretokens: int


def state(opened: RunFolder) -> dict[str, State]:
    """The documents of a run by id."""
    found = {}
    for shard in opened.shards:
        verdicts, texts = opened.verdicts(shard), opened.texts(shard)
        sizes = opened.documents(shard, ["num_pretokens"])["num_pretokens"].to_pylist()
        hashes = (
            [value.hex() for value in texts["text_hash"].to_pylist()] if texts is not None else [""] * verdicts.num_rows
        )
        rows = verdicts.select(["id", "verdict", "reasons", "source"]).to_pylist()
        for row, text, size in zip(rows, hashes, sizes, strict=True):
            found[row["id"]] = State(row["verdict"], tuple(row["reasons"]), text, row["source"], size or 0)
    return found


def kind_of(before: State | None, after: State | None) -> str:
    """What kind of change it is, "same" when there is none."""
    if before is None or after is None:
        return "only in the second" if before is None else "only in the first"
    if before.verdict != after.verdict:
        return f"{before.verdict} → {after.verdict}"
    return "other reasons" if before.reasons != after.reasons else "other text" if before.text != after.text else "same"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of every setting of a recipe; entries of lists go by their name, where they have one."""
    if isinstance(value, list) and value and not all(isinstance(one, str | int | float) for one in value):
        names = [one.get("name") or next(iter(one)) if isinstance(one, dict) else str(one) for one in value]
        bodies = [
            one[name] if isinstance(one, dict) and len(one) == 1 else one
            for one, name in zip(value, names, strict=True)
        ]
        value = {name: {} if isinstance(body, str) else body for name, body in zip(names, bodies, strict=True)}
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def settings(one: RunFolder, other: RunFolder) -> list[dict[str, Any]]:
    """The recipe's settings that differ, as path, before and after; None: not in that recipe."""
    left, right = (dict(leaves(sealed.read(run.store, RECIPE) or {})) for run in (one, other))
    return [
        {"path": path, "before": left.get(path), "after": right.get(path)}
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]


def compare(one: RunFolder, other: RunFolder) -> dict[str, Any]:
    """Counts by kind of change, alone, by rule and by source, the first documents of each, and the settings that differ."""
    left, right = state(one), state(other)
    kinds: Counter[str] = Counter()
    pretokens: Counter[str] = Counter()
    groups: dict[str, dict[str, Counter[str]]] = {}
    examples: dict[str, list[str]] = {}
    for own in sorted(left.keys() | right.keys()):
        before, after = left.get(own), right.get(own)
        kind, there = kind_of(before, after), after or before
        assert there is not None
        kinds[kind] += 1
        pretokens[kind] += there.pretokens
        if kind == "same":
            continue
        old, new = (set(one.reasons) if one else set() for one in (before, after))
        rules = [f"+{rule}" for rule in sorted(new - old)] + [f"-{rule}" for rule in sorted(old - new)]
        for name, entries in (("rules", rules), ("sources", [there.source])):
            counted = groups.setdefault(kind, {}).setdefault(name, Counter())
            counted.update(entries)
            groups[kind].setdefault(f"{name}_pretokens", Counter()).update(dict.fromkeys(entries, there.pretokens))
        if len(examples.setdefault(kind, [])) < SHOWN:
            examples[kind].append(own)
    changes = {kind: {name: dict(found.most_common()) for name, found in each.items()} for kind, each in groups.items()}
    return {
        "documents": dict(kinds),
        "pretokens": dict(pretokens),
        "changes": changes,
        "settings": settings(one, other),
        "examples": examples,
    }


def run(arguments: argparse.Namespace) -> int:
    """Print the changes."""
    found = compare(open_run(arguments.one), open_run(arguments.other))
    if arguments.json:
        print(json.dumps({"exit": 0, **found}, ensure_ascii=False))
        return 0
    for one in found["settings"]:
        print(f"setting {one['path']}: {json.dumps(one['before'])} → {json.dumps(one['after'])}")
    for kind, count in sorted(found["documents"].items()):
        print(f"{count:>12,} documents {found['pretokens'][kind]:>14,} pre-tokens  {kind}")
        for name, mark in (("rules", "by rule"), ("sources", "by source")):
            for entry, number in list(found["changes"].get(kind, {}).get(name, {}).items())[:FEW]:
                size = found["changes"][kind][f"{name}_pretokens"][entry]
                print(f"{number:>24,} {size:>24,}  {mark} {entry}")
        for own in found["examples"].get(kind, [])[:FEW]:
            print(f"{'':14}{own}")
    return 0
