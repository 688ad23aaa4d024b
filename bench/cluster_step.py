"""The cluster step on signals that no run measured: files as `measure` commits them, clustered by the step's own work.

A bench or a test that wants clusters of given keys or texts writes them with `commit_shard` and calls `cluster_shards`: the
units, work functions, files and commits are those of a run, in this process.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.cluster import step
from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.index_file import IndexFile
from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.store import FileInfo, Store
from pipeline.measure.judges.exact import ExactSettings, exact
from pipeline.measure.judges.minhash import MinHashSettings, minhash

SIGNALS = {
    "exact": pa.schema([("text_hash", pa.binary(16)), ("url_hash", pa.binary(16))]),
    "minhash": pa.schema([("bands", pa.binary()), ("sketch", pa.binary()), ("anchors", pa.binary())]),
}
"""What clustering reads of each judge's signals."""


def commit_shard(
    store: Store, name: str, signals: Sequence[pa.RecordBatch], texts: pa.Array | None = None
) -> dict[str, FileInfo]:
    """Write one shard's signals, a row group a batch, and its texts where pairs are to be verified.

    A batch has `text_hash` and `bands`, as in the judges' schemas, and `url_hash` or not. Returns the files, as the step
    takes them.
    """
    files: dict[str, FileInfo] = {}
    for judge, schema in SIGNALS.items():
        batches = [
            pa.table([_column(batch, field) for field in schema], schema=schema) for batch in signals if batch.num_rows
        ]
        files[judge] = store.put_table(f"signals/{name}.{judge}.parquet", batches, schema)
    if texts is not None:
        schema = pa.schema([("text", texts.type)])
        files["documents"] = store.put_table(f"documents/{name}.parquet", [pa.table([texts], schema=schema)], schema)
    return files


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch[field.name].cast(field.type)


def signals_of(texts: pa.Array, settings: MinHashSettings) -> pa.RecordBatch:
    """The hashes and band keys that the judges measure of texts without an address."""
    batch = pa.record_batch({"text": texts, "url": pa.nulls(len(texts), pa.string())})
    parts = [exact.run(batch, ExactSettings()), minhash.run(batch, settings)]
    return pa.record_batch({name: part[name] for part in parts for name in part.schema.names})


def _clustered(
    store: Store,
    shards: dict[str, dict[str, FileInfo]],
    settings: ClusterSettings,
    bands: int,
    signatures: MinHashSettings,
    indexes: Sequence[IndexFile],
) -> dict[str, pa.Table]:
    execute = Runner(store, InProcess()).execute
    bands = bands if settings.near else 0
    commits = step.cluster_shards(execute, shards, list(indexes), settings, bands, signatures.model_dump(mode="json"))
    return {name: store.read_table(info.path) for name, info in commits["all"].files.items()}


def cluster_shards(
    store: Store,
    shards: dict[str, dict[str, FileInfo]],
    settings: ClusterSettings,
    bands: int,
    signatures: MinHashSettings | None = None,
    indexes: Sequence[IndexFile] = (),
) -> dict[str, pa.Table]:
    """Name -> CLUSTERS table of each shard and index file, in the order given.

    `signatures` says what a shingle is, for verification. Pairs lie in `work/pairs/` of the store, tables in `work/clusters/`.
    """
    found = _clustered(store, shards, settings, bands, signatures or MinHashSettings(), indexes)
    return {name: table for name, table in found.items() if name != step.EDGES_FILE}


def near_copies_of(
    store: Store,
    shards: dict[str, dict[str, FileInfo]],
    settings: ClusterSettings,
    signatures: MinHashSettings,
    indexes: Sequence[IndexFile] = (),
) -> tuple[pa.Table, pa.Table]:
    """The CLUSTERS table of all shards and index files in their order, and the EDGES between their nodes."""
    found = _clustered(store, shards, settings, signatures.bands, signatures, indexes)
    edges = found.pop(step.EDGES_FILE)
    return pa.concat_tables(found.values()), edges


def labels_of(tables: dict[str, pa.Table], column: str = "near_cluster") -> np.ndarray:
    """int64[n] of all shards in their order, -1 for a document alone."""
    return pa.concat_tables(tables.values())[column].fill_null(-1).to_numpy()
