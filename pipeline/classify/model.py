"""A trained classifier: 2^18 float16 weights in safetensors, its calibration, and scores of texts."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.errors import UsageError
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.linear import score_rows
from pipeline.kernels.text.term_trie import WORD_LOWER

SLOTS = 1 << 18


def probability(values: np.ndarray) -> np.ndarray:
    """Logistic function of float64[n], to four places, so that a last bit of `exp` elsewhere does not change a file."""
    return np.round(1 / (1 + np.exp(-np.clip(values, -40, 40))), 4)


@dataclass(frozen=True)
class Model:
    """`weights` float32[2^18] (values of float16); the score is the logistic of slope * mean weight + intercept."""

    weights: np.ndarray
    slope: float
    intercept: float

    def score(self, text: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64[n] of 0-1, and which rows have words at all (bool[n])."""
        offsets, data = text_buffers(text)
        means, counts = score_rows(offsets, data, WORD_LOWER, self.weights)
        return probability(self.slope * means + self.intercept), counts > 0

    def to_bytes(self) -> bytes:
        """As safetensors: the same model gives the same bytes."""
        return save(
            {
                "weights": self.weights.astype(np.float16),
                "calibration": np.array([self.slope, self.intercept], np.float32),
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
        return cls(weights.astype(np.float32), float(calibration[0]), float(calibration[1]))
