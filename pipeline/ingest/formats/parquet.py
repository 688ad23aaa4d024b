"""Parquet files: the mapped columns, row group by row group."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import record_of

_ROWS = 1024


@source_kind("parquet", ".parquet", seeks=True, binary=True)
def read_parquet(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every row of a Parquet file (seekable). Page checksums are verified where the file has them.

    A file that is no Parquet, or whose text column is missing, is one quarantined record; a damaged row group ends it.
    """
    fields = where.source.fields
    mapped = (fields.text, fields.id, fields.url, fields.title, fields.date, fields.licence, fields.rights)
    names = [name.split(".")[0] for name in (*mapped, "license", "robots", "terms") if name]
    number = 0
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        there = [name for name in dict.fromkeys(names) if name in file.schema_arrow.names]
        if fields.text not in there:
            detail = f"column '{fields.text}' is missing; there are: {', '.join(file.schema_arrow.names[:12])}"
            yield where.bad("no_text", detail, "", key=where.name)
            return
        for batch in file.iter_batches(_ROWS, columns=there):
            columns = {name: _strings(batch.column(name)) for name in there}
            for row in range(batch.num_rows):
                values = {name: column[row] for name, column in columns.items()}
                yield record_of(values, where, f"row={number}")
                number += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise
        raise DamagedInputError("corrupt", f"not readable as Parquet after row {number}: {error}") from error


def _strings(column: pa.Array) -> list[object]:
    """Python values; a string that is not valid UTF-8 (Parquet does not check) becomes a str with half surrogates."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        wide = column.cast(pa.large_string()) if pa.types.is_string(column.type) else column
        raw = wide.view(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
