"""Decide, as five steps; cheap, and all that a changed threshold reruns.

`overall`: what the whole corpus says. `rank`: a block of shards at a time, the documents that are in a cluster, cut into parts
by cluster. `survive`: a part at a time, which documents stay instead of which. `verdicts`: a block at a time, the verdicts of its
shards. `decide` adds up. So a task holds one shard and what one part or block of documents in clusters says of each other (about
300 bytes each), however many documents there are; a cluster is never divided, so a part is at least as large as one. Blocks and
parts follow from the number of documents alone, and neither shows in a verdict. Rebalancing looks at all documents in one task.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.classify.audit_stream import audited_classifiers
from pipeline.core.blocks import Counted, at_borders, by_part, rows_between
from pipeline.core.conserve import Balance, add_up
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.by_hand import RULES, list_files, marked, put_lists
from pipeline.decide.decision import (
    COPIES,
    Decision,
    OverallCounts,
    Shard,
    candidates,
    copies,
    decided,
    entries_of,
    indexed_candidates,
    overall,
    ranks_by,
)
from pipeline.decide.rules import DECISIONS, DUPLICATE_STAGES
from pipeline.decide.survivors import CANDIDATES

VERSION = 9
SAID = 5
"""Reasons that people gave which a run says; the others are in `explain`."""


@dataclass
class VerdictCounts:
    """Documents of a block by first reason (`stage.rule`), and by every reason."""

    first_reasons: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    by_hand: dict[str, int] = field(default_factory=dict)
    """Documents that each list of `pipeline.decide.by_hand` names."""


@dataclass
class DecideCounts(OverallCounts):
    """What deciding counted: documents by first reason (`stage.rule`) and, with an index of earlier runs, how this run's
    documents stand to theirs."""

    first_reasons: dict[str, int] = field(default_factory=dict)
    delta: dict[str, int] | None = None
    by_hand: dict[str, int] = field(default_factory=dict)
    """Documents that each list of `pipeline.decide.by_hand` names."""


def decide_overall(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """What the whole corpus says, and of each shard the hits that rebalancing took back."""
    (assigned,) = assignments
    shards = assigned.reads["shards"]
    counts, overruled = overall(store, assigned.settings, shards)
    counts.classifiers = audited_classifiers(store, entries_of(assigned.settings), shards)
    files = {}
    for name, table in overruled.items():
        files[name] = store.put_table(assigned.path("overruled", name), [table], table.schema)
    return [Produced(files, counts)]


def _shards(store: Store, assigned: Assignment) -> Iterator[tuple[str, int, Shard]]:
    """Name, number of the first document, and what is decided of it, of each shard of a block."""
    entries, overruled = entries_of(assigned.settings), assigned.reads["overruled"]
    for name, files in assigned.reads["shards"].items():
        table = store.read_table(overruled[name].path) if name in overruled else None
        shard = Shard(store, files, entries, assigned.settings["set_aside"], table)
        yield name, assigned.settings["firsts"][name], shard


def rank_block(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The documents in clusters of a block of shards, or of an earlier run's index: a row group for each part."""
    produced = []
    for assigned in assignments:
        reads, settings = assigned.reads, assigned.settings
        if "index" in reads:
            tables = [indexed_candidates(store, reads["index"], reads["clusters"], settings["first"])]
        else:
            tables = [candidates(shard, at, settings["priorities"]) for _, at, shard in _shards(store, assigned)]
        table = pa.concat_tables([CANDIDATES.empty_table(), *tables])
        groups = by_part(table, table["near_cluster"].to_numpy() % settings["parts"], settings["parts"])
        schema = CANDIDATES.append(pa.field("part", pa.int64()))
        produced.append(Produced({"table": store.put_table(assigned.path("candidates"), groups, schema)}))
    return produced


def survive_part(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Which documents of a part of the clusters go for which: a row group for each block that has any."""
    (assigned,) = assignments
    settings = assigned.settings
    part, parts = settings["part"]
    chosen = rows_between(store, assigned.reads["candidates"], "part", (part, part + 1), CANDIDATES)
    edges, parquet = [], store.open_table(assigned.reads["edges"].path)
    for group in range(parquet.num_row_groups):
        table = parquet.read_row_group(group, use_threads=False)
        edges.append(table.filter(pa.array(table["near_cluster"].to_numpy() % parts == part)))
    edges = pa.concat_tables([parquet.schema_arrow.empty_table(), *edges])
    found = copies(chosen, edges, ranks_by(settings), settings["min_similarity"])
    groups = at_borders(found, settings["borders"])
    return [Produced({"table": store.put_table(assigned.path("copies"), groups, COPIES)})]


def decide_block(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Write the verdicts of every shard of a block, and count them."""
    produced = []
    for assigned in assignments:
        found = rows_between(store, assigned.reads["copies"], "row", assigned.settings["between"], COPIES)
        found = found.sort_by("row").combine_chunks()
        files: dict[str, FileInfo] = {}
        balance, reasons, hits, by_hand = Balance(), Counter(), Counter(), Counter()
        for name, first, shard in _shards(store, assigned):
            table = decided(shard, first, found)
            files[name] = store.put_table(assigned.path("decisions", name), [table], DECISIONS)
            balance.entered += table.num_rows
            for row in pc.value_counts(table["verdict"]).to_pylist():
                setattr(balance, row["values"], getattr(balance, row["values"]) + row["counts"])
            _add(reasons, pc.binary_join_element_wise(table["stage"], table["rule"], ".").drop_null())
            _add(hits, pc.list_flatten(table["reasons"]))
            lists = assigned.reads["shards"][name]
            for kind in (kind for kind in RULES if kind in lists):
                by_hand[kind] += sum(
                    int(marked(store, lists, table["id"], how, kind).sum()) for how in ("keep", "drop")
                )
        counts = VerdictCounts(dict(sorted(reasons.items())), dict(sorted(hits.items())), dict(by_hand))
        produced.append(Produced(files, counts, balance))
    return produced


def _add(counter: Counter[str], names: pa.ChunkedArray) -> None:
    for row in pc.value_counts(names).to_pylist():
        counter[row["values"]] += row["counts"]


def add_decisions(_: Store, assignments: list[Assignment]) -> list[Produced]:
    """The verdicts of all blocks as one unit, with what they and the whole corpus come to."""
    (assigned,) = assignments
    reads = assigned.reads
    counts = DecideCounts(**reads["overall"].counts)
    reasons, hits, by_hand = Counter(), Counter(), Counter()
    for block in reads["counted"]:
        by_hand.update(block.counts["by_hand"])
        reasons.update(block.counts["first_reasons"])
        hits.update(block.counts["hits"])
    balance = add_up(Balance(**block.balance) for block in reads["counted"])
    counts.first_reasons, counts.by_hand = dict(sorted(reasons.items())), dict(by_hand)
    counts.delta = _delta(hits, balance) if assigned.settings["indexed"] else None
    return [Produced({name: info for block in reads["verdicts"] for name, info in block.items()}, counts, balance)]


def _delta(hits: Counter[str], balance: Balance) -> dict[str, int]:
    """What this run's documents are against those of the earlier runs: copies of them, copies of each other, or new."""
    known, among = (sum(hits[f"{stage}.{rule}"] for stage in DUPLICATE_STAGES) for rule in ("in_index", "duplicate"))
    return {
        "documents": balance.entered - balance.quarantined,
        "removed_in_index": known,
        "removed_among_themselves": among,
        "new": balance.entered - balance.quarantined - known - among,
    }


def decide(run: Run) -> Commits:
    """Keyed by every setting of the judges, by signals and clusters and, where it rebalances, by the audit's settings."""
    settings: dict[str, Any] = {
        "judges": {name: own.model_dump(mode="json") for name, own in run.recipe.judges},
        "order": [name for name, _ in run.recipe.judges],
        "survivors": run.recipe.survivors.model_dump(mode="json"),
        "min_similarity": run.recipe.cluster.min_similarity,
        "priorities": {source.name: source.priority for source in run.recipe.chosen},
    }
    if run.recipe.bias.action == "rebalance":
        settings["bias"] = run.recipe.bias.model_dump(mode="json")
    if lists := put_lists(run.store, run.recipe.by_hand):
        settings["by_hand"] = lists
    decision = Decision.of(run, settings, run.indexes)
    unit = Unit("all", {"shards": _needed_overall(decision)}, settings, VERSION)
    said = run.execute(Step.OVERALL, [unit], decide_overall)["all"]
    told = said.counted(OverallCounts)
    blocks = decision.blocks
    parts = blocks.parts
    ranks, decided_by = [], []
    for number, place in enumerate(blocks.places()):
        reads = {
            "shards": {name: decision.shards[name] for name in place["firsts"]},
            "overruled": {name: said.files[name] for name in place["firsts"] if name in said.files},
        }
        own = settings | {"set_aside": told.set_aside, **place}
        ranks.append(Unit(f"{number:05d}", reads, own | {"parts": parts}, VERSION))
        decided_by.append((reads, own))
    firsts = blocks.firsts
    ranks += [
        Unit(index.name, {"index": index, "clusters": labels}, {"first": firsts[index.name], "parts": parts}, VERSION)
        for index, labels in decision.indexes
    ]
    ranked = [commit.files["table"] for commit in run.execute(Step.RANK, ranks, rank_block).values()]
    asked = {name: settings[name] for name in ("survivors", "min_similarity")} | {"borders": blocks.borders}
    reads = {"candidates": ranked, "edges": decision.edges}
    units = [Unit(f"{part:05d}", reads, asked | {"part": [part, parts]}, VERSION) for part in range(parts)]
    found = [commit.files["table"] for commit in run.execute(Step.SURVIVE, units, survive_part).values()]
    units = [
        Unit(f"{number:05d}", reads | {"copies": found}, own, VERSION) for number, (reads, own) in enumerate(decided_by)
    ]
    verdicts = run.execute(Step.VERDICTS, units, decide_block).values()
    reads = {
        "verdicts": [commit.files for commit in verdicts],
        "counted": [Counted.by(one) for one in verdicts],
        "overall": Counted(said.fingerprint, asdict(told), {}),
    }
    settings["indexed"] = bool(run.indexes)
    done = run.execute(Step.DECIDE, [Unit("all", reads, settings, VERSION)], add_decisions)
    counted = run.counted(DecideCounts, Step.DECIDE).by_hand
    for name, info in list_files(settings).items():
        there, of = counted.get(name, 0), info.rows or 0
        missing = f"; {of - there:,} match no document" if there < of else ""
        run.notes.append(f"{name}: {there:,} of {of:,} ids are documents of this run{missing}")
        reasons = [
            f"{row['id'][:12]} {row['action']}: {row['why']} ({row['who']})"
            for row in run.table(info).to_pylist()
            if row["why"]
        ]
        run.notes += [f"{name}: {'; '.join(reasons[:SAID])}"] if reasons else []
    return done


def _needed_overall(decision: Decision) -> dict[str, dict[str, FileInfo]]:
    """What the whole corpus is asked about: judges that set something aside and classifiers, or all where it rebalances."""
    names = [
        judge.name
        for judge, _ in entries_of(decision.settings)
        if judge.set_aside is not None or judge.model is not None or "bias" in decision.settings
    ]
    wanted = {"documents", "clusters", *names}
    if not names:
        return {}
    return {shard: {name: files[name] for name in files if name in wanted} for shard, files in decision.shards.items()}
