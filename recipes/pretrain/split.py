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
class Row:
    """One row of a batch. Lengths of the documents of its queries and of its keys, in order, and for each document of
    queries the number of its keys' document; None: all keys."""

    queries: list[int]
    keys: list[int]
    pairs: list[int | None]

    @property
    def work(self) -> int:
        """Products of a query and a key."""
        each = zip(self.queries, self.pairs, strict=True)
        return sum(length * (sum(self.keys) if pair is None else self.keys[pair]) for length, pair in each)


@dataclass(frozen=True)
class Parts:
    """Documents of each row of a batch."""

    rows: list[Row]
    causal: bool


def parts(queries: Tensor, keys: Tensor, causal: bool) -> Parts | None:
    """The documents of queries [B, Q] and keys [B, K], whose numbers ascend in each row; None where a mask is as fast.

    As under the mask, a query whose document has no key sees all of them.
    """
    rows = []
    for query_docs, key_docs in zip(queries.numpy(), keys.numpy(), strict=True):
        asked, query_lengths = np.unique(query_docs, return_counts=True)
        there, key_lengths = np.unique(key_docs, return_counts=True)
        numbers = {document: number for number, document in enumerate(there.tolist())}
        pairs = [numbers.get(document) for document in asked.tolist()]
        rows.append(Row(query_lengths.tolist(), key_lengths.tolist(), pairs))
    little = sum(row.work for row in rows) <= WORTH * queries.numel() * keys.shape[1]
    large = queries.numel() >= SMALLEST * sum(len(row.queries) for row in rows)
    return Parts(rows, causal) if little and large else None


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
    out = []
    # torch.split and not slices: the gradient of each slice would be a tensor of the whole row
    for at, (row, q, k, v) in enumerate(zip(split.rows, query, key, value, strict=True)):
        keys, values = k.split(row.keys, 1), v.split(row.keys, 1)
        ends = np.cumsum([0, *row.keys]).tolist()
        biases = None if bias is None else bias[min(at, len(bias) - 1)].to(query.dtype).split(row.queries, 1)
        done = []
        for number, (one, pair) in enumerate(zip(q.split(row.queries, 1), row.pairs, strict=True)):
            low, high = (0, ends[-1]) if pair is None else (ends[pair], ends[pair + 1])
            mask = None if biases is None else biases[number][:, :, low:high]
            if reach is not None or (split.causal and mask is not None):
                distance = torch.arange(one.shape[1])[:, None] - torch.arange(high - low)[None, :]
                seen = (distance >= 0) if split.causal else torch.ones_like(distance, dtype=torch.bool)
                seen = seen if reach is None else seen & (distance.abs() < reach)
                mask = seen if mask is None else mask.masked_fill(~seen, torch.finfo(query.dtype).min)
            theirs = (k, v) if pair is None else (keys[pair], values[pair])
            one, theirs_k, theirs_v = (tensor[None] for tensor in (one, *theirs))
            done.append(
                F.scaled_dot_product_attention(
                    one, theirs_k, theirs_v, None if mask is None else mask[None], dropout,
                    is_causal=split.causal and mask is None, scale=scaling, enable_gqa=k.shape[0] != q.shape[0],
                )[0]
            )  # fmt: skip
        out.append(torch.cat(done, 1))
    return torch.stack(out)
