"""The report's account of rights and of benchmark items: which terms documents stand under, and what matched what."""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.stats import ItemRow, RightsRow
from pipeline.report.where import Parts, filled, grouped, verdict_of

MOST_ITEMS = 50
"""Benchmark items listed, those of most documents first."""


def rights_rows(parts: Parts) -> list[RightsRow]:
    """Documents by source, licence, mining signal and robots snapshot, most first."""
    keys = {name: filled(name, "unknown") for name in ("source", "licence", "tdm")}
    found: dict[tuple[str, ...], RightsRow] = {}
    for (*key, verdict, what), number in grouped(parts, {**keys, "robots": _robots, "verdict": verdict_of}).items():
        own = dict(zip(("source", "licence", "tdm", "robots"), key, strict=True))
        row = found.setdefault(tuple(key), RightsRow(**own))
        if what == "documents":
            row.documents += number
            setattr(row, verdict, number)
        elif verdict == "kept":
            row.kept_pretokens = number
    return sorted(found.values(), key=lambda row: (-row.documents, row.source, row.licence, row.tdm, row.robots))


def _robots(documents: pa.Table, _: pa.Table) -> pa.Array:
    """The answer behind the hash of the archived robots.txt."""
    answer = pc.replace_substring_regex(documents["robots"], r"^\S+ ?", "")
    return pc.fill_null(pc.if_else(pc.equal(answer, ""), "allows", answer), "no snapshot")


def item_rows(parts: Iterable[tuple[pa.Table, pa.Table]], aside: Iterable[str] = ()) -> list[ItemRow]:
    """Benchmark items found in documents, over (signals of contamination, verdicts) of every shard; stock phrases last."""
    stock = frozenset(aside)
    counts: dict[str, Counter[str]] = {}
    for signals, verdicts in parts:
        for names, verdict in zip(signals["items"].to_pylist(), verdicts["verdict"].to_pylist(), strict=True):
            for name in set(names or ()):
                counts.setdefault(name, Counter())[verdict] += 1
    rows = [
        ItemRow(item=item, documents=found.total(), is_stock=item in stock, **found) for item, found in counts.items()
    ]
    return sorted(rows, key=lambda row: (row.is_stock, -row.documents, row.item))[:MOST_ITEMS]
