"""The sample a classifier learns from: lowest hashes of ids, one copy of a text, whole hosts held out."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.ingest.source import host_of
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash64_rows
from pipeline.kernels.text.linear import PIECE_BYTES, PIECES, WHOLE_BYTES

AUDIT_SHARE = 0.01
"""Share of all documents that no classifier learns from: the stream to audit them with."""
AUDIT_SEED = 0x61756469
HELD_OUT = 0.2
MAX_HOST = 253
"""Characters of the longest host that DNS allows; whatever a hostile address holds beyond is cut."""
FOLDS = 4
"""Parts of the training sample: a model of the others scores each, to calibrate with; the mean of these models is the model."""
MIN_SOURCES = 3
"""Fewer sources on a side, and leaving one out would leave out most of what the side is."""


def hosts_of(urls: pa.Array | pa.ChunkedArray) -> list[str]:
    """The lower-case host of every address, "" where there is none."""
    return [host_of(url)[:MAX_HOST] for url in urls.to_pylist()]


def id_hashes(ids: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """uint64[n]: a hash of each id, the same in any layout of shards."""
    return hash64_rows(*text_buffers(ids), seed)


def audit_mask(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """bool[n]: documents of the audit stream, by id alone."""
    return id_hashes(ids, AUDIT_SEED) < np.uint64(AUDIT_SHARE * 2.0**64)


def excerpt(text: bytes) -> bytes:
    """A text as training reads it: whole when short, else pieces cut at code points, a line end between them."""
    if len(text) <= WHOLE_BYTES:
        return text
    step = (len(text) - PIECE_BYTES) // (PIECES - 1)
    cut = (text[at * step : at * step + PIECE_BYTES] for at in range(PIECES))
    return b"\n".join(piece.decode("utf-8", "ignore").encode() for piece in cut)


@dataclass(frozen=True)
class Sample:
    """Training documents in the order of their hashes. `groups` are hosts, "" where unknown.

    `sides` are the names under which the recipe names them, where there are more than two; `sources` the sources they are of.
    """

    texts: pa.Array
    labels: np.ndarray
    groups: list[str]
    hashes: np.ndarray
    sides: list[str] | None = None
    sources: list[str] | None = None

    def deduplicated(self) -> "Sample":
        """One copy of every text: the first; a text on both sides stands on neither."""
        keys = hash64_rows(*text_buffers(self.texts), 0)
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        lowest, highest = np.ones(len(first)), np.zeros(len(first))
        np.minimum.at(lowest, place, self.labels)
        np.maximum.at(highest, place, self.labels)
        keep = np.sort(first[lowest == highest])
        return Sample(
            self.texts.take(pa.array(keep)),
            self.labels[keep],
            [self.groups[at] for at in keep],
            self.hashes[keep],
            [self.sides[at] for at in keep] if self.sides else None,
            [self.sources[at] for at in keep] if self.sources else None,
        )

    def units(self, side: int) -> tuple[np.ndarray, str]:
        """What the documents of a side (0 negatives, 1 positives) come from, str[n], and which kind of thing that is:
        "sources" where it has three, else "hosts" where it has three, else "documents" (one empty name)."""
        own = self.labels == side
        for names, kind in ((self.sources, "sources"), (self.groups, "hosts")):
            units = np.array(names or [""] * len(own), np.str_)
            if len(np.unique(units[own])) >= MIN_SOURCES:
                return units, kind
        return np.full(len(own), "", np.str_), "documents"


def held_out(sample: Sample) -> tuple[np.ndarray, list[str]]:
    """bool[n]: documents to measure with, and how each side (negatives, positives) was split.

    Whole hosts, in the order of a hash, while at most a quarter of a side is held out. A side of one large host, or of
    none, is split by document.
    """
    names = sorted(set(sample.groups) - {""})
    numbers = {name: number for number, name in enumerate(names)}
    place = np.array([numbers.get(group, -1) for group in sample.groups], np.int64)
    sizes = np.stack(
        [np.bincount(place[(sample.labels == side) & (place >= 0)], minlength=len(names)) for side in (0, 1)]
    )
    order = np.argsort(hash64_rows(*text_buffers(pa.array(names, pa.large_string())), 1), kind="stable")
    totals = np.array([(sample.labels == side).sum() for side in (0, 1)])
    held, chosen = np.zeros(2), np.zeros(len(names) + 1, np.bool_)
    for host in order.tolist():
        if (held >= 0.9 * HELD_OUT * totals).all():
            break
        if (held + sizes[:, host] <= 1.25 * HELD_OUT * totals).all():
            held += sizes[:, host]
            chosen[host] = True
    mask = chosen[place]
    how = ["hosts", "hosts"]
    for side in (0, 1):
        if held[side] < 0.25 * HELD_OUT * totals[side]:
            how[side] = "documents"
            mask |= (sample.labels == side) & (sample.hashes % np.uint64(1000) < np.uint64(1000 * HELD_OUT))
    return mask, how


def folds(sample: Sample) -> tuple[np.ndarray, np.ndarray, str]:
    """int64[n]: the fold that leaves a document out; float64[n]: how much it weighs among its side; how negatives are left out.

    Negatives leave whole sources (else hosts) at a time: what is learnt of one source's general text says little of the next
    one's, and the bound must hold for text that nobody trained on. Positives leave by document: a domain source that is left
    out tells how far the domain reaches, and would pull the bound down until general news passes. A unit weighs with the
    square root of its documents, so that a source of millions does not stand for its whole side.
    """
    fold = ((sample.hashes // np.uint64(1000)) % np.uint64(FOLDS)).astype(np.int64)
    weight, how = np.ones(len(fold)), "documents"
    for side in (0, 1):
        own = np.flatnonzero(sample.labels == side)
        units, kind = sample.units(side)
        _, place, sizes = np.unique(units[own], return_inverse=True, return_counts=True)
        weight[own] = sizes[place] ** -0.5
        if side == 0 and kind != "documents":
            rank = np.empty(len(sizes), np.int64)
            rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
            small = (sizes**0.5 < (sizes**0.5).sum() / 2)[place]
            fold[own[small]], how = rank[place[small]] % FOLDS, kind
    return fold, weight, how
