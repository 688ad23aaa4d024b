"""Audit, over the final verdicts: who was removed by which stage, and whether a gate is red."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit.bias import bias_report
from pipeline.gates import GateSettings
from pipeline.steps.context import Run, signal_unit


@dataclass(frozen=True)
class GateResult:
    """One gate: what was measured, what was allowed, and a sentence."""

    name: str
    passed: bool
    gating: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def stage_masks(reasons: pa.ChunkedArray, stages: list[str]) -> dict[str, np.ndarray]:
    """bool[n] per stage: documents that any rule of the stage removes, whatever other stages say."""
    lists = reasons.combine_chunks()
    masks = {stage: np.zeros(len(lists), np.bool_) for stage in stages}
    values = lists.flatten().dictionary_encode()
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    codes = values.indices.to_numpy(zero_copy_only=False)
    for code, reason in enumerate(values.dictionary.to_pylist()):
        stage = reason.split(".", 1)[0]
        if stage in masks:
            masks[stage][rows[codes == code]] = True
    return masks


def bias(run: Run) -> dict[str, Any] | None:
    """The bias table of every removing stage; None when the recipe has no `identity` judge."""
    names = [name for name, _ in run.recipe.judges]
    if "identity" not in names:
        return None
    reasons, terms, extracted = [], [], []
    for shard in run.shards:
        verdicts = run.store.read_table(run.file("settle", "all", shard).path, ["verdict", "reasons"])
        signals = run.store.read_table(run.file("measure", signal_unit("identity", shard)).path, ["terms"])
        mask = pa.array([verdict != "quarantined" for verdict in verdicts["verdict"].to_pylist()], pa.bool_())
        reasons.append(verdicts["reasons"].filter(mask))
        terms.append(signals["terms"].filter(mask))
        extracted.append(mask)
    all_reasons = pa.chunked_array([chunk for column in reasons for chunk in column.chunks], reasons[0].type)
    all_terms = pa.chunked_array([chunk for column in terms for chunk in column.chunks], terms[0].type)
    masks = stage_masks(all_reasons, [*names, "apply"])
    removing = {stage: mask for stage, mask in masks.items() if mask.any()}
    settings = run.recipe.gates
    return bias_report(removing, all_terms, settings.bias, settings.bias_stages)


def gates(
    settings: GateSettings, bias_found: dict[str, Any] | None, mix: dict[str, Any], kept: float
) -> list[GateResult]:
    """Every gate of the recipe with its result. `kept` is kept / extracted pre-tokens."""
    found = []
    if settings.bias_stages:
        stages = ", ".join(settings.bias_stages)
        if bias_found is None:
            found.append(GateResult("bias", True, False, "not measured: the recipe has no identity judge"))
        elif bias_found["failures"]:
            found += [GateResult("bias", False, True, sentence) for sentence in bias_found["failures"]]
        else:
            judged = sum(
                row["verdict"] in ("pass", "warn") and row["stage"] in settings.bias_stages
                for row in bias_found["rows"]
            )
            found.append(
                GateResult(
                    "bias", True, True, f"{stages}: no identity term is under four fifths ({judged} terms judged)"
                )
            )
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
        found.append(
            GateResult(
                "kept_share",
                low <= kept <= high,
                True,
                f"kept {kept:.2%} of extracted tokens; bounds {low:.2%}–{high:.2%}",
            )
        )
    return found
