"""A finished run's hashes and band keys as one file, so that the next run is deduplicated against it too.

The file is Parquet with `INDEX` columns and, in its metadata, the settings that made the keys: keys of other settings
would never meet, so a different setting is refused instead of finding nothing. Used as one more shard: every document
of the earlier run takes part in the clusters, and where one that was kept is in a cluster, it is the survivor
(`pick_survivors(indexed=...)`), whatever the new documents are like. A document that the earlier run removed only
links: it keeps nothing out by itself.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.cluster.clusters import SignalShard
from pipeline.errors import UsageError

FORMAT = 1
_KEY = b"domain-corpus.index"
_GROUP_ROWS = 1 << 16

INDEX = pa.schema(
    [
        ("id", pa.string()),
        ("kept", pa.bool_()),  # whether the run published it
        ("text_hash", pa.binary(16)),
        ("url_hash", pa.binary(16)),
        ("bands", pa.binary()),
        ("sketch", pa.binary()),
    ]
)
"""One row per extracted document of the run, quarantined ones left out."""


def write_index(where: str | Path | BinaryIO, batches: Iterable[pa.RecordBatch], settings: dict[str, Any]) -> int:
    """Write batches of `INDEX` columns, in the order given; returns the number of rows.

    `settings` says what the keys were made with: judge name -> its measured settings and version, as JSON values. The
    bytes depend on the rows and settings alone, not on how the rows are cut into batches.
    """
    note = json.dumps({"format": FORMAT, "settings": settings}, sort_keys=True)
    rows, waiting = 0, []
    with pq.ParquetWriter(where, INDEX, compression="zstd", write_page_checksum=True, store_schema=False) as writer:
        for batch in batches:
            waiting.append(pa.Table.from_batches([batch.select(INDEX.names)]).cast(INDEX))
            rows += batch.num_rows
            table = pa.concat_tables(waiting).combine_chunks()
            whole = table.num_rows // _GROUP_ROWS * _GROUP_ROWS
            if whole:
                writer.write_table(table.slice(0, whole), row_group_size=_GROUP_ROWS)
            waiting = [table.slice(whole)]
        if waiting and waiting[0].num_rows:
            writer.write_table(waiting[0])
        writer.add_key_value_metadata({_KEY: note})
    return rows


class Index:
    """An index file opened for reading. Raises UsageError when it was made with other settings."""

    def __init__(self, where: str | Path | BinaryIO, settings: dict[str, Any]) -> None:
        self._file = pq.ParquetFile(where, page_checksum_verification=True)
        metadata = self._file.metadata.metadata or {}
        if _KEY not in metadata:
            raise UsageError(f"{where} is no index of a run")
        found = json.loads(metadata[_KEY])
        if found["format"] != FORMAT:
            raise UsageError(f"{where} has index format {found['format']}, this version reads {FORMAT}")
        if found["settings"] != settings:
            raise UsageError(f"{where} was made with {found['settings']}, this run has {settings}: keys would not meet")
        self.num_rows = self._file.metadata.num_rows

    def shard(self, name: str) -> SignalShard:
        """The index as a shard for `cluster`, read a row group at a time."""
        return SignalShard(name, self.num_rows, lambda: self.batches(["text_hash", "url_hash", "bands"]))

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The chosen columns, a row group at a time, in the file's order."""
        return self._file.iter_batches(batch_size=_GROUP_ROWS, columns=columns, use_threads=False)

    def kept(self) -> np.ndarray:
        """bool[n]: which documents the earlier run kept."""
        found = [np.asarray(batch["kept"].to_numpy(zero_copy_only=False), bool) for batch in self.batches(["kept"])]
        return np.concatenate([np.zeros(0, bool), *found])
