"""The score of quality: three views of a text, each as its rank among raw text, and their weighted mean.

Reference: how much it reads like the recipe's positives rather than like raw text (`learn`). Informative: what it is written
like, whatever it is about (`informative`). Domain: the log ratio of its n-grams in text of role domain and of role general, as
Moore and Lewis (2010) and DSIR (arXiv 2302.03169) choose text. A view that could not be learned counts nothing. Words that name
people have no weight in the reference view; pairs of words with one keep theirs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load, save

from pipeline.audit.identity_terms import identity_terms
from pipeline.classify.classifier_settings import ViewShares
from pipeline.classify.informative import informative, rank
from pipeline.classify.model import SLOTS, Model, grams
from pipeline.errors import UsageError
from pipeline.kernels.grams import slot_of
from pipeline.kernels.text.linear import mean_weights
from pipeline.kernels.text.term_trie import hash_word

HUNDREDTHS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class View:
    """A learned model and the mean weights below which 0, 1 … 100 % of raw text lie, float32[101]."""

    model: Model
    ranks: np.ndarray


def view_of(model: Model, raw: pa.Array) -> View:
    """A model with its ranks among raw texts."""
    means = mean_weights(*grams(raw), model.weights)
    return View(model, np.quantile(means, HUNDREDTHS).astype(np.float32))


def without_identity(model: Model) -> Model:
    """The model with no weight on words that name people."""
    words = {word for term in identity_terms() for phrase in term.phrases() for word in phrase}
    weights = model.weights.copy()
    weights[[slot_of(np.uint64(hash_word(word)), np.uint64(SLOTS - 1)) for word in sorted(words)]] = 0
    return Model(weights, model.slope, model.intercept)


@dataclass(frozen=True)
class Views:
    """What a run learned of quality, by view (reference, domain)."""

    learned: dict[str, View]

    def scores(self, text: pa.Array | pa.ChunkedArray, shares: ViewShares) -> dict[str, np.ndarray]:
        """Of each view that there is, and of their mean as `score`: float64[n] of 0-1, NaN for texts without words."""
        borders, slots = grams(text)
        found = {name: rank(mean_weights(borders, slots, v.model.weights), v.ranks) for name, v in self.learned.items()}
        found["informative"] = informative(text, borders)
        weight = {name: getattr(shares, name) for name in found}
        if not sum(weight.values()):
            weight = dict.fromkeys(found, 1.0)
        found["score"] = sum((weight[name] * found[name] for name in found), np.zeros(1)) / sum(weight.values())
        # To four places, so that a last bit of a logarithm elsewhere does not change a file.
        return {name: np.where(np.diff(borders) > 0, np.round(values, 4), np.nan) for name, values in found.items()}

    def to_bytes(self) -> bytes:
        """As safetensors: those of the reference model, its ranks beside, and the domain's under names of their own."""
        tensors: dict[str, Any] = {}
        for name, view in self.learned.items():
            prefix = "" if name == "reference" else f"{name}_"
            own = load(view.model.to_bytes()) | {"ranks": view.ranks}
            tensors |= {f"{prefix}{key}": value for key, value in own.items()}
        return save(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Views":
        """Read what `to_bytes` wrote. Raises UsageError when it is something else, or a model without ranks."""
        model, tensors = Model.from_bytes(data), load(data)
        if "ranks" not in tensors or tensors["ranks"].shape != HUNDREDTHS.shape:
            raise UsageError("these classifier weights have no ranks: they were learned by another judge or version")
        views = {"reference": View(model, tensors["ranks"])}
        if "domain_weights" in tensors:
            own = {key.removeprefix("domain_"): value for key, value in tensors.items() if key.startswith("domain_")}
            views["domain"] = View(Model.from_bytes(save(own)), own["ranks"])
        return cls(views)
