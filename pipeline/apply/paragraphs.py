"""Paragraphs that stand in many documents (disclaimers, navigation, notices): one copy stays, or none.

Shorter and simpler than repeated substrings: whole paragraphs only, from a length where a phrase is no accident, and
only when enough different documents have them. Equal text is equal bytes after trimming. As with substrings, give it
the documents that stay, so that the copy that is kept is not in a removed one.

A list (check boxes, numbered terms, what follows a colon) is cut whole or not at all: half of one says something else.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.apply.substrings import TextShard, canonical_order, span_column
from pipeline.core.settings import Settings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash128_rows
from pipeline.kernels.text.marks import KINDS
from pipeline.kernels.text.paragraph_hashes import paragraph_hashes

_PARTITION_BITS = 6
_PARAGRAPH = np.dtype(
    [
        ("low", "<u8"),
        ("high", "<u8"),
        ("document", "<i8"),
        ("start", "<i4"),
        ("end", "<i4"),
        ("list", "<i4"),
        ("size", "<i4"),
    ]
)
"""`list` is where the paragraph's list begins, and `size` how many paragraphs that has."""


class ParagraphSettings(Settings):
    """Which paragraphs are boilerplate."""

    min_bytes: int = Field(default=80, ge=1)
    """Shorter paragraphs (headings, dates, "Read more") are left alone, but for items of a list with one that is not shorter."""
    min_documents: int = Field(default=3, ge=2)
    """Documents that must have the paragraph."""
    keep_first: bool = True
    """Keep the copy in the first document (by rank, then hashed id); false cuts every copy."""


def repeated_paragraphs(
    shards: Sequence[TextShard], settings: ParagraphSettings, work_dir: str | Path
) -> Iterator[tuple[str, pa.Array]]:
    """Spans to cut, a `REPEATS` column per shard, aligned with its rows and of kind "paragraph".

    Independent of the shards' layout. Memory: 24 bytes a document and one sixty-fourth of the paragraphs' records.
    """
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    order = _write_paragraphs(shards, settings, folder)
    parts = [_partition(folder / f"paragraphs_{part:02d}.bin", order, settings) for part in range(1 << _PARTITION_BITS)]
    cut = np.concatenate([records for records, _ in parts])
    first_in = np.concatenate([first for _, first in parts])
    place = np.lexsort((cut["start"], cut["document"]))
    cut, first_in = cut[place], first_in[place]
    group, _ = _lists(cut["document"], cut["list"])
    whole = np.bincount(group)[group] == cut["size"] if len(cut) else np.zeros(0, bool)
    cut, first_in = cut[whole], first_in[whole] if settings.keep_first else None
    spans = np.stack([cut["start"], cut["end"]], axis=1)
    at = 0
    for shard in shards:
        own = slice(*np.searchsorted(cut["document"], [at, at + shard.num_rows]))
        copies = None if first_in is None else first_in[own]
        yield shard.name, span_column(cut["document"][own] - at, spans[own], copies, shard.num_rows, "paragraph")
        at += shard.num_rows


def _lists(rows: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, int]:
    """(the number of each paragraph's list int64[m], how many lists there are) of paragraphs in order."""
    opens = np.ones(len(rows), bool)
    opens[1:] = (rows[1:] != rows[:-1]) | (lists[1:] != lists[:-1])
    return np.cumsum(opens) - 1, int(opens.sum())


def _write_paragraphs(shards: Sequence[TextShard], settings: ParagraphSettings, folder: Path) -> np.ndarray:
    """Write the paragraphs' records, partitioned by hash; returns each document's place in the canonical order."""
    files = [(folder / f"paragraphs_{part:02d}.bin").open("wb") for part in range(1 << _PARTITION_BITS)]
    ids, ranks, base = [], [], 0
    try:
        for shard in shards:
            for batch in shard.read():
                found = paragraph_hashes(*text_buffers(batch["text"]), settings.min_bytes, KINDS)
                hashes, rows, starts, ends, lists, sizes = found
                group, count = _lists(rows, lists)
                long = np.zeros(count, bool)
                long[group[sizes >= settings.min_bytes]] = True
                columns = [
                    hashes[:, 0],
                    hashes[:, 1],
                    rows + base,
                    starts,
                    ends,
                    lists,
                    np.bincount(group, minlength=1)[group],
                ]
                records = np.rec.fromarrays([column[long[group]] for column in columns], dtype=_PARAGRAPH)
                part = (records["low"] >> np.uint64(64 - _PARTITION_BITS)).astype(np.int64)
                borders = np.cumsum(np.bincount(part, minlength=len(files)))[:-1]
                chosen = np.split(records[np.argsort(part, kind="stable")], borders)
                for file, own in zip(files, chosen, strict=True):
                    own.tofile(file)
                ids.append(hash128_rows(*text_buffers(batch["id"])))
                ranked = batch.schema.get_field_index("rank") >= 0
                ranks.append(batch["rank"].to_numpy() if ranked else np.zeros(batch.num_rows, np.int64))
                base += batch.num_rows
    finally:
        for file in files:
            file.close()
    return canonical_order(ids, ranks)


def _partition(path: Path, order: np.ndarray, settings: ParagraphSettings) -> tuple[np.ndarray, np.ndarray]:
    """The records of one file that are to be cut, and the document of each one's first copy; removes the file."""
    found = np.fromfile(path, _PARAGRAPH)
    path.unlink()
    found = found[np.lexsort((found["start"], order[found["document"]], found["high"], found["low"]))]
    opens = np.ones(len(found), bool)
    opens[1:] = (found["low"][1:] != found["low"][:-1]) | (found["high"][1:] != found["high"][:-1])
    group = np.cumsum(opens) - 1
    new_document = opens.copy()
    new_document[1:] |= found["document"][1:] != found["document"][:-1]
    documents = np.bincount(group, new_document, minlength=1)
    repeated = documents[group] >= settings.min_documents if len(found) else np.zeros(0, bool)
    if settings.keep_first:
        repeated &= ~opens
    return found[repeated], found["document"][opens][group[repeated]]
