"""The cluster step on signals that no run measured: files as `measure` commits them, clustered by the step's own work.

A bench or a test that wants clusters of given keys or texts writes them with `commit_shard` and calls `cluster_shards`: the
units, work functions, files and commits are those of a run, in this process.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.cluster import step
from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.index_file import IndexFile
from pipeline.core.execute import Runner, Unit
from pipeline.core.in_process import InProcess
from pipeline.core.store import FileInfo, Store
from pipeline.measure.judges.exact import ExactSettings, exact
from pipeline.measure.judges.minhash import MinHashSettings, minhash

SIGNALS = {
    "exact": pa.schema([("text_hash", pa.binary(16)), ("url_hash", pa.binary(16))]),
    "minhash": pa.schema([("bands", pa.binary())]),
}
"""What clustering reads of each judge's signals."""


def commit_shard(
    store: Store, name: str, signals: Sequence[pa.RecordBatch], texts: pa.Array | None = None
) -> dict[str, Any]:
    """Write one shard's signals, a row group a batch, and its texts where pairs are to be verified.

    A batch has `text_hash` and `bands`, as in the judges' schemas, and `url_hash` or not. Returns what the step knows of
    a shard: its rows, the paths of its files, and their digests under `sha256`.
    """
    files: dict[str, FileInfo] = {}
    for judge, schema in SIGNALS.items():
        batches = [
            pa.table([_column(batch, field) for field in schema], schema=schema) for batch in signals if batch.num_rows
        ]
        files[judge] = store.put_table(f"signals/{name}.{judge}.parquet", batches, schema)
    digests = [info.sha256 for info in files.values()]
    documents = ""
    if texts is not None:
        schema = pa.schema([("text", texts.type)])
        written = store.put_table(f"documents/{name}.parquet", [pa.table([texts], schema=schema)], schema)
        documents, digests = written.path, [*digests, written.sha256]
    return {
        "rows": files["exact"].rows,
        "signals": {judge: info.path for judge, info in files.items()},
        "documents": documents,
        "sha256": digests,
    }


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch[field.name].cast(field.type)


def signals_of(texts: pa.Array, settings: MinHashSettings) -> pa.RecordBatch:
    """The hashes and band keys that the judges measure of texts without an address."""
    batch = pa.record_batch({"text": texts, "url": pa.nulls(len(texts), pa.string())})
    parts = [exact.run(batch, ExactSettings()), minhash.run(batch, settings)]
    return pa.record_batch({name: part[name] for part in parts for name in part.schema.names})


def cluster_shards(
    store: Store,
    shards: dict[str, dict[str, Any]],
    settings: ClusterSettings,
    bands: int,
    signatures: MinHashSettings | None = None,
    indexes: Sequence[IndexFile] = (),
) -> dict[str, pa.Table]:
    """Name -> CLUSTERS table of each shard and index file, in the order given.

    `signatures` says what a shingle is, for verification. Pairs lie in `pairs/` of the store, tables in `clusters/`.
    """
    inputs = [digest for shard in shards.values() for digest in shard["sha256"]] + [index.sha256 for index in indexes]
    arguments = {"shards": shards, "indexes": [vars(index) for index in indexes]}
    rows = sum(shard["rows"] for shard in shards.values()) + sum(index.rows for index in indexes)
    runner = Runner(store, InProcess())
    units = step._pair_units(settings, bands if settings.near else 0, rows, inputs, arguments)
    commits = runner.execute("pairs", units, step.find_pairs)
    pairs = {name: info.path for commit in commits.values() for name, info in commit.files.items()}
    unit = Unit(
        name="all",
        inputs=inputs,
        settings={
            "cluster": settings.model_dump(mode="json", exclude={"index"}),
            "bands": bands if settings.near else 0,
            "minhash": (signatures or MinHashSettings()).model_dump(mode="json"),
        },
        version=step.VERSION,
        arguments=arguments | {"pairs": pairs},
    )
    commit = runner.execute("cluster", [unit], step.cluster_all)["all"]
    return {name: store.read_table(info.path) for name, info in commit.files.items()}


def labels_of(tables: dict[str, pa.Table], column: str = "near_cluster") -> np.ndarray:
    """int64[n] of all shards in their order, -1 for a document alone."""
    return pa.concat_tables(tables.values())[column].fill_null(-1).to_numpy()
