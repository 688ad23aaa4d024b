"""Cluster, as a step: one unit over the hashes and band keys of all shards, in flat memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.cluster.clusters import CLUSTERS, SignalShard
from pipeline.cluster.clusters import cluster as find_clusters
from pipeline.cluster.index import IndexFile, find_indexes
from pipeline.cluster.settings import ClusterSettings
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.store import Store
from pipeline.measure.minhash import MinHashSettings
from pipeline.steps.context import Commits, Run, signal_unit
from pipeline.steps.index import own_settings

VERSION = 2
SIGNALS = {"exact": ["text_hash", "url_hash"], "minhash": ["bands"]}
"""Columns that clustering reads of each judge; a judge that the recipe leaves out joins nothing."""


def _batches(store: Store, files: dict[str, str]) -> Iterator[pa.RecordBatch]:
    opened = {name: store.open_table(files[name]) for name in SIGNALS if name in files}
    groups = max((parquet.num_row_groups for parquet in opened.values()), default=0)
    for group in range(groups):
        columns: dict[str, pa.Array] = {}
        for name, parquet in opened.items():
            table = parquet.read_row_group(group, columns=SIGNALS[name], use_threads=False).combine_chunks()
            columns |= {column: table[column].combine_chunks() for column in table.column_names}
        yield pa.RecordBatch.from_pydict(columns)


def _texts(store: Store, path: str) -> Iterator[pa.Array]:
    parquet = store.open_table(path)
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, columns=["text"], use_threads=False)["text"].combine_chunks()


def cluster_all(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Clusters of all documents; a table per shard, aligned with its documents."""
    (assigned,) = assignments
    settings = ClusterSettings.model_validate(assigned.parts["settings"]["cluster"])
    minhash = MinHashSettings.model_validate(assigned.parts["settings"]["minhash"])
    shards = [
        SignalShard(
            name,
            files["rows"],
            lambda files=files: _batches(store, files["signals"]),
            lambda files=files: _texts(store, files["documents"]),
        )
        for name, files in assigned.arguments["shards"].items()
    ]
    shards += [IndexFile(**found).shard() for found in assigned.arguments["indexes"]]
    files, clustered = {}, 0
    if not settings.exact and not settings.near:
        for shard in shards:
            empty = pa.table([pa.nulls(shard.num_rows, pa.int64())] * len(CLUSTERS), schema=CLUSTERS)
            files[shard.name] = store.put_table(_path(assigned, shard.name), [empty], CLUSTERS)
        return [Produced(files, {"in_clusters": 0, "indexes": assigned.arguments["indexes"]})]
    with tempfile.TemporaryDirectory(prefix="clusters-") as folder:
        for name, table in find_clusters(shards, settings, Path(folder), minhash):
            clustered += table.num_rows - table["near_cluster"].null_count
            files[name] = store.put_table(_path(assigned, name), [table], CLUSTERS)
    return [Produced(files, {"in_clusters": clustered, "indexes": assigned.arguments["indexes"]})]


def _path(assigned: Assignment, shard: str) -> str:
    return f"clusters/{shard}-{assigned.fingerprint[:12]}.parquet"


def cluster(run: Run) -> Commits:
    """Keyed by the digests of the hash signals, and of the texts where pairs are verified: thresholds do not reach it."""
    chosen = {name: settings for name, settings in run.recipe.judges if name in SIGNALS}
    asked = run.recipe.cluster
    near = asked.near and "minhash" in chosen
    settings = asked.model_copy(
        update={
            "exact": asked.exact and "exact" in chosen,
            "near": near,
            "verify_jaccard": asked.verify_jaccard if near else None,
        }
    )
    verified = settings.verify_jaccard is not None
    arguments, inputs = {}, []
    for shard in run.shards:
        own = {name: run.file("measure", signal_unit(name, shard)) for name in sorted(chosen)}
        documents = run.file("extract", shard)
        arguments[shard] = {
            "rows": documents.rows,
            "signals": {name: info.path for name, info in own.items()},
            "documents": documents.path,
        }
        inputs.append([shard, documents.rows, *(info.sha256 for info in own.values())])
        if verified:
            inputs[-1].append(documents.sha256)
    run.indexes = find_indexes(settings.index, own_settings(run), run.store.root) if settings.index else []
    inputs += [["index", found.rows, found.sha256] for found in run.indexes]
    unit = Unit(
        name="all",
        inputs=inputs,
        settings={
            "cluster": settings.model_dump(mode="json", exclude={"index"}),
            "minhash": chosen["minhash"].measured() if verified else {},
        },
        version=VERSION,
        arguments={"shards": arguments, "indexes": [vars(found) for found in run.indexes]},
    )
    return run.keep("cluster", run.runner.execute("cluster", [unit], cluster_all))
