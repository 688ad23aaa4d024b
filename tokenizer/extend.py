"""Extend a tokenizer for continued pre-training: more merges on top of those it has, old ids unchanged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.kernels.bpe_train import learn
from pipeline.kernels.pretokens import read_only
from tokenizer.bytelevel import read, written
from tokenizer.count import Counts
from tokenizer.encode import Encoder


@dataclass(frozen=True)
class Extension:
    """`tokenizer_json` with the new tokens; `pieces[i]` are the base ids that new token `first + i` replaces.

    `shortfall` is how many tokens fewer came out than were asked for.
    """

    tokenizer_json: bytes
    first: int
    pieces: list[list[int]]
    shortfall: int


def extend(base: bytes, counts: Counts, new_tokens: int, min_frequency: int = 2) -> Extension:
    """Continue the base tokenizer's merges on the counts of domain text (made with the base's own preset).

    Every pre-token starts as the base encodes it, so old merges keep their rank and text without new tokens keeps its
    ids. New ids follow the largest old one. Raises ValueError when the presets differ or the base is not byte-level BPE
    of a known pattern.
    """
    encoder = Encoder(base)
    if counts.preset != encoder.preset:
        raise ValueError(f"counts were cut by {counts.preset}, the base tokenizer cuts by {encoder.preset}")
    words = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(counts), [None, pa.py_buffer(counts.offsets), pa.py_buffer(counts.data)]
    )
    ids, ends = encoder.encode_column(words, cut=False)
    first = encoder.vocab_size
    # A token that merges cannot spell (a special with a space in it) has no length and meets no pair.
    special = set(encoder.specials.values())
    spelled = [(read(token.decode()) or b"") if at in special else token for at, token in enumerate(encoder.tokens)]
    starts = np.zeros(len(spelled) + 1, np.int64)
    np.cumsum([len(token) for token in spelled], out=starts[1:])
    merged, _, _, starts, text = learn(
        read_only(np.concatenate([np.zeros(1, np.int64), ends])),
        read_only(ids),
        np.arange(first, dtype=np.int32),
        counts.counts.view(np.int64),
        starts,
        np.frombuffer(bytearray(b"".join(spelled)), np.uint8),
        first,
        first + new_tokens,
        min_frequency,
    )
    raw = text.tobytes()
    tokens = [raw[start:stop] for start, stop in pairwise(starts)]
    description = json.loads(base)
    model = description["model"]
    old = {number: name for name, number in model["vocab"].items()}
    names = [old.get(at, "") if at < first else written(token) for at, token in enumerate(tokens)]
    model["vocab"].update({name: at for at, name in enumerate(names) if at >= first})
    joined = [[names[int(pair) >> 32], names[int(pair) & 0xFFFFFFFF]] for pair in merged]
    spaced = bool(model["merges"]) and isinstance(model["merges"][0], str)
    known = {tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]}
    for pair in joined:
        if tuple(pair) not in known:
            known.add(tuple(pair))
            model["merges"].append(" ".join(pair) if spaced else pair)
    added, bounds = encoder.encode_column(pa.array(tokens[first:], pa.binary()), cut=False)
    pieces = [part.tolist() for part in np.split(added, bounds[:-1])] if len(bounds) else []
    return Extension(
        (json.dumps(description, ensure_ascii=False, indent=1) + "\n").encode(),
        first,
        pieces,
        first + new_tokens - len(tokens),
    )


def grown_embeddings(old: np.ndarray, pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Embeddings for the extended vocabulary: old rows as they are, each new one the mean of its pieces' rows.

    `old` is float[V, d] with V at least the first new id; a padded matrix is cut by the caller. Computed in float64,
    returned in the old type.

    >>> grown_embeddings(np.array([[0.0, 2.0], [4.0, 0.0]]), [[0, 1], [1]]).tolist()
    [[0.0, 2.0], [4.0, 0.0], [2.0, 1.0], [4.0, 0.0]]
    """
    new = np.zeros((len(pieces), old.shape[1]), np.float64)
    for row, parts in enumerate(pieces):
        new[row] = old[list(parts)].astype(np.float64).mean(axis=0)
    return np.concatenate([old, new.astype(old.dtype)])
