"""Decide: thresholds and clusters in, one verdict per document out.

A document is kept, removed (first reason, all reasons) or quarantined. Of documents that are copies of each other the
best-ranked *passing* one stays, so a threshold decides who survives, never who is a copy of whom.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings

DECISIONS = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("role", pa.string()),
        ("verdict", pa.string()),  # kept | removed | quarantined
        ("stage", pa.string()),  # of the first reason
        ("rule", pa.string()),
        ("reasons", pa.list_(pa.string())),  # every rule that would have removed it, "stage.rule", in recipe order
        ("duplicate_of", pa.string()),  # id of the document that stays instead
        ("similarity", pa.float32()),  # to that one, without boilerplate (see `cluster.verify.EDGES`); 1 for equal text
        ("plain_similarity", pa.float32()),  # the same of the whole texts
        # rules that hit and that rebalancing or a person overruled; empty for most
        ("readmitted", pa.list_(pa.string())),
    ]
)
"""One row a document, aligned with its documents."""

DUPLICATE_STAGES = ("exact", "minhash")


@dataclass(frozen=True)
class Hits:
    """Which rules hit which documents of a shard: `matrix[document, rule]`, rules as "stage.rule" in recipe order.

    `overruled`, of the same shape, are hits that rebalancing or a person took back; they are in `matrix` no more.
    """

    rules: list[str]
    matrix: np.ndarray
    overruled: np.ndarray | None = None

    @property
    def passing(self) -> np.ndarray:
        """bool[n]: no rule hit."""
        return np.logical_not(np.asarray(self.matrix.any(axis=1)))

    def with_rule(self, rule: str, hit: np.ndarray) -> "Hits":
        """The same with one more rule at the end."""
        none = np.zeros((len(hit), 1), np.bool_)
        overruled = None if self.overruled is None else np.hstack([self.overruled, none])
        return Hits([*self.rules, rule], np.hstack([self.matrix, hit[:, None]]), overruled)


def masks(
    judge: Judge, settings: JudgeSettings, signals: pa.Table, sources: pa.Array, roles: pa.Array
) -> dict[str, np.ndarray]:
    """bool[n] by rule: which documents a rule of this judge removes, each under the bounds of its source and role.

    The rules and their order depend on the settings alone, so that they are the same in every shard.
    """
    found: dict[str, np.ndarray] = {}
    for source in (None, *settings.by_source):
        for role in (None, *settings.by_role):
            own = np.ones(signals.num_rows, np.bool_)
            for name, column, named in ((source, sources, settings.by_source), (role, roles, settings.by_role)):
                if named:
                    chosen = pc.equal(column, name) if name else pc.invert(pc.is_in(column, pa.array(list(named))))
                    own &= np.asarray(pc.fill_null(chosen, False))
            for rule, mask in judge.rules(signals, settings.at(source, role)).items():
                flat = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
                hit = np.asarray(flat.to_numpy(zero_copy_only=False), np.bool_) & own
                found[rule] = found[rule] | hit if rule in found else hit
    if settings.exempt:
        spared = np.asarray(pc.is_in(sources, value_set=pa.array(settings.exempt)))
        found = {rule: hit & ~spared for rule, hit in found.items()}
    return found


def rule_hits(
    entries: Sequence[tuple[Judge, JudgeSettings]], signals: Mapping[str, pa.Table], documents: pa.Table
) -> Hits:
    """Apply every judge's rules to its signals. A source in a judge's `exempt` is measured, never removed by it.

    `documents` has source and role.
    """
    rows = documents.num_rows
    sources, roles = documents["source"].combine_chunks(), documents["role"].combine_chunks()
    rules: list[str] = []
    columns: list[np.ndarray] = []
    for judge, settings in entries:
        if judge.name in DUPLICATE_STAGES:  # their place in the order of reasons; filled in from the clusters
            rules += [f"{judge.name}.duplicate", f"{judge.name}.in_index"]
            columns += [np.zeros(rows, np.bool_)] * 2
        for rule, hit in masks(judge, settings, signals[judge.name], sources, roles).items():
            rules.append(f"{judge.name}.{rule}")
            columns.append(hit)
    matrix = np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.bool_)
    return Hits(rules, matrix)


def reasons_column(rules: list[str], matrix: np.ndarray) -> pa.ListArray:
    """list<string> of the rules that hit each row, in the order of `rules`."""
    row, column = np.nonzero(matrix)
    offsets = np.zeros(len(matrix) + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=len(matrix)), out=offsets[1:])
    names = pa.array(rules, pa.string()).take(pa.array(column)) if rules else pa.array([], pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), names)


def first_reason(rules: list[str], matrix: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """(stage, rule) of the first rule that hit each row, null where none did."""
    if not rules:
        return pa.nulls(len(matrix), pa.string()), pa.nulls(len(matrix), pa.string())
    first, hit = matrix.argmax(axis=1), matrix.any(axis=1)
    index = pa.array(first, mask=~hit)
    stages = pa.array([rule.split(".", 1)[0] for rule in rules])
    names = pa.array([rule.split(".", 1)[1] for rule in rules])
    return stages.take(index), names.take(index)


@dataclass(frozen=True)
class Duplicates:
    """Of each document of a shard, the survivor of its cluster, where that is another document.

    `of` is its id, null where there is none; `exact` (bool[n]) says that the text is the same, `indexed` (bool[n]) that the
    survivor is of an earlier run; both similarities are float32[n], NaN where there is none.
    """

    of: pa.Array
    exact: np.ndarray
    indexed: np.ndarray
    similarity: np.ndarray
    plain_similarity: np.ndarray


def decisions(documents: pa.Table, hits: Hits, duplicates: Duplicates) -> pa.Table:
    """Verdicts of one shard. `documents` has id, source, role, reason."""
    quarantined = documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    duplicate = duplicates.of.is_valid().to_numpy(zero_copy_only=False)
    matrix = hits.matrix.copy()
    for stage, alike in (("exact", duplicates.exact), ("minhash", ~duplicates.exact)):
        for rule, indexed in (("duplicate", ~duplicates.indexed), ("in_index", duplicates.indexed)):
            if f"{stage}.{rule}" in hits.rules:
                matrix[:, hits.rules.index(f"{stage}.{rule}")] = duplicate & alike & indexed
    matrix[quarantined] = False
    stage, rule = first_reason(hits.rules, matrix)
    own = documents["reason"].combine_chunks()
    own_stage = pc.list_element(pc.split_pattern(own.fill_null("."), "."), 0)
    own_rule = pc.list_element(pc.split_pattern(own.fill_null("."), ".", max_splits=1), 1)
    removed = matrix.any(axis=1)
    verdict = np.where(quarantined, "quarantined", np.where(removed, "removed", "kept"))
    reasons = reasons_column(hits.rules, matrix)
    mask = pa.array(quarantined)
    if quarantined.any():
        alone = pa.ListArray.from_arrays(pa.array(np.arange(len(own) + 1), pa.int32()), own)
        reasons = pc.if_else(mask, alone, reasons)
    return pa.table(
        {
            "id": documents["id"],
            "source": documents["source"],
            "role": documents["role"],
            "verdict": pa.array(verdict, pa.string()),
            "stage": pc.if_else(mask, own_stage, stage),
            "rule": pc.if_else(mask, own_rule, rule),
            "reasons": reasons,
            "duplicate_of": duplicates.of,
            "similarity": pa.array(duplicates.similarity, mask=np.isnan(duplicates.similarity)),
            "plain_similarity": pa.array(duplicates.plain_similarity, mask=np.isnan(duplicates.plain_similarity)),
            "readmitted": reasons_column(
                hits.rules, np.zeros_like(hits.matrix) if hits.overruled is None else hits.overruled
            ),
        },
        schema=DECISIONS,
    )
