"""Kept documents by stream and part: what the shards step encodes and publish writes, a part at a time.

A stream is what was kept of a source in one role. One that is larger than a shard is cut into parts by id. Every part would
have to read every document shard of its source, so `scatter` first writes them out once more: a unit for each block of
shards, about as large as a part, with a record batch for each part, of which a part reads its own. That is one more writing
and reading of the kept text, and parts × blocks small reads, where a part of a stream that has but one reads the shards.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.settle import SettleCounts, StreamCounts, kept_bytes
from pipeline.core.blocks import blocks_of
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.partition import part_numbers
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.extract.step import ExtractCounts
from pipeline.tokens.shards import part_count

SCATTER_VERSION = 1
DESCRIBED = ["url", "title", "date", "doc_type", "licence", "rights", "tdm", "robots", "terms"]
"""Columns of documents that are published beside their text."""
Part = tuple[str, dict[str, Any], dict[str, Any]]
"""A part's name, what is read for it, and the settings that say which rows of that."""


@dataclass
class Stream(StreamCounts):
    """What was kept of one source in one role."""

    source: str = ""
    role: str = ""


def streams(run: Run) -> dict[str, Stream]:
    """What was kept, by stream: a source, or `<source>-<role>` where a source gives both roles."""
    fixed = {source.name: source.role for source in run.recipe.chosen}
    named = {}
    for key, sums in run.counted(SettleCounts, Step.SETTLE).streams.items():
        source, role = key.split("/")
        name = f"{source}-{role}" if fixed[source] == "auto" else source
        named[name] = Stream(**vars(sums), source=source, role=role)
    return dict(sorted(named.items()))


def stream_of(unit: str) -> str:
    """The stream of a unit of the shards step, whose name is `<stream>/<part>`."""
    return unit.rpartition("/")[0]


def kept_rows(store: Store, files: Mapping[str, FileInfo], columns: list[str] | None = None, by: str = "") -> pa.Table:
    """id, source, role, text, its bytes and score of the kept documents of one shard, and further columns of its documents.

    `by`: the column of the file `score`, where there is one; scores are null without.
    """
    verdicts = store.read_table(files["verdicts"].path, ["id", "source", "role", "verdict"])
    texts = store.read_table(files["texts"].path, ["text", "text_bytes"])
    table = verdicts.append_column("text", texts["text"]).append_column("text_bytes", texts["text_bytes"])
    scores = store.read_table(files["score"].path, [by])[by] if by else pa.nulls(len(table))
    table = table.append_column("score", scores.cast(pa.float32()))
    if columns:
        documents = store.read_table(files["documents"].path, columns)
        for column in columns:
            table = table.append_column(column, documents[column])
    return table.filter(pc.equal(verdicts["verdict"], "kept"))


def final_files(run: Run, shard: str) -> dict[str, FileInfo]:
    """Texts and final verdicts of one document shard."""
    return {"texts": run.file(Step.APPLY, shard), "verdicts": run.file(Step.SETTLE, name=shard)}


def described_files(run: Run, shard: str) -> dict[str, FileInfo]:
    """And its documents, for the columns that `final_files` have not, and scores where the recipe selects by them."""
    told = run.recipe.select
    scores = {"score": run.signal_file(told.judge, shard)} if told else {}
    return {"documents": run.file(Step.EXTRACT, shard), **final_files(run, shard), **scores}


def shards_of(run: Run, source: str) -> list[str]:
    """The document shards of one source."""
    return [shard for shard, counts in run.counts(ExtractCounts, Step.EXTRACT).items() if counts.source == source]


def scatter_block(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The kept documents of a block of shards as Arrow IPC: a compressed record batch for each part of each role, in order."""
    produced = []
    for assigned in assignments:
        settings = assigned.settings
        rows = [kept_rows(store, files, DESCRIBED, settings["by"]) for files in assigned.reads["shards"].values()]
        table = pa.concat_tables(rows).combine_chunks()
        batch_of = np.full(table.num_rows, -1, np.int64)
        for role, (first, parts) in settings["parts"].items():
            mine = np.asarray(pc.equal(table["role"], role))
            batch_of[mine] = first + part_numbers(table["id"].filter(pa.array(mine)), parts)
        order = np.argsort(batch_of, kind="stable")
        ends = np.searchsorted(batch_of[order], np.arange(sum(parts for _, parts in settings["parts"].values()) + 1))
        none, sink = pa.RecordBatch.from_pylist([], schema=table.schema), io.BytesIO()
        with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            for start, end in pairwise(ends):
                (batch,) = table.take(pa.array(order[start:end])).combine_chunks().to_batches() or [none]
                writer.write_batch(batch)
        info = store.put(assigned.path("scattered", suffix=".arrow"), sink.getvalue())
        produced.append(Produced({"table": info}))
    return produced


def load_part(store: Store, assigned: Assignment, columns: list[str] | None = None) -> pa.Table:
    """The kept documents of one part of a stream, in the order of their ids, with some of their `DESCRIBED` columns.

    `assigned` has the reads and settings that `scatter` gave the part.
    """
    reads, settings = assigned.reads, assigned.settings
    if "scattered" in reads:
        wanted = ["id", "source", "role", "text", "text_bytes", "score", *(columns or ())]
        tables = [store.read_batch(info.path, settings["batch"], wanted) for info in reads["scattered"]]
    else:
        tables = [kept_rows(store, files, columns, settings["by"]) for files in reads["shards"]]
        tables = [table.filter(pc.equal(table["role"], settings["role"])) for table in tables]
    return pa.concat_tables(tables).sort_by("id").combine_chunks()


def scatter(run: Run) -> None:
    """Write the documents of sources with a stream of several parts once more, by part."""
    places, sizes, by = _places(run), kept_bytes(run), _score_column(run)
    units = []
    for source in sorted(_scattered(places)):
        blocks = blocks_of({shard: sizes[shard] for shard in shards_of(run, source)}, run.recipe.shards.shard_bytes)
        for number, names in enumerate(blocks):
            reads = {"shards": {name: described_files(run, name) for name in names}}
            settings = {"parts": places[source], "by": by}
            units.append(Unit(f"{source}/{number:05d}", reads, settings, SCATTER_VERSION))
    run.execute(Step.SCATTER, units, scatter_block)


def parts_of_streams(run: Run) -> Iterator[Part]:
    """The parts of every stream, after `scatter`."""
    places, by = _places(run), _score_column(run)
    scattered, blocks = _scattered(places), run.commits(Step.SCATTER)
    for name, stream in streams(run).items():
        first, parts = places[stream.source][stream.role]
        if stream.source in scattered:
            files = [commit.files["table"] for unit, commit in blocks.items() if stream_of(unit) == stream.source]
            reads: dict[str, Any] = {"scattered": files}
        else:
            reads = {"shards": [described_files(run, shard) for shard in shards_of(run, stream.source)]}
        for part in range(parts):
            yield (
                f"{name}/{part:05d}",
                reads,
                {"role": stream.role, "by": by, "part": [part, parts], "batch": first + part},
            )


def _places(run: Run) -> dict[str, dict[str, list[int]]]:
    """By source and role, the number of the stream's first part among those of the source, and of how many there are."""
    places: dict[str, dict[str, list[int]]] = {}
    for stream in streams(run).values():
        roles = places.setdefault(stream.source, {})
        first = sum(parts for _, parts in roles.values())
        roles[stream.role] = [first, part_count(stream.bytes, run.recipe.shards)]
    return places


def _scattered(places: Mapping[str, Mapping[str, list[int]]]) -> set[str]:
    return {source for source, roles in places.items() if any(parts > 1 for _, parts in roles.values())}


def _score_column(run: Run) -> str:
    """The column of scores that the recipe selects by; empty when it does not."""
    return run.recipe.select.column if run.recipe.select else ""
