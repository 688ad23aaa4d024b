"""Extend a tokenizer for continued pre-training: more merges on top of those it has, old ids unchanged."""

import json

import numpy as np
import pyarrow as pa

from tokenizer.bytelevel import read, written
from tokenizer.count import Counts
from tokenizer.encode import Encoder
from tokenizer.merge import learn_merges


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


def extend(base: bytes, counts: Counts, new_tokens: int, min_frequency: int = 2) -> bytes:
    """The base's `tokenizer.json` with its merges continued on the counts of domain text (made with the base's own preset).

    Every pre-token starts as the base encodes it, so old merges keep their rank and text without new tokens keeps its
    ids. Tokens of the base that no text can reach are pruned, with their merges: new tokens take their ids first, so
    that the embedding grows less, and then follow the largest old id. Fewer tokens than asked for come out where no pair
    is frequent enough. Raises ValueError when the presets differ or the base is not byte-level BPE of a known pattern.
    """
    encoder = Encoder(base)
    if counts.preset != encoder.preset:
        raise ValueError(f"counts were cut by {counts.preset}, the base tokenizer cuts by {encoder.preset}")
    first = encoder.vocab_size
    tokens, merges = continued_merges(encoder, counts, new_tokens, min_frequency)
    made = tokens[first:]
    pruned = encoder.unreachable()[: len(made)]
    ids = [*pruned, *range(first, first + len(made) - len(pruned))]
    return _with_merges(base, encoder, made, ids, merges)


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
