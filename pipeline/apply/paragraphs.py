"""Paragraphs that stand in many documents (disclaimers, navigation, notices): one copy stays, or none.

Shorter and simpler than repeated substrings: whole paragraphs only, from a length where a phrase is no accident, and
only when enough different documents have them. Equal text is equal bytes after trimming. As with substrings, give it
the documents that stay, so that the copy that is kept is not in a removed one.

A list (check boxes, numbered terms, what follows a colon) is cut whole or not at all: half of one says something else.
"""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.apply.substrings import SubstringSettings, span_column
from pipeline.core.blocks import rows_of
from pipeline.core.settings import Settings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash128_rows
from pipeline.kernels.text.marks import KINDS
from pipeline.kernels.text.paragraph_hashes import paragraph_hashes

PARAGRAPHS = pa.schema(
    [
        ("row", pa.int64()),  # number of the document among all
        ("low", pa.uint64()),  # hash of the trimmed paragraph
        ("high", pa.uint64()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("list", pa.int32()),  # where its list begins
        ("size", pa.int32()),  # paragraphs of that list
        ("rank", pa.int64()),  # the document with the lowest keeps its copy
        ("id_low", pa.uint64()),  # hash of the document's id: decides among equal ranks
        ("id_high", pa.uint64()),
    ]
)
CUTS = pa.schema(
    [*(PARAGRAPHS.field(name) for name in ("row", "start", "end", "list", "size")), ("first_in", pa.int64())]
)
"""Paragraphs to cut, and the number of the document whose copy stays; null where none does."""
LAST = np.int64(2**40)
"""Added to the rank of a document that will fall."""


class ParagraphSettings(Settings):
    """Which paragraphs are boilerplate."""

    min_bytes: int = Field(default=80, ge=1)
    """Shorter paragraphs (headings, dates, "Read more") are left alone, but for items of a list with one that is not shorter."""
    min_documents: int = Field(default=3, ge=2)
    """Documents that must have the paragraph."""
    keep_first: bool = True
    """Keep the copy in the first document (by rank, then hashed id); false cuts every copy."""


class RepeatSettings(Settings):
    """Text that stands in several kept documents is cut from all but one. Nothing is looked for by default."""

    paragraphs: ParagraphSettings | None = None
    """Whole paragraphs: disclaimers, notices, navigation."""
    substrings: SubstringSettings | None = None
    """Exact substrings from a length on, across paragraphs, cut at word borders."""


def paragraph_rows(batch: pa.RecordBatch, first: int, settings: ParagraphSettings) -> pa.Table:
    """`PARAGRAPHS` of a batch of `id`, `text` (null: left out) and `rank`, whose documents are numbered from `first` on."""
    hashes, rows, starts, ends, lists, sizes = paragraph_hashes(*text_buffers(batch["text"]), settings.min_bytes, KINDS)
    group, count = _lists(rows, lists)
    long = np.zeros(count, bool)
    long[group[sizes >= settings.min_bytes]] = True
    ids = hash128_rows(*text_buffers(batch["id"]))[rows]
    columns = [rows + first, hashes[:, 0], hashes[:, 1], starts, ends, lists, np.bincount(group, minlength=1)[group]]
    columns += [batch["rank"].to_numpy()[rows], ids[:, 0], ids[:, 1]]
    return pa.table([pa.array(column[long[group]]) for column in columns], names=PARAGRAPHS.names).cast(PARAGRAPHS)


def _lists(rows: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, int]:
    """(the number of each paragraph's list int64[m], how many lists there are) of paragraphs in order."""
    opens = np.ones(len(rows), bool)
    opens[1:] = (rows[1:] != rows[:-1]) | (lists[1:] != lists[:-1])
    return np.cumsum(opens) - 1, int(opens.sum())


def repeated(table: pa.Table, falling: np.ndarray, settings: ParagraphSettings) -> pa.Table:
    """`CUTS` of all paragraphs with some hashes, in the order of documents; those `falling` keep a copy last of all."""
    column = {name: table[name].to_numpy() for name in PARAGRAPHS.names}
    rank = column["rank"] + LAST * np.isin(column["row"], falling)
    keys = [column[name] for name in ("start", "row", "id_high", "id_low")]
    order = np.lexsort((*keys, rank, column["high"], column["low"]))
    low, high, row = (column[name][order] for name in ("low", "high", "row"))
    opens = np.ones(len(order), bool)
    opens[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    group = np.cumsum(opens) - 1
    new_document = opens.copy()
    new_document[1:] |= row[1:] != row[:-1]
    documents = np.bincount(group, new_document, minlength=1)
    cut = documents[group] >= settings.min_documents if len(order) else np.zeros(0, bool)
    if settings.keep_first:
        cut &= ~opens
    first = pa.array(row[opens][group[cut]]) if settings.keep_first else pa.nulls(int(cut.sum()), pa.int64())
    chosen = table.select(CUTS.names[:-1]).take(pa.array(order[cut])).append_column("first_in", first)
    return chosen.cast(CUTS).sort_by([("row", "ascending"), ("start", "ascending")])


def whole_lists(cuts: pa.Table) -> pa.Table:
    """The cuts of documents of which all are given, without those of lists that are not cut whole; by document and place."""
    cuts = cuts.sort_by([("row", "ascending"), ("start", "ascending")])
    group, count = _lists(cuts["row"].to_numpy(), cuts["list"].to_numpy())
    return cuts.filter(pa.array(np.bincount(group, minlength=count)[group] == cuts["size"].to_numpy()))


def cut_column(cuts: pa.Table, first: int, rows: int) -> pa.Array:
    """A `REPEATS` column of the documents numbered from `first` on, from `whole_lists` of them and others."""
    cuts = rows_of(cuts, first, rows)
    spans = np.stack([cuts["start"].to_numpy(), cuts["end"].to_numpy()], axis=1)
    return span_column(cuts["row"].to_numpy() - first, spans, cuts["first_in"], rows, "paragraph")
