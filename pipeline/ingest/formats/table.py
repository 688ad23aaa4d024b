"""CSV and TSV: one record a row, by the header's names."""

import csv
import io
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import record_of


@source_kind("csv", ".csv", ".tsv")
def read_csv(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """Every row under the header. A row with bytes that are not UTF-8 is quarantined, the others are not.

    The delimiter is the tab for .tsv and for a header with tabs and no comma, else the comma.
    """
    # `csv` keeps one process-wide limit; a longer field raises and ends the file as damaged.
    csv.field_size_limit(min(where.source.max_record_bytes, 2**31 - 1))
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    header = lines.readline()
    tabbed = ".tsv" in where.name.lower() or ("\t" in header and "," not in header)
    delimiter = "\t" if tabbed else ","
    names = next(csv.reader([header], delimiter=delimiter), [])
    # A TSV quotes nothing by custom: a lone quotation mark must not swallow the rows after it.
    rows = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE if tabbed else csv.QUOTE_MINIMAL)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DamagedInputError("bad_csv", f"line {rows.line_num + 1}: {error}") from error
        if row is None:
            return
        position = f"line={rows.line_num + 1}"
        if not row:
            continue
        if len(row) != len(names):
            detail = f"the row has {len(row)} fields, the header {len(names)}"
            payload = delimiter.join(row).encode("utf-8", "surrogateescape")
            yield where.bad("bad_csv", detail, position, payload)
            continue
        yield record_of(dict(zip(names, row, strict=True)), where, position)
