"""Repeats, as steps. Paragraphs go by blocks of shards and parts of their hashes; substrings are one task over all texts.

`paragraphs`: a block at a time, the paragraphs of kept documents, cut into parts by hash. `repeated`: a part at a time, which of
them are cut, and which documents hold the copy that stays. `falling`: a block at a time, which of those apply will leave too
short to stay; where there are any, the two are done again with those last. `cuts`: a block at a time, the spans of its shards.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.apply.paragraphs import (
    CUTS,
    PARAGRAPHS,
    ParagraphSettings,
    cut_column,
    paragraph_rows,
    repeated,
    whole_lists,
)
from pipeline.apply.repeats import (
    MOST_ROUNDS,
    SPANS,
    VERSION,
    Cut,
    RepeatCounts,
    counted,
    fallen_of,
    find_substrings,
    ids_of,
    kept_texts,
    named,
)
from pipeline.core.blocks import Blocks, Counted, at_borders, by_part, rows_between, rows_of
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store

MORE_PARTS = 8
"""Parts for each part of documents: a document has some ten paragraphs."""
HOLDERS = pa.schema([("row", pa.int64())])
NAMES = pa.schema([("row", pa.int64()), ("id", pa.string())])


@each
def hash_block(store: Store, assigned: Assignment) -> Produced:
    """The paragraphs of the kept documents of a block of shards: a row group for each part of their hashes."""
    settings, tables = assigned.settings, [PARAGRAPHS.empty_table()]
    find = ParagraphSettings.model_validate(settings["find"])
    for name, files in assigned.reads["shards"].items():
        at = settings["firsts"][name]
        for batch in kept_texts(store, files, settings["priorities"], np.zeros(0, np.int64)):
            tables.append(paragraph_rows(batch, at, find))
            at += batch.num_rows
    table = pa.concat_tables(tables)
    part = (table["low"].to_numpy() % np.uint64(settings["parts"])).astype(np.int64)
    schema = PARAGRAPHS.append(pa.field("part", pa.int64()))
    info = store.put_table(assigned.path("paragraphs"), by_part(table, part, settings["parts"]), schema)
    return Produced({"table": info})


@each
def find_part(store: Store, assigned: Assignment) -> Produced:
    """What is cut of the paragraphs of a part, and which documents hold the copies: row groups for each block that has any."""
    settings, part = assigned.settings, assigned.settings["part"]
    table = rows_between(store, assigned.reads["paragraphs"], "part", (part, part + 1), PARAGRAPHS)
    find = ParagraphSettings.model_validate(settings["find"])
    cuts = repeated(table, _rows_of_files(store, assigned.reads["falling"]), find)
    holders = pa.table([np.unique(cuts["first_in"].drop_null().to_numpy())], HOLDERS)
    files = {}
    for name, found in (("cuts", cuts), ("holders", holders)):
        files[name] = store.put_table(assigned.path(name), at_borders(found, settings["borders"]), found.schema)
    return Produced(files)


def _rows_of_files(store: Store, files: list[FileInfo]) -> np.ndarray:
    """int64[n]: the numbers of documents in tables of `HOLDERS`."""
    return np.concatenate([np.zeros(0, np.int64), *(store.read_table(info.path)["row"].to_numpy() for info in files)])


@dataclass
class FallenCounts:
    """Documents found to fall that were not known to."""

    fallen: int = 0


@each
def fall_block(store: Store, assigned: Assignment) -> Produced:
    """Of the documents of a block that hold a copy: their ids, and which of them will be too short to stay."""
    reads, settings = assigned.reads, assigned.settings
    cuts = whole_lists(rows_between(store, reads["cuts"], "row", settings["between"], CUTS))
    found = rows_between(store, reads["holders"], "row", settings["between"], HOLDERS)
    holders = pa.table([np.unique(found["row"].to_numpy())], HOLDERS)
    names, fallen = [NAMES.empty_table()], [np.zeros(0, np.int64)]
    for shard, files in reads["shards"].items():
        at, count = settings["firsts"][shard], files["documents"].rows
        rows = rows_of(holders, at, count)["row"].to_numpy() - at
        names.append(pa.table([rows + at, ids_of(store, files, rows)], NAMES))
        fallen.append(fallen_of(store, files, rows, cut_column(cuts, at, count), settings) + at)
    new = np.setdiff1d(np.concatenate(fallen), _rows_of_files(store, reads["falling"]))
    tables = {"names": pa.concat_tables(names), "fallen": pa.table([new], HOLDERS)}
    files = {name: store.put_table(assigned.path(name), [table], table.schema) for name, table in tables.items()}
    return Produced(files, FallenCounts(len(new)))


@each
def cut_block(store: Store, assigned: Assignment) -> Produced:
    """The spans of every shard of a block."""
    settings = assigned.settings
    cuts = whole_lists(rows_between(store, assigned.reads["cuts"], "row", settings["between"], CUTS))
    tables = [store.read_table(info.path) for info in assigned.reads["names"]]
    names = pa.concat_tables([NAMES.empty_table(), *tables]).combine_chunks()
    numbers, ids = names["row"].to_numpy(), names["id"].combine_chunks()
    columns = {shard: cut_column(cuts, *place) for shard, place in settings["places"].items()}
    files = {
        shard: store.put_table(assigned.path("repeats/paragraphs", shard), [named(column, numbers, ids)], SPANS)
        for shard, column in columns.items()
    }
    return Produced(files, counted(columns.values()))


@each
def add_cuts(_: Store, assigned: Assignment) -> Produced:
    """The spans of all blocks as one unit."""
    blocks = [one.counts for one in assigned.reads["counted"]]
    counts = RepeatCounts(sum(one["spans"] for one in blocks), sum(one["documents"] for one in blocks))
    return Produced({name: info for files in assigned.reads["spans"] for name, info in files.items()}, counts)


def _files(commits: Any, name: str) -> list[FileInfo]:
    return [commit.files[name] for commit in commits]


def _paragraphs(run: Run, shards: dict[str, dict[str, Any]], shared: dict[str, Any]) -> Unit:
    """The steps up to the spans of every block; returns the unit that adds them up."""
    rows = {name: files["documents"].rows or 0 for name, files in shards.items()}
    blocks = Blocks.of(rows)
    parts = 1 + MORE_PARTS * (blocks.parts - 1)
    find = {"find": run.recipe.repeats.paragraphs.model_dump(mode="json")}  # pyright: ignore[reportOptionalMemberAccess]

    def some(*kinds: str) -> dict[str, Any]:
        return {name: {kind: files[kind] for kind in kinds} for name, files in shards.items()}

    told = find | {"priorities": shared["priorities"], "parts": parts}
    units = blocks.units(some("documents", "decisions"), told, VERSION)
    hashed = _files(run.execute(Step.PARAGRAPHS, units, hash_block).values(), "table")
    finding, falling, last = list[Unit](), list[Unit](), list[FileInfo]()
    edited = {name: shared[name] for name in ("min_chars", "cuts", "set_aside")}
    for turn in range(MOST_ROUNDS):
        reads = {"paragraphs": hashed, "falling": last}
        finding += [
            Unit(f"{turn}/{part:05d}", reads, find | {"part": part, "borders": blocks.borders}, VERSION)
            for part in range(parts)
        ]
        found = list(run.execute(Step.REPEATED, finding, find_part).values())[-parts:]
        reads = {"cuts": _files(found, "cuts"), "holders": _files(found, "holders"), "falling": last}
        falling += blocks.units(some("documents", "signals"), edited, VERSION, reads, f"{turn}/")
        fell = list(run.execute(Step.FALLING, falling, fall_block).values())[-len(blocks.names) :]
        if not sum(commit.counted(FallenCounts).fallen for commit in fell):
            break
        last = last + _files(fell, "fallen")
    reads = {"cuts": _files(found, "cuts"), "names": _files(fell, "names")}
    units = []
    for number, place in enumerate(blocks.places()):
        places = {name: [first, rows[name]] for name, first in place["firsts"].items()}
        units.append(Unit(f"{number:05d}", reads, {"between": place["between"], "places": places}, VERSION))
    cut = run.execute(Step.CUTS, units, cut_block).values()
    reads = {"spans": [commit.files for commit in cut], "counted": [Counted.by(commit) for commit in cut]}
    return Unit("paragraphs", reads, find, VERSION)


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
    shared: dict[str, Any] = {
        "priorities": {source.name: source.priority for source in run.recipe.chosen},
        "min_chars": run.recipe.apply.min_chars,
        "cuts": [list(cut) for cut in cuts],
        "set_aside": aside,
    }
    asked, units = run.recipe.repeats, []
    if asked.paragraphs is not None:
        units.append(_paragraphs(run, shards, shared))
    else:
        for step in (Step.PARAGRAPHS, Step.REPEATED, Step.FALLING, Step.CUTS):
            run.execute(step, [], add_cuts)
    if asked.substrings is not None:
        settings = {"find": asked.substrings.model_dump(mode="json"), **shared}
        units.append(Unit("substrings", {"shards": shards}, settings, VERSION))
    return run.execute(Step.REPEATS, units, repeats_work)


def repeats_work(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """A kind of repeats: paragraphs' spans added up, or substrings found."""
    return [produced for one in assignments for produced in WORK[one.name](store, [one])]


WORK = {"paragraphs": add_cuts, "substrings": find_substrings}
