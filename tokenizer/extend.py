"""Extend a tokenizer for continued pre-training: more merges on top of those it has, old ids unchanged."""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tokenizer.bytelevel import read, written
from tokenizer.count import Counts
from tokenizer.encode import Encoder
from tokenizer.merge import learn_merges


@dataclass(frozen=True)
class Extension:
    """`tokenizer_json` with the new tokens; new token `ids[i]` stands for the base ids `pieces[i]`.

    `pruned` are ids of base tokens that no text reached, now new tokens'; `unreachable` those that are left, because
    there were fewer new tokens. `shortfall` is how many tokens fewer came out than were asked for.
    """

    tokenizer_json: bytes
    ids: list[int]
    pieces: list[list[int]]
    pruned: list[int]
    unreachable: list[int]
    shortfall: int


def continued_merges(
    encoder: Encoder, counts: Counts, new_tokens: int, min_frequency: int
) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Go on merging where an encoder stops: all tokens, its own first, and the new merges as pairs of ids.

    Every counted pre-token starts as the encoder leaves it, whole: what cut it is the caller's affair.
    """
    words = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(counts), [None, pa.py_buffer(counts.offsets), pa.py_buffer(counts.data)]
    )
    ids, ends = encoder.encode_column(words, cut=False)
    first = encoder.vocab_size
    # A token that merges cannot spell (a special with a space in it) has no length and meets no pair.
    special = set(encoder.specials.values())
    spelled = [(read(token.decode()) or b"") if at in special else token for at, token in enumerate(encoder.tokens)]
    merges, tokens = learn_merges(
        counts,
        np.concatenate([np.zeros(1, np.int64), ends]),
        ids,
        np.arange(first, dtype=np.int32),
        spelled,
        first + new_tokens,
        min_frequency,
    )
    return tokens, merges


def extend(base: bytes, counts: Counts, new_tokens: int, min_frequency: int = 2) -> Extension:
    """Continue the base tokenizer's merges on the counts of domain text (made with the base's own preset).

    Every pre-token starts as the base encodes it, so old merges keep their rank and text without new tokens keeps its
    ids. Tokens of the base that no text can reach are pruned, with their merges: new tokens take their ids first, so
    that the embedding grows less, and then follow the largest old id. Raises ValueError when the presets differ or the
    base is not byte-level BPE of a known pattern.
    """
    encoder = Encoder(base)
    if counts.preset != encoder.preset:
        raise ValueError(f"counts were cut by {counts.preset}, the base tokenizer cuts by {encoder.preset}")
    first = encoder.vocab_size
    lost = encoder.unreachable()
    tokens, merges = continued_merges(encoder, counts, new_tokens, min_frequency)
    made = tokens[first:]
    pruned = lost[: len(made)]
    ids = [*pruned, *range(first, first + len(made) - len(pruned))]
    added, bounds = encoder.encode_column(pa.array(made, pa.binary()), cut=False)
    pieces = [part.tolist() for part in np.split(added, bounds[:-1])] if len(bounds) else []
    return Extension(
        _with_merges(base, encoder, made, ids, merges), ids, pieces, pruned, lost[len(made) :], new_tokens - len(made)
    )


def _with_merges(
    base: bytes, encoder: Encoder, made: list[bytes], ids: list[int], merges: list[tuple[int, int]]
) -> bytes:
    """The base's `tokenizer.json` with new tokens under `ids` in place of what had them, and the merges behind."""
    description = json.loads(base)
    model = description["model"]
    taken = set(ids)
    gone = {name for name, number in model["vocab"].items() if number in taken}
    spaced = bool(model["merges"]) and isinstance(model["merges"][0], str)
    pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]]
    pairs = [pair for pair in pairs if not {*pair, "".join(pair)} & gone]
    vocab = {name: number for name, number in model["vocab"].items() if name not in gone}
    spelled = {number: name for name, number in vocab.items()}
    first = encoder.vocab_size
    spelled |= {first + at: written(token) for at, token in enumerate(made)}
    known = set(pairs)
    for left, right in merges:
        pair = spelled[left], spelled[right]
        if pair not in known:
            known.add(pair)
            pairs.append(pair)
    vocab |= {written(token): number for token, number in zip(made, ids, strict=True)}
    # `tokenizers` numbers added tokens that the vocabulary lacks anew, behind it: in it they keep their ids
    vocab |= {token["content"]: token["id"] for token in description["added_tokens"]}
    model["vocab"] = vocab
    model["merges"] = [" ".join(pair) if spaced else list(pair) for pair in pairs]
    return (json.dumps(description, ensure_ascii=False, indent=1) + "\n").encode()
