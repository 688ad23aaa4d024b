"""Decide, as a step: one unit over all signals and clusters; cheap, and all that a changed threshold reruns."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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

VERSION = 1
DOCUMENT_COLUMNS = ["id", "source", "role", "reason", "date", "text_bytes"]


class _Shard:
    """What the decision needs of one shard."""

    def __init__(self, store: Store, files: dict[str, str], entries: list[tuple[Judge, JudgeSettings]]) -> None:
        self.documents = _with_roles(store.read_table(files["documents"], DOCUMENT_COLUMNS))
        self.signals = {
            judge.name: store.read_table(files[judge.name], [c for c in judge.columns if c not in judge.cuts])
            for judge, _ in entries
        }
        self.clusters = store.read_table(files["clusters"])
        self.hits: Hits = rule_hits(
            entries, self.signals, self.documents["source"].combine_chunks(), self.documents.num_rows
        )

    @property
    def passing(self) -> np.ndarray:
        """bool[n]: extracted, and no rule hit."""
        return self.hits.passing & ~self.documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)


def _with_roles(documents: pa.Table) -> pa.Table:
    """Roles are domain or general from here on: what neither its source nor its host decides is general."""
    roles = pc.if_else(pc.equal(documents["role"], "auto"), "general", documents["role"])
    return documents.set_column(documents.schema.get_field_index("role"), "role", roles)


def _joined(shards: list[_Shard], table: str, column: str) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for shard in shards for chunk in getattr(shard, table)[column].chunks])


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


def decide_all(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Verdicts of every shard: rules first, then one survivor per cluster among the documents that pass them."""
    (assigned,) = assignments
    known = judges()
    entries = [
        (known[name], known[name].settings.model_validate(settings)) for name, settings in assigned.arguments["judges"]
    ]
    names: list[str] = list(assigned.arguments["shards"])
    shards = [_Shard(store, assigned.arguments["shards"][name], entries) for name in names]
    ids = _joined(shards, "documents", "id")
    near = _joined(shards, "clusters", "near_cluster")
    passing = np.concatenate([shard.passing for shard in shards])
    survivors = pick_survivors(
        near.fill_null(-1).to_numpy(),
        passing,
        priority=_priorities(shards, assigned.arguments["priorities"]),
        quality=_quality(shards),
        length=_joined(shards, "documents", "text_bytes").to_numpy(),
        date=np.array(_joined(shards, "documents", "date").fill_null("").to_pylist(), np.str_),
        ids=np.array(ids.to_pylist(), np.bytes_),
        order=SurvivorSettings.model_validate(assigned.arguments["survivors"]).order,
    )
    rows = np.arange(len(survivors))
    duplicate = (survivors >= 0) & (survivors != rows)
    target = np.where(duplicate, survivors, 0)
    exact_label = np.asarray(_joined(shards, "clusters", "exact_cluster").fill_null(-1).to_numpy())
    exact = duplicate & (exact_label >= 0) & (exact_label == exact_label[target])
    similarity = np.full(len(rows), np.nan, np.float32)
    if "minhash" in known and any(judge.name == "minhash" for judge, _ in entries):
        sketches, known_sketch = column_rows(
            pa.chunked_array([c for shard in shards for c in shard.signals["minhash"]["sketch"].chunks]), np.uint8
        )
        pairs = duplicate & known_sketch & known_sketch[target]
        similarity[pairs] = estimate_similarity(sketches[pairs], sketches[target[pairs]])
    similarity[exact] = 1.0
    survivor_ids = ids.combine_chunks().take(pa.array(target, mask=~duplicate))
    files: dict[str, FileInfo] = {}
    balance, reasons = Balance(), Counter()
    start = 0
    for name, shard in zip(names, shards, strict=True):
        part = slice(start, start + shard.documents.num_rows)
        start = part.stop
        table = decisions(
            shard.documents,
            shard.hits,
            survivor_ids.slice(part.start, part.stop - part.start),
            exact[part],
            similarity[part],
        )
        files[name] = store.put_table(f"decisions/{name}-{assigned.fingerprint[:12]}.parquet", [table], DECISIONS)
        verdicts = Counter(table["verdict"].to_pylist())
        balance.entered += shard.documents.num_rows
        balance.kept += verdicts["kept"]
        balance.removed += verdicts["removed"]
        balance.quarantined += verdicts["quarantined"]
        reasons.update(
            f"{s}.{r}" for s, r in zip(table["stage"].to_pylist(), table["rule"].to_pylist(), strict=True) if s
        )
    return [Produced(files, {"first_reasons": dict(sorted(reasons.items()))}, balance)]


def decide(run: Run) -> Commits:
    """Keyed by every threshold, and by the digests of signals and clusters."""
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
        },
        version=VERSION,
        arguments={
            "judges": [(name, settings.model_dump(mode="json")) for name, settings in run.recipe.judges],
            "survivors": run.recipe.survivors.model_dump(mode="json"),
            "priorities": {source.name: source.priority for source in run.recipe.chosen},
            "shards": files,
        },
    )
    return run.keep("decide", run.runner.execute("decide", [unit], decide_all))
