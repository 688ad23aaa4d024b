"""Token shards in datatrove's format: `.ds`, raw little-endian token ids, and `.ds.index`, uint64 document ends."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from pipeline.core.settings import Settings
from pipeline.handoff import token_dtype

SPLITS = ("train", "validation")


class ShardSettings(Settings):
    """How kept documents become token shards."""

    validation_frac: float = Field(default=0.02, ge=0, lt=1)
    """Share of documents held out, by a hash of their id."""
    shard_bytes: int = Field(default=256 << 20, gt=0)
    """Text per shard; the number of shards follows from it."""


@dataclass(frozen=True)
class Packed:
    """A shard in memory: token ids with the end-of-text token after every document, and the documents' ends."""

    tokens: np.ndarray
    ends: np.ndarray

    @property
    def largest(self) -> int:
        """The largest id, for the reader's check against the vocabulary; -1 when empty."""
        return int(self.tokens.max()) if len(self.tokens) else -1


def token_type(vocab_size: int) -> np.dtype:
    """uint16 while every id fits, else uint32: datatrove's rule."""
    return np.dtype(token_dtype(vocab_size)).newbyteorder("<")


def pack(ids: np.ndarray, ends: np.ndarray, chosen: np.ndarray, eos: int, dtype: np.dtype) -> Packed:
    """The chosen documents one after the other, each followed by `eos`.

    `ids` are the tokens of all documents, `ends` int64[n] their cumulative ends, `chosen` bool[n].

    >>> p = pack(np.array([5, 6, 7]), np.array([2, 3]), np.array([True, True]), 0, token_type(100))
    >>> p.tokens.tolist(), p.ends.tolist()
    ([5, 6, 0, 7, 0], [3, 5])
    """
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    lengths = (ends - starts)[chosen]
    new_ends = np.cumsum(lengths + 1).astype(np.uint64)
    tokens = np.full(int(new_ends[-1]) if len(new_ends) else 0, eos, dtype)
    if len(lengths):
        kept = np.repeat(chosen, ends - starts)
        holes = np.ones(len(tokens), np.bool_)
        holes[new_ends.astype(np.int64) - 1] = False
        tokens[holes] = ids[kept]
    return Packed(tokens, new_ends)


def part_count(stream_bytes: int, settings: ShardSettings) -> int:
    """Shards of a stream: a function of its kept bytes alone."""
    return max(1, -(-stream_bytes // settings.shard_bytes))
