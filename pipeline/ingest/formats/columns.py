"""Columnar files: Parquet, and Arrow as IPC file (Feather) or stream, the format of `datasets`' save_to_disk."""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import columns_of, named_row, record_of

_ROWS = 1024


@source_kind("parquet", ".parquet", seeks=True, binary=True)
def read_parquet(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every row of a Parquet file (seekable). Page checksums are verified where the file has them.

    A file that is no Parquet, or whose text column is missing, is one quarantined record; a damaged row group ends it.
    """
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        there = _wanted(file.schema_arrow.names, where)
        # Columns of one name cannot be asked for by it, and those of a file without a text are for its reason.
        names = file.schema_arrow.names
        every = len(set(names)) < len(names) or _lacks_text(there, where)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damage(error, "Parquet", 0) from error
    yield from _rows(lambda: file.iter_batches(_ROWS, columns=None if every else there), there, where, "Parquet")


@source_kind("arrow", ".arrow", ".feather", ".ipc", seeks=True, binary=True)
def read_arrow(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """Every row of an Arrow IPC file or stream (seekable), batch by batch; otherwise as `read_parquet`."""
    is_file = stream.read(6) == b"ARROW1"
    stream.seek(0)
    try:
        opened = pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
        there = _wanted(opened.schema.names, where)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damage(error, "Arrow", 0) from error

    def batches() -> Iterable[pa.RecordBatch]:
        whole = (opened.get_batch(n) for n in range(opened.num_record_batches)) if is_file else opened
        for batch in whole:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)

    yield from _rows(batches, there, where, "Arrow")


def _wanted(names: list[str], where: Where) -> list[str]:
    """The columns that the source's fields name, whole ones for nested fields."""
    fields = where.source.fields
    mapped = (fields.text, fields.id, fields.url, fields.title, fields.date, fields.licence, fields.rights)
    asked = {top for name in (*mapped, "license", "robots", "terms") if name for top in (name, name.partition(".")[0])}
    return [name for name in dict.fromkeys(names) if name in asked]


def _lacks_text(there: list[str], where: Where) -> bool:
    text = where.source.fields.text
    return text not in there and text.partition(".")[0] not in there


def _rows(
    batches: Callable[[], Iterable[pa.RecordBatch]], there: list[str], where: Where, what: str
) -> Iterator[Record]:
    number, text = 0, where.source.fields.text
    lacks = _lacks_text(there, where)
    try:
        for batch in batches():
            columns = [(name, _values(batch.column(at))) for at, name in enumerate(batch.schema.names)]
            if lacks:
                row = named_row([name for name, _ in columns], [values[0] if values else None for _, values in columns])
                yield where.bad("no_text", f"column '{text}' is missing; {columns_of(row)}", "", key=where.name)
                return
            columns = [(name, values) for name, values in columns if name in there]
            names = [name for name, _ in columns]
            for values in zip(*(values for _, values in columns), strict=True):
                yield record_of(named_row(names, values), where, f"row={number}")
                number += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise
        raise _damage(error, what, number) from error


def _damage(error: Exception, what: str, row: int) -> DamagedInputError:
    return DamagedInputError("corrupt", f"not readable as {what} after row {row}: {error}")


def _values(column: pa.Array) -> list[object]:
    """Python values; a string that is not valid UTF-8 (Parquet does not check) becomes a str with half surrogates."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        wide = column.cast(pa.large_string()) if pa.types.is_string(column.type) else column
        raw = wide.view(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
