"""Kept documents by stream and part: what the shards step encodes and publish writes, a part at a time.

A stream is what was kept of a source in one role and bucket. One larger than a shard is cut into parts by id. Every part would
have to read every document shard of its source, so `scatter` first writes them out once more: a unit for each block of
shards, about as large as a part, with a record batch for each part, of which a part reads its own. That is one more writing
and reading of the kept text, and parts × blocks small reads, where a part of a stream that has but one reads the shards.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.settle import SettleCounts, StreamCounts, kept_bytes
from pipeline.core.blocks import blocks_of
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.partition import part_numbers
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.errors import UsageError
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
    bucket: int = 0
    """By score, from 1 for the lowest; 0: none."""


def streams(run: Run) -> dict[str, Stream]:
    """What was kept, by stream: a source, or `<source>-<role>` where a source gives both roles; with `-b<bucket>` where the
    recipe makes buckets."""
    fixed = {source.name: source.role for source in run.recipe.chosen}
    named = {}
    for key, sums in run.counted(SettleCounts, Step.SETTLE).streams.items():
        source, role, *bucket = key.split("/")
        name = f"{source}-{role}" if fixed[source] == "auto" else source
        name += f"-b{bucket[0]}" if bucket else ""
        if name in named:
            raise UsageError(f"two parts of the corpus are named {name}: give the source of that name another one")
        named[name] = Stream(**vars(sums), source=source, role=role, bucket=int(bucket[0]) if bucket else 0)
    return dict(sorted(named.items()))


def stream_of(unit: str) -> str:
    """The stream of a unit of the shards step, whose name is `<stream>/<part>`."""
    return unit.rpartition("/")[0]


def kept_rows(store: Store, files: Mapping[str, FileInfo], columns: list[str] | None = None, by: str = "") -> pa.Table:
    """id, source, role, bucket, text, its bytes and score of the kept documents of one shard, and more columns of its documents.

    `by`: the column of the file `score`, where there is one; scores are null without.
    """
    verdicts = store.read_table(files["verdicts"].path, ["id", "source", "role", "verdict", "bucket"])
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


def scored_files(run: Run, shard: str) -> dict[str, FileInfo]:
    """And its scores where the recipe selects by them."""
    told = run.recipe.select
    scores = {"score": run.signal_file(told.judge, shard)} if told and told.ranks else {}
    return {**final_files(run, shard), **scores}


def described_files(run: Run, shard: str) -> dict[str, FileInfo]:
    """And its documents, for the columns that the others have not."""
    return {"documents": run.file(Step.EXTRACT, shard), **scored_files(run, shard)}


def shards_of(run: Run, source: str) -> list[str]:
    """The document shards of one source."""
    return [shard for shard, counts in run.counts(ExtractCounts, Step.EXTRACT).items() if counts.source == source]


@each
def scatter_block(store: Store, assigned: Assignment) -> Produced:
    """The kept documents of a block of shards as Arrow IPC: a compressed record batch for each part of each role, in order."""
    settings = assigned.settings
    rows = [kept_rows(store, files, DESCRIBED, settings["by"]) for files in assigned.reads["shards"].values()]
    table = pa.concat_tables(rows).combine_chunks()
    batch_of = np.full(table.num_rows, -1, np.int64)
    for role, bucket, first, parts in settings["parts"]:
        mine = _in_stream(table, role, bucket)
        batch_of[mine] = first + part_numbers(table["id"].filter(pa.array(mine)), parts)
    order = np.argsort(batch_of, kind="stable")
    ends = np.searchsorted(batch_of[order], np.arange(sum(place[-1] for place in settings["parts"]) + 1))
    none, sink = pa.RecordBatch.from_pylist([], schema=table.schema), io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for start, end in pairwise(ends):
            (batch,) = table.take(pa.array(order[start:end])).combine_chunks().to_batches() or [none]
            writer.write_batch(batch)
    info = store.put(assigned.path("scattered", suffix=".arrow"), sink.getvalue())
    return Produced({"table": info})


def load_part(store: Store, assigned: Assignment, columns: list[str] | None = None) -> pa.Table:
    """The kept documents of one part of a stream, in the order of their ids, with some of their `DESCRIBED` columns.

    `assigned` has the reads and settings that `scatter` gave the part.
    """
    reads, settings = assigned.reads, assigned.settings
    if "scattered" in reads:
        wanted = ["id", "source", "role", "bucket", "text", "text_bytes", "score", *(columns or ())]
        tables = [store.read_batch(info.path, settings["batch"], wanted) for info in reads["scattered"]]
    else:
        tables = [kept_rows(store, files, columns, settings["by"]) for files in reads["shards"]]
        tables = [table.filter(pa.array(_in_stream(table, settings["role"], settings["bucket"]))) for table in tables]
    return pa.concat_tables(tables).sort_by("id").combine_chunks()


def _in_stream(table: pa.Table, role: str, bucket: int) -> np.ndarray:
    """bool[n]: rows of this role and bucket."""
    return np.asarray(pc.equal(table["role"], role)) & np.asarray(pc.equal(table["bucket"].fill_null(0), bucket))


def scatter(run: Run) -> None:
    """Write the documents of sources with a stream of several parts once more, by part."""
    all_streams, places, sizes, by = streams(run), _places(run), kept_bytes(run), _score_column(run)
    units = []
    for source in sorted(_scattered(all_streams, places)):
        own = {name: stream for name, stream in all_streams.items() if stream.source == source}
        settings = {"parts": [[one.role, one.bucket, *places[name]] for name, one in own.items()], "by": by}
        blocks = blocks_of({shard: sizes[shard] for shard in shards_of(run, source)}, run.recipe.shards.shard_bytes)
        for number, names in enumerate(blocks):
            reads = {"shards": {name: described_files(run, name) for name in names}}
            units.append(Unit(f"{source}/{number:05d}", reads, settings, SCATTER_VERSION))
    run.execute(Step.SCATTER, units, scatter_block)


def parts_of_streams(run: Run, files_of: Callable[[Run, str], dict[str, FileInfo]]) -> Iterator[Part]:
    """The parts of every stream, after `scatter`. `files_of`: what is read of a document shard where nothing is scattered."""
    all_streams, places, by = streams(run), _places(run), _score_column(run)
    scattered, blocks = _scattered(all_streams, places), run.commits(Step.SCATTER)
    for name, stream in all_streams.items():
        first, parts = places[name]
        if stream.source in scattered:
            files = [commit.files["table"] for unit, commit in blocks.items() if stream_of(unit) == stream.source]
            reads: dict[str, Any] = {"scattered": files}
        else:
            reads = {"shards": [files_of(run, shard) for shard in shards_of(run, stream.source)]}
        for part in range(parts):
            yield (
                f"{name}/{part:05d}",
                reads,
                {"role": stream.role, "bucket": stream.bucket, "by": by, "part": [part, parts], "batch": first + part},
            )


def _places(run: Run) -> dict[str, tuple[int, int]]:
    """Of every stream the number of its first part among those of its source, and how many parts it has."""
    places, held = {}, Counter[str]()
    for name, stream in streams(run).items():
        places[name] = held[stream.source], part_count(stream.bytes, run.recipe.shards)
        held[stream.source] += places[name][1]
    return places


def _scattered(all_streams: Mapping[str, Stream], places: Mapping[str, tuple[int, int]]) -> set[str]:
    """Sources with a stream of several parts."""
    return {stream.source for name, stream in all_streams.items() if places[name][1] > 1}


def _score_column(run: Run) -> str:
    """The column of scores that the recipe selects by; empty when it does not."""
    told = run.recipe.select
    return told.column if told and told.ranks else ""
