"""The report's account of rights and of benchmark items: which terms documents stand under, and what matched what."""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from pipeline.report.stats import ItemRow, RightsRow

MOST_ITEMS = 50
"""Benchmark items listed, those of most documents first."""


def rights_rows(parts: Iterable[tuple[pa.Table, pa.Table]]) -> list[RightsRow]:
    """Documents by licence, mining signal and robots snapshot, most first, over (documents, verdicts) of every shard."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for documents, verdicts in parts:
        licences, tdm = documents["licence"].to_pylist(), documents["tdm"].to_pylist()
        robots = [_robots(value) for value in documents["robots"].to_pylist()]
        for key, verdict in zip(zip(licences, tdm, robots, strict=True), verdicts["verdict"].to_pylist(), strict=True):
            counts.setdefault(key, Counter())[verdict] += 1
    rows = [
        RightsRow(licence=licence or "unknown", tdm=tdm or "unknown", robots=robots, documents=found.total(), **found)
        for (licence, tdm, robots), found in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row.documents, row.licence, row.tdm, row.robots))


def _robots(value: str | None) -> str:
    return "no snapshot" if value is None else value.partition(" ")[2] or "allows"


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
