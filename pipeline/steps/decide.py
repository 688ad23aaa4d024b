"""Decide, as a step: one unit over all signals and clusters; cheap, and all that a changed threshold reruns."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.settings import BiasSettings
from pipeline.cluster.settings import SurvivorSettings
from pipeline.cluster.survivors import estimate_similarity, pick_survivors
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.judge import Judge, judges
from pipeline.core.settings import JudgeSettings
from pipeline.core.store import FileInfo, Store
from pipeline.decide import DECISIONS, Hits, decisions, rule_hits
from pipeline.kernels.rows import column_rows
from pipeline.steps.context import Commits, Run, signal_unit
from pipeline.steps.rebalance import rebalance

VERSION = 2
DOCUMENT_COLUMNS = ["id", "source", "role", "reason", "date", "text_bytes"]


class _Shard:
    """What the decision needs of one shard."""

    def __init__(self, store: Store, files: dict[str, str], entries: list[tuple[Judge, JudgeSettings]]) -> None:
        self.signals = {
            judge.name: store.read_table(files[judge.name], [c for c in judge.columns if c not in judge.cuts])
            for judge, _ in entries
        }
        documents = store.read_table(files["documents"], DOCUMENT_COLUMNS)
        self.documents = _with_roles(documents, self.signals, entries)
        self.clusters = store.read_table(files["clusters"])
        self.hits: Hits = rule_hits(
            entries, self.signals, self.documents["source"].combine_chunks(), self.documents.num_rows
        )

    @property
    def passing(self) -> np.ndarray:
        """bool[n]: extracted, and no rule hit."""
        return self.hits.passing & ~self.documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)


def _with_roles(
    documents: pa.Table, signals: dict[str, pa.Table], entries: list[tuple[Judge, JudgeSettings]]
) -> pa.Table:
    """Roles are domain or general from here on: what neither its source nor its host decides follows the domain score.

    Without a domain judge, or without a score, it is general.
    """
    undecided: pa.ChunkedArray | str = "general"
    for judge, settings in entries:
        if judge.name == "domain":
            high = pc.fill_null(pc.greater_equal(signals["domain"]["score"], settings.role_score), False)  # type: ignore[attr-defined]
            undecided = pc.if_else(high, "domain", "general")
    roles = pc.if_else(pc.equal(documents["role"], "auto"), undecided, documents["role"])
    return documents.set_column(documents.schema.get_field_index("role"), "role", roles)


def _joined(shards: list[_Shard], table: str, column: str) -> pa.ChunkedArray:
    columns = [getattr(shard, table)[column] for shard in shards]
    return pa.chunked_array([chunk for found in columns for chunk in found.chunks], columns[0].type)


def _priorities(shards: list[_Shard], by_source: dict[str, int]) -> np.ndarray:
    """int64[n]: the source's priority, and within it domain before general."""
    sources = _joined(shards, "documents", "source").to_pylist()
    roles = _joined(shards, "documents", "role").to_pylist()
    return np.array([2 * by_source[s] + (r == "domain") for s, r in zip(sources, roles, strict=True)], np.int64)


def _quality(shards: list[_Shard]) -> np.ndarray:
    """float64[n]: the quality judge's score where the recipe has one, else zero."""
    if shards and "quality" in shards[0].signals:
        scores = [shard.signals["quality"]["score"].to_numpy() for shard in shards]
        return np.nan_to_num(np.concatenate(scores).astype(np.float64))
    return np.zeros(sum(shard.documents.num_rows for shard in shards))


def verdict_tables(
    store: Store, arguments: dict[str, Any], corrected: dict[str, Any] | None = None
) -> Iterator[pa.Table]:
    """Verdicts of every shard: rules first, then rebalancing where the recipe asks for it, then one survivor per cluster
    among the documents that pass. What rebalancing did is put into `corrected`, by stage."""
    known = judges()
    entries = [(known[name], known[name].settings.model_validate(settings)) for name, settings in arguments["judges"]]
    shards = [_Shard(store, files, entries) for files in arguments["shards"].values()]
    if arguments.get("bias"):
        found = rebalance(shards, entries, BiasSettings.model_validate(arguments["bias"]))
        if corrected is not None:
            corrected.update(found)
    ids = _joined(shards, "documents", "id")
    passing = np.concatenate([shard.passing for shard in shards])
    survivors = pick_survivors(
        _joined(shards, "clusters", "near_cluster").fill_null(-1).to_numpy(),
        passing,
        priority=_priorities(shards, arguments["priorities"]),
        quality=_quality(shards),
        length=_joined(shards, "documents", "text_bytes").to_numpy(),
        date=np.array(_joined(shards, "documents", "date").fill_null("").to_pylist(), np.str_),
        ids=np.array(ids.to_pylist(), np.bytes_),
        order=SurvivorSettings.model_validate(arguments["survivors"]).order,
    )
    duplicate = (survivors >= 0) & (survivors != np.arange(len(survivors)))
    target = np.where(duplicate, survivors, 0)
    exact_label = _joined(shards, "clusters", "exact_cluster").fill_null(-1).to_numpy()
    exact = duplicate & (exact_label >= 0) & (exact_label == exact_label[target])
    similarity = _similarities(shards, duplicate, target)
    similarity[exact] = 1.0
    survivor_ids = ids.combine_chunks().take(pa.array(target, mask=~duplicate))
    start = 0
    for shard in shards:
        rows = shard.documents.num_rows
        part = slice(start, start + rows)
        start = part.stop
        yield decisions(
            shard.documents, shard.hits, survivor_ids.slice(part.start, rows), exact[part], similarity[part]
        )


def _similarities(shards: list[_Shard], duplicate: np.ndarray, target: np.ndarray) -> np.ndarray:
    """float32[n]: estimated similarity to the survivor, NaN without one or without signatures."""
    found = np.full(len(duplicate), np.nan, np.float32)
    if not shards or "minhash" not in shards[0].signals:
        return found
    columns = [shard.signals["minhash"]["sketch"] for shard in shards]
    joined = pa.chunked_array([chunk for found in columns for chunk in found.chunks], columns[0].type)
    sketches, known = column_rows(joined, np.uint8)
    pairs = duplicate & known & known[target]
    found[pairs] = estimate_similarity(sketches[pairs], sketches[target[pairs]])
    return found


def decide_all(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Write the verdicts of every shard, and count them."""
    (assigned,) = assignments
    files: dict[str, FileInfo] = {}
    balance, reasons = Balance(), Counter()
    names = list(assigned.arguments["shards"])
    corrected: dict[str, Any] = {}
    for name, table in zip(names, verdict_tables(store, assigned.arguments, corrected), strict=True):
        files[name] = store.put_table(f"decisions/{name}-{assigned.fingerprint[:12]}.parquet", [table], DECISIONS)
        verdicts = Counter(table["verdict"].to_pylist())
        balance.entered += table.num_rows
        balance.kept += verdicts["kept"]
        balance.removed += verdicts["removed"]
        balance.quarantined += verdicts["quarantined"]
        stages, rules = table["stage"].to_pylist(), table["rule"].to_pylist()
        reasons.update(f"{stage}.{rule}" for stage, rule in zip(stages, rules, strict=True) if stage)
    counts: dict[str, Any] = {"first_reasons": dict(sorted(reasons.items()))}
    if corrected:
        counts["rebalance"] = corrected
    if found := _kept_by_classifiers(store, assigned.arguments):
        counts["classifiers"] = found
    return [Produced(files, counts, balance)]


def _kept_by_classifiers(store: Store, arguments: dict[str, Any]) -> dict[str, Any]:
    """Of every trained judge with a threshold: the scored documents and the share it keeps, in all and in the audit stream."""
    known, found = judges(), {}
    for name, settings in arguments["judges"]:
        bound = settings.get("min_score")
        if known[name].model is None or bound is None:
            continue
        tables = [store.read_table(files[name], ["score", "audit"]) for files in arguments["shards"].values()]
        table = pa.concat_tables(tables).drop_null()
        kept = pc.greater_equal(table["score"], bound)
        audited = {"all": kept, "audit": kept.filter(table["audit"])}
        found[name] = {
            "min_score": bound,
            **{
                key: {"documents": len(mask), "kept_share": round(float(pc.mean(mask).as_py() or 0), 6)}
                for key, mask in audited.items()
            },
        }
    return found


def decide(run: Run) -> Commits:
    """Keyed by every threshold, by the digests of signals and clusters and, where it rebalances, by the audit's settings."""
    corrects = {"bias": run.recipe.bias.model_dump(mode="json")} if run.recipe.bias.action == "rebalance" else {}
    files, inputs = {}, []
    for shard in run.shards:
        own = {"documents": run.file("extract", shard), "clusters": run.file("cluster", "all", shard)}
        for name, _ in run.recipe.judges:
            own[name] = run.file("measure", signal_unit(name, shard))
        files[shard] = {name: info.path for name, info in own.items()}
        inputs.append([shard, *(info.sha256 for info in own.values())])
    unit = Unit(
        name="all",
        inputs=inputs,
        settings={
            "thresholds": {name: settings.decided() for name, settings in run.recipe.judges},
            "order": [name for name, _ in run.recipe.judges],
            "survivors": run.recipe.survivors.model_dump(mode="json"),
            "priorities": {source.name: source.priority for source in run.recipe.chosen},
            **corrects,
        },
        version=VERSION,
        arguments={
            "judges": [(name, settings.model_dump(mode="json")) for name, settings in run.recipe.judges],
            "survivors": run.recipe.survivors.model_dump(mode="json"),
            "priorities": {source.name: source.priority for source in run.recipe.chosen},
            "shards": files,
            **corrects,
        },
    )
    return run.keep("decide", run.runner.execute("decide", [unit], decide_all))
