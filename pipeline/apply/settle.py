"""Settle, the last part of apply: final verdicts, once every text is as it will be published.

A kept document whose text became too short goes, and so does one whose text became equal to that of a better-ranked kept one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.rewrite import is_too_short
from pipeline.apply.spans import ApplySettings
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.root_hash import MODULUS, table_sum
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.rules import DECISIONS

SETTLE_VERSION = 2


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
    """By "source/role"."""
    row_sum: str = ""
    """The documents' part of the root hash, in hex."""
    lost_repeats: LostRepeats = field(default_factory=LostRepeats)


def settle_all(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Final verdicts: kept documents whose text became too short, or equal to that of a better-ranked kept one."""
    (assigned,) = assignments
    settings = ApplySettings.model_validate(assigned.settings)
    shards = assigned.reads["shards"]
    tables = [store.read_table(read["decisions"].path) for read in shards.values()]
    texts = [_measured(store, read["texts"].path, settings) for read in shards.values()]
    removed, survivor = _settled(tables, texts, settings)
    files: dict[str, FileInfo] = {}
    streams: dict[str, StreamCounts] = {}
    balance, start, rows = Balance(), 0, 0
    for name, table, text in zip(shards, tables, texts, strict=True):
        part = slice(start, start + table.num_rows)
        start = part.stop
        final = _final(table, removed[part], survivor[part])
        files[name] = store.put_table(assigned.path("verdicts", name), [final], DECISIONS)
        sizes = text["text_bytes"].to_numpy()
        verdict = np.array(final["verdict"].to_pylist())
        balance.entered += final.num_rows
        balance.bytes_entered += int(sizes.sum())
        for name_of in ("kept", "removed", "quarantined"):
            setattr(balance, name_of, getattr(balance, name_of) + int((verdict == name_of).sum()))
            field = f"bytes_{name_of}"
            setattr(balance, field, getattr(balance, field) + int(sizes[verdict == name_of].sum()))
        _add_streams(streams, final, text)
        rows = (rows + table_sum(final, text)) % MODULUS
    fallen = _ids(tables, [rule == "too_short" for rule in removed])
    lost = _lost(store, shards, tables, [rule is None for rule in removed], fallen)
    counts = SettleCounts(dict(sorted(streams.items())), f"{rows:064x}", lost)
    return [Produced(files, counts, balance)]


def _ids(tables: list[pa.Table], chosen: list[bool]) -> pa.Array:
    ids = pa.chunked_array([chunk for table in tables for chunk in table["id"].chunks], pa.string()).combine_chunks()
    return ids.filter(pa.array(chosen, pa.bool_()))


def _lost(
    store: Store, shards: Mapping[str, Any], tables: list[pa.Table], stays: list[bool], fallen: pa.Array
) -> LostRepeats:
    """Spans that repeats cut from documents that are kept in the end, though the document with the copy fell as too short."""
    lost, documents, start = 0, set(), 0
    for files, table in zip(shards.values(), tables, strict=True):
        part = pa.array(stays[start : start + table.num_rows], pa.bool_())
        kept = pc.and_(pc.equal(table["verdict"], "kept").combine_chunks(), part)
        start += table.num_rows
        for info in files["repeats"] if len(fallen) else ():
            spans = store.read_table(info.path, ["spans"])["spans"].combine_chunks().filter(kept).flatten()
            first = spans.field("first_in")
            found = first.filter(pc.fill_null(pc.is_in(first, fallen), False))
            lost += len(found)
            documents |= set(found.to_pylist())
    return LostRepeats(lost, len(documents))


def _measured(store: Store, path: str, settings: ApplySettings) -> pa.Table:
    """What settling needs of a shard's texts, not the texts themselves, and whether each is too short to stay."""
    table = store.read_table(path)
    return table.drop_columns(["text"]).append_column("short", is_too_short(table["text"], settings.min_chars))


def _add_streams(streams: dict[str, StreamCounts], final: pa.Table, text: pa.Table) -> None:
    """Kept documents, bytes and pre-tokens by "source/role"."""
    kept = pa.table(
        {
            "stream": pc.binary_join_element_wise(final["source"], final["role"], "/"),
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


def _settled(
    tables: list[pa.Table], texts: list[pa.Table], settings: ApplySettings
) -> tuple[list[str | None], list[str | None]]:
    """For every document of all shards: the rule that removes it now, and the survivor's id when it became equal."""
    rule: list[str | None] = []
    survivor: list[str | None] = []
    best: dict[bytes, str] = {}
    for table, text in zip(tables, texts, strict=True):
        short = text["short"].to_pylist()
        for row, verdict in enumerate(table["verdict"].to_pylist()):
            too_short = verdict == "kept" and short[row]
            rule.append("too_short" if too_short else None)
            survivor.append(None)
            if verdict == "kept" and not too_short and settings.drop_newly_identical:
                key, own = text["text_hash"][row].as_py(), table["id"][row].as_py()
                best[key] = min(str(own), best.get(key, str(own)))
    if not settings.drop_newly_identical:
        return rule, survivor
    taken: set[bytes] = set()
    at = 0
    for table, text in zip(tables, texts, strict=True):
        for row, verdict in enumerate(table["verdict"].to_pylist()):
            if verdict == "kept" and rule[at] is None:
                key, own = text["text_hash"][row].as_py(), table["id"][row].as_py()
                if own != best[key] or key in taken:
                    rule[at], survivor[at] = "newly_identical", best[key]
                else:
                    taken.add(key)
            at += 1
    return rule, survivor


def _final(table: pa.Table, removed: list[str | None], survivor: list[str | None]) -> pa.Table:
    if not any(removed):
        return table
    rows = table.to_pylist()
    for row, rule, other in zip(rows, removed, survivor, strict=True):
        if rule:
            row.update(verdict="removed", stage="apply", rule=rule, reasons=[f"apply.{rule}"])
            if other:
                row.update(duplicate_of=other, similarity=1.0, plain_similarity=1.0)
    return pa.Table.from_pylist(rows, schema=DECISIONS)


def settle(run: Run) -> Commits:
    """One unit, keyed by decisions, texts and repeated spans of every shard."""
    shards = {
        shard: {
            "decisions": run.file(Step.DECIDE, name=shard),
            "texts": run.file(Step.APPLY, shard),
            "repeats": [commit.files[shard] for commit in run.commits(Step.REPEATS).values()],
        }
        for shard in run.shards
    }
    unit = Unit("all", {"shards": shards}, run.recipe.apply.model_dump(mode="json"), SETTLE_VERSION)
    settled = run.execute(Step.SETTLE, [unit], settle_all)
    lost = run.counted(SettleCounts, Step.SETTLE).lost_repeats
    if lost.spans:
        run.notes.append(
            f"repeats: {lost.spans:,} passages are cut from kept documents though the copy that was to stay went with "
            f"{lost.documents:,} documents that became too short; `removed` holds them under apply.too_short"
        )
    return settled
