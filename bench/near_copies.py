"""What is removed as a near-copy: how near it truly is to the survivor that is named, and what stays that should.

`removed`: real text, each removal checked against the plain Jaccard similarity of both texts as sets of word 5-grams, or the
share of it that the survivor holds, counted here in plain Python. `planted`: invented text whose truth is known.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpora import lines, members, root
from bench.finance import extracted
from bench.near import removals
from bench.planted import NGRAM, hit_probability, pairs, vocabulary

BOUND = 0.7
RECIPES: dict[str, Any] = {"preset": "14x8", "figure_weight": 4}
"""As the shipped recipes have it."""

HEAD = [
    "set",
    "documents",
    "equal texts removed",
    "near-copies removed",
    "at or above the bound",
    "least without boilerplate",
]


def grams(text: str) -> set[tuple[str, ...]]:
    """Word 5-grams."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}


def removed(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What goes, as `near.removals` says it."""
    with tempfile.TemporaryDirectory() as folder:
        return removals(texts, Path(folder), RECIPES, min_similarity=BOUND)


def real_sets() -> Iterator[tuple[str, list[str]]]:
    """Names and texts: 8-Ks on their companies' templates, news, an encyclopaedia."""
    filings = [(name, body) for name, body in members(root() / "finance/edgar_filings_b.tar.zst") if "/8k/" in name]
    pages = [item for item in filings if item[0].endswith((".htm", ".html"))]
    plain = [item for item in filings if item[0].endswith(".txt")]
    yield "8-K filings", extracted(pages, "html")["text"].to_pylist() + extracted(plain, "text")["text"].to_pylist()
    for name, path in (
        ("Reuters news", "finance/reuters_news_2006_2010"),
        ("Wikipedia", "general/wikipedia_en_a"),
        ("BBC news", "general/bbc_news"),
    ):
        yield name, [row["text"] for row in lines(root() / f"{path}.jsonl.zst")]


def on_real_text() -> list[list]:
    """Rows: documents, equal texts, near-copies removed, and of these the share that is at or above the bound."""
    rows = []
    for name, texts in real_sets():
        stays, similar = removed(texts)
        near = [
            row
            for row in np.flatnonzero(stays >= 0)
            if " ".join(texts[row].split()) != " ".join(texts[stays[row]].split())
        ]
        true = []
        for row in near:
            one, other = grams(texts[row]), grams(texts[stays[row]])
            true.append(max(len(one & other) / max(len(one | other), 1), len(one & other) / max(len(one), 1)))
        above = sum(value >= BOUND for value in true)
        own = [float(similar[row, 0]) for row in near]
        rows.append(
            [
                name,
                len(texts),
                int((stays >= 0).sum()) - len(near),
                len(near),
                f"{above} of {len(near)}",
                f"{min(own, default=1):.2f}",
            ]
        )
    return rows


def planted(count: int = 200) -> list[list]:
    """Rows: what was planted, how many, and how many of them were treated as they should be."""
    known, rng = vocabulary(), np.random.default_rng(9)

    def words(number: int) -> list[str]:
        return known[rng.integers(0, len(known), number)].tolist()

    rows = []
    for template, own in ((400, 60), (150, 25), (90, 12)):
        cover = words(template)
        texts = [" ".join([*cover, *words(own)]) for _ in range(count)]
        kept = int((removed(texts)[0] < 0).sum())
        rows.append([f"different events of {own} words on a template of {template}: kept", count, kept])
    wholes = [words(600) for _ in range(count)]
    parts = [whole[100 : 100 + rng.integers(120, 300)] for whole in wholes]
    stays, _ = removed([" ".join(text) for text in [*wholes, *parts]])
    rows.append(
        [
            "parts of 120 to 300 words of documents of 600: removed",
            count,
            int((stays[count:] == np.arange(count)).sum()),
        ]
    )
    added = [[*part[: len(part) // 2], *words(len(part) // 4), *part[len(part) // 2 :]] for part in parts]
    kept = int((removed([" ".join(text) for text in [*wholes, *added]])[0][count:] < 0).sum())
    rows.append(["the same with a fifth of their own in the middle: kept", count, kept])
    changed = [[word if at % 50 else f"{word}x" for at, word in enumerate(part, 1)] for part in parts]
    stays, _ = removed([" ".join(text) for text in [*wholes, *changed]])
    gone = int((stays[count:] == np.arange(count)).sum())
    rows.append(["the same with a word in fifty changed: removed", count, gone])
    copies = pairs(10 * count, seed=4)
    alike = copies.similarity >= 0.8
    stays, _ = removed(copies.texts)
    hit = (stays[0::2] >= 0) | (stays[1::2] >= 0)
    rows.append(["near-copies of similarity 0.8 and more: removed", int(alike.sum()), int(hit[alike].sum())])
    rows.append(
        [
            "the same, as theory expects",
            int(alike.sum()),
            round(float(hit_probability(copies.similarity[alike], 14, 8).sum())),
        ]
    )
    return rows


def run(size_mb: int = 0) -> dict:
    """Both tables; `ours` is the share of real removals at or above the bound, in per cent."""
    real = on_real_text()
    near, above = sum(row[3] for row in real), sum(int(row[4].split()[0]) for row in real)
    return {
        "name": "near_copies",
        "unit": "% of near-copies removed that are at or above the bound",
        "ours": round(100 * above / max(near, 1), 2),
        "peer": None,
        "ratio": None,
        "peer_name": None,
        "versions": {},
        "input": f"{sum(row[1] for row in real)} documents; bound {BOUND}",
        "rounds": 1,
        "tables": {
            "removed": {"head": HEAD, "rows": real},
            "planted": {"head": ["planted", "number", "right"], "rows": planted()},
        },
    }
