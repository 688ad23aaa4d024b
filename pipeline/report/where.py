"""Where rules take: by source, by host, at the edge of a threshold, and which copies stand behind one survivor.

Every list is bounded, so the page of a million documents is as long as that of a thousand; counts are made by Arrow, a shard at
a time, and texts are read of the few documents shown.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.condition import HOST
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.report.hidden import is_hidden
from pipeline.report.stats import Cluster, Edge, EdgeDocument, Histogram, HostRow, TakenRow

MOST_RULES, MOST_SOURCES, MOST_HOSTS = 40, 12, 30
MOST_EDGES, EACH_SIDE, EDGE_CHARACTERS = 6, 3, 240
MOST_CLUSTERS, MOST_COPIES = 8, 5
Parts = Iterable[tuple[pa.Table, pa.Table]]
"""(documents, verdicts) of every shard, row by row the same documents."""


def grouped(parts: Parts, keys: Mapping[str, Any]) -> Counter[tuple[Any, ...]]:
    """Documents and pre-tokens by the columns that `keys` makes of (documents, verdicts), under
    (*key, "documents" or "pretokens")."""
    found: Counter[tuple[Any, ...]] = Counter()
    for documents, verdicts in parts:
        table = pa.table({name: make(documents, verdicts) for name, make in keys.items()})
        table = table.append_column("pretokens", documents["num_pretokens"])
        for row in table.group_by(list(keys)).aggregate([("pretokens", "sum"), ([], "count_all")]).to_pylist():
            key = tuple(row[name] for name in keys)
            found[*key, "documents"] += row["count_all"]
            found[*key, "pretokens"] += row["pretokens_sum"] or 0
    return found


def _rule(_: pa.Table, verdicts: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(verdicts["stage"], verdicts["rule"], ".")


def host_of(documents: pa.Table, _: pa.Table) -> pa.Array | pa.ChunkedArray:
    """The host of every document's URL, null for none."""
    return pc.utf8_lower(pc.struct_field(pc.extract_regex(documents["url"].combine_chunks(), HOST), "host"))


def verdict_of(_: pa.Table, verdicts: pa.Table) -> pa.ChunkedArray:
    """Every document's verdict."""
    return verdicts["verdict"]


def filled(name: str, unknown: str = "") -> Callable[[pa.Table, pa.Table], pa.ChunkedArray]:
    """A column of the documents, with a word for null."""
    return lambda documents, _: pc.fill_null(documents[name], unknown)


def rules_by_source(parts: Parts) -> list[TakenRow]:
    """What each rule takes of each source as first reason, the rule of most pre-tokens first; sources past the largest few are
    one column, "others"."""
    counts = grouped(parts, {"rule": _rule, "source": filled("source")})
    sizes, of_rule = Counter[str](), Counter[str]()
    for (rule, name, what), count in counts.items():
        if rule is not None and what == "pretokens":
            sizes[name] += count
            of_rule[rule] += count
    shown = {name for name, _ in sizes.most_common(MOST_SOURCES)}
    rows: dict[str, TakenRow] = {}
    for (rule, name, what), count in counts.items():
        if rule is not None:
            row = rows.setdefault(rule, TakenRow(rule=rule))
            cells = row.documents if what == "documents" else row.pretokens
            column = name if name in shown else "others"
            cells[column] = cells.get(column, 0) + count
    return sorted(rows.values(), key=lambda row: (-of_rule[row.rule], row.rule))[:MOST_RULES]


def hosts(parts: Parts) -> list[HostRow]:
    """The hosts of most extracted pre-tokens: in, kept, and the rule that takes most of each."""
    counts = grouped(parts, {"host": host_of, "rule": _rule, "verdict": verdict_of})
    rows: dict[str, HostRow] = {}
    most: dict[str, tuple[int, str]] = {}
    for (host, rule, verdict, what), count in counts.items():
        if not host:
            continue
        row = rows.setdefault(host, HostRow(host=host))
        setattr(row, what, getattr(row, what) + count)
        if verdict == "kept":
            setattr(row, f"kept_{what}", getattr(row, f"kept_{what}") + count)
        elif what == "pretokens":
            most[host] = max(most.get(host, (-1, "")), (count, rule or "unknown"))
    for host, (count, rule) in most.items():
        rows[host].rule, rows[host].rule_pretokens = rule, count
    return sorted(rows.values(), key=lambda row: (-row.pretokens, row.host))[:MOST_HOSTS]


def edges(run: RunFolder, histograms: Sequence[Histogram]) -> list[Edge]:
    """The documents nearest to the thresholds that remove most, on both sides, with how their texts begin."""
    nearest: list[tuple[str, float, list[Near]]] = []
    for one in sorted(histograms, key=lambda one: (-one.removed, one.judge, one.signal))[:MOST_EDGES]:
        for side, bound in (("min", one.lower), ("max", one.upper)):
            if bound is not None and one.removed:
                places = _nearest(run, one.judge, one.signal, side, bound)
                nearest.append((f"{one.judge}.{side}_{one.signal}", bound, places))
    texts = _beginnings(run, [place for _, _, places in nearest for place in places])
    return [
        Edge(
            rule=rule,
            bound=bound,
            documents=[EdgeDocument(value=value, **texts[shard, row]) for _, shard, row, value in places],
        )
        for rule, bound, places in nearest
    ]


Near = tuple[float, str, int, float]
"""A document beside a threshold: its distance, its shard and row, and its value."""


def _nearest(run: RunFolder, judge: str, signal: str, side: str, bound: float) -> list[Near]:
    """The documents nearest to a bound: those below it from afar, then those above it."""
    below: list[Near] = []
    above: list[Near] = []
    for shard in run.shards:
        values = run.signals(judge, shard, [signal])[signal].cast(pa.float64()).to_numpy()
        read = np.asarray(pc.not_equal(run.verdicts(shard, ["verdict"])["verdict"], "quarantined"))
        # A document at the bound stays: it stands on the side that is kept.
        under = values < bound if side == "min" else values <= bound
        for best, mask in ((below, under), (above, np.isfinite(values) & ~under)):
            rows = np.flatnonzero(mask & read)
            order = np.argsort(np.abs(values[rows] - bound), kind="stable")[:EACH_SIDE]
            best += [(abs(values[row] - bound), shard, int(row), float(values[row])) for row in rows[order]]
            best[:] = heapq.nsmallest(EACH_SIDE, best)
    return [*reversed(below), *above]


def _beginnings(run: RunFolder, places: Sequence[Near]) -> dict[tuple[str, int], dict[str, Any]]:
    """What is shown of these documents, by shard and row. Each shard is read once."""
    found = {}
    for shard in sorted({shard for _, shard, *_ in places}):
        rows = sorted({row for _, own, row, _ in places if own == shard})
        chosen = pa.array(rows)
        verdicts = run.verdicts(shard, ["id", "verdict", "source", "reasons"]).take(chosen).to_pylist()
        urls = run.documents(shard, ["url"])["url"].take(chosen).to_pylist()
        texts = run.table(run.file(Step.APPLY, shard), ["text"])["text"].take(chosen).to_pylist()
        for row, verdict, url, text in zip(rows, verdicts, urls, texts, strict=True):
            hidden = is_hidden(verdict.pop("reasons"))
            text = "text hidden: it was removed for toxicity" if hidden else " ".join(text.split())[:EDGE_CHARACTERS]
            found[shard, row] = {**verdict, "url": url or "", "text": text}
    return found


def clusters(parts: Sequence[tuple[pa.Table, pa.Table]]) -> list[Cluster]:
    """The survivors that most removed documents name, with a few of these copies."""
    counts: Counter[str] = Counter()
    for _, verdicts in parts:
        values = pc.value_counts(verdicts["duplicate_of"].drop_null()).to_pylist()
        counts.update({row["values"]: row["counts"] for row in values})
    largest = sorted(counts, key=lambda own: (-counts[own], own))[:MOST_CLUSTERS]
    found = {own: Cluster(documents=counts[own] + 1, survivor=own, kind="") for own in largest}
    for documents, verdicts in parts:
        mask = pc.or_(
            *(
                pc.fill_null(pc.is_in(verdicts[name], pa.array(largest, pa.string())), False)
                for name in ("id", "duplicate_of")
            )
        )
        urls = documents["url"].filter(mask).to_pylist()
        for row, url in zip(verdicts.filter(mask).to_pylist(), urls, strict=True):
            if row["id"] in found:
                found[row["id"]].url = url or ""
            if one := found.get(row["duplicate_of"]):
                one.kind = one.kind or row["stage"] or ""
                one.lowest = min(one.lowest, 1.0 if row["similarity"] is None else row["similarity"])
                if len(one.copies) < MOST_COPIES:
                    one.copies.append(url or row["id"])
    return list(found.values())
