"""Audit, over the final verdicts: who was removed by which stage, and whether a gate is red."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.bias import (
    VERDICTS,
    bias_table,
    descriptor_table,
    dialect_rows,
    gate_failures,
    pronoun_table,
    representation,
    term_matrix,
)
from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.flips import flip_failures
from pipeline.audit.identity_terms import identity_terms
from pipeline.core.execute import Unit, record
from pipeline.core.partition import id_fractions
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.decide.step import DecideCounts
from pipeline.report.bias_texts import audit_texts
from pipeline.report.gates import GateSettings
from pipeline.report.tokenizer_figures import survival_summary

VERSION = 2
BIAS = "cards/bias.json"
EXAMPLES = 3


@dataclass(frozen=True)
class GateResult:
    """One gate: what was measured, what was allowed, and a sentence. `passed` is null when nothing was measured."""

    name: str
    passed: bool | None
    gating: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def stage_masks(lists: pa.ListArray, first: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """bool[n] per stage that occurs: documents that any of its rules removes, whatever other stages say.

    Stages stand in the order of `first`, then by name: a stage that no one told the audit of is audited too.
    """
    values = lists.flatten().dictionary_encode()
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    codes = values.indices.to_numpy(zero_copy_only=False)
    masks: dict[str, np.ndarray] = {}
    for code, reason in enumerate(values.dictionary.to_pylist()):
        mask = masks.setdefault(reason.split(".", 1)[0], np.zeros(len(lists), np.bool_))
        mask[rows[codes == code]] = True
    known = [stage for stage in first if stage in masks]
    return {stage: masks[stage] for stage in [*known, *sorted(masks.keys() - set(first))]}


def _audited(run: Run) -> pa.Table:
    """One row per extracted document: verdict, reasons, readmitted, source, role, terms, mentions, pre-tokens, and where its
    text stands (shard, row)."""
    tables = []
    for shard in run.shards:
        table = run.verdicts(shard, ["id", "verdict", "reasons", "readmitted", "source", "role"])
        signals = run.signals("identity", shard)
        texts = run.table(run.file(Step.APPLY, shard), ["num_pretokens"])
        place = {"shard": pa.array([shard] * len(table)), "row": pa.array(np.arange(len(table)))}
        added = dict(zip(signals.column_names, signals.columns, strict=True)) | {"num_pretokens": texts[0]} | place
        for name, column in added.items():
            table = table.append_column(name, column)
        tables.append(table.filter(pc.not_equal(table["verdict"], "quarantined")))
    return pa.concat_tables(tables)


def bias(run: Run) -> dict[str, Any] | None:
    """What `bias.json` holds (docs/bias.md names its fields); None when the recipe has no `identity` judge."""
    if not run.asks_for("identity"):
        return None
    names = [name for name, _ in run.recipe.judges]
    settings, table = run.recipe.bias, _audited(run)
    removing = stage_masks(table["reasons"].combine_chunks(), [*names, "apply"])
    rows = bias_table(removing, table["terms"], settings)
    _add_examples(rows, table, removing)
    kept = np.asarray(pc.equal(table["verdict"], "kept"))
    read = audit_texts(run, table)
    failures = gate_failures(rows, settings.stages)
    # Rebalancing corrects which documents stay, not how the scorer reads a sentence: flips are then reported.
    flipping = flip_failures(read["flips"], settings)
    if settings.action != "rebalance":
        failures += flipping
    gone = {"all": np.logical_not(kept)} | {s: m for s, m in removing.items() if s in (*settings.stages, "select")}
    by_role = {role: table.filter(pc.equal(table["role"], role)) for role in ("domain", "general")}
    spoken = {role: part.filter(pc.equal(part["verdict"], "kept"))["terms"] for role, part in by_role.items()}
    return {
        "settings": settings.model_dump(mode="json"),
        "documents": {"extracted": table.num_rows, "kept": int(kept.sum()), "sampled": read.pop("sampled")},
        "verdict": "fail" if failures else "pass" if _judged(rows, read["flips"], settings) else "not measured",
        "failures": failures,
        "counts": {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS},
        "rows": rows,
        "representation": representation(kept, table["terms"], settings.max_lift, settings.min_documents),
        "rebalance": _price(run, table, removing),
        **read,
        "flip_failures": flipping,
        "pronouns": {role: pronoun_table(terms) for role, terms in spoken.items()},
        "descriptors": {role: descriptor_table(terms) for role, terms in spoken.items()},
        "dialect": dialect_rows(table, gone, settings),
        "term_survival": survival_summary(run),
    }


def _judged(rows: Sequence[dict[str, Any]], flips: Sequence[dict[str, Any]], settings: BiasSettings) -> int:
    """How many rows of the gated stages have enough documents, or swapped texts, for a verdict."""
    return sum(
        row["verdict"] in ("pass", "warn", "fail") and row["stage"] in settings.stages for row in [*rows, *flips]
    )


def _add_examples(rows: list[dict[str, Any]], table: pa.Table, removing: dict[str, np.ndarray]) -> None:
    """Ids of a few removed documents in every row that warns or fails: those with the lowest hashes."""
    ids = {(term.axis, term.name): term.id for term in identity_terms()}
    striking = [row for row in rows if row["verdict"] in ("warn", "fail")]
    mentions = term_matrix(table["terms"]) if striking else None
    order = id_fractions(table["id"], "bias") if striking else None
    for row in striking:
        assert mentions is not None
        assert order is not None
        found = np.flatnonzero(removing[row["stage"]] & mentions[:, ids[row["axis"], row["term"]]])
        chosen = found[np.argsort(order[found], kind="stable")][:EXAMPLES]
        row["examples"] = table["id"].take(pa.array(chosen)).to_pylist()


def commit_bias(run: Run, found: dict[str, Any]) -> None:
    """Write `bias.json` with a commit record, so that `verify` knows it."""
    info = run.store.put_json(BIAS, found)
    reads = {**run.commit(Step.SETTLE).files, "bias.json": info}
    unit = Unit("bias", reads, run.recipe.bias.model_dump(mode="json"), VERSION)
    record(run.store, Step.AUDIT, unit, {"bias.json": info}, {"verdict": found["verdict"]})


def _price(run: Run, table: pa.Table, removing: dict[str, np.ndarray]) -> dict[str, Any]:
    """What decide corrected, by stage, with the rows that failed before and what came back in the end."""
    corrected = run.counted(DecideCounts, Step.DECIDE).rebalance
    back = stage_masks(table["readmitted"].combine_chunks())
    kept, sizes = np.asarray(pc.equal(table["verdict"], "kept")), table["num_pretokens"].to_numpy()
    found = {}
    for stage, done in corrected.items():
        mask = back.get(stage, np.zeros(table.num_rows, np.bool_))
        before = removing.get(stage, np.zeros(table.num_rows, np.bool_)) | mask
        rows = bias_table({stage: before}, table["terms"], run.recipe.bias)
        found[stage] = done | {
            "kept_in_the_end": int((mask & kept).sum()),
            "pretokens_kept_in_the_end": int(sizes[mask & kept].sum()),
            "failed_before": gate_failures(rows),
        }
    return found


def bias_gates(settings: BiasSettings, found: dict[str, Any] | None) -> list[GateResult]:
    """The audit's verdict as gates: one per failing row, or one that says that none fails."""
    if found is None:
        return [GateResult("bias", None, False, "the recipe has no identity judge")]
    gating = settings.action != "report"
    results = [GateResult("bias", False, gating, sentence) for sentence in found["failures"]]
    if not results:
        terms, swapped = (_judged(found["rows"], [], settings), _judged([], found["flips"], settings))
        said = f"no identity term is under four fifths ({terms} terms judged)"
        if not terms:
            said = "no identity term has enough documents to be judged" + "; swaps keep their verdicts" * bool(swapped)
        stages = ", ".join(settings.stages)
        results.append(GateResult("bias", True if terms or swapped else None, gating, f"{stages}: {said}"))
    for stage, done in found["rebalance"].items():
        measured = True if done["removed_before"] else None
        results.append(GateResult("bias rebalanced", measured, False, rebalanced_sentence(stage, done)))
    return results


def rebalanced_sentence(stage: str, done: dict[str, Any]) -> str:
    """The price of a correction in a sentence.

    >>> done = {"failed_before": ["…"], "removed_before": 40, "removed_after": 10, "readmitted": 30, "kept_in_the_end": 12}
    >>> rebalanced_sentence("toxicity", done | {"pretokens_kept_in_the_end": 4000, "toxic_share": 0.0})[:71]
    'toxicity: 1 failing rows before; 30 of 40 removed documents readmitted,'
    """
    return (
        f"{stage}: {len(done['failed_before'])} failing rows before; {done['readmitted']:,} of {done['removed_before']:,} "
        f"removed documents readmitted, {done['kept_in_the_end']:,} of them kept in the end "
        f"({done['pretokens_kept_in_the_end']:,} pre-tokens), {100 * done['toxic_share']:.1f} % of those readmitted are toxic"
    )


def gates(settings: GateSettings, mix: dict[str, Any], kept: float | None) -> list[GateResult]:
    """The other gates of the recipe with their results. `kept` is kept / extracted pre-tokens, None where no text is."""
    found = []
    if mix["missing"]:
        found += [GateResult("mix", False, True, sentence) for sentence in mix["missing"]]
        return found
    off = max((abs(mix["realised"][role] - mix["requested"][role]) for role in mix["requested"]), default=0.0)
    found.append(
        GateResult(
            "mix",
            off <= max(0.005, mix["tolerance"]),
            settings.mix == "gate",
            f"shares are {100 * off:.2f} points from the requested ones",
        )
    )
    if settings.kept_share is not None:
        low, high = settings.kept_share
        measured = "no text was extracted" if kept is None else f"kept {kept:.2%} of extracted tokens"
        passed = None if kept is None else low <= kept <= high
        found.append(GateResult("kept_share", passed, True, f"{measured}; bounds {low:.2%}–{high:.2%}"))
    return found
