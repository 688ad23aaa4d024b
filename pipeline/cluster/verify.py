"""Verification of candidate pairs: two documents that share a band key join only if their shingle sets are alike."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.jaccard import jaccard, shingle_sets, union_verified
from pipeline.kernels.dedup.minhash import word_table
from pipeline.kernels.dedup.union_find import flatten, union
from pipeline.measure.judges.minhash import MinHashSettings

Texts = Callable[[], Iterator[pa.Array]]
BandPairs = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]


def write_sets(
    texts: Sequence[tuple[int, Texts | None]], wanted: np.ndarray, settings: MinHashSettings, path: Path
) -> np.ndarray:
    """Write the shingle sets of the wanted documents (bool[n]) one after another; returns where each starts.

    The starts are int64[n + 1]; `texts` holds each shard's number of rows and its text columns; a shard without texts
    has empty sets.
    """
    sizes, at = np.zeros(len(wanted) + 1, np.int64), 0
    numerals = settings.keep_numerals and not settings.datatrove_compatible
    table, one_zero = word_table(numerals), not numerals
    with path.open("wb") as file:
        for num_rows, read in texts:
            end = at + num_rows
            for column in read() if read is not None else ():
                rows = slice(at, at + len(column))
                found, values = shingle_sets(
                    *text_buffers(column), wanted[rows], table, one_zero, settings.ngram, settings.figure_weight
                )
                sizes[at + 1 : at + 1 + len(column)] = found
                values.tofile(file)
                at += len(column)
            at = end
    return np.cumsum(sizes)


def union_alike(
    parent: np.ndarray,
    pairs: BandPairs,
    texts: Sequence[tuple[int, Texts | None]],
    settings: MinHashSettings,
    bound: float,
    limit: int,
    path: Path,
) -> None:
    """Join in `parent` (flat: the partition by equal text) every candidate pair of Jaccard similarity `bound` or more.

    `pairs` gives the star pairs of each band and is called twice. A pair of which one text is not known joins. Holds
    24 bytes a document beside `parent` and the pairs of one band; the sets lie in the file at `path`.
    """
    standing, coarse = parent.copy(), parent.copy()
    for left, right in pairs():
        union(coarse, left, right)
    flatten(coarse)
    texts_in = np.bincount(coarse[standing == np.arange(len(parent))], minlength=len(parent))
    wanted = (standing == np.arange(len(parent))) & (texts_in[coarse] > 1)
    del coarse, texts_in
    starts = write_sets(texts, wanted, settings, path)
    values = np.memmap(path, np.uint32, "r") if starts[-1] else np.zeros(0, np.uint32)
    for left, right in pairs():
        order = np.argsort(left, kind="stable")
        union_verified(parent, left[order], right[order], standing, starts, values, bound, limit)
    del values
    path.unlink()


def true_jaccard(one: str, other: str, settings: MinHashSettings) -> float:
    """Jaccard similarity of the shingle sets of two texts, as verification computes it; 0 without a shingle."""
    numerals = settings.keep_numerals and not settings.datatrove_compatible
    sizes, values = shingle_sets(
        *text_buffers(pa.array([one, other], pa.large_string())),
        np.ones(2, bool),
        word_table(numerals),
        not numerals,
        settings.ngram,
        settings.figure_weight,
    )
    return jaccard(values[: sizes[0]], values[sizes[0] :])
