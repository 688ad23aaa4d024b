"""Two runs side by side: settings that differ, and documents whose verdict, reasons or text do, by rule and source with
tokens."""

from collections.abc import Iterator
from typing import Any

import duckdb

from pipeline.ask.tables import Tables
from pipeline.core import sealed
from pipeline.core.run_folder import RECIPE, RunFolder

SHOWN = 20
STATE = """id, verdict, coalesce(reasons, []) AS reasons, source, coalesce(num_pretokens, 0) AS pretokens,
  row_number() OVER (PARTITION BY id ORDER BY verdict, reasons) AS copy"""
"""Equal rows of a source without ids have one id: the first of them in one run is compared with the first in the other."""
CHANGES = """
CREATE TABLE changes AS SELECT coalesce(a.id, b.id) AS id, coalesce(b.source, a.source) AS source,
  CASE WHEN b.id IS NULL THEN a.pretokens ELSE b.pretokens END AS pretokens,
  CASE WHEN a.id IS NULL THEN 'only in the second' WHEN b.id IS NULL THEN 'only in the first'
    WHEN a.verdict <> b.verdict THEN a.verdict || ' → ' || b.verdict
    WHEN a.reasons <> b.reasons THEN 'other reasons' WHEN a.text_hash IS DISTINCT FROM b.text_hash THEN 'other text'
    ELSE 'same' END AS kind,
  list_concat(
    list_transform(list_filter(coalesce(b.reasons, []), lambda r: NOT list_contains(coalesce(a.reasons, []), r)), lambda r:
    '+' || r),
    list_transform(list_filter(coalesce(a.reasons, []), lambda r: NOT list_contains(coalesce(b.reasons, []), r)), lambda r:
    '-' || r)
  ) AS rules
FROM first a FULL JOIN second b ON a.id = b.id AND a.copy = b.copy
"""
"""A row a document. What is told of it (source, size) is the second run's, where that has it."""


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


def compare(one: Tables, other: Tables) -> dict[str, Any]:
    """Counts by kind of change, alone, by rule and by source, the first documents of each, and the settings that differ.

    It holds a line for every document of both runs: about 150 bytes each.
    """
    database = duckdb.connect()
    for name, tables in (("first", one), ("second", other)):
        texts = ", text_hash" if "text_hash" in tables.columns else ", NULL AS text_hash"
        with tables.explained():
            database.register(name, tables.query(f"SELECT {STATE}{texts} FROM documents").to_arrow_table())
    database.execute(CHANGES)

    def counted(column: str, table: str = "changes") -> dict[str, dict[str, dict[str, int]]]:
        """By kind, documents and pre-tokens of every value of a column, the most frequent first."""
        query = f"SELECT kind, {column}, count(*), sum(pretokens)::BIGINT FROM {table} GROUP BY ALL ORDER BY 3 DESC, 2"
        found: dict[str, dict[str, dict[str, int]]] = {}
        for kind, value, documents, pretokens in database.sql(query).fetchall():
            each = found.setdefault(kind, {"documents": {}, "pretokens": {}})
            each["documents"][value], each["pretokens"][value] = documents, pretokens
        return found

    kinds, sources = counted("'all'"), counted("source")
    rules = counted("rule", "(SELECT kind, pretokens, unnest(rules) AS rule FROM changes)")
    changes: dict[str, dict[str, dict[str, int]]] = {}
    for kind in kinds.keys() - {"same"}:
        for name, values in (("rules", rules.get(kind)), ("sources", sources.get(kind))):
            each = values or {"documents": {}, "pretokens": {}}
            changes.setdefault(kind, {}).update({name: each["documents"], f"{name}_pretokens": each["pretokens"]})
    first = f"SELECT kind, list(id ORDER BY id)[:{SHOWN}] FROM changes WHERE kind <> 'same' GROUP BY kind"
    return {
        "documents": {kind: each["documents"]["all"] for kind, each in kinds.items()},
        "pretokens": {kind: each["pretokens"]["all"] for kind, each in kinds.items()},
        "changes": changes,
        "settings": settings(one.opened, other.opened),
        "examples": dict(database.sql(first).fetchall()),
    }
