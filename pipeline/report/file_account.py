"""The account of files for the summary, the report and the gates: what was not read, and why, by kind."""

import pyarrow as pa

from pipeline.ingest.account import FileSums
from pipeline.ingest.files import EXCLUDED, READ
from pipeline.report.bias_step import GateResult
from pipeline.report.gates import GateSettings
from pipeline.report.run_report import FileRow

MOST_ROWS = 100
"""Rows of the report's table; `inspect --files` has every file."""


def unread_gate(settings: GateSettings, found: FileSums) -> list[GateResult]:
    """Whether the share of bytes that was not read is within `max_unread_frac`; none when that is null."""
    if settings.max_unread_frac is None:
        return []
    passed = found.unread_frac <= settings.max_unread_frac if found.bytes else None
    share = (
        f"{found.unread_frac:.1%} of the bytes are not read" if found.bytes else "the sources have no files with bytes"
    )
    bound = f"{share}, at most {settings.max_unread_frac:.1%} may be"
    return [GateResult("files", passed, True, f"{bound}; {found.sentence()}")]


def file_rows(account: pa.Table) -> list[FileRow]:
    """Files that were not read, grouped by source, kind, outcome and reason, the most bytes first."""
    groups: dict[tuple[str, str, str, str], FileRow] = {}
    for row in account.to_pylist():
        if row["outcome"] == READ:
            continue
        key = (row["source"], row["kind"], row["outcome"], row["reason"])
        group = groups.setdefault(
            key, FileRow(source=key[0], kind=key[1], outcome=key[2], reason=key[3], first=row["path"])
        )
        group.files += 1
        group.bytes += row["bytes"]
    ordered = sorted(groups.values(), key=lambda row: (row.outcome == EXCLUDED, -row.bytes, row.source, row.first))
    return ordered[:MOST_ROWS]
