"""Attention document by document: the work is the sum of the documents' squares, not the square of the window.

For encoder-decoders too, whose queries and keys are in different sequences, and with T5's position bias, of which each
document takes its part. On a CPU alone: where documents end must be known to Python, which a GPU would wait for. A window
of few large documents is left to one dense mask (WORTH), and so is one of many tiny ones (SMALLEST).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

WORTH = 0.6
"""Share of the full square above which one call under a mask is as fast."""
SMALLEST = 24
"""Places of a document, on average, below which the calls cost more than the square."""


@dataclass(frozen=True)
class Parts:
    """Of each row, in order: (first query, its end, first key, its end) of each document."""

    rows: list[list[tuple[int, int, int, int]]]
    causal: bool


def parts(queries: Tensor, keys: Tensor, causal: bool) -> Parts | None:
    """The documents of queries [B, Q] and keys [B, K], whose numbers ascend in each row; None where a mask is as fast.

    As under the mask, a query whose document has no key sees all of them.
    """
    places = keys.shape[1]
    rows, work, count = [], 0, 0
    for query_docs, key_docs in zip(queries.numpy(), keys.numpy(), strict=True):
        starts = np.flatnonzero(np.diff(query_docs, prepend=-1))
        stops = np.append(starts[1:], len(query_docs))
        lows = np.searchsorted(key_docs, query_docs[starts], side="left")
        highs = np.searchsorted(key_docs, query_docs[starts], side="right")
        lows, highs = np.where(lows < highs, lows, 0), np.where(lows < highs, highs, places)
        rows.append(list(zip(*(each.tolist() for each in (starts, stops, lows, highs)), strict=True)))
        work += int(((stops - starts) * (highs - lows)).sum())
        count += len(starts)
    worth = work <= WORTH * queries.numel() * places and queries.numel() >= SMALLEST * count
    return Parts(rows, causal) if worth else None


def by_document(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    split: Parts,
    bias: Tensor | None,
    dropout: float,
    scaling: float | None,
    reach: int | None,
) -> Tensor:
    """Attention of [B, heads, places, width] inside documents, with the part of `bias` [1 or B, heads, Q, K] that is a
    document's own; `reach`: of keys at a distance below it alone."""
    grouped = key.shape[1] != query.shape[1]
    out = []
    for row, documents in enumerate(split.rows):
        for first, stop, low, high in documents:
            here, there = slice(first, stop), slice(low, high)
            mask = None if bias is None else bias[min(row, len(bias) - 1) :][:1, :, here, there].to(query.dtype)
            distance = None
            if reach is not None or (split.causal and mask is not None):
                distance = torch.arange(first, stop)[:, None] - torch.arange(low, high)[None, :]
            if distance is not None:
                seen = distance >= 0 if split.causal else torch.ones_like(distance, dtype=torch.bool)
                seen = seen if reach is None else seen & (distance.abs() < reach)
                mask = seen if mask is None else mask.masked_fill(~seen, torch.finfo(query.dtype).min)
            one = slice(row, row + 1)
            out.append(
                F.scaled_dot_product_attention(
                    query[one, :, here], key[one, :, there], value[one, :, there], mask, dropout,
                    is_causal=split.causal and mask is None, scale=scaling, enable_gqa=grouped,
                )[0]
            )  # fmt: skip
    rows = iter(out)
    return torch.stack([torch.cat([next(rows) for _ in documents], dim=1) for documents in split.rows])
