"""What an extension changed, read from the tokenizers before and after it."""

from dataclasses import dataclass

import pyarrow as pa

from tokenizer.count import Counts
from tokenizer.encode import Encoder
from tokenizer.extend import extend


@dataclass(frozen=True)
class Extension:
    """`tokenizer_json` with the new tokens; new token `ids[i]` stands for the base ids `pieces[i]`.

    `pruned` are ids of base tokens that no text reached, now new tokens'.
    """

    tokenizer_json: bytes
    ids: list[int]
    pieces: list[list[int]]
    pruned: list[int]


def extended(base: bytes, counts: Counts, new_tokens: int) -> Extension:
    """`extend`, and what it did."""
    made = extend(base, counts, new_tokens)
    before, after = Encoder(base), Encoder(made)
    ids = [at for at, token in enumerate(after.tokens) if at >= before.vocab_size or before.tokens[at] != token]
    pieces = [before.encode_column(pa.array([after.tokens[at]], pa.binary()), cut=False)[0].tolist() for at in ids]
    return Extension(made, ids, pieces, [at for at in ids if at < before.vocab_size])
