"""Tokens of held-out text by a tokenizer of the mix against one of general text alone, of equal vocabulary.

Both learn from as many bytes. The mix is 51 % finance (news, earnings calls, speeches) and 49 % general (encyclopaedia,
books); every tenth document of a set is held out. Multi-word pre-tokens and two-stage superwords are reported apart.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from bench import corpora
from tokenizer.check import best_vocab_size, measure
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.merge import Model, train
from tokenizer.save import save
from tokenizer.superwords import PHRASES, WORDS, train_superwords

VOCAB = 32_000
EOS = ["<|endoftext|>"]
DOMAIN = {"news": "reuters", "calls": "earnings_calls", "speeches": "fed_speeches"}
GENERAL = {"encyclopaedia": "wikipedia", "books": "books"}


def truncate(model: Model, vocab_size: int) -> Model:
    """The model that training would have given for a smaller vocabulary: its first tokens and their merges.

    So one training gives the whole curve of encoded size against vocabulary size. Raises ValueError when it is larger
    than the model or leaves no room for the 256 bytes.
    """
    least = len(model.specials) + 256
    if not least <= vocab_size <= len(model):
        raise ValueError(f"vocab_size {vocab_size} is not between {least} and {len(model)}")
    tokens = model.tokens[:vocab_size]
    merges: list[tuple[int, int]] = []
    if vocab_size > least:
        for left, right in model.merges:
            merges.append((left, right))
            if model.tokens[left] + model.tokens[right] == tokens[-1]:
                break
    return replace(model, tokens=tokens, merges=merges, asked=vocab_size)


def split(name: str) -> tuple[list[str], list[str]]:
    """Training documents and held-out ones, every tenth."""
    whole = list(corpora.documents(name))
    return [text for at, text in enumerate(whole) if at % 10], whole[::10]


def up_to(texts: list[str], size: float) -> list[str]:
    """An even sample of documents of about `size` bytes together, all of them when they are less."""
    total = sum(len(text.encode()) for text in texts)
    bound = min(1.0, size / max(1, total))
    return [text for at, text in enumerate(texts) if int((at + 1) * bound) > int(at * bound)]


def evenly(sets: dict[str, list[str]], size: float) -> list[str]:
    """About `size` bytes from all sets in their natural shares."""
    total = sum(len(text.encode()) for texts in sets.values() for text in texts)
    part = [up_to(texts, size * sum(len(text.encode()) for text in texts) / total) for texts in sets.values()]
    return [text for texts in part for text in texts]


def run(size_mb: int = 40) -> dict:
    """Percent fewer tokens than the general tokenizer makes, by held-out set; `ours` is news with plain words."""
    parts = {name: split(found) for name, found in (DOMAIN | GENERAL).items()}
    learnt = {name: train_part for name, (train_part, _) in parts.items()}
    held = {name: pa.array(held_part, pa.large_string()) for name, (_, held_part) in parts.items()}
    held["general"] = pa.concat_arrays([held.pop("encyclopaedia"), held.pop("books")])
    general = evenly({name: learnt[name] for name in GENERAL}, size_mb * 1e6)
    mixed = evenly({name: learnt[name] for name in DOMAIN}, 0.51 * size_mb * 1e6)
    mixed += evenly({name: learnt[name] for name in GENERAL}, 0.49 * size_mb * 1e6)
    text = pa.array(mixed, pa.large_string())
    base = train(count_batch(pa.array(general, pa.large_string()), "gpt4"), VOCAB, EOS)
    plain = train(count_batch(text, "gpt4"), VOCAB, EOS)
    models = {
        "general": base,
        "mix": plain,
        "mix, multi-word pre-tokens": train(count_batch(text, "bloomberg"), VOCAB, EOS),
        "mix, superwords": train_superwords(count_batch(text, WORDS), count_batch(text, PHRASES), VOCAB, EOS),
    }
    tokens = {
        name: {of: measure(Encoder(save(model)["tokenizer.json"]), found).num_tokens for of, found in held.items()}
        for name, model in models.items()
    }
    fewer = {
        name: {of: round(100 * (1 - found[of] / tokens["general"][of]), 2) for of in held}
        for name, found in tokens.items()
        if name != "general"
    }
    sizes = [4096, 8192, 16_384, VOCAB]
    curve = {
        size: measure(Encoder(save(truncate(plain, size))["tokenizer.json"]), held["news"]).num_tokens for size in sizes
    }
    return {
        "unit": "% fewer tokens on news",
        "ours": fewer["mix"]["news"],
        "peer": None,
        "ratio": None,
        "peer_name": f"general text alone, {VOCAB:,} tokens",
        "versions": {"numpy": np.__version__},
        "input": f"{size_mb} MB to learn from, held out {sum(a.nbytes for a in held.values()) / 1e6:.1f} MB",
        "rounds": 1,
        "fewer_tokens_percent": fewer,
        "news_bits_by_vocabulary": {size: round(count * np.log2(size) / 8e6, 3) for size, count in curve.items()},
        "best_vocabulary_for_news": best_vocab_size(curve),
    }
