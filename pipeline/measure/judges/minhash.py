"""MinHash signatures for near-duplicate search: band keys to find candidates, a sketch to estimate similarity.

Two documents whose sets of word n-grams have Jaccard similarity s share a band key with probability
1 - (1 - s**rows)**bands: with 14 bands of 8 rows 0.92 at s = 0.8 and 0.35 at 0.65; 26 x 11 is steeper.
"""

from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.minhash import band_keys, minhash_rows, permutations, sketch_bytes, word_table
from pipeline.kernels.dedup.minhash_datatrove import signature_from_words
from pipeline.kernels.rows import bytes_column

PRESETS = {"14x8": (14, 8), "26x11": (26, 11)}


class MinHashSettings(JudgeSettings):
    """Shingles and bands. `preset` sets `bands` and `rows` together; without it they are taken as given."""

    ngram: int = Field(default=5, ge=1, le=64)
    """Words in a shingle."""
    preset: Literal["14x8", "26x11"] | None = None
    """BANDSxROWS. Of pairs that share 80 % of their shingles 14x8 finds 92 % and 26x11 90 %, of those that share 60 %
    21 % and 9 %."""
    bands: int = Field(default=14, ge=1, le=128)
    """Groups of minima; two documents are candidates when one group is equal."""
    rows: int = Field(default=8, ge=1, le=64)
    """Minima in a group."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    """Chooses the hash functions."""
    keep_numerals: bool = True
    """False reads every figure as "0": reports on one template then become duplicates of each other."""
    figure_weight: int = Field(default=1, ge=1, le=16)
    """How many elements of the set a shingle with a figure counts as. 1 is plain MinHash. With 4, reports on one template
    stay apart when one word in thirty is a figure that differs; with 1, one word in ten has to. Copies that differ in
    a time stamp are found a little less often."""
    datatrove_compatible: bool = False
    """datatrove's normalisation, shingle hashes and permutations; figures read as "0" whatever `keep_numerals` says."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            bands, rows = PRESETS[values["preset"]]
            return {"bands": bands, "rows": rows, **values}
        return values

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.preset is not None and PRESETS[self.preset] != (self.bands, self.rows):
            raise ValueError(f"preset {self.preset} and {self.bands} bands of {self.rows} rows contradict each other")
        return self


def datatrove_minima(texts: pa.Array, settings: MinHashSettings) -> tuple[np.ndarray, np.ndarray]:
    """`(minima uint64[n, permutations], num_shingles int32[n])` by datatrove's recipe, one document at a time.

    Words are what white space separates in datatrove's simplified text; its spaCy words differ in contractions only.
    """
    from datatrove.utils.text import simplify_text

    minima = np.empty((len(texts), settings.bands * settings.rows), np.uint64)
    counts = np.empty(len(texts), np.int32)
    for row, text in enumerate(texts.to_pylist()):
        words = simplify_text(text or "").split()
        minima[row] = signature_from_words(
            words, ngram=settings.ngram, permutations=minima.shape[1], seed=settings.seed
        )
        counts[row] = max(len(words) - settings.ngram + 1, 0)
    return minima, counts


@judge(
    "minhash",
    version=2,
    settings=MinHashSettings,
    reads=["text"],
    adds={"bands": pa.binary(), "sketch": pa.binary(), "anchors": pa.binary(), "num_shingles": pa.int32()},
    libraries=["datatrove"],
)
def minhash(batch: pa.RecordBatch, settings: MinHashSettings) -> Columns:
    """Band keys (8 bytes each, `bands` of them), sketch (a byte a permutation), anchors and the number of shingles.

    Anchors are one shingle in 16, by its hash (8 bytes each): documents that share a few may be parts of each other.
    A document shorter than one shingle has null bands and sketch: exact deduplication covers it.
    """
    anchor_ends, anchors = np.zeros(batch.num_rows, np.int64), np.empty(0, np.uint64)
    if settings.datatrove_compatible:
        minima, counts = datatrove_minima(batch["text"], settings)
    else:
        offsets, data = text_buffers(batch["text"])
        a, b = permutations(settings.bands * settings.rows, settings.seed)
        minima = np.empty((batch.num_rows, len(a)), np.uint32)
        counts = np.empty(batch.num_rows, np.int32)
        table = word_table(settings.keep_numerals)
        one_zero, weight = not settings.keep_numerals, settings.figure_weight
        anchor_ends, anchors = minhash_rows(
            offsets, data, table, one_zero, settings.ngram, weight, a, b, minima, counts
        )
    return {
        "bands": bytes_column(band_keys(minima, settings.rows), counts > 0),
        "sketch": bytes_column(sketch_bytes(minima), counts > 0),
        "anchors": _anchor_column(anchor_ends, anchors),
        "num_shingles": pa.array(counts),
    }


def _anchor_column(ends: np.ndarray, anchors: np.ndarray) -> pa.Array:
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends * anchors.itemsize
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(anchors.tobytes())])
