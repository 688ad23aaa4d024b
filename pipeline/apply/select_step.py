"""Select, the part of settling that looks at every document that may stay: a person's condition, then the dial, in one task."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.equal import GOING, going_of, short_ones
from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.select_where import condition_of, meets, where_files
from pipeline.apply.selection import RULE, WHERE_RULE, Dial, Met, Offered, dial, offered, spared
from pipeline.apply.spans import ApplySettings
from pipeline.core.execute import Assignment, Produced, each
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.decide.by_hand import marked
from pipeline.extract.step import ExtractCounts

SELECTED = pa.schema([("row", pa.int64()), ("rule", pa.string()), ("bucket", pa.int8())])
"""A document that `select:` removes by a rule, or puts in a bucket (0: in none), by its number among all."""


@dataclass
class SelectCounts:
    """What `select:` did by score and by its condition."""

    dial: Dial | None = None
    where: Met | None = None


@each
def select_all(store: Store, assigned: Assignment) -> Produced:
    """What the dial does, and the numbers of the documents that it removes."""
    shards, told = assigned.reads["shards"], SelectSettings.model_validate(assigned.settings["select"])
    settings, firsts = ApplySettings.model_validate(assigned.settings["apply"]), assigned.settings["firsts"]

    going = pa.concat_tables([GOING.empty_table(), *(store.read_table(info.path) for info in assigned.reads["equal"])])
    going = going.sort_by("row")

    def each() -> Iterator[tuple[str, Mapping[str, Any], pa.Table, np.ndarray]]:
        for name, read in shards.items():
            table = store.read_table(read["decisions"].path, ["id", "source", "role", "verdict"])
            texts = store.read_table(read["texts"].path, ["num_chars"])
            stays = np.asarray(pc.equal(table["verdict"], "kept")) & ~short_ones(
                store, read, table["id"], texts, settings
            )
            stays[list(going_of(going, firsts[name], table.num_rows))] = False
            yield name, read, table, stays & ~marked(store, read, table["id"], "keep")

    found = select(store, each(), told, assigned.settings["amounts"], tuple(assigned.settings.get("judges", [])))
    groups = []
    for name in sorted(shards, key=firsts.__getitem__):
        bucket = found.buckets.get(name, np.zeros(shards[name]["decisions"].rows, np.int8))
        rule = np.full(len(bucket), None, object)
        rule[found.below.get(name, [])], rule[found.unmet.get(name, [])] = RULE, WHERE_RULE
        rows = np.flatnonzero((bucket > 0) | (rule == RULE) | (rule == WHERE_RULE))
        groups.append(pa.table([rows + firsts[name], pa.array(rule[rows], pa.string()), bucket[rows]], SELECTED))
    info = store.put_table(assigned.path("select"), [group for group in groups if group.num_rows], SELECTED)
    return Produced({"table": info}, SelectCounts(found.dial, found.where))


class Selected(NamedTuple):
    """What `select:` did; the rows of each shard that do not meet its condition, or are below its bound; and the bucket of every
    document (int8[n], 0 for none)."""

    dial: Dial | None
    where: Met | None
    unmet: dict[str, list[int]]
    below: dict[str, list[int]]
    buckets: dict[str, np.ndarray]


def select(
    store: Store,
    shards: Iterable[tuple[str, Mapping[str, Any], pa.Table, np.ndarray]],
    told: SelectSettings,
    amounts: Mapping[str, int],
    names: tuple[str, ...],
) -> Selected:
    """What a selection does to shards, given by name with their files, decisions, and which documents may stay (bool[n]).

    `names`: the judges that its condition may ask about.
    """
    condition = condition_of(told.where, names) if told.where else None
    met, unmet = Met(told.where) if told.where else None, dict[str, list[int]]()
    order: list[tuple[str, int, np.ndarray]] = []

    def each() -> Iterator[Offered]:
        for name, read, table, stays in shards:
            tokens = store.read_table(read["texts"].path, ["num_pretokens"])["num_pretokens"]
            if condition is not None and met is not None:
                asked = stays & ~spared(table, told)
                gone = met.take(asked, meets(store, read, condition, names), tokens.to_numpy())
                unmet[name], stays = np.flatnonzero(gone).tolist(), stays & ~gone
            if told.ranks:
                one = offered(store, read, table, tokens, stays, told)
                order.append((name, table.num_rows, one.rows))
                yield one

    if not told.ranks:
        for _ in each():
            pass
        return Selected(None, met, unmet, {}, {})
    found, below, buckets = dial(each(), told, amounts)
    of_shards = {}
    for (name, count, rows), own in zip(order, buckets, strict=True):
        of_shards[name] = np.zeros(count, np.int8)
        of_shards[name][rows] = own
    return Selected(
        found, met, unmet, {one[0]: rows.tolist() for one, rows in zip(order, below, strict=True)}, of_shards
    )


def selection_files(run: RunFolder, told: SelectSettings, names: tuple[str, ...], shard: str) -> dict[str, Any]:
    """The files of a shard that a selection reads besides decisions and texts."""
    files = where_files(run, told.where, names, shard) if told.where else {}
    if told.ranks:
        files["score"] = run.signal_file(told.judge, shard)
        if told.per == "language":
            files["language"] = run.signal_file("language", shard)
    return files


def amounts(run: RunFolder, told: SelectSettings) -> dict[str, int]:
    """Pre-tokens by source that a share is of."""
    found: dict[str, int] = {}
    for counts in run.counts(ExtractCounts, Step.EXTRACT).values():
        amount = counts.raw_pretokens if told.of == "raw_tokens" else counts.num_pretokens
        found[counts.source] = found.get(counts.source, 0) + amount
    return found
