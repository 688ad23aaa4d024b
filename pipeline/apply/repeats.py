"""Repeats, the first part of apply: spans that kept documents have in common, one copy of which stays.

Looked for after decide, among the documents it keeps, so that the copy that stays is in none that went. The copy of the
source with the highest priority stays, then a domain copy, then that of the smaller hashed id. A document that apply will
leave too short to stay comes after all others: where it would have the copy, spans are looked for again without it in front.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.paragraphs import LAST
from pipeline.apply.rewrite import SpanColumn, is_too_short, rewrite, span_columns
from pipeline.apply.substrings import SubstringSettings, TextShard, repeated_substrings
from pipeline.core import judge
from pipeline.core.execute import Assignment, Produced, each
from pipeline.core.store import Store

VERSION = 4
MOST_ROUNDS = 8
"""Times that documents found to fall are put last; those found after that are counted by settle."""
Cut = tuple[str, str, str, str]
"""A span column that apply acts on: stage, file, column, action."""

SPANS = pa.schema([("spans", pa.list_(pa.struct([*judge.SPANS.value_type, ("first_in", pa.string())])))])
"""One row a document, aligned with its documents. `first_in` is the id of the document that has the copy that stays."""


def kept_texts(
    store: Store, files: Mapping[str, Any], priorities: dict[str, int], falling: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """Ids, ranks and the texts of kept documents of a shard; null for the others. `falling` are rows that stand last."""
    decided = store.read_table(files["decisions"].path, ["source", "role", "verdict"])
    kept = pc.equal(decided["verdict"], "kept").combine_chunks()
    domain = pc.equal(decided["role"], "domain").to_numpy()
    ranks = np.array([-2 * priorities[name] for name in decided["source"].to_pylist()], np.int64) - domain
    ranks[falling] += LAST
    at, parquet = 0, store.open_table(files["documents"].path)
    for group in range(parquet.num_row_groups):
        table = parquet.read_row_group(group, columns=["id", "text"], use_threads=False).combine_chunks()
        own = kept.slice(at, table.num_rows)
        rank = pa.array(ranks[at : at + table.num_rows])
        at += table.num_rows
        for batch in table.to_batches():
            text = pc.if_else(own, batch["text"], pa.scalar(None, batch["text"].type))
            yield pa.RecordBatch.from_arrays([batch["id"], text, rank], names=["id", "text", "rank"])


@dataclass
class RepeatCounts:
    """Spans that are cut, and documents that have one."""

    spans: int = 0
    documents: int = 0


@each
def find_substrings(store: Store, assigned: Assignment) -> Produced:
    """The repeated substrings over all shards; a table per shard."""
    sources, settings = assigned.reads["shards"], assigned.settings
    falling: dict[str, np.ndarray] = {name: np.zeros(0, np.int64) for name in sources}
    for _ in range(MOST_ROUNDS):
        shards = [
            TextShard(
                name,
                files["documents"].rows,
                lambda files=files, last=falling[name]: kept_texts(store, files, settings["priorities"], last),
            )
            for name, files in sources.items()
        ]
        with tempfile.TemporaryDirectory(prefix="repeats-") as folder:
            found = SubstringSettings.model_validate(settings["find"])
            columns = dict(repeated_substrings(shards, found, Path(folder)))
        holders = _holders(columns, {name: files["documents"].rows for name, files in sources.items()})
        more = {
            name: np.union1d(rows, fallen_of(store, sources[name], holders[name], columns[name], settings))
            for name, rows in falling.items()
        }
        if all(len(more[name]) == len(rows) for name, rows in falling.items()):
            break
        falling = more
    first, numbers, ids = 0, [np.zeros(0, np.int64)], [pa.array([], pa.string())]
    for name, files in sources.items():
        numbers.append(holders[name] + first)
        ids.append(ids_of(store, files, holders[name]))
        first += files["documents"].rows
    names, known = pa.concat_arrays(ids), np.concatenate(numbers)
    tables = {name: named(column, known, names) for name, column in columns.items()}
    files = {name: store.put_table(assigned.path("repeats/substrings", name), [t], SPANS) for name, t in tables.items()}
    return Produced(files, counted(columns.values()))


def _holders(columns: Mapping[str, pa.Array], rows: Mapping[str, int]) -> dict[str, np.ndarray]:
    """By shard, the rows with a copy that stays."""
    wanted = [column.values.field("first_in").drop_null() for column in columns.values()]
    numbers, at, found = np.unique(pa.chunked_array(wanted, pa.int64()).to_numpy()), 0, {}
    for shard, count in rows.items():
        found[shard] = numbers[(numbers >= at) & (numbers < at + count)] - at
        at += count
    return found


def ids_of(store: Store, files: Mapping[str, Any], rows: np.ndarray) -> pa.Array:
    """Ids of some rows of a shard."""
    if not len(rows):
        return pa.array([], pa.string())
    return store.read_table(files["documents"].path, ["id"])["id"].take(pa.array(rows)).combine_chunks()


def fallen_of(
    store: Store, files: Mapping[str, Any], rows: np.ndarray, repeats: pa.Array, settings: Mapping[str, Any]
) -> np.ndarray:
    """Those of some rows of a shard whose text apply would leave too short, with what `repeats` cuts and what judges cut."""
    if not len(rows):
        return rows
    chosen = pa.array(rows)
    judged = span_columns(store, files["signals"], dict(settings))
    spans = [SpanColumn(one.stage, one.action, one.values.take(chosen), one.aside) for one in judged]
    spans.append(SpanColumn("repeats", "cut", pa.chunked_array([repeats.take(chosen)])))
    texts = store.read_table(files["documents"].path, ["text"]).take(chosen)
    left = [edited.text for edited in rewrite(texts, ["kept"] * len(rows), spans)]
    short = is_too_short(pa.array(left, pa.large_binary()).cast(pa.large_string()), settings["min_chars"])
    return rows[np.asarray(short)]


def named(column: pa.ListArray, numbers: np.ndarray, ids: pa.Array) -> pa.Table:
    """`SPANS` of a `REPEATS` column, with ids in place of numbers. `numbers` are rising, `ids` theirs."""
    values = column.values
    first = values.field("first_in")
    place = np.searchsorted(numbers, first.fill_null(-1).to_numpy())
    names = ids.take(pa.array(place, mask=np.asarray(first.is_null())))
    fields = [values.field("start"), values.field("end"), values.field("kind"), names]
    spans = pa.StructArray.from_arrays(fields, fields=list(SPANS.types[0].value_type))
    return pa.table([pa.ListArray.from_arrays(column.offsets, spans, type=SPANS.types[0])], SPANS)


def counted(columns: Any) -> RepeatCounts:
    """Spans of some columns, and rows with one."""
    counts = RepeatCounts()
    for column in columns:
        counts.spans += len(column.values)
        counts.documents += int((np.diff(column.offsets.to_numpy()) > 0).sum())
    return counts
