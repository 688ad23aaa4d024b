"""Sets of `${CORPORA}` whose near-duplicates are known, and all alike pairs of a set by comparing what shares a shingle."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from bench.corpora import SETS, lines, members, root

NGRAM = 5
LEAST = 0.5
"""Below this true Jaccard similarity a pair is not alike, for any setting."""


@dataclass(frozen=True)
class Known:
    """Texts, and the pairs of rows that are duplicates by what is known of the set, not by any measure of text."""

    name: str
    texts: list[str]
    pairs: set[tuple[int, int]]

    @cached_property
    def similarity(self) -> dict[tuple[int, int], float]:
        """True Jaccard similarity of every pair at or above `LEAST`: word 5-grams, small letters, figures kept."""
        sets = [shingles(text) for text in self.texts]
        holders: dict[tuple, list[int]] = {}
        for row, grams in enumerate(sets):
            for gram in grams:
                holders.setdefault(gram, []).append(row)
        shared = Counter(pair for rows in holders.values() if len(rows) > 1 for pair in combinations(rows, 2))
        found = {(a, b): count / (len(sets[a]) + len(sets[b]) - count) for (a, b), count in shared.items()}
        return {pair: value for pair, value in found.items() if value >= LEAST}


def shingles(text: str) -> set[tuple[str, ...]]:
    """The set of word 5-grams, by a pattern: no part of the kernels."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}


def articles(size: int) -> Known:
    """News articles with planted plagiarised ones: 100, 1000 or 2500 of them."""
    files = {name.rpartition("/")[2]: body.decode() for name, body in members(root() / SETS["articles"])}
    rows = [line.partition(" ")[::2] for line in files[f"articles_{size}.train"].splitlines()]
    place = {name: row for row, (name, _) in enumerate(rows)}
    pairs = {
        (min(a, b), max(a, b))
        for a, b in ((place[name] for name in line.split()) for line in files[f"articles_{size}.truth"].splitlines())
    }
    return Known(f"articles_{size}", [text for _, text in rows], pairs)


def bbc() -> Known:
    """BBC's news items; known are those that differ in white space only."""
    texts = [record["text"] for record in lines(root() / SETS["bbc"])]
    same: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        same.setdefault(" ".join(text.split()), []).append(row)
    return Known("bbc", texts, {pair for rows in same.values() for pair in combinations(rows, 2)})
