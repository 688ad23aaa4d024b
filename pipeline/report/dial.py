"""What the report says of `select:`: the dial as settle counted it, and beside it rules, hosts and languages."""

from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.select_search import found_by
from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.selection import RULE, STAGE, spared
from pipeline.apply.settle import SettleCounts
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.report.where import grouped, host_of, verdict_of

HOSTS = 8
"""Shown on each side."""


def dial(run: Run) -> dict[str, Any] | None:
    """What `select:` did, with the signal that it went by; by how much hosts and languages gain or lose of the words; and how the
    order of scores goes with that of every signal that a rule bounds (Spearman, over the documents that the dial went over)."""
    found, told = run.counted(SettleCounts, Step.SETTLE).select, run.recipe.select
    if found is None or told is None:
        return None
    masks = {shard: _offered(run, shard, told) for shard in run.shards}

    def signal(judge: str, column: str) -> np.ndarray:
        parts = (
            run.signals(judge, shard, [column])[column].filter(mask).cast(pa.float64()) for shard, mask in masks.items()
        )
        return np.concatenate([np.zeros(0), *(part.to_numpy() for part in parts)])

    score = signal(told.judge, told.column)
    rules = {
        f"{name}.{bound.name}": _spearman(score, signal(name, bound.signal))
        for name, settings in run.recipe.judges
        for bound in settings.bounds()
        if (name, bound.signal) != (told.judge, told.column)
    }
    hosts = [row for row in _moved(run, masks, "host") if row["after"] != row["before"]]
    languages = _moved(run, masks, "language") if run.asks_for("language") else []
    searched = found_by(run, told.search)
    return {
        "by": told.by,
        "search": [(one.share, fmean(one.losses.values())) for one in searched.runs if one.losses] if searched else [],
        **asdict(found),
        "rules": sorted(((rule, value) for rule, value in rules.items() if value is not None), key=lambda one: one[1]),
        "hosts": {
            "lose": [row for row in hosts if row["after"] < row["before"]][:HOSTS],
            "gain": [row for row in reversed(hosts) if row["after"] > row["before"]][:HOSTS],
        },
        "languages": languages,
    }


def _offered(run: Run, shard: str, told: SelectSettings) -> pa.Array:
    """bool[n]: the documents of a shard that the dial went over."""
    table = run.verdicts(shard, ["source", "verdict", "stage", "rule"])
    below = np.asarray(pc.fill_null(pc.and_(pc.equal(table["stage"], STAGE), pc.equal(table["rule"], RULE)), False))
    return pa.array((np.asarray(pc.equal(table["verdict"], "kept")) | below) & ~spared(table, told))


def _moved(run: Run, masks: dict[str, pa.Array], what: str) -> list[dict[str, Any]]:
    """Of every host or language its share of the words before and after the dial, what loses most first."""

    def parts() -> Any:
        for shard, mask in masks.items():
            documents = run.documents(shard, ["url", "num_pretokens"])
            if what == "language":
                documents = documents.append_column(
                    "language", run.signals(what, shard, ["label"])["label"].cast(pa.string())
                )
            yield documents.filter(mask), run.verdicts(shard, ["verdict"]).filter(mask)

    key = host_of if what == "host" else lambda documents, _: documents["language"]
    counts = grouped(parts(), {what: key, "verdict": verdict_of})
    words = {key: count for key, count in counts.items() if key[-1] == "pretokens"}
    whole, kept = sum(words.values()) or 1, sum(count for key, count in words.items() if key[1] == "kept") or 1
    rows = []
    for name in sorted({key[0] for key in words if key[0]}):
        after = words.get((name, "kept", "pretokens"), 0)
        before = after + words.get((name, "removed", "pretokens"), 0)
        rows.append({"name": name, "words": before, "kept": after, "before": before / whole, "after": after / kept})
    return sorted(rows, key=lambda row: (row["after"] - row["before"], row["name"]))


def _spearman(one: np.ndarray, other: np.ndarray) -> float | None:
    """Rank correlation over the documents that have both numbers, ties at their mean rank; None where one does not vary."""
    there = np.isfinite(one) & np.isfinite(other)
    ranks = []
    for values in (one[there], other[there]):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - counts / 2)[place])
        if len(counts) < 2:
            return None
    return float(np.corrcoef(*ranks)[0, 1])
