"""Measures of a tokenizer: compression, fertility, Rényi efficiency, losslessness, digits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.kernels.bpe.encoding import count_words
from pipeline.kernels.buffers import text_buffers
from tokenizer.encode import Encoder


@dataclass(frozen=True)
class Quality:
    """What one tokenizer makes of one text: totals, the rest follows.

    `used[i]` (int64) is how often id i occurs. Words are runs of characters between ASCII white space.
    """

    num_documents: int
    num_bytes: int
    num_words: int
    used: np.ndarray

    @property
    def num_tokens(self) -> int:
        """Tokens of the text."""
        return int(self.used.sum())

    @property
    def bytes_per_token(self) -> float:
        """Compression: more is better."""
        return self.num_bytes / max(1, self.num_tokens)

    @property
    def tokens_per_word(self) -> float:
        """Fertility: less is better, 1 is a dictionary."""
        return self.num_tokens / max(1, self.num_words)

    @property
    def encoded_bits(self) -> float:
        """Encoded size `tokens · log2 V`: a larger vocabulary must earn its longer ids."""
        return self.num_tokens * math.log2(max(2, len(self.used)))

    @property
    def dead(self) -> np.ndarray:
        """Ids that never occur, specials included."""
        return np.flatnonzero(self.used == 0)

    @property
    def renyi_efficiency(self) -> float:
        """`renyi_efficiency` of the use of the vocabulary."""
        return renyi_efficiency(self.used)


def renyi_efficiency(counts: Sequence[int] | np.ndarray, alpha: float = 2.5) -> float:
    """Rényi entropy of the use of tokens over that of an even use (Zouhar et al. 2023, arXiv 2306.16842).

    `counts` has one number for every token of the vocabulary; 1 is an even use, `alpha` the paper's 2.5.

    >>> round(renyi_efficiency([3, 2, 1, 1]), 10)
    0.8265064834
    """
    values = np.asarray(counts, np.float64)
    total = values.sum()
    if len(values) < 2 or total <= 0:
        return 0.0
    shares = values[values > 0] / total
    if math.isclose(alpha, 1.0):
        entropy = -float((shares * np.log(shares)).sum())
    else:
        entropy = math.log(float((shares**alpha).sum())) / (1 - alpha)
    return entropy / math.log(len(values))


def measure(encoder: Encoder, text: pa.Array | pa.ChunkedArray) -> Quality:
    """Encode a text column and count."""
    offsets, data = text_buffers(text)
    ids, _ = encoder.encode(offsets, data)
    return Quality(
        num_documents=len(text),
        num_bytes=int(offsets[-1] - offsets[0]),
        num_words=int(count_words(offsets, data)),
        used=np.bincount(ids, minlength=encoder.vocab_size),
    )


def normalized_sequence_length(tokens: int, reference_tokens: int) -> float:
    """NSL: tokens over those of a reference tokenizer on the same text; below 1 is shorter (arXiv 2402.01035)."""
    return tokens / max(1, reference_tokens)


def lost_rows(encoder: Encoder, text: pa.Array | pa.ChunkedArray) -> list[int]:
    """Rows whose ids do not decode to the same bytes; byte-level BPE has none."""
    offsets, data = text_buffers(text)
    ids, ends = encoder.encode(offsets, data)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return [
        row
        for row, (first, last) in enumerate(zip(starts, ends, strict=True))
        if encoder.decode(ids[first:last]) != data[offsets[row] : offsets[row + 1]].tobytes()
    ]


def digit_fragmentation(encoder: Encoder, longest: int = 12) -> dict[int, float]:
    """Tokens that a number takes, by its digits, mean over a fixed sample of 200 numbers of each length.

    >>> from tokenizer.count import count_batch; from tokenizer.merge import train; from tokenizer.save import save
    >>> model = train(count_batch(pa.array(["1"]), "gpt4_digits_1"), 256)
    >>> digit_fragmentation(Encoder(save(model)["tokenizer.json"]), longest=3)
    {1: 1.0, 2: 2.0, 3: 3.0}
    """
    found = {}
    for digits in range(1, longest + 1):
        numbers = [str((7_368_787 * step * step + 104_729 * step) % 10**digits).zfill(digits) for step in range(200)]
        ids, _ = encoder.encode_column(pa.array(numbers))
        found[digits] = len(ids) / len(numbers)
    return found


def best_vocab_size(tokens_by_size: Mapping[int, int]) -> int:
    """The vocabulary size whose encoded size `tokens · log2 V` is least.

    >>> best_vocab_size({1000: 120, 2000: 100, 4000: 99})
    2000
    """
    return min(tokens_by_size, key=lambda size: (tokens_by_size[size] * math.log2(size), size))
