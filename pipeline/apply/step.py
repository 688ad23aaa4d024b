"""Apply, as three steps: find what kept documents have in common, rewrite texts per shard, then settle which kept
documents became equal or too short."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.repeats import Cut, repeats
from pipeline.apply.rewrite import SpanColumn, is_too_short, rewrite
from pipeline.apply.spans import ApplySettings, Edited
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.judge import judges
from pipeline.core.root_hash import MODULUS, table_sum
from pipeline.core.run_folder import Commits, Run, signal_unit
from pipeline.core.store import FileInfo, Store
from pipeline.decide.rules import DECISIONS
from pipeline.kernels.bpe.pretokens import count_pretokens
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash128_rows

APPLY_VERSION = 3
SETTLE_VERSION = 2

TEXTS = pa.schema(
    [
        (
            "text",
            pa.large_string(),
        ),  # to publish: cut and masked when kept, masked when removed, empty when quarantined
        ("text_bytes", pa.int64()),
        ("num_pretokens", pa.int64()),
        ("text_hash", pa.binary(16)),
    ]
)
"""One row a document, aligned with its documents."""


def apply_shard(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Rewrite the texts of one shard, with every byte inserted and cut accounted to its rule."""
    produced = []
    for assigned in assignments:
        files = assigned.arguments["files"]
        decided = store.read_table(files["decisions"], ["verdict"])["verdict"].to_pylist()
        spans = [
            SpanColumn(stage, action, store.read_table(files[file], [column])[column])
            for stage, file, column, action in assigned.arguments["cuts"]
        ]
        balance, batches, start = Balance(), [], 0
        documents: Counter[str] = Counter()
        parquet = store.open_table(files["documents"])
        for group in range(parquet.num_row_groups):
            texts = parquet.read_row_group(group, columns=["text"], use_threads=False)
            verdicts = decided[start : start + texts.num_rows]
            columns = [replace(found, values=found.values.slice(start, texts.num_rows)) for found in spans]
            edited = rewrite(texts, verdicts, columns)
            start += texts.num_rows
            batches.append(_text_batch(edited))
            _account(balance, texts, verdicts, edited)
            documents.update(rule for found in edited for rule in found.cut)
        info = store.put_table(assigned.path("texts"), batches, TEXTS)
        produced.append(Produced({"table": info}, {"documents_cut": dict(sorted(documents.items()))}, balance))
    return produced


def _text_batch(edited: list[Edited]) -> pa.RecordBatch:
    text = pa.array([found.text for found in edited], pa.large_binary()).cast(pa.large_string())
    offsets, data = text_buffers(text)
    return pa.RecordBatch.from_arrays(
        [
            text,
            pa.array(np.diff(offsets), pa.int64()),
            pa.array(count_pretokens(offsets, data), pa.int64()),
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), len(text), [None, pa.py_buffer(hash128_rows(offsets, data))]
            ),
        ],
        schema=TEXTS,
    )


def _account(balance: Balance, texts: pa.Table, verdicts: list[str], edited: list[Edited]) -> None:
    before = np.diff(text_buffers(texts["text"])[0])
    for verdict, size, found in zip(verdicts, before.tolist(), edited, strict=True):
        balance.entered += 1
        balance.bytes_entered += size
        setattr(balance, verdict, getattr(balance, verdict) + 1)
        after = f"bytes_{verdict}"
        setattr(balance, after, getattr(balance, after) + len(found.text))
        for sums, amounts in ((balance.inserted, found.inserted), (balance.cut, found.cut)):
            for rule, amount in amounts.items():
                sums[rule] = sums.get(rule, 0) + amount


def settle_all(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Final verdicts: kept documents whose text became too short, or equal to that of a better-ranked kept one."""
    (assigned,) = assignments
    settings = ApplySettings.model_validate(assigned.arguments["apply"])
    names = list(assigned.arguments["shards"])
    tables = [store.read_table(assigned.arguments["shards"][name]["decisions"]) for name in names]
    texts = [_measured(store, assigned.arguments["shards"][name]["texts"], settings) for name in names]
    removed, survivor = _settled(tables, texts, settings)
    files: dict[str, FileInfo] = {}
    streams: dict[str, dict[str, int]] = {}
    balance, start, rows = Balance(), 0, 0
    for name, table, text in zip(names, tables, texts, strict=True):
        part = slice(start, start + table.num_rows)
        start = part.stop
        final = _final(table, removed[part], survivor[part])
        files[name] = store.put_table(f"verdicts/{name}-{assigned.fingerprint[:12]}.parquet", [final], DECISIONS)
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
    counts = {"streams": dict(sorted(streams.items())), "row_sum": f"{rows:064x}"}
    fallen = _ids(tables, [rule == "too_short" for rule in removed])
    lost = _lost(store, assigned.arguments["shards"], tables, [rule is None for rule in removed], fallen)
    return [Produced(files, counts | {"lost_repeats": lost}, balance)]


def _ids(tables: list[pa.Table], chosen: list[bool]) -> pa.Array:
    ids = pa.chunked_array([chunk for table in tables for chunk in table["id"].chunks], pa.string()).combine_chunks()
    return ids.filter(pa.array(chosen, pa.bool_()))


def _lost(
    store: Store, shards: dict[str, Any], tables: list[pa.Table], stays: list[bool], fallen: pa.Array
) -> dict[str, int]:
    """Spans that repeats cut from documents that are kept in the end, though the document with the copy fell as too short."""
    lost, documents, start = 0, set(), 0
    for files, table in zip(shards.values(), tables, strict=True):
        part = pa.array(stays[start : start + table.num_rows], pa.bool_())
        kept = pc.and_(pc.equal(table["verdict"], "kept").combine_chunks(), part)
        start += table.num_rows
        for path in files["repeats"] if len(fallen) else ():
            spans = store.read_table(path, ["spans"])["spans"].combine_chunks().filter(kept).flatten()
            first = spans.field("first_in")
            found = first.filter(pc.fill_null(pc.is_in(first, fallen), False))
            lost += len(found)
            documents |= set(found.to_pylist())
    return {"spans": lost, "documents": len(documents)}


def _measured(store: Store, path: str, settings: ApplySettings) -> pa.Table:
    """What settling needs of a shard's texts, not the texts themselves, and whether each is too short to stay."""
    table = store.read_table(path)
    return table.drop_columns(["text"]).append_column("short", is_too_short(table["text"], settings.min_chars))


def _add_streams(streams: dict[str, dict[str, int]], final: pa.Table, text: pa.Table) -> None:
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
        own = streams.setdefault(row["stream"], {"documents": 0, "bytes": 0, "pretokens": 0, "largest_bytes": 0})
        own["documents"] += row["bytes_count"]
        own["bytes"] += row["bytes_sum"]
        own["pretokens"] += row["pretokens_sum"]
        own["largest_bytes"] = max(own["largest_bytes"], row["bytes_max"])


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
                row.update(duplicate_of=other, similarity=1.0)
    return pa.Table.from_pylist(rows, schema=DECISIONS)


def _judges_cuts(run: Run) -> list[Cut]:
    """The span columns of the recipe's judges that apply acts on."""
    known = judges()
    return [
        (name, name, column, action)
        for name, _ in run.recipe.judges
        for column, action in sorted(known[name].cuts.items())
    ]


def apply(run: Run) -> Commits:
    """Texts per shard, keyed by the documents, the spans and which of them are kept; then the final verdicts."""
    cuts = _judges_cuts(run)
    found = repeats(run, cuts)
    cuts += [("repeats", f"repeats/{kind}", "spans", "cut") for kind in found]
    units = []
    for shard in run.shards:
        files = {"documents": run.file("extract", shard), "decisions": run.file("decide", "all", shard)}
        for name in dict.fromkeys(name for stage, name, _, _ in cuts if stage != "repeats"):
            files[name] = run.file("measure", signal_unit(name, shard))
        files |= {f"repeats/{kind}": commit.files[shard] for kind, commit in found.items()}
        units.append(
            Unit(
                name=shard,
                inputs=[info.sha256 for info in files.values()],
                settings={"cuts": [list(cut) for cut in cuts]},
                version=APPLY_VERSION,
                arguments={"files": {name: info.path for name, info in files.items()}, "cuts": cuts},
            )
        )
    texts = run.keep("apply", run.runner.execute("apply", units, apply_shard))
    own = {
        shard: {"decisions": run.file("decide", "all", shard), "texts": texts[shard].files["table"]}
        for shard in run.shards
    }
    copies = {shard: [commit.files[shard] for commit in found.values()] for shard in run.shards}
    settings = run.recipe.apply.model_dump(mode="json")
    unit = Unit(
        name="all",
        inputs=[[shard, *(info.sha256 for info in [*files.values(), *copies[shard]])] for shard, files in own.items()],
        settings=settings,
        version=SETTLE_VERSION,
        arguments={
            "apply": settings,
            "shards": {
                shard: {name: info.path for name, info in files.items()}
                | {"repeats": [info.path for info in copies[shard]]}
                for shard, files in own.items()
            },
        },
    )
    settled = run.keep("settle", run.runner.execute("settle", [unit], settle_all))
    if (lost := settled["all"].counts["lost_repeats"])["spans"]:
        run.notes.append(
            f"repeats: {lost['spans']:,} passages are cut from kept documents though the copy that was to stay went with "
            f"{lost['documents']:,} documents that became too short; `removed` holds them under apply.too_short"
        )
    return texts
