"""A trained classifier: 2^18 float16 weights in safetensors, its calibration, and scores of texts."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.errors import UsageError
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.linear import gram_slots, mean_weights
from pipeline.kernels.text.term_trie import WORD_LOWER

SLOTS = 1 << 18
FEATURES = 2
"""What weights mean: 2 since each n-gram counts once a document and long documents are read in pieces."""


def probability(values: np.ndarray) -> np.ndarray:
    """Logistic function of float64[n], to four places, so that a last bit of `exp` elsewhere does not change a file."""
    return np.round(1 / (1 + np.exp(-np.clip(values, -40, 40))), 4)


def grams(text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Row offsets int64[n + 1] and the slots of every text's different n-grams, as models read them."""
    return gram_slots(*text_buffers(text), WORD_LOWER, SLOTS, 0)


@dataclass(frozen=True)
class Model:
    """`weights` float32[2^18] (values of float16); the score is the logistic of slope * mean weight + intercept."""

    weights: np.ndarray
    slope: float
    intercept: float

    def score(self, text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64[n] of 0-1, and which rows have words at all (bool[n])."""
        borders, slots = grams(text)
        means = mean_weights(borders, slots, self.weights)
        return probability(self.slope * means + self.intercept), np.diff(borders) > 0

    def to_bytes(self) -> bytes:
        """As safetensors: the same model gives the same bytes."""
        return save(
            {
                "weights": self.weights.astype(np.float16),
                "calibration": np.array([self.slope, self.intercept], np.float32),
                "features": np.array([FEATURES], np.uint8),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Model":
        """Read what `to_bytes` wrote. Raises UsageError when it is something else."""
        try:
            tensors = load(data)
            weights, calibration = tensors["weights"], tensors["calibration"]
        except (SafetensorError, KeyError) as error:
            raise UsageError(f"these are no classifier weights: {error}") from error
        if weights.shape != (SLOTS,) or calibration.shape != (2,):
            raise UsageError(f"classifier weights have shape ({SLOTS},), these {weights.shape}")
        if "features" not in tensors or tensors["features"].tolist() != [FEATURES]:
            raise UsageError(
                "these classifier weights were learned by another version, which counts words otherwise: train again"
            )
        return cls(weights.astype(np.float32), float(calibration[0]), float(calibration[1]))
