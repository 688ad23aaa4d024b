"""Near copies of forgotten documents: the others of their clusters, kept or removed, which hold nearly the same text.

They are other documents, so they are listed and stay, unless the request says to forget them too. What is recorded of them is
their id alone: should one be forgotten later, the list must not keep its address.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cluster.index_file import IndexFile
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.store import Store

LABEL = "near_cluster"
EARLIER = "in_earlier_run"
"""The verdict of a near copy that an earlier run holds, which this run was deduplicated against."""


def near_copies(store: Store, rows: dict[str, list[int]], ids: set[str]) -> list[dict[str, Any]]:
    """Documents in a near cluster with one of these rows (by shard) that are none of `ids`, sorted by id.

    Of each: `id`, `url`, `source`, `verdict`, `near` (the forgotten document with the lowest id), and `run` of one in an
    earlier run's index. Empty for a run that never clustered.
    """
    clusters = Ledger(store).last("cluster").get("all")
    if clusters is None:
        return []
    extracted, labels = Ledger(store).last("extract"), dict[int, str]()
    for shard in rows:
        table = _labelled(store, clusters, shard, _ids(store, extracted[shard]))
        for row in table.take(pa.array(rows[shard])).drop_null().to_pylist():
            label = row[LABEL]
            labels[label] = min(labels.get(label, str(row["id"])), str(row["id"]))
    if not labels:
        return []
    found, wanted = [], pa.array(sorted(labels), pa.int64())
    for shard, commit in extracted.items():
        table = _labelled(store, clusters, shard, _documents(store, commit, shard))
        found += [row | {"run": None} for row in table.filter(pc.is_in(table[LABEL], wanted)).to_pylist()]
    for index in (IndexFile(**given) for given in clusters.counts.get("indexes", [])):
        table = _labelled(store, clusters, index.name, index.read(["id"]))
        for row in table.filter(pc.is_in(table[LABEL], wanted)).to_pylist():
            found.append(row | {"url": None, "source": None, "verdict": EARLIER, "run": index.root})
    listed = [row | {"near": labels[row.pop(LABEL)]} for row in found if row["id"] not in ids]
    return sorted(listed, key=lambda row: (row["id"], row["run"] or ""))


def recorded(copies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `forgotten.json` keeps of near copies: id, verdict, and the forgotten document."""
    return [{name: row[name] for name in ("id", "verdict", "near")} for row in copies]


def _ids(store: Store, commit: Commit) -> pa.Table:
    return store.read_table(commit.files["table"].path, ["id"])


def _documents(store: Store, commit: Commit, shard: str) -> pa.Table:
    """id, url, source and final verdict of a shard's documents; the verdict is null where the run never decided."""
    table = store.read_table(commit.files["table"].path, ["id", "url", "source"])
    ledger = Ledger(store)
    decided = ledger.last("settle") or ledger.last("decide")
    verdicts = store.read_table(decided["all"].files[shard].path, ["verdict"])["verdict"] if decided else None
    return table.append_column("verdict", pa.nulls(len(table), pa.string()) if verdicts is None else verdicts)


def _labelled(store: Store, clusters: Commit, shard: str, table: pa.Table) -> pa.Table:
    return table.append_column(LABEL, store.read_table(clusters.files[shard].path, [LABEL])[LABEL])
