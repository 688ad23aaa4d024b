"""Rebalancing within decide: after the rules and before survivors, so that a readmitted document still faces its duplicates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.audit.bias_settings import BiasSettings
from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings
from pipeline.decide.correction import Removed, loosen, readmit
from pipeline.decide.rules import Hits

if TYPE_CHECKING:
    from pipeline.decide.decision import Shard

Entries = Sequence[tuple[Judge, JudgeSettings]]


def _column(shards: Sequence["Shard"], judge: str, name: str) -> pa.ChunkedArray:
    columns = [shard.signals[judge][name] for shard in shards]
    return pa.chunked_array([chunk for found in columns for chunk in found.chunks], columns[0].type)


def _numbers(shards: Sequence["Shard"], judge: str, name: str) -> np.ndarray:
    return np.asarray(_column(shards, judge, name).to_numpy(), np.float64)


def _excess(shards: Sequence["Shard"], judge: Judge, settings: JudgeSettings, matrix: np.ndarray, rules: list[str]):  # noqa: ANN202
    """float64[n] as in `Removed`, and by rule its bound and the distance that stands for 1."""
    excess, bounds = np.zeros(len(matrix)), {}
    thresholds = {bound.name: bound for bound in settings.bounds()}
    for number, rule in enumerate(rules):
        stage, _, name = rule.partition(".")
        if stage != judge.name:
            continue
        hit, bound = matrix[:, number], thresholds.get(name)
        if bound is None or bound.signal not in judge.columns:
            excess[hit] = np.inf
            continue
        beyond = np.abs(_numbers(shards, judge.name, bound.signal) - bound.value)
        farthest = float(beyond[hit].max()) if hit.any() else 0.0
        bounds[name] = (float(bound.value), farthest if bound.side == "max" else -farthest)
        if farthest:
            excess[hit] = np.maximum(excess[hit], beyond[hit] / farthest)
    return excess, bounds


def rebalance(shards: Sequence["Shard"], entries: Entries, settings: BiasSettings) -> dict[str, Any]:
    """Correct the hits of every stage in `settings.stages`; what was done, by stage, as JSON values.

    Documents are those that were extracted; `toxic_share` is of the documents that came back.
    """
    if not shards:
        return {}
    extracted = np.concatenate([np.asarray(shard.documents["reason"].is_null()) for shard in shards])
    ids = np.concatenate([np.array(shard.documents["id"].to_pylist(), np.bytes_) for shard in shards])
    terms = _column(shards, "identity", "terms")
    toxic = np.asarray(np.nan_to_num(_numbers(shards, "toxicity", "score")) > settings.toxic_above)
    rules = shards[0].hits.rules
    matrix = np.concatenate([shard.hits.matrix for shard in shards])
    overruled, done = np.zeros_like(matrix), {}
    live = np.flatnonzero(extracted)
    for judge, own in entries:
        if judge.name not in settings.stages:
            continue
        columns = [number for number, rule in enumerate(rules) if rule.split(".", 1)[0] == judge.name]
        excess, bounds = _excess(shards, judge, own, matrix, rules)
        mask = np.asarray(matrix[:, columns].any(axis=1))
        removed = Removed(mask[live], excess[live], ids[live])
        found: dict[str, Any] = {"means": settings.rebalance, "removed_before": int(removed.mask.sum())}
        if settings.rebalance == "readmit":
            gone, found["terms"] = readmit(removed, toxic[live], terms.filter(pa.array(extracted)), settings)
        else:
            gone, share = loosen(removed, terms.filter(pa.array(extracted)), settings)
            found["bounds"] = {
                name: {"before": bound, "after": bound + (share or 0.0) * width}
                for name, (bound, width) in bounds.items()
            }
        back = live[removed.mask & ~gone]
        found |= {
            "removed_after": int(gone.sum()),
            "readmitted": len(back),
            "toxic_share": round(float(toxic[back].mean()), 6) if len(back) else 0.0,
        }
        rows = np.zeros(len(matrix), np.bool_)
        rows[back] = True
        for column in columns:
            overruled[:, column] = matrix[:, column] & rows
            matrix[rows, column] = False
        done[judge.name] = found
    start = 0
    for shard in shards:
        part = slice(start, start + len(shard.hits.matrix))
        start = part.stop
        shard.hits = Hits(rules, matrix[part], overruled[part])
    return done
