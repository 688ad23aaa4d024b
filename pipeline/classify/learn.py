"""Trains a classifier on a sample and makes its card. One thread, a fixed order, rounded weights: the same bytes everywhere."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.classify.measures import auc, calibration_table, recall_at, shares
from pipeline.classify.model import SLOTS, Model, probability
from pipeline.classify.sample import FOLDS, HELD_OUT, Sample, folds, held_out
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.linear import fit_logistic, gram_slots, mean_weights
from pipeline.kernels.text.term_trie import WORD_LOWER

EPOCHS = 6
RATE = 3.0
DECAY = 1e-3
KEEP = 0.3
RAREST = 1e-3
"""An n-gram of this share of documents, or of fewer, counts fully; one of all documents counts nothing."""
SHOWN, BEGINS = 10, 80
"""Of the highest-scoring negatives: how many a card shows, and how many bytes of each."""


def rounded(weights: np.ndarray) -> np.ndarray:
    """Weights to two decimals of float16, as float32: a last bit of `exp` on another machine does not change a file."""
    return np.round(np.clip(weights, -1000, 1000), 2).astype(np.float16).astype(np.float32)


@dataclass(frozen=True)
class _Grams:
    borders: np.ndarray
    slots: np.ndarray
    labels: np.ndarray
    importance: np.ndarray

    def weights(self, rows: np.ndarray, method: str) -> np.ndarray:
        """float32[2^18] learnt from some rows, to values of float16 with two decimals."""
        learnt = self._logistic(rows) if method == "logistic" else self._log_ratio(rows)
        return rounded(learnt)

    def _logistic(self, rows: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(0)
        order = np.concatenate([rng.permutation(rows) for _ in range(EPOCHS)])
        # Both sides weigh the same, whatever their sizes: the score is a probability at even odds.
        importance = self.importance.copy()
        for side in (0, 1):
            own = rows[self.labels[rows] == side]
            importance[own] *= len(rows) / 2 / max(importance[own].sum(), 1e-9)
        shares = self._document_shares(rows, importance)
        rarity = np.log(np.maximum((shares[0] + shares[1]) / 2, RAREST)) / np.log(RAREST)
        importance = np.minimum(importance, 20.0)
        return fit_logistic(self.borders, self.slots, self.labels, importance, order, rarity, RATE, DECAY, KEEP)[0]

    def _log_ratio(self, rows: np.ndarray) -> np.ndarray:
        """DSIR's importance weight of a slot: log frequency among positives less that among negatives; each document once."""
        counts = self._document_shares(rows, np.ones(len(self.labels)))
        logs = []
        for side in (0, 1):
            smooth = counts[side] * (self.labels[rows] == side).sum() + 1.0
            logs.append(np.log(smooth / smooth.sum()))
        return logs[1] - logs[0]

    def _document_shares(self, rows: np.ndarray, importance: np.ndarray) -> list[np.ndarray]:
        """float64[2^18] for each side: the share of its documents, weighed by importance, that have an n-gram."""
        shares = []
        for side in (0, 1):
            weight = np.zeros(len(self.labels))
            own = rows[self.labels[rows] == side]
            weight[own] = importance[own] / max(importance[own].sum(), 1e-9)
            shares.append(np.bincount(self.slots, np.repeat(weight, np.diff(self.borders)), minlength=SLOTS))
        return shares


def _calibrate(values: np.ndarray, labels: np.ndarray, importance: np.ndarray) -> tuple[float, float]:
    """Platt's slope and intercept by Newton's method, both sides weighing the same; targets smoothed as Platt did."""
    weight, target = np.zeros(len(labels)), np.zeros(len(labels))
    for side in (0, 1):
        own = labels == side
        weight[own] = 0.5 * importance[own] / max(importance[own].sum(), 1e-9)
        target[own] = (own.sum() + 1) / (own.sum() + 2) if side else 1 / (own.sum() + 2)
    inputs = np.stack([values, np.ones_like(values)])
    found = np.array([1.0, 0.0])
    for _ in range(100):
        guess = 1 / (1 + np.exp(-np.clip(found @ inputs, -40, 40)))
        slope = inputs @ (weight * (guess - target)) + 1e-6 * found
        curve = (inputs * (weight * guess * (1 - guess))) @ inputs.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        found = found - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return round(float(found[0]), 3), round(float(found[1]), 3)


def _grams(sample: Sample, shuffled: float, train: np.ndarray, importance: np.ndarray) -> _Grams:
    offsets, data = text_buffers(sample.texts)
    borders, slots = gram_slots(offsets, data, WORD_LOWER, SLOTS, 0)
    labels = sample.labels.astype(np.float64)
    chosen = np.flatnonzero((labels == 1) & train)[: round(shuffled * float(((labels == 1) & train).sum()))]
    if len(chosen):
        mixed = sample.texts.take(chosen)
        more, others = gram_slots(*text_buffers(mixed), WORD_LOWER, SLOTS, 1)
        borders, slots = np.concatenate([borders, more[1:] + borders[-1]]), np.concatenate([slots, others])
        labels = np.concatenate([labels, np.zeros(len(chosen))])
        importance = np.concatenate(
            [importance, np.full(len(chosen), importance[labels[: len(importance)] == 0].mean())]
        )
    return _Grams(borders, slots, labels, importance)


def hard_figures(sample: Sample, test: np.ndarray, scores: np.ndarray, positive: np.ndarray) -> dict[str, Any]:
    """Of every group of hard negatives: its documents, and how far held-out positives score above its held-out ones."""
    names = np.array(sample.sides or [], np.str_)
    found = {}
    for name in sorted(set(names.tolist()) - {"positives", "negatives"}):
        own = scores[test & (names == name)]
        found[name] = {
            "trained": int((~test & (names == name)).sum()),
            "held_out": len(own),
            "auc": auc(positive, own),
            "share_above_half": round(float((own >= 0.5).mean()), 4) if len(own) else None,
        }
    return found


def source_figures(sample: Sample, rows: np.ndarray, model: Model, values: np.ndarray) -> dict[str, Any]:
    """Of every source: its side, its training documents, and the share that scores at least 0.5 by a model that left them out.

    Negatives were left out by whole sources or hosts where `calibrated_on` says so: the share of a source never seen.
    """
    scores = probability(model.slope * values + model.intercept)
    names = np.array(sample.sources or [""] * len(values), np.str_)[rows]
    found: dict[str, Any] = {}
    for name in np.unique(names).tolist():
        for side, label in (("negatives", 0), ("positives", 1)):
            own = rows[(names == name) & (sample.labels[rows] == label)]
            if len(own):
                share = round(float((scores[own] >= 0.5).mean()), 4)
                found[f"{name}, {side}"] = {"documents": len(own), "share_above_half": share}
    return found


def highest_negatives(sample: Sample, test: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """The held-out negatives that score highest: candidates of a wrong label, by host and one by one.

    `in_1_percent` is how many documents the 1 % of false positives are: with few, one mislabelled host decides the recall.
    """
    rows = np.flatnonzero(test & (sample.labels == 0))
    order = rows[np.argsort(-scores[rows], kind="stable")]
    hosts = np.array(sample.groups, np.str_)
    high = Counter(hosts[order[scores[order] >= 0.5]].tolist())
    held = Counter(hosts[rows].tolist())
    return {
        "in_1_percent": int(0.01 * len(rows)),
        "above_half": sum(high.values()),
        "hosts": [
            {"host": host, "above_half": count, "held_out": held[host]}
            for host, count in sorted(high.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
        ],
        "documents": [
            {
                "score": round(float(scores[row]), 3),
                "host": sample.groups[row],
                "begins": " ".join(sample.texts[row].as_py()[:BEGINS].decode("utf-8", "ignore").split()),
            }
            for row in order[:SHOWN].tolist()
        ],
    }


def train(sample: Sample, method: str = "logistic", shuffled: float = 0.0) -> tuple[Model, dict[str, Any]]:
    """The model of a deduplicated sample that holds both sides, and its card (JSON values).

    What the card says was measured on documents that neither weights nor calibration saw.
    """
    test, how = held_out(sample)
    fold, importance, left_out = folds(sample)
    grams = _grams(sample, shuffled, ~test, importance)
    plain = np.flatnonzero(~test)
    values, total = np.zeros(len(test)), np.zeros(SLOTS)
    extra = np.arange(len(test), len(grams.labels))
    for part in range(FOLDS):
        own = plain[fold[plain] == part]
        learnt = grams.weights(np.concatenate([plain[fold[plain] != part], extra]), method)
        total += learnt
        values[own] = mean_weights(grams.borders, grams.slots, learnt)[own]
    weights = rounded(total / FOLDS)
    model = Model(weights, *_calibrate(values[plain], sample.labels[plain], importance[plain]))
    means = mean_weights(grams.borders, grams.slots, weights)
    scores = probability(model.slope * means + model.intercept)
    labels, measured = sample.labels[test], scores[: len(test)][test]
    positive, negative = measured[labels == 1], measured[labels == 0]
    card: dict[str, Any] = {
        "method": method,
        "trained": {"positives": int(sample.labels[plain].sum()), "negatives": int((sample.labels[plain] == 0).sum())},
        "shuffled_negatives": len(extra),
        "calibrated_on": {"negatives_left_out_by": left_out, "sources": source_figures(sample, plain, model, values)},
        "held_out": {
            "share": HELD_OUT,
            "split_by": {"negatives": how[0], "positives": how[1]},
            "positives": len(positive),
            "negatives": len(negative),
            "hosts": len({sample.groups[at] for at in np.flatnonzero(test)} - {""}),
        },
        "auc": auc(positive, negative),
        "recall_at_1_percent_false_positives": recall_at(positive, negative, 0.01),
        "calibration": calibration_table(measured, labels),
        "kept_by_threshold": shares(positive, negative),
        "highest_negatives": highest_negatives(sample, test, scores[: len(test)]),
    }
    if hard := hard_figures(sample, test, scores[: len(test)], positive):
        card["hard_negatives"] = hard
    if len(extra):
        card["auc_against_shuffled"] = auc(positive, scores[len(test) :])
    return model, card
