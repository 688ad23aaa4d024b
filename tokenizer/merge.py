"""From counted pre-tokens to a vocabulary: byte-level BPE, the same merges as Hugging Face's trainer, u64 counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.kernels.bpe.training import learn
from pipeline.kernels.buffers import read_only
from tokenizer.bytelevel import ALPHABET, read
from tokenizer.count import Counts


@dataclass(frozen=True)
class Model:
    """A byte-level BPE vocabulary.

    `specials` have the ids 0 … n - 1, the 256 bytes follow, then the merged tokens. `tokens[i]` are the bytes of id i
    (of a special: its UTF-8). `merges` are pairs of ids in the order in which they apply, `preset` names the rules
    that cut the pre-tokens. `asked` is the size that was asked for; `shortfall` says how many tokens are missing.
    """

    preset: str
    specials: tuple[str, ...]
    tokens: list[bytes]
    merges: list[tuple[int, int]]
    asked: int

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def shortfall(self) -> int:
        """Tokens asked for that the corpus could not give: no pair was left that is frequent enough."""
        return max(0, self.asked - len(self.tokens))


def train(counts: Counts, vocab_size: int, specials: Sequence[str] = (), min_frequency: int = 2) -> Model:
    """Learn a vocabulary of `vocab_size` tokens, specials and the 256 bytes included.

    A pair must occur `min_frequency` times to be merged. The result is a pure function of the counts: the pair with
    the highest count first, ties to the smaller pair of ids, as `tokenizers.trainers.BpeTrainer` does with
    `initial_alphabet=ByteLevel.alphabet()`. Fewer tokens than asked for is no error: see `Model.shortfall`.
    Raises ValueError when the specials repeat, are shorter than two characters, or leave no room for the 256 bytes.
    """
    if len(set(specials)) != len(specials) or any(len(special) < 2 for special in specials):
        raise ValueError(f"special tokens must differ and have two characters or more, got {list(specials)}")
    if vocab_size < len(specials) + 256:
        raise ValueError(f"vocab_size {vocab_size} is less than {len(specials)} special tokens and 256 bytes")
    # A special that merges could spell shares its id with them; one that is not written in the alphabet cannot.
    spelled = [read(special) or b"" for special in specials] + [bytes([byte]) for byte in ALPHABET]
    symbol = np.zeros(256, np.int32)
    symbol[ALPHABET] = np.arange(256, dtype=np.int32) + len(specials)
    merged, learnt = learn_merges(counts, counts.offsets, counts.data, symbol, spelled, vocab_size, min_frequency)
    tokens = [special.encode() for special in specials] + learnt[len(specials) :]
    # A pair can come up twice when it holds a token that two pairs spell; `tokenizers` keeps the later rank.
    ranks = {pair: rank for rank, pair in enumerate(merged)}
    merges = sorted(ranks, key=ranks.__getitem__)
    return Model(counts.preset, tuple(specials), tokens, merges, vocab_size)


def learn_merges(
    counts: Counts,
    offsets: np.ndarray,
    symbols: np.ndarray,
    ids: np.ndarray,
    spelled: Sequence[bytes],
    vocab_size: int,
    min_frequency: int,
) -> tuple[list[tuple[int, int]], list[bytes]]:
    """Merge until there are `vocab_size` tokens: the merged pairs of ids, and the bytes of all tokens, old ones first.

    Word i of `counts` is `symbols[offsets[i]:offsets[i + 1]]`, and symbol s stands for id `ids[s]` (int32). `spelled` are the
    bytes of the tokens there are; one of no bytes meets no pair.
    """
    starts = np.zeros(len(spelled) + 1, np.int64)
    np.cumsum([len(token) for token in spelled], out=starts[1:])
    merged, _, _, starts, text = learn(
        read_only(offsets),
        read_only(symbols),
        ids,
        read_only(counts.counts.view(np.int64)),
        starts,
        np.frombuffer(bytearray(b"".join(spelled)), np.uint8),
        len(spelled),
        vocab_size,
        min_frequency,
    )
    raw = text.tobytes()
    return [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in merged], [raw[a:b] for a, b in pairwise(starts)]
