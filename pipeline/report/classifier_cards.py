"""The report's figures of each classifier: its card, the kept share at the recipe's threshold, and the audit."""

from typing import Any

from pipeline.classify.classifier_settings import ClassifierSettings
from pipeline.classify.step import ModelCounts, classifiers
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.decide.step import DecideCounts

_MEASURED = (
    "trained", "held_out", "calibrated_on", "auc", "recall_at_1_percent_false_positives", "highest_negatives", "calibration",
)  # fmt: skip
"""What a card says of a trained model, as the report shows it."""


def figures(run: Run) -> dict[str, dict[str, Any]]:
    """By judge: what it learned from, held-out AUC, recall and calibration, and what its threshold keeps of each stream."""
    audits = run.counted(DecideCounts, Step.DECIDE).classifiers
    return {
        name: _of(run.counted(ModelCounts, Step.CLASSIFY, name).card, settings, audits.get(name))
        for name, settings in classifiers(run.recipe)
    }


def _of(card: dict[str, Any], settings: ClassifierSettings, audit: dict[str, Any] | None) -> dict[str, Any]:
    setting, bound = settings.bound
    found: dict[str, Any] = {
        "method": card["method"],
        "sha256": card.get("sha256"),
        "setting": setting,
        "threshold": bound,
    }
    if "held_out" in card:
        found |= {name: card[name] for name in _MEASURED}
        found["hard_negatives"] = card.get("hard_negatives", {})
        found["kept_share_of_held_out"] = kept_at(card["kept_by_threshold"], bound)
    return found | {"why": card.get("why"), **{key: (audit or {}).get(key) for key in ("all", "audit", "roles")}}


def kept_at(table: dict[str, list[float | None]], bound: float | None) -> dict[str, float | None] | None:
    """Kept shares of held-out positives and negatives at the nearest bound of the card's table.

    >>> kept_at({"0.05": [1.0, 0.4], "0.50": [0.9, 0.1]}, 0.48)
    {'bound': 0.5, 'positives': 0.9, 'negatives': 0.1}
    """
    if bound is None or not table:
        return None
    nearest = min(table, key=lambda key: (abs(float(key) - bound), key))
    positives, negatives = table[nearest]
    return {"bound": float(nearest), "positives": positives, "negatives": negatives}
