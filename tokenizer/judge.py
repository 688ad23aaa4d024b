"""Everything a report says of a tokenizer: numbers per source, its use of the vocabulary, and other tokenizers beside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer.advise import SHATTERED_PIECES, Advice, advise
from tokenizer.check import (
    Quality,
    best_vocab_size,
    digit_fragmentation,
    lost_rows,
    measure,
    normalized_sequence_length,
)
from tokenizer.count import count_batch, merge_counts
from tokenizer.encode import Encoder

WORDS_LOOKED_AT = 20_000
"""Distinct words whose pieces by a reference are counted, the most frequent first."""


@dataclass(frozen=True)
class Reference:
    """Another tokenizer on the same text: its compression, and our tokens over its (NSL; below 1 we are shorter)."""

    name: str
    vocab_size: int
    bytes_per_token: float
    tokens_per_word: float
    nsl: float
    nsl_by_source: dict[str, float]
    shattered_share: float
    """Share of words it cuts into `SHATTERED_PIECES` pieces or more."""
    advice: Advice


@dataclass(frozen=True)
class Judgement:
    """A tokenizer judged on text by source. `bits` are `tokens · log2 V` by vocabulary size, in total."""

    sources: dict[str, Quality]
    lossless: dict[str, bool]
    total: Quality
    dead: int
    unreachable: int
    digits: dict[int, float]
    bits: dict[int, float]
    best_vocab_size: int
    references: list[Reference]


def cut_vocabulary(tokenizer_json: bytes, vocab_size: int) -> bytes:
    """The `tokenizer.json` with its first tokens only, as training for fewer would have given it."""
    description = json.loads(tokenizer_json)
    model = description["model"]
    vocab = {name: number for name, number in model["vocab"].items() if number < vocab_size}
    merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    model["vocab"] = vocab
    model["merges"] = [pair for pair in merges if pair[0] in vocab and pair[1] in vocab and "".join(pair) in vocab]
    return json.dumps(description).encode()


def _sizes(vocab_size: int, least: int) -> list[int]:
    """The vocabulary and its halves, down to 1,024 tokens."""
    found = [vocab_size]
    while found[-1] // 2 >= max(1024, least):
        found.append(found[-1] // 2)
    return found[::-1]


def _sum(parts: Mapping[str, Quality]) -> Quality:
    whole = list(parts.values())
    used = np.zeros(max((len(one.used) for one in whole), default=1), np.int64)
    for one in whole:
        used[: len(one.used)] += one.used
    return Quality(
        sum(one.num_documents for one in whole),
        sum(one.num_bytes for one in whole),
        sum(one.num_words for one in whole),
        used,
    )


def reference_quality(tokenizer_json: bytes, text: pa.Array | pa.ChunkedArray, words: int) -> Quality:
    """What any `tokenizers` file makes of a text that has `words` words; it may be of any kind, so it is not compiled."""
    from tokenizers import Tokenizer

    other = Tokenizer.from_str(tokenizer_json.decode())
    other.encode_special_tokens = True  # as ours: a special string in a document is text
    rows = [row or "" for row in text.to_pylist()]
    ids = [one.ids for one in other.encode_batch_fast(rows, add_special_tokens=False)]
    size = max([other.get_vocab_size(), *(max(row, default=0) + 1 for row in ids)])
    used = np.zeros(size, np.int64)
    for row in ids:
        used += np.bincount(np.asarray(row, np.int64), minlength=size)
    return Quality(len(rows), sum(len(row.encode()) for row in rows), words, used)


def shattered_share(tokenizer_json: bytes, text: Mapping[str, pa.Array | pa.ChunkedArray]) -> float:
    """Share of word occurrences that a tokenizer cuts into `SHATTERED_PIECES` or more, over the most frequent words."""
    from tokenizers import Tokenizer

    other = Tokenizer.from_str(tokenizer_json.decode())
    if not text:
        return 0.0
    counted = merge_counts([count_batch(part, "gpt4") for part in text.values()]).to_table().to_pydict()
    words = [
        (word, count)
        for word, count in zip(counted["pretoken"], counted["count"], strict=True)
        if word.strip().isalpha() or not word.isascii()
    ]
    words.sort(key=lambda pair: (-pair[1], pair[0]))
    words = words[:WORDS_LOOKED_AT]
    found = other.encode_batch_fast([word.decode("utf-8", "replace") for word, _ in words], add_special_tokens=False)
    total = sum(count for _, count in words)
    many = sum(count for (_, count), one in zip(words, found, strict=True) if len(one.ids) >= SHATTERED_PIECES)
    return many / total if total else 0.0


def judge(
    tokenizer_json: bytes,
    text: Mapping[str, pa.Array | pa.ChunkedArray],
    references: Mapping[str, bytes] | None = None,
    domain_tokens: float = 0.0,
) -> Judgement:
    """Judge one of our tokenizers on text by source, beside others given as `tokenizer.json` files by name.

    `domain_tokens` are the tokens of domain text at hand, for the advice.
    """
    encoder = Encoder(tokenizer_json)
    sources = {name: measure(encoder, part) for name, part in sorted(text.items())}
    total = _sum(sources)
    tokens = {}
    for size in _sizes(encoder.vocab_size, len(encoder.specials) + 256):
        smaller = Encoder(cut_vocabulary(tokenizer_json, size))
        tokens[size] = sum(measure(smaller, part).num_tokens for part in text.values())
    found = []
    for name, content in sorted((references or {}).items()):
        parts = {of: reference_quality(content, part, sources[of].num_words) for of, part in text.items()}
        other = _sum(parts)
        shattered = shattered_share(content, text)
        found.append(
            Reference(
                name,
                len(other.used),
                other.bytes_per_token,
                other.tokens_per_word,
                normalized_sequence_length(total.num_tokens, other.num_tokens),
                {
                    of: normalized_sequence_length(sources[of].num_tokens, part.num_tokens)
                    for of, part in sorted(parts.items())
                },
                shattered,
                advise(total, other, shattered, domain_tokens),
            )
        )
    special = set(encoder.specials.values())
    return Judgement(
        sources=sources,
        lossless={name: not lost_rows(encoder, part) for name, part in sorted(text.items())},
        total=total,
        dead=sum(number not in special for number in total.dead.tolist()),
        unreachable=len(encoder.unreachable()),
        digits=digit_fragmentation(encoder),
        bits={size: float(count * np.log2(size)) for size, count in tokens.items()},
        best_vocab_size=best_vocab_size(tokens),
        references=found,
    )


def to_json(made: Judgement) -> dict[str, Any]:
    """The judgement as JSON values."""
    return {
        "sources": {
            name: {
                "bytes_per_token": one.bytes_per_token,
                "tokens_per_word": one.tokens_per_word,
                "encoded_bits": one.encoded_bits,
                "renyi_efficiency": one.renyi_efficiency,
                "lossless": made.lossless[name],
            }
            for name, one in made.sources.items()
        },
        "renyi_efficiency": made.total.renyi_efficiency,
        "tokens_per_word": made.total.tokens_per_word,
        "sample_bytes": made.total.num_bytes,
        "dead": made.dead,
        "unreachable": made.unreachable,
        "digits": {str(digits): value for digits, value in made.digits.items()},
        "encoded_bits_by_vocabulary": {str(size): value for size, value in made.bits.items()},
        "best_vocab_size": made.best_vocab_size,
        "references": [asdict(one) for one in made.references],
    }
