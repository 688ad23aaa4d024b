"""Generated text with planted near-copies of known Jaccard similarity, and what theory says about finding them.

MinHash with b bands of r rows makes a pair of similarity s a candidate with probability 1 - (1 - s^r)^b. Pairs are found
or missed independently of each other, so the number missed has the variance of a sum of Bernoulli trials.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

NGRAM = 5


@cache
def vocabulary(size: int = 30_000) -> np.ndarray:
    """Invented words of seven small letters: every word splitter takes them whole, and no figure is lost."""
    rng = np.random.default_rng(5)
    letters = [rng.choice(list(group), 2 * size) for group in ("bdfgklmnprstv", "aeiou") * 3 + ("nrst",)]
    return np.unique(np.array(["".join(word) for word in zip(*letters, strict=True)]))[:size]


@dataclass(frozen=True)
class Pairs:
    """`texts[2 * i + 1]` is a copy of `texts[2 * i]` with some words replaced; `similarity` (float64[n]) is their true
    Jaccard similarity as sets of word 5-grams."""

    texts: list[str]
    similarity: np.ndarray


def jaccard(one: list, other: list) -> float:
    """Of the sets of word 5-grams."""
    a, b = ({tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)} for words in (one, other))
    return len(a & b) / max(len(a | b), 1)


def pairs(count: int, seed: int, *, words: tuple[int, int] = (60, 160), edits: tuple[int, int] = (1, 3)) -> Pairs:
    """`count` pairs of documents with a number of words and of replaced words drawn evenly from the given ranges."""
    rng, known = np.random.default_rng(seed), vocabulary()
    texts, similarity = [], np.empty(count)
    for pair in range(count):
        one = rng.integers(0, len(known), rng.integers(words[0], words[1] + 1))
        other = one.copy()
        places = rng.choice(len(one), rng.integers(edits[0], edits[1] + 1), replace=False)
        other[places] = rng.integers(0, len(known), len(places))
        similarity[pair] = jaccard(one.tolist(), other.tolist())
        texts += [" ".join(known[one]), " ".join(known[other])]
    return Pairs(texts, similarity)


def strangers(count: int, seed: int, *, words: int = 110) -> list[str]:
    """Documents that have no 5-gram in common but by chance."""
    known = vocabulary()
    rng = np.random.default_rng(seed)
    return [" ".join(known[row]) for row in rng.integers(0, len(known), (count, words))]


def hit_probability(similarity: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """Probability that a pair shares a band key."""
    return 1 - (1 - similarity**rows) ** bands


def expected_missed(similarity: np.ndarray, bands: int, rows: int) -> tuple[float, float, float]:
    """`(expected, low, high)` number of missed pairs; the interval holds it in 95 of 100 draws."""
    missed = 1 - hit_probability(similarity, bands, rows)
    spread = 1.96 * float(np.sqrt((missed * (1 - missed)).sum()))
    expected = float(missed.sum())
    return expected, max(expected - spread, 0.0), expected + spread
