"""How well scores tell two sides apart: area under the curve, recall, calibration, kept shares. Plain numbers out."""

from typing import Any

import numpy as np

from pipeline.audit.bias import area_under_curve


def auc(positive: np.ndarray, negative: np.ndarray) -> float | None:
    """The chance that a positive scores above a negative, ties counting half; None without both.

    >>> auc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875
    """
    if not len(positive) or not len(negative):
        return None
    labels = np.arange(len(positive) + len(negative)) < len(positive)
    return round(area_under_curve(np.concatenate([positive, negative]), labels), 6)


def recall_at(positive: np.ndarray, negative: np.ndarray, rate: float) -> float | None:
    """Share of positives above the score that at most `rate` of the negatives exceed; None without both.

    >>> recall_at(np.array([0.9, 0.4]), np.array([0.5, 0.1]), 0.01)
    0.5
    """
    if not len(positive) or not len(negative):
        return None
    bound = np.sort(negative)[len(negative) - 1 - int(rate * len(negative))]
    return round(float((positive > bound).mean()), 6)


def calibration_table(scores: np.ndarray, labels: np.ndarray, bins: int = 10) -> dict[str, Any]:
    """Expected calibration error and its bins, both sides weighing the same (the score is a probability at even odds)."""
    sizes = [max(int((labels == side).sum()), 1) for side in (0, 1)]
    weight = np.where(labels == 1, 0.5 / sizes[1], 0.5 / sizes[0])
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        own = place == number
        mass = float(weight[own].sum())
        if not mass:
            continue
        said, true = float((weight * scores)[own].sum()) / mass, float((weight * labels)[own].sum()) / mass
        error += mass * abs(said - true)
        rows.append({"documents": int(own.sum()), "said": round(said, 4), "true": round(true, 4)})
    return {"error": round(error, 4), "bins": rows}


def shares(positive: np.ndarray, negative: np.ndarray) -> dict[str, list[float | None]]:
    """Kept shares (score at least the bound) of both sides, for bounds 0.05, 0.1 … 0.95."""
    found: dict[str, list[float | None]] = {}
    for bound in range(5, 100, 5):
        row = [round(float((side >= bound / 100).mean()), 4) if len(side) else None for side in (positive, negative)]
        found[f"{bound / 100:.2f}"] = row
    return found
