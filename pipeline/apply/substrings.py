"""Long substrings that occur more than once in the corpus: one copy stays, the others become spans to cut.

The rule, and the test's oracle: every window of `min_bytes` bytes that equals an earlier one is cut. Earlier means in a
document of lower rank, or, at equal rank, of smaller hashed id, or before it in the same document; of copies that
overlap each other the first stays whole. Cuts then shrink to word borders, so they may be a few bytes shorter. The
result does not depend on the layout of the shards, and a text that repeats nothing is not touched.

Give it the documents that stay (null text for the others): the copy that is kept must not be in a removed document.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core.judge import SPANS
from pipeline.core.settings import Settings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.suffix import anchor_runs, later_copies, shrink_to_words
from pipeline.kernels.hashing import hash128_rows

_PARTITION_BITS = 6
_RUN = np.dtype([("hash", "<u8"), ("anchor", "<i8"), ("first", "<i8"), ("last", "<i8")])


REPEATS = pa.list_(pa.struct([*SPANS.value_type, ("first_in", pa.int64())]))
"""Spans to cut, as a judge's `SPANS`, and which document has the copy that stays: its number in the order in which the
shards were given, null where no copy stays. Should that document lose the place to a third one, the copy is there."""


class SubstringSettings(Settings):
    """How long a repeated substring must be to be cut."""

    min_bytes: int = Field(default=500, ge=16, le=1 << 20)
    """Bytes of UTF-8. 500 is the length of the Dolma 3 recipe; 100 bytes already cut common phrases."""


@dataclass(frozen=True)
class TextShard:
    """One shard's texts, read when needed: batches with `id`, `text` (null: left out) and, if known, `rank` (int64,
    the lower is kept first), `num_rows` in total."""

    name: str
    num_rows: int
    read: Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class TextFiles:
    """All texts in one file, and the runs of windows (see `anchor_runs`) in files partitioned by their gram's hash.

    `starts` is int64[n + 1], where each document begins in the file; `order` is int64[n], its place among all.
    """

    folder: Path
    starts: np.ndarray
    order: np.ndarray

    def text(self) -> np.ndarray:
        """uint8: all texts one after another, mapped, not read."""
        if self.starts[-1] == 0:
            return np.zeros(0, np.uint8)
        return np.memmap(self.folder / "text.bin", np.uint8, "r")


def write_runs(shards: Sequence[TextShard], settings: SubstringSettings, folder: Path) -> TextFiles:
    """Copy texts and runs to `folder` in one pass. About 0.3 bytes of runs per byte of ordinary text on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes, ids, ranks = [np.zeros(1, np.int64)], [], []
    files = [(folder / f"runs_{part:02d}.bin").open("wb") for part in range(1 << _PARTITION_BITS)]
    base = 0
    try:
        with (folder / "text.bin").open("wb") as text_file:
            for shard in shards:
                for batch in shard.read():
                    offsets, data = text_buffers(batch["text"])
                    text_file.write(data[offsets[0] : offsets[-1]].data)
                    for runs in batch_runs(offsets, data, settings, base - int(offsets[0])):
                        part = (runs["hash"] >> np.uint64(64 - _PARTITION_BITS)).astype(np.int64)
                        runs, borders = runs[np.argsort(part, kind="stable")], np.bincount(part, minlength=len(files))
                        for file, chosen in zip(files, np.split(runs, np.cumsum(borders)[:-1]), strict=True):
                            chosen.tofile(file)
                    sizes.append(np.diff(offsets))
                    ids.append(hash128_rows(*text_buffers(batch["id"])))
                    ranked = batch.schema.get_field_index("rank") >= 0
                    ranks.append(batch["rank"].to_numpy() if ranked else np.zeros(batch.num_rows, np.int64))
                    base += int(offsets[-1] - offsets[0])
    finally:
        for file in files:
            file.close()
    return TextFiles(folder, np.cumsum(np.concatenate(sizes)), canonical_order(ids, ranks))


def canonical_order(ids: list[np.ndarray], ranks: list[np.ndarray]) -> np.ndarray:
    """int64[n]: each document's place by rank, then by hashed id; `ids` (uint64[m, 2]) and `ranks` come in batches."""
    keys = np.concatenate([np.zeros((0, 2), np.uint64), *ids])
    place = np.lexsort((keys[:, 1], keys[:, 0], np.concatenate([np.zeros(0, np.int64), *ranks])))
    order = np.empty(len(place), np.int64)
    order[place] = np.arange(len(place))
    return order


def batch_runs(
    offsets: np.ndarray, data: np.ndarray, settings: SubstringSettings, base: int = 0
) -> Iterator[np.ndarray]:
    """The runs of a batch of texts, as records (`hash, anchor, first, last`) with `base` added to positions."""
    longest = int(np.diff(offsets).max(initial=0))
    row, capacity = 0, max(longest, int(offsets[-1] - offsets[0]) // 16)
    while row < len(offsets) - 1:
        row, *columns = anchor_runs(offsets, data, row, settings.min_bytes, settings.min_bytes // 2, base, capacity)
        yield np.rec.fromarrays(columns, dtype=_RUN)


def partition_cuts(files: TextFiles, part: int, settings: SubstringSettings) -> np.ndarray:
    """int64[c, 3]: what one partition's runs cut, as byte ranges of the text file, and where the earlier copy begins."""
    runs = np.fromfile(files.folder / f"runs_{part:02d}.bin", _RUN)
    runs = runs[np.argsort(runs["hash"], kind="stable")]
    same = np.zeros(len(runs) + 1, bool)
    same[1:-1] = runs["hash"][1:] == runs["hash"][:-1]
    runs = runs[same[1:] | same[:-1]]
    if len(runs) == 0:
        return np.zeros((0, 3), np.int64)
    documents = np.searchsorted(files.starts, runs["first"], side="right") - 1
    sort = np.lexsort((runs["first"], files.order[documents], runs["hash"]))
    hashes, anchors, firsts, lasts = (np.ascontiguousarray(runs[name][sort]) for name in runs.dtype.names or ())
    length = settings.min_bytes
    return later_copies(files.text(), hashes, anchors, firsts, lasts, documents[sort], length, length // 2)


def merge_cuts(cuts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Union of byte ranges, sorted; ranges that touch become one unless a document begins between them.

    Of the copies (third column) that of the first range stays.
    """
    if len(cuts) == 0:
        return cuts
    cuts = cuts[np.argsort(cuts[:, 0], kind="stable")]
    reach = np.maximum.accumulate(cuts[:, 1])
    documents = np.searchsorted(starts, cuts[:, 0], side="right")
    opens = np.ones(len(cuts), bool)
    opens[1:] = (cuts[1:, 0] > reach[:-1]) | (documents[1:] != documents[:-1])
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(cuts)) - 1
    return np.stack([cuts[first, 0], reach[last], cuts[first, 2]], axis=1)


def span_column(rows: np.ndarray, spans: np.ndarray, first_in: pa.ChunkedArray, num_rows: int, kind: str) -> pa.Array:
    """A `REPEATS` column from the row of each span (sorted), its byte range in that row's text, and its copy."""
    offsets = np.zeros(num_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=num_rows), out=offsets[1:])
    fields = [
        pa.array(spans[:, 0], pa.int32()),
        pa.array(spans[:, 1], pa.int32()),
        pa.array([kind], pa.string()).take(pa.array(np.zeros(len(spans), np.int64))),
        first_in.combine_chunks(),
    ]
    values = pa.StructArray.from_arrays(fields, fields=list(REPEATS.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), values).cast(REPEATS)


def repeated_substrings(
    shards: Sequence[TextShard], settings: SubstringSettings, work_dir: str | Path
) -> Iterator[tuple[str, pa.Array]]:
    """Spans to cut, a `REPEATS` column per shard, aligned with its rows and of kind "substring"."""
    files = write_runs(shards, settings, Path(work_dir))
    parts = [partition_cuts(files, part, settings) for part in range(1 << _PARTITION_BITS)]
    cuts = merge_cuts(np.concatenate(parts), files.starts)
    text, kept = files.text(), []
    documents = np.searchsorted(files.starts, cuts[:, 0], side="right") - 1
    for (start, end, _), low, high in zip(cuts, files.starts[documents], files.starts[documents + 1], strict=True):
        kept.append(shrink_to_words(text, start, end, low, high))
    spans = np.array(kept, np.int64).reshape(-1, 2)
    left = spans[:, 0] < spans[:, 1]
    first_in = np.searchsorted(files.starts, cuts[left, 2], side="right") - 1
    spans, documents = spans[left] - files.starts[documents[left]][:, None], documents[left]
    at = 0
    for shard in shards:
        own = slice(*np.searchsorted(documents, [at, at + shard.num_rows]))
        copies = pa.chunked_array([pa.array(first_in[own], pa.int64())])
        yield shard.name, span_column(documents[own] - at, spans[own], copies, shard.num_rows, "substring")
        at += shard.num_rows
    for path in sorted(files.folder.glob("*.bin")):
        path.unlink()
