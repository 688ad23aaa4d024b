"""Work over a whole corpus in two ways of cutting it: blocks of shards, and parts of a key.

A step that asks what documents of different shards say of each other does it in two passes. A unit for each *block* of shards
writes rows sorted by part, a row group for each part. A unit for each *part* reads its row group of every block, and writes
what it found sorted by the number of the row among all documents, a row group for each block, which the next unit for the block
reads. So no task holds more than a block or a part, each byte is read twice, and there are blocks × parts small reads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.conserve import Balance
from pipeline.core.execute import Unit
from pipeline.core.ledger import Commit
from pipeline.core.store import FileInfo, Store

BLOCK_ROWS = 1 << 17
"""Documents of a block of shards, unless that makes more than `BLOCKS` of them."""
BLOCKS = 1 << 10
PART_ROWS = 1 << 21
"""Documents of the run for each part of a key."""


@dataclass(frozen=True)
class Counted:
    """What another unit counted, which follows from its key."""

    fingerprint: str
    counts: dict[str, Any]
    balance: dict[str, Any]

    @classmethod
    def by(cls, commit: Commit) -> "Counted":
        """What this unit counted."""
        return cls(commit.fingerprint, commit.counts, asdict(commit.balance or Balance()))

    def identity(self) -> str:
        """See `pipeline.core.reads.Readable`."""
        return self.fingerprint


def blocks_of(rows: Mapping[str, int], size: int | None = None) -> list[list[str]]:
    """Shards by their names in order, as many as make a block of `size` rows (or bytes, or whatever is given) or more.

    Without a size it is `BLOCK_ROWS`, or what makes `BLOCKS` blocks. Without a shard there is one empty block.
    """
    size = max(BLOCK_ROWS, sum(rows.values()) // BLOCKS) if size is None else size
    found, held = [[]], 0
    for name in sorted(rows):
        if held >= size:
            found, held = [*found, []], 0
        found[-1].append(name)
        held += rows[name]
    return found


def first_rows(rows: Mapping[str, int]) -> dict[str, int]:
    """The number of the first document of each shard (and index file), by names in order."""
    found, at = {}, 0
    for name in sorted(rows):
        found[name] = at
        at += rows[name]
    return found


@dataclass(frozen=True)
class Blocks:
    """The documents of a run, numbered by the names of their shards in order, and its shards in blocks."""

    rows: Mapping[str, int]
    """Documents by shard."""
    firsts: Mapping[str, int]
    """The number of each shard's first document."""
    names: list[list[str]]
    """Shards by block; one empty block without a shard."""

    @classmethod
    def of(cls, rows: Mapping[str, int], firsts: Mapping[str, int] | None = None) -> "Blocks":
        """`firsts`: where more than the shards is numbered, as files of an index."""
        return cls(rows, first_rows(rows) if firsts is None else firsts, blocks_of(rows))

    def places(self) -> list[dict[str, Any]]:
        """Settings of a unit for each block: `firsts` of its shards, and the numbers that all its rows are `between`."""
        return [
            {
                "firsts": {name: self.firsts[name] for name in names},
                "between": [self.firsts[names[0]], self.firsts[names[-1]] + self.rows[names[-1]]] if names else [0, 0],
            }
            for names in self.names
        ]

    def units(
        self,
        shards: Mapping[str, Any],
        settings: dict[str, Any],
        version: int,
        reads: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> list[Unit]:
        """A unit for each block: it reads the files of its `shards` and what else is given in `reads`."""
        return [
            Unit(
                f"{prefix}{number:05d}",
                {**(reads or {}), "shards": {name: shards[name] for name in place["firsts"]}},
                settings | place,
                version,
            )
            for number, place in enumerate(self.places())
        ]

    @property
    def borders(self) -> list[int]:
        """The numbers at which a block begins or ends, rising."""
        return sorted({border for place in self.places() for border in place["between"]})

    @property
    def parts(self) -> int:
        """How many parts a key of these documents is cut into."""
        return 1 + sum(self.rows.values()) // PART_ROWS


def by_part(table: pa.Table, part: np.ndarray, parts: int) -> list[pa.Table]:
    """The rows with a last column `part`, sorted by it: a table for each part that has any."""
    table, part = table.take(pa.array(np.argsort(part, kind="stable"))), np.sort(part)
    table = table.append_column("part", pa.array(part))
    borders = np.flatnonzero(np.diff(part, prepend=-1, append=parts))
    return [table.slice(at, end - at) for at, end in pairwise(borders)]


def at_borders(table: pa.Table, borders: Sequence[int]) -> list[pa.Table]:
    """Rows sorted by their column `row`, cut where a block of shards begins or ends; blocks without a row are left out."""
    cuts = np.unique(np.searchsorted(table["row"].to_numpy(), borders))
    return [table.slice(at, end - at) for at, end in pairwise(cuts)]


def rows_of(table: pa.Table, first: int, count: int) -> pa.Table:
    """Of rows sorted by their column `row`, those of the `count` documents numbered from `first` on."""
    start, stop = np.searchsorted(table["row"].to_numpy(), [first, first + count])
    return table.slice(start, stop - start)


def rows_between(
    store: Store, infos: Iterable[FileInfo], column: str, between: Sequence[int], empty: pa.Schema
) -> pa.Table:
    """The rows of all tables whose value is from the first up to below the second; row groups without one are not read."""
    low, high = between
    found = [empty.empty_table()]
    for info in infos:
        with store.open_table(info.path) as parquet:
            found += [table.select(empty.names) for table in _rows_between(parquet, column, low, high)]
    return pa.concat_tables(found)


def _rows_between(parquet: pq.ParquetFile, column: str, low: int, high: int) -> Iterator[pa.Table]:
    at = parquet.schema_arrow.get_field_index(column)
    for group in range(parquet.num_row_groups):
        found = parquet.metadata.row_group(group).column(at).statistics
        if found.min < high and found.max >= low:
            table = parquet.read_row_group(group, use_threads=False)
            values = table[column].to_numpy()
            inside = (values >= low) & (values < high)
            yield table if inside.all() else table.filter(pa.array(inside))
