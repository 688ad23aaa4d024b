"""Near copies of forgotten documents: the others of their clusters, kept or removed, which hold nearly the same text.

They are other documents, so they are listed and stay, unless the request says to forget them too. What is recorded of them is
their id alone: should one be forgotten later, the list must not keep its address.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cluster.step import ClusterCounts
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step

LABEL = "near_cluster"
EARLIER = "in_earlier_run"
"""The verdict of a near copy that an earlier run holds, which this run was deduplicated against."""


def near_copies(run: RunFolder, rows: dict[str, list[int]], ids: set[str]) -> list[dict[str, Any]]:
    """Documents in a near cluster with one of these rows (by shard) that are none of `ids`, sorted by id.

    Of each: `id`, `url`, `source`, `verdict`, `near` (the forgotten document with the lowest id), and `run` of one in an
    earlier run's index. Empty for a run that never clustered.
    """
    if not run.has(Step.CLUSTER):
        return []
    labels = dict[int, str]()
    for shard in rows:
        table = _labelled(run, shard, run.documents(shard, ["id"]))
        for row in table.take(pa.array(rows[shard])).drop_null().to_pylist():
            label = row[LABEL]
            labels[label] = min(labels.get(label, str(row["id"])), str(row["id"]))
    if not labels:
        return []
    copies, wanted = [], pa.array(sorted(labels), pa.int64())
    for shard in run.shards:
        table = _labelled(run, shard, _documents(run, shard))
        copies += [row | {"run": None} for row in table.filter(pc.is_in(table[LABEL], wanted)).to_pylist()]
    for index in run.counted(ClusterCounts, Step.CLUSTER).index_files:
        table = _labelled(run, index.name, index.read(["id"]))
        for row in table.filter(pc.is_in(table[LABEL], wanted)).to_pylist():
            copies.append(row | {"url": None, "source": None, "verdict": EARLIER, "run": index.root})
    listed = [row | {"near": labels[row.pop(LABEL)]} for row in copies if row["id"] not in ids]
    return sorted(listed, key=lambda row: (row["id"], row["run"] or ""))


def recorded(copies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `forgotten.json` keeps of near copies: id, verdict, and the forgotten document."""
    return [{name: row[name] for name in ("id", "verdict", "near")} for row in copies]


def _documents(run: RunFolder, shard: str) -> pa.Table:
    """id, url, source and final verdict of a shard's documents; the verdict is null where the run never decided."""
    table = run.documents(shard, ["id", "url", "source"])
    if run.verdict_step is None:
        return table.append_column("verdict", pa.nulls(len(table), pa.string()))
    return table.append_column("verdict", run.verdicts(shard, ["verdict"])["verdict"])


def _labelled(run: RunFolder, shard: str, table: pa.Table) -> pa.Table:
    return table.append_column(LABEL, run.clusters(shard)[LABEL])
