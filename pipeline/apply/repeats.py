"""Repeats, the first part of apply: spans that kept documents have in common, one copy of which stays.

Looked for after decide, among the documents it keeps, so that the copy that stays is in none that went. The copy of the
source with the highest priority stays, then a domain copy, then that of the smaller hashed id. A document that apply will
leave too short to stay comes after all others: where it would have the copy, spans are looked for again without it in front.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.paragraphs import ParagraphSettings, repeated_paragraphs
from pipeline.apply.rewrite import SpanColumn, is_too_short, rewrite, span_columns
from pipeline.apply.substrings import SubstringSettings, TextShard, repeated_substrings
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store

VERSION = 3
MOST_ROUNDS = 8
"""Times that documents found to fall are put last; those found after that are counted by settle."""
LAST = np.int64(2**40)
"""Added to the rank of a document that will fall."""
Cut = tuple[str, str, str, str]
"""A span column that apply acts on: stage, file, column, action."""
KINDS = {"paragraphs": (ParagraphSettings, repeated_paragraphs), "substrings": (SubstringSettings, repeated_substrings)}

SPANS = pa.schema(
    [
        (
            "spans",
            pa.list_(
                pa.struct(
                    [("start", pa.int32()), ("end", pa.int32()), ("kind", pa.string()), ("first_in", pa.string())]
                )
            ),
        )
    ]
)
"""One row a document, aligned with its documents. `first_in` is the id of the document that has the copy that stays."""


def _kept_texts(
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


def find_repeats(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The spans of one kind over all shards; a table per shard."""
    (assigned,) = assignments
    model, find = KINDS[assigned.name]
    sources, settings = assigned.reads["shards"], assigned.settings
    falling: dict[str, np.ndarray] = {name: np.zeros(0, np.int64) for name in sources}
    for _ in range(MOST_ROUNDS):
        shards = [
            TextShard(
                name,
                files["documents"].rows,
                lambda files=files, last=falling[name]: _kept_texts(store, files, settings["priorities"], last),
            )
            for name, files in sources.items()
        ]
        with tempfile.TemporaryDirectory(prefix="repeats-") as folder:
            columns = dict(find(shards, model.model_validate(settings["find"]), Path(folder)))
        more = _falling(store, assigned, columns)
        found = {name: np.union1d(rows, more[name]) for name, rows in falling.items()}
        if all(len(found[name]) == len(rows) for name, rows in falling.items()):
            break
        falling = found
    ids = _ids(store, sources, columns)
    files, spans, touched = {}, 0, 0
    for name, column in columns.items():
        table = pa.table([_named(column, ids)], schema=SPANS)
        spans += len(column.values)
        touched += int((np.diff(column.offsets.to_numpy()) > 0).sum())
        files[name] = store.put_table(assigned.path(f"repeats/{assigned.name}", name), [table], SPANS)
    return [Produced(files, RepeatCounts(spans, touched))]


def _falling(store: Store, assigned: Assignment, columns: dict[str, pa.Array]) -> dict[str, np.ndarray]:
    """By shard, the rows with a copy that stays whose text apply would leave too short."""
    wanted = [column.values.field("first_in").drop_null() for column in columns.values()]
    numbers, at = np.unique(pa.chunked_array(wanted, pa.int64()).to_numpy()), 0
    found = {}
    for shard, files in assigned.reads["shards"].items():
        own = numbers[(numbers >= at) & (numbers < at + files["documents"].rows)] - at
        at += files["documents"].rows
        found[shard] = own
        if not len(own):
            continue
        rows = pa.array(own)
        spans = [
            replace(column, values=column.values.take(rows))
            for column in span_columns(store, files["signals"], assigned.settings)
        ]
        spans.append(SpanColumn("repeats", "cut", pa.chunked_array([columns[shard].take(rows)])))
        texts = store.read_table(files["documents"].path, ["text"]).take(rows)
        left = [edited.text for edited in rewrite(texts, ["kept"] * len(own), spans)]
        short = is_too_short(pa.array(left, pa.large_binary()).cast(pa.large_string()), assigned.settings["min_chars"])
        found[shard] = own[np.asarray(short)]
    return found


def _ids(store: Store, sources: dict[str, Any], columns: dict[str, pa.Array]) -> dict[int, str]:
    """Ids of the documents that have a copy that stays, by their number among all."""
    wanted = [column.values.field("first_in").drop_null() for column in columns.values()]
    numbers = np.unique(pa.chunked_array(wanted, pa.int64()).to_numpy())
    found, at = {}, 0
    for files in sources.values():
        own = numbers[(numbers >= at) & (numbers < at + files["documents"].rows)]
        if len(own):
            ids = store.read_table(files["documents"].path, ["id"])["id"].take(pa.array(own - at)).to_pylist()
            found |= dict(zip(own.tolist(), ids, strict=True))
        at += files["documents"].rows
    return found


def _named(column: pa.ListArray, ids: dict[int, str]) -> pa.ListArray:
    values = column.values
    fields = [values.field(name) for name in ("start", "end", "kind")]
    names = [None if number is None else ids[number] for number in values.field("first_in").to_pylist()]
    own = pa.StructArray.from_arrays([*fields, pa.array(names, pa.string())], fields=list(SPANS.types[0].value_type))
    return pa.ListArray.from_arrays(column.offsets, own, type=SPANS.types[0])


def repeats(run: Run, cuts: list[Cut], aside: dict[str, list[str]]) -> Commits:
    """One unit for each kind that the recipe asks for, keyed by the documents, which of them are kept, and what else is cut
    from them (`cuts`, of judges' signals)."""
    shards = {
        shard: {
            "documents": run.file(Step.EXTRACT, shard),
            "decisions": run.file(Step.DECIDE, name=shard),
            "signals": {name: run.signal_file(name, shard) for name in sorted({name for _, name, _, _ in cuts})},
        }
        for shard in run.shards
    }
    asked = {name: getattr(run.recipe.repeats, name) for name in KINDS}
    units = [
        Unit(
            name=name,
            reads={"shards": shards},
            settings={
                "find": settings.model_dump(mode="json"),
                "priorities": {source.name: source.priority for source in run.recipe.chosen},
                "min_chars": run.recipe.apply.min_chars,
                "cuts": [list(cut) for cut in cuts],
                "set_aside": aside,
            },
            version=VERSION,
        )
        for name, settings in asked.items()
        if settings is not None
    ]
    return run.execute(Step.REPEATS, units, find_repeats)
