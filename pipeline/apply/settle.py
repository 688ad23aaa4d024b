"""Settle, the last part of apply: final verdicts, once every text is as it will be published.

A kept document whose text became too short goes, and so does one whose text became equal to that of a better-ranked kept one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.rewrite import is_too_short
from pipeline.apply.select_search import found_by
from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.select_where import condition_of, meets, where_files
from pipeline.apply.selection import RULE, STAGE, WHERE_RULE, Dial, Met, Offered, dial, offered, sentence, spared
from pipeline.apply.spans import ApplySettings
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.root_hash import MODULUS, table_sum
from pipeline.core.run_folder import Commits, Run, RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.by_hand import list_files, marked
from pipeline.decide.rules import DECISIONS
from pipeline.extract.step import ExtractCounts

SETTLE_VERSION = 4
FINAL = pa.schema([*DECISIONS, ("bucket", pa.int8())])
"""Verdicts, and the bucket of a kept document by its score, from 1 for the lowest; null without `select.buckets`."""
MEASURES = ["text_hash", "text_bytes", "num_pretokens"]
"""What settling needs of the published texts besides their length."""
Removal = tuple[str, str, str | None]
"""Stage and rule that remove a document now, and the document with the same text, where that is why."""


@dataclass
class StreamCounts:
    """What was kept of one source in one role: documents, bytes of text, pre-tokens, and the longest text in bytes."""

    documents: int = 0
    bytes: int = 0
    pretokens: int = 0
    largest_bytes: int = 0


@dataclass
class LostRepeats:
    """Spans that repeats cut although the document with the copy that was to stay fell as too short, and those documents."""

    spans: int = 0
    documents: int = 0


@dataclass
class SettleCounts:
    """What the final verdicts come to."""

    streams: dict[str, StreamCounts] = field(default_factory=dict)
    """By "source/role", or "source/role/bucket"."""
    row_sum: str = ""
    """The documents' part of the root hash, in hex."""
    lost_repeats: LostRepeats = field(default_factory=LostRepeats)
    select: Dial | None = None
    where: Met | None = None


def settle_all(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Final verdicts: kept documents whose text became too short, or equal to that of a better-ranked kept one.

    Shards are read one at a time. Between the readings 9 bytes a document are held: 8 of its text's hash, and whether it is
    too short; and whole hashes of those texts alone that more than one document may have.
    """
    (assigned,) = assignments
    settings = ApplySettings.model_validate(assigned.settings.get("apply", assigned.settings))
    shards = assigned.reads["shards"]
    short = {name: _short(store, read, settings) for name, read in shards.items()}
    equal = _newly_equal(store, shards, short) if settings.drop_newly_identical else {}
    selected = Selected(None, None, {}, {}, {})
    if "select" in assigned.settings:
        selected = _selected(store, assigned, short, equal)
    files: dict[str, FileInfo] = {}
    streams: dict[str, StreamCounts] = {}
    balance, rows, fallen = Balance(), 0, []
    for name, read in shards.items():
        table, text = store.read_table(read["decisions"].path), store.read_table(read["texts"].path, MEASURES)
        too_short = np.asarray(pc.equal(table["verdict"], "kept")) & short[name]
        fallen.append(table["id"].filter(pa.array(too_short)))
        gone: dict[int, Removal] = {row: ("apply", "too_short", None) for row in np.flatnonzero(too_short).tolist()}
        gone |= {row: ("apply", "newly_identical", survivor) for row, survivor in equal.get(name, {}).items()}
        gone |= {row: (STAGE, WHERE_RULE, None) for row in selected.unmet.get(name, [])}
        gone |= {row: (STAGE, RULE, None) for row in selected.below.get(name, [])}
        buckets = selected.buckets.get(name, np.zeros(table.num_rows, np.int8))
        final = _removed(table, gone).append_column(FINAL.field("bucket"), pa.array(buckets, mask=buckets == 0))
        files[name] = store.put_table(assigned.path("verdicts", name), [final], FINAL)
        _add_balance(balance, final, text["text_bytes"].to_numpy())
        _add_streams(streams, final, text)
        rows = (rows + table_sum(final, text)) % MODULUS
    fallen_ids = pa.chunked_array([chunk for ids in fallen for chunk in ids.chunks], pa.string()).combine_chunks()
    lost = _lost(store, shards, files, fallen_ids) if len(fallen_ids) else LostRepeats()
    counts = SettleCounts(dict(sorted(streams.items())), f"{rows:064x}", lost, selected.dial, selected.where)
    return [Produced(files, counts, balance)]


class Selected(NamedTuple):
    """What `select:` did; the rows of each shard that do not meet its condition, or are below its bound; and the bucket of every
    document (int8[n], 0 for none)."""

    dial: Dial | None
    where: Met | None
    unmet: dict[str, list[int]]
    below: dict[str, list[int]]
    buckets: dict[str, np.ndarray]


def _selected(
    store: Store, assigned: Assignment, short: Mapping[str, np.ndarray], equal: Mapping[str, Mapping[int, str]]
) -> Selected:
    shards, told = assigned.reads["shards"], SelectSettings.model_validate(assigned.settings["select"])

    def each() -> Iterator[tuple[str, Mapping[str, Any], pa.Table, np.ndarray]]:
        for name, read in shards.items():
            table = store.read_table(read["decisions"].path, ["id", "source", "role", "verdict"])
            stays = np.asarray(pc.equal(table["verdict"], "kept")) & ~short[name]
            stays[list(equal.get(name, {}))] = False
            stays &= ~marked(store, read, table["id"], "keep")
            yield name, read, table, stays

    return select(store, each(), told, assigned.settings["amounts"], tuple(assigned.settings.get("judges", [])))


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


def _removed(table: pa.Table, gone: Mapping[int, Removal]) -> pa.Table:
    """The verdicts with these rows removed."""
    if not gone:
        return table
    rows = table.to_pylist()
    for row, (stage, rule, survivor) in gone.items():
        rows[row].update(verdict="removed", stage=stage, rule=rule, reasons=[f"{stage}.{rule}"])
        if survivor is not None:
            rows[row].update(duplicate_of=survivor, similarity=1.0, plain_similarity=1.0)
    return pa.Table.from_pylist(rows, schema=DECISIONS)


def _short(store: Store, read: Mapping[str, Any], settings: ApplySettings) -> np.ndarray:
    """bool[n]: published texts of a shard that are too short to stay; one kept by hand is when it is empty."""
    texts = store.read_table(read["texts"].path, ["text"])["text"]
    short = np.asarray(is_too_short(texts, settings.min_chars))
    if "overrides" not in read:
        return short
    ids = store.read_table(read["decisions"].path, ["id"])["id"]
    return np.where(marked(store, read, ids, "keep"), np.asarray(is_too_short(texts, 1)), short)


def _hash_halves(texts: pa.Table) -> np.ndarray:
    """uint64[n, 2]: the 16 bytes of each text's hash."""
    column = texts["text_hash"].combine_chunks()
    data = np.frombuffer(column.buffers()[1], np.uint64) if len(column) else np.zeros(0, np.uint64)
    return data.reshape(-1, 2)[column.offset : column.offset + len(column)]


def _newly_equal(store: Store, shards: Mapping[str, Any], short: Mapping[str, np.ndarray]) -> dict[str, dict[int, str]]:
    """By shard, the rows whose text another document has too that stays, and that document: the one with the smallest id.

    Halves of hashes are compared first: of 10^9 documents some 0.03 pairs share one by chance, which the whole hash tells apart.
    """

    def eligible(name: str) -> tuple[np.ndarray, np.ndarray]:
        read = shards[name]
        verdicts = store.read_table(read["decisions"].path, ["verdict"])["verdict"]
        stays = np.asarray(pc.equal(verdicts, "kept")) & ~short[name]
        return stays, _hash_halves(store.read_table(read["texts"].path, ["text_hash"]))

    halves = [halves[stays, 0] for stays, halves in map(eligible, shards)]
    every = np.concatenate(halves or [np.zeros(0, np.uint64)])
    del halves
    every.sort()
    twice = np.unique(every[1:][every[1:] == every[:-1]])
    met: dict[bytes, list[tuple[str, int, str]]] = {}
    for name in shards if len(twice) else ():
        stays, halves_of = eligible(name)
        rows = np.flatnonzero(stays & np.isin(halves_of[:, 0], twice))
        ids = store.read_table(shards[name]["decisions"].path, ["id"])["id"].take(pa.array(rows)).to_pylist()
        for row, own in zip(rows.tolist(), map(str, ids), strict=True):
            met.setdefault(halves_of[row].tobytes(), []).append((name, row, own))
    found: dict[str, dict[int, str]] = {}
    for same in met.values():
        survivor = min(same, key=lambda one: one[2])  # of equal ids the first
        for name, row, _ in (one for one in same if one is not survivor):
            found.setdefault(name, {})[row] = survivor[2]
    return found


def _add_balance(balance: Balance, final: pa.Table, sizes: np.ndarray) -> None:
    balance.entered += final.num_rows
    balance.bytes_entered += int(sizes.sum())
    for verdict in ("kept", "removed", "quarantined"):
        chosen = np.asarray(pc.equal(final["verdict"], verdict))
        setattr(balance, verdict, getattr(balance, verdict) + int(chosen.sum()))
        setattr(balance, f"bytes_{verdict}", getattr(balance, f"bytes_{verdict}") + int(sizes[chosen].sum()))


def _lost(store: Store, shards: Mapping[str, Any], verdicts: Mapping[str, FileInfo], fallen: pa.Array) -> LostRepeats:
    """Spans that repeats cut from documents that are kept in the end, though the document with the copy fell as too short."""
    lost, documents = 0, set()
    for name, files in shards.items():
        kept = pc.equal(store.read_table(verdicts[name].path, ["verdict"])["verdict"], "kept").combine_chunks()
        for info in files["repeats"]:
            spans = store.read_table(info.path, ["spans"])["spans"].combine_chunks().filter(kept).flatten()
            first = spans.field("first_in")
            found = first.filter(pc.fill_null(pc.is_in(first, fallen), False))
            lost += len(found)
            documents |= set(found.to_pylist())
    return LostRepeats(lost, len(documents))


def _add_streams(streams: dict[str, StreamCounts], final: pa.Table, text: pa.Table) -> None:
    """Kept documents, bytes and pre-tokens by "source/role" and bucket."""
    names = [final["source"], final["role"], pc.cast(final["bucket"], pa.string())]
    kept = pa.table(
        {
            "stream": pc.binary_join_element_wise(*names, "/", null_handling="skip"),
            "bytes": text["text_bytes"],
            "pretokens": text["num_pretokens"],
        }
    ).filter(pc.equal(final["verdict"], "kept"))
    sums = kept.group_by("stream").aggregate(
        [("bytes", "sum"), ("bytes", "max"), ("pretokens", "sum"), ("bytes", "count")]
    )
    for row in sums.to_pylist():
        stream = streams.setdefault(row["stream"], StreamCounts())
        stream.documents += row["bytes_count"]
        stream.bytes += row["bytes_sum"]
        stream.pretokens += row["pretokens_sum"]
        stream.largest_bytes = max(stream.largest_bytes, row["bytes_max"])


def amounts(run: RunFolder, told: SelectSettings) -> dict[str, int]:
    """Pre-tokens by source that a share is of."""
    found: dict[str, int] = {}
    for counts in run.counts(ExtractCounts, Step.EXTRACT).values():
        amount = counts.raw_pretokens if told.of == "raw_tokens" else counts.num_pretokens
        found[counts.source] = found.get(counts.source, 0) + amount
    return found


def settle(run: Run) -> Commits:
    """One unit, keyed by decisions, texts and repeated spans of every shard, and by scores where the recipe selects by them."""
    by_hand = list_files(run.commit(Step.DECIDE).parts["settings"])
    shards: dict[str, dict[str, Any]] = {
        shard: {
            "decisions": run.file(Step.DECIDE, name=shard),
            "texts": run.file(Step.APPLY, shard),
            **by_hand,
            "repeats": [commit.files[shard] for commit in run.commits(Step.REPEATS).values()],
        }
        for shard in run.shards
    }
    settings: dict[str, Any] = run.recipe.apply.model_dump(mode="json")
    told, searched = run.recipe.select, None
    if told is not None:
        searched = found_by(run, told.search)
        if isinstance(told.search, list) and searched is None:  # everything is kept for the proxies to choose from
            told = told.model_copy(update={"buckets": None})
        select = told.model_dump(mode="json", exclude={"search", "proxies"})
        names = tuple(name for name, _ in run.recipe.judges)
        settings = {"apply": settings, "select": select, "amounts": amounts(run, told)}
        settings |= {"judges": list(names)} if told.where else {}
        for shard, files in shards.items():
            files |= selection_files(run, told, names, shard)
    unit = Unit("all", {"shards": shards}, settings, SETTLE_VERSION, libraries("duckdb") if told and told.where else {})
    settled = run.execute(Step.SETTLE, [unit], settle_all)
    counts = run.counted(SettleCounts, Step.SETTLE)
    if told is not None and (searched is not None or not told.search):
        run.notes += [searched.evidence()] if searched else []
        run.notes += [counts.where.sentence()] if counts.where else []
        run.notes += [sentence(counts.select, told)] if counts.select else []
    lost = counts.lost_repeats
    if lost.spans:
        run.notes.append(
            f"repeats: {lost.spans:,} passages are cut from kept documents though the copy that was to stay went with "
            f"{lost.documents:,} documents that became too short; `removed` holds them under apply.too_short"
        )
    return settled
