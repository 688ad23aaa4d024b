"""The account of files: each file of each source once, with its kind, its bytes and what became of it.

Files = read + named otherwise, as documents = kept + removed + quarantined: a shard that loses a file cannot commit.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.reads import Values
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import ConservationError
from pipeline.ingest.files import EMPTY, EXCLUDED, NOT_READ, READ, UNREADABLE, InputFile, Survey
from pipeline.ingest.record import FileNote, Tally
from pipeline.ingest.source import Source

FILES = pa.schema(
    [
        ("source", pa.string()),
        ("path", pa.string()),  # relative to the source's path
        ("kind", pa.string()),  # by content where the file was opened, else by its name
        ("bytes", pa.int64()),  # as stored
        ("outcome", pa.string()),  # read | excluded | not read | unreadable | empty | link
        ("reason", pa.string()),
        ("documents", pa.int64()),
        ("quarantined", pa.int64()),
    ]
)
"""One row a file."""
HIDDEN = "left out as hidden"
"""In a document's detail, before the count of what its program does not show."""


class ReadFiles:
    """What became of the files of one shard, counted as its documents pass."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        self._files = list(files)
        self._documents: Counter[str] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._hidden: dict[str, str] = {}

    def add(self, documents: pa.RecordBatch) -> None:
        """Take in a batch with the columns path, reason and detail."""
        table = pa.table({name: documents.column(name) for name in ("path", "reason", "detail")})
        bad = table.filter(table["reason"].is_valid()).group_by("path", use_threads=False)
        counted = table.group_by("path", use_threads=False).aggregate([([], "count_all"), ("reason", "count")])
        for row in counted.to_pylist():
            self._documents[row["path"]] += row["count_all"] - row["reason_count"]
        for row in bad.aggregate([([], "count_all"), ("reason", "first"), ("detail", "first")]).to_pylist():
            self._quarantined[row["path"]] += row["count_all"]
            self._first.setdefault(row["path"], f"{row['reason_first']}: {row['detail_first']}")
        partly = table.filter(pc.match_substring(table["detail"], HIDDEN).fill_null(False)).select(("path", "detail"))
        for row in partly.to_pylist():
            self._hidden.setdefault(row["path"], row["detail"][row["detail"].index(HIDDEN) :].partition(";")[0])

    def table(self, source: str, tally: Tally) -> pa.Table:
        """Schema `FILES`, in the order of the shard. Raises ConservationError for a file that was not opened, or that no one
        asked for."""
        paths = {file.path for file in self._files}
        if strange := (self._documents.keys() | tally.files.keys()) - paths:
            raise ConservationError(f"{source}: documents of a file that is not of the shard: {min(strange)}")
        if lost := paths - tally.files.keys():
            raise ConservationError(f"{source}: {len(lost)} files were listed and not read, the first {min(lost)}")
        rows = [self._row(source, file, tally.files[file.path]) for file in self._files]
        return pa.Table.from_pylist(rows, FILES)

    def _row(self, source: str, file: InputFile, note: FileNote) -> dict[str, Any]:
        documents, bad = self._documents[file.path], self._quarantined[file.path]
        skipped = ", ".join(f"{count:,} {name}" for name, count in sorted(note.skipped.items()))
        said = (note.dialect, note.limited, self._hidden.get(file.path), f"no documents: {skipped}" if skipped else "")
        outcome, reason = READ, "; ".join(part for part in said if part)
        if note.refused:
            outcome, reason = NOT_READ, note.refused
        elif not file.size and not documents and note.kind:
            outcome, reason = EMPTY, "the file has no bytes"
        elif not documents and bad:
            outcome, reason = UNREADABLE, self._first[file.path]
        elif not documents:
            reason = f"{reason}; it holds no document" if reason and not skipped else reason or "it holds no document"
        elif bad:
            reason = f"{reason + '; ' if reason else ''}{bad:,} quarantined, the first {self._first[file.path]}"
        return {
            "source": source,
            "path": file.path,
            "kind": note.kind,
            "bytes": file.size,
            "outcome": outcome,
            "reason": reason,
            "documents": documents,
            "quarantined": bad,
        }


def unread_unit(source: Source, found: Survey) -> Unit:
    """The unit of the files of a source that no shard reads."""
    rows = [[other.path, other.kind, other.size, other.outcome, other.reason] for other in found.others]
    return Unit(source.name, {"others": Values(rows)})


def write_unread(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The table of `unread_unit`."""
    produced = []
    for assigned in assignments:
        rows = [
            {"source": assigned.name, "path": path, "kind": kind, "bytes": size, "outcome": outcome, "reason": reason}
            | {"documents": 0, "quarantined": 0}
            for path, kind, size, outcome, reason in assigned.reads["others"].values
        ]
        table = pa.Table.from_pylist(rows, FILES)
        produced.append(Produced({"files": store.put_table(assigned.path("files"), [table], FILES)}))
    return produced


def account_of(run: RunFolder) -> pa.Table:
    """Every file of the run (schema `FILES`): by source, then those that were read in their order, then the others."""
    steps = (run.commits(Step.EXTRACT), run.commits(Step.FILES))
    tables = [
        run.table(commit.files["files"]) for commits in steps for commit in commits.values() if "files" in commit.files
    ]
    if not tables:
        return FILES.empty_table()
    joined = pa.concat_tables(tables)
    return joined.sort_by([("source", "ascending"), ("path", "ascending")])


@dataclass
class FileSums:
    """The account in sums. Excluded files are in `files` and in nothing else."""

    files: int = 0
    bytes: int = 0
    excluded: int = 0
    unread: int = 0
    unread_bytes: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    """Files that were not read, by kind or by outcome, the most first."""

    @property
    def unread_frac(self) -> float:
        """Share of the bytes that was not read."""
        return self.unread_bytes / self.bytes if self.bytes else 0.0

    def sentence(self) -> str:
        """ "9 of 31 files, 4.1 MB of 60 MB, not read: 5 tiff, 4 mp4"."""
        files = self.files - self.excluded
        apart = f" ({self.excluded:,} more excluded)" if self.excluded else ""
        if not self.unread:
            return f"all {files:,} files read, {megabytes(self.bytes)}{apart}"
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in list(self.kinds.items())[:8])
        return (
            f"{self.unread:,} of {files:,} files, {megabytes(self.unread_bytes)} of {megabytes(self.bytes)}, not read: "
            f"{kinds}{apart}"
        )


def sums(account: pa.Table) -> FileSums:
    """The sums of an account."""
    found, kinds = FileSums(files=account.num_rows), Counter[str]()
    columns = (account[name].to_pylist() for name in ("kind", "bytes", "outcome"))
    for kind, size, outcome in zip(*columns, strict=True):
        if outcome == EXCLUDED:
            found.excluded += 1
            continue
        found.bytes += size
        if outcome == READ:
            continue
        found.unread += 1
        found.unread_bytes += size
        kinds[kind if outcome in (NOT_READ, kind) else f"{outcome} {kind}".strip()] += 1
    found.kinds = dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    return found


def megabytes(size: float) -> str:
    """Bytes for a person: "4.1 MB", "812 bytes".

    >>> megabytes(4_100_000), megabytes(812)
    ('4.1 MB', '812 bytes')
    """
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            return f"{size / limit:.3g} {unit}"
    return f"{size:.0f} bytes"
