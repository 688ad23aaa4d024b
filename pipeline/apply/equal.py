"""Texts that became equal: kept documents whose text, once cut and masked, another kept document has too.

In parts of the texts' hashes, so that a task holds one shard, or about 70 bytes for each document of its part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.spans import ApplySettings
from pipeline.core.blocks import at_borders, by_part, rows_between, rows_of
from pipeline.core.execute import Assignment, Produced, each
from pipeline.core.store import Store
from pipeline.decide.by_hand import marked

STAYING = pa.schema([("row", pa.int64()), ("hash", pa.binary(16)), ("id", pa.string())])
"""A document whose text is long enough: its number among all, the hash of its text as published, its id."""
GOING = pa.schema([("row", pa.int64()), ("survivor", pa.string())])
"""A document that goes, by its number among all, and the document that stays for it."""
FALLEN = pa.schema([("id", pa.string())])


@dataclass
class FallenCounts:
    """Kept documents of a block that apply left too short."""

    too_short: int = 0


def short_ones(
    store: Store, read: Mapping[str, Any], ids: pa.ChunkedArray, texts: pa.Table, settings: ApplySettings
) -> np.ndarray:
    """bool[n]: published texts of a shard that are too short to stay; one kept by hand is when it is empty."""
    least = np.where(marked(store, read, ids, "keep"), 1, max(settings.min_chars, 1))
    return texts["num_chars"].to_numpy() < least


def halves(texts: pa.Array) -> np.ndarray:
    """uint64[n, 2]: the 16 bytes of each hash."""
    data = np.frombuffer(texts.buffers()[1], np.uint64) if len(texts) else np.zeros(0, np.uint64)
    return data.reshape(-1, 2)[texts.offset : texts.offset + len(texts)]


@each
def gather_block(store: Store, assigned: Assignment) -> Produced:
    """Of a block of shards, the documents that stay, by part of their hash, and the ids of those that became too short."""
    settings, parts = ApplySettings.model_validate(assigned.settings["apply"]), assigned.settings["parts"]
    staying, fallen = [STAYING.empty_table()], [FALLEN.empty_table()]
    for name, read in assigned.reads["shards"].items():
        decided = store.read_table(read["decisions"].path, ["id", "verdict"])
        texts = store.read_table(read["texts"].path, ["text_hash", "num_chars"])
        kept = np.asarray(pc.equal(decided["verdict"], "kept"))
        short = short_ones(store, read, decided["id"], texts, settings)
        fallen.append(pa.table([decided["id"].filter(pa.array(kept & short))], FALLEN))
        rows = np.flatnonzero(kept & ~short)
        chosen = pa.array(rows)
        columns = [rows + assigned.settings["firsts"][name], texts["text_hash"].take(chosen)]
        staying.append(pa.table([*columns, decided["id"].take(chosen)], STAYING))
    every, gone = pa.concat_tables(staying).combine_chunks(), pa.concat_tables(fallen)
    files = {"fallen": store.put_table(assigned.path("fallen"), [gone], FALLEN)}
    if settings.drop_newly_identical:
        # The second half: parts stay even where equal first halves are what is looked for.
        part = (halves(every["hash"].combine_chunks())[:, 1] % np.uint64(parts)).astype(np.int64)
        groups, schema = by_part(every, part, parts), STAYING.append(pa.field("part", pa.int64()))
        files["staying"] = store.put_table(assigned.path("staying"), groups, schema)
    return Produced(files, FallenCounts(gone.num_rows))


@each
def equal_part(store: Store, assigned: Assignment) -> Produced:
    """The documents of a part whose text another one has too that stays: the one with the smallest id, of equal ids the first."""
    part = assigned.settings["part"]
    table = rows_between(store, assigned.reads["staying"], "part", (part, part + 1), STAYING).combine_chunks()
    first = halves(table["hash"].combine_chunks())[:, 0]
    ordered = np.sort(first)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    met: dict[bytes, list[dict[str, Any]]] = {}
    for row in table.filter(pa.array(np.isin(first, twice))).to_pylist():
        met.setdefault(row["hash"], []).append(row)
    going = []
    for same in met.values():
        survivor = min(same, key=lambda one: (one["id"], one["row"]))
        going += [{"row": one["row"], "survivor": survivor["id"]} for one in same if one is not survivor]
    found = pa.Table.from_pylist(sorted(going, key=lambda one: one["row"]), GOING)
    groups = at_borders(found, assigned.settings["borders"])
    return Produced({"table": store.put_table(assigned.path("equal"), groups, GOING)})


def going_of(going: pa.Table, first: int, rows: int) -> dict[int, str | None]:
    """Of the documents from number `first` on, those that go, by their row from there, and who stays for each.

    `going` is `GOING`, sorted by row."""
    found = rows_of(going, first, rows)
    return dict(zip((found["row"].to_numpy() - first).tolist(), found["survivor"].to_pylist(), strict=True))
