"""Settle, the last part of apply: final verdicts, once every text is as it will be published.

A kept document whose text became too short goes, and so does one whose text became equal to that of a better-ranked kept one.
`gather`: a block of shards at a time, what stays, cut into parts by the texts' hashes. `equal`: a part at a time, which texts are
the same. `select`: the dial, where the recipe has one. `final`: a block at a time, the verdicts. `settle` adds up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.equal import FALLEN, GOING, equal_part, gather_block, going_of, short_ones
from pipeline.apply.select_search import found_by
from pipeline.apply.select_step import SELECTED, SelectCounts, amounts, select_all, selection_files
from pipeline.apply.selection import STAGE, Dial, Met, sentence
from pipeline.apply.spans import ApplySettings
from pipeline.core.blocks import Blocks, Counted, rows_between, rows_of
from pipeline.core.conserve import Balance, add_up
from pipeline.core.execute import Assignment, Produced, Unit, each, libraries
from pipeline.core.ledger import adapter
from pipeline.core.root_hash import MODULUS, table_sum
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.by_hand import list_files
from pipeline.decide.rules import DECISIONS

SETTLE_VERSION = 5
FINAL = pa.schema([*DECISIONS, ("bucket", pa.int8())])
"""Verdicts, and the bucket of a kept document by its score, from 1 for the lowest; null without `select.buckets`."""
MEASURES = ["text_hash", "text_bytes", "num_pretokens", "num_chars"]
"""What settling needs of the published texts."""
LOST = "#lost"
"""The file of a block with the documents whose copies were lost; no shard has such a name."""
Removal = tuple[str, str, str | None]
"""Stage and rule that remove a document now, and the document with the same text, where that is why."""


@dataclass
class StreamCounts:
    """What was kept of one source in one role: documents, bytes of text, pre-tokens, and the longest text in bytes."""

    documents: int = 0
    bytes: int = 0
    pretokens: int = 0
    largest_bytes: int = 0

    def add(self, other: "StreamCounts") -> None:
        """Add what was kept elsewhere."""
        self.documents += other.documents
        self.bytes += other.bytes
        self.pretokens += other.pretokens
        self.largest_bytes = max(self.largest_bytes, other.largest_bytes)


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


@dataclass
class BlockCounts:
    """What the final verdicts of a block of shards come to."""

    streams: dict[str, StreamCounts] = field(default_factory=dict)
    row_sum: str = ""
    kept_bytes: dict[str, int] = field(default_factory=dict)
    """Bytes of kept text by shard."""
    lost_spans: int = 0


@each
def settle_block(store: Store, assigned: Assignment) -> Produced:
    """Final verdicts of every shard of a block: kept documents whose text became too short go, and those that became equal to
    a better-ranked kept one, or that the dial does not keep. One shard is held at a time."""
    reads = assigned.reads
    settings = ApplySettings.model_validate(assigned.settings["apply"])
    fallen = [store.read_table(info.path)["id"].combine_chunks() for info in reads["fallen"]]
    gone_before = pa.concat_arrays([pa.array([], pa.string()), *fallen])
    firsts, between = assigned.settings["firsts"], assigned.settings["between"]
    going = rows_between(store, reads["equal"], "row", between, GOING).sort_by("row")
    selection = rows_between(store, reads["select"], "row", between, SELECTED)
    files: dict[str, FileInfo] = {}
    counts, balance, rows, lost = BlockCounts(), Balance(), 0, set[str]()
    for name, read in reads["shards"].items():
        table, text = store.read_table(read["decisions"].path), store.read_table(read["texts"].path, MEASURES)
        too_short = np.asarray(pc.equal(table["verdict"], "kept"))
        too_short &= short_ones(store, read, table["id"], text, settings)
        at = firsts[name], table.num_rows
        gone: dict[int, Removal] = {row: ("apply", "too_short", None) for row in np.flatnonzero(too_short).tolist()}
        equal = going_of(going, *at)
        gone |= {row: ("apply", "newly_identical", survivor) for row, survivor in equal.items()}
        selected = rows_of(selection, *at)
        places, rules = selected["row"].to_numpy() - at[0], selected["rule"].to_pylist()
        gone |= {row: (STAGE, rule, None) for row, rule in zip(places.tolist(), rules, strict=True) if rule}
        buckets = np.zeros(table.num_rows, np.int8)
        buckets[places] = selected["bucket"].to_numpy()
        final = _removed(table, gone).append_column(FINAL.field("bucket"), pa.array(buckets, mask=buckets == 0))
        files[name] = store.put_table(assigned.path("verdicts", name), [final], FINAL)
        before = balance.bytes_kept
        _add_balance(balance, final, text["text_bytes"].to_numpy())
        counts.kept_bytes[name] = balance.bytes_kept - before
        _add_streams(counts.streams, final, text)
        rows = (rows + table_sum(final, text)) % MODULUS
        spans = _lost(store, read["repeats"], final, gone_before)
        counts.lost_spans += len(spans)
        lost |= set(spans)
    counts.streams, counts.row_sum = dict(sorted(counts.streams.items())), f"{rows:064x}"
    if lost:
        table = pa.table([pa.array(sorted(lost), pa.string())], FALLEN)
        files[LOST] = store.put_table(assigned.path("lost"), [table], FALLEN)
    return Produced(files, counts, balance)


@each
def add_settled(store: Store, assigned: Assignment) -> Produced:
    """The final verdicts of all blocks as one unit, with what they come to."""
    streams: dict[str, StreamCounts] = {}
    spans, rows = 0, 0
    for block in assigned.reads["counted"]:
        counts = adapter(BlockCounts).validate_python(block.counts)
        rows, spans = (rows + int(counts.row_sum, 16)) % MODULUS, spans + counts.lost_spans
        for name, own in counts.streams.items():
            streams.setdefault(name, StreamCounts()).add(own)
    lost = {one for info in assigned.reads["lost"] for one in store.read_table(info.path)["id"].to_pylist()}
    balance = add_up(Balance(**block.balance) for block in assigned.reads["counted"])
    counts = SettleCounts(dict(sorted(streams.items())), f"{rows:064x}", LostRepeats(spans, len(lost)))
    for one in assigned.reads["select"]:
        selected = adapter(SelectCounts).validate_python(one.counts)
        counts.select, counts.where = selected.dial, selected.where
    files = {name: info for block in assigned.reads["verdicts"] for name, info in block.items() if name != LOST}
    return Produced(files, counts, balance)


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


def _add_balance(balance: Balance, final: pa.Table, sizes: np.ndarray) -> None:
    balance.entered += final.num_rows
    balance.bytes_entered += int(sizes.sum())
    for verdict in ("kept", "removed", "quarantined"):
        chosen = np.asarray(pc.equal(final["verdict"], verdict))
        setattr(balance, verdict, getattr(balance, verdict) + int(chosen.sum()))
        setattr(balance, f"bytes_{verdict}", getattr(balance, f"bytes_{verdict}") + int(sizes[chosen].sum()))


def _lost(store: Store, repeats: list[FileInfo], final: pa.Table, fallen: pa.Array) -> list[str]:
    """Of each span that repeats cut from a document of a shard that is kept in the end, though the document with the copy fell
    as too short, that document's id."""
    lost = []
    for info in repeats if len(fallen) else ():
        kept = pc.equal(final["verdict"], "kept").combine_chunks()
        spans = store.read_table(info.path, ["spans"])["spans"].combine_chunks().filter(kept).flatten()
        first = spans.field("first_in")
        lost += first.filter(pc.fill_null(pc.is_in(first, fallen), False)).to_pylist()
    return lost


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
        own = StreamCounts(row["bytes_count"], row["bytes_sum"], row["pretokens_sum"], row["bytes_max"])
        streams.setdefault(row["stream"], StreamCounts()).add(own)


def settle(run: Run) -> Commits:
    """In blocks of shards and parts of the texts' hashes; keyed by decisions, texts and repeated spans, and by scores where
    the recipe selects by them. Rows are numbered over all shards, by their names in order."""
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
    rows = {shard: files["texts"].rows or 0 for shard, files in shards.items()}
    blocks = Blocks.of(rows)
    applied: dict[str, Any] = {"apply": run.recipe.apply.model_dump(mode="json")}
    settings = dict(applied)
    texts = {name: {kind: files[kind] for kind in files if kind != "repeats"} for name, files in shards.items()}
    units = blocks.units(texts, applied | {"parts": blocks.parts}, SETTLE_VERSION)
    gathered = run.execute(Step.GATHER, units, gather_block).values()
    staying = {"staying": [commit.files["staying"] for commit in gathered if "staying" in commit.files]}
    units = [
        Unit(f"{part:05d}", staying, {"part": part, "borders": blocks.borders}, SETTLE_VERSION)
        for part in range(blocks.parts if staying["staying"] else 0)
    ]
    equal = [commit.files["table"] for commit in run.execute(Step.EQUAL, units, equal_part).values()]
    units, told = [], run.recipe.select
    if told is not None:
        if isinstance(told.search, list) and found_by(run, told.search) is None:
            told = told.model_copy(update={"buckets": None})  # everything is kept for the proxies to choose from
        settings["select"] = told.model_dump(mode="json", exclude={"search", "proxies"})
        names = tuple(name for name, _ in run.recipe.judges)
        asked = (
            settings
            | {"amounts": amounts(run, told), "firsts": blocks.firsts}
            | ({"judges": list(names)} if told.where else {})
        )
        scored = {shard: files | selection_files(run, told, names, shard) for shard, files in texts.items()}
        library = libraries("duckdb") if told.where else {}
        units = [Unit("all", {"shards": scored, "equal": equal}, asked, SETTLE_VERSION, library)]
    dialled = run.execute(Step.SELECT, units, select_all).values()
    everywhere = {
        "equal": equal,
        "select": [commit.files["table"] for commit in dialled],
        "fallen": [commit.files["fallen"] for commit in gathered if run.has(Step.REPEATS)],
    }
    units = blocks.units(shards, applied, SETTLE_VERSION, everywhere)
    final = run.execute(Step.FINAL, units, settle_block).values()
    summed = {
        "verdicts": [commit.files for commit in final],
        "counted": [Counted.by(commit) for commit in final],
        "lost": [commit.files[LOST] for commit in final if LOST in commit.files],
        "select": [Counted.by(commit) for commit in dialled],
    }
    settled = run.execute(Step.SETTLE, [Unit("all", summed, settings, SETTLE_VERSION)], add_settled)
    _say(run)
    return settled


def kept_bytes(run: Run) -> dict[str, int]:
    """Bytes of kept text by document shard."""
    blocks = run.counts(BlockCounts, Step.FINAL).values()
    return {shard: size for block in blocks for shard, size in block.kept_bytes.items()}


def _say(run: Run) -> None:
    """What the dial and lost repeats come to, for the summary."""
    counts, told = run.counted(SettleCounts, Step.SETTLE), run.recipe.select
    searched = found_by(run, told.search) if told is not None else None
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
