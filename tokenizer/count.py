"""Count pre-tokens per shard, add the counts up: training sees words and counts, never the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.bpe.counting import PretokenTable
from pipeline.kernels.buffers import text_buffers

SCHEMA = pa.schema([("pretoken", pa.large_binary()), ("count", pa.uint64())])
"""Counts as a table, sorted by the bytes of the pre-token."""


@dataclass(frozen=True)
class Counts:
    """Distinct pre-tokens and how often each occurs.

    Pre-token i is `data[offsets[i]:offsets[i + 1]]` (int64, uint8) and occurred `counts[i]` (uint64) times, `preset`
    names the rules that cut it. The order means nothing; `to_table` sorts.
    """

    preset: str
    offsets: np.ndarray
    data: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def num_pretokens(self) -> int:
        """Pre-tokens in the text that was counted."""
        return int(self.counts.sum(dtype=np.uint64))

    @property
    def num_bytes(self) -> int:
        """Bytes of the text that was counted."""
        return int((np.diff(self.offsets).astype(np.uint64) * self.counts).sum(dtype=np.uint64))

    def to_table(self) -> pa.Table:
        """A table of `SCHEMA`, the same for the same counts whatever order they were added up in."""
        words = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(self), [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        )
        table = pa.Table.from_arrays([words, pa.array(self.counts)], schema=SCHEMA)
        return table.take(pc.sort_indices(words)).replace_schema_metadata({"preset": self.preset})

    @classmethod
    def from_table(cls, table: pa.Table) -> "Counts":
        """What `to_table` wrote."""
        preset = (table.schema.metadata or {})[b"preset"].decode()
        offsets, data = text_buffers(table["pretoken"])
        counts = table["count"].to_numpy()
        start = offsets[0]
        return cls(preset, offsets - start, data[start : offsets[-1]], counts)


def count_batch(text: pa.Array | pa.ChunkedArray, preset: str) -> Counts:
    """The counts of a text column; no pre-token spans two rows.

    >>> count_batch(pa.array(["net income", "net loss"]), "gpt4").to_table().to_pydict()
    {'pretoken': [b' income', b' loss', b'net'], 'count': [1, 1, 2]}
    """
    table = PretokenTable()
    for chunk in text.chunks if isinstance(text, pa.ChunkedArray) else [text]:
        table.scan(*text_buffers(chunk), preset)
    return Counts(preset, *table.arrays())


def merge_counts(parts: Sequence[Counts]) -> Counts:
    """The sum of counts made under one preset; u64, so that a petabyte does not overflow.

    Raises ValueError when the presets differ or there is nothing to add up.
    """
    presets = {part.preset for part in parts}
    if len(presets) != 1:
        raise ValueError(f"expected counts of one preset, got {sorted(presets) or 'none'}")
    if len(parts) == 1:
        return parts[0]
    table = PretokenTable()
    for part in parts:
        table.weigh(part.offsets, part.data, part.counts)
    return Counts(parts[0].preset, *table.arrays())
