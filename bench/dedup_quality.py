"""What near-duplicate search finds and misses: planted and known duplicates, theory, and the peers on the same text.

Three tables. `missed`: near-copies planted among `--size` thousand generated documents; a peer is given pairs alone,
and not all of them. `curve`: candidates by true similarity beside 1 - (1 - s^r)^b. `known`:
articles with planted plagiarism, and BBC's duplicates.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import near
from bench.known import Known, articles, bbc
from bench.planted import expected_missed, hit_probability, pairs, strangers

BANDS = {"14x8": (14, 8), "26x11": (26, 11)}
PEERS = ("datatrove", "text-dedup")
PEER_PAIRS = 5_000
"""Pairs given to a peer: spaCy takes a minute for three times as many."""
COPIES = 0.1
"""Share of the generated documents that are a near-copy of another."""
BINS = np.array([0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])


def clusters(texts: list[str], **settings: Any) -> np.ndarray:
    """Labels by ours."""
    with tempfile.TemporaryDirectory() as folder:
        return near.ours(texts, Path(folder), **settings)


def hits(labels: np.ndarray, count: int) -> np.ndarray:
    """bool[count]: which of the pairs that come first are in one cluster."""
    left, right = labels[0 : 2 * count : 2], labels[1 : 2 * count : 2]
    return (left == right) & (left >= 0)


def joined_falsely(labels: np.ndarray, count: int) -> int:
    """Documents that share a cluster with another than the one they were planted with."""
    whole = np.arange(len(labels)) // 2
    whole[2 * count :] = np.arange(len(labels) - 2 * count) + count
    order = np.lexsort((whole, labels))
    labels, whole = labels[order], whole[order]
    return int(((labels[1:] == labels[:-1]) & (labels[1:] >= 0) & (whole[1:] != whole[:-1])).sum())


def missed(documents: int) -> tuple[list[list], dict[str, float], dict[str, str]]:
    """Rows of the table, share missed by side, versions of the peers."""
    count = round(documents * COPIES)
    planted = pairs(count, seed=1)
    texts = planted.texts + strangers(documents - 2 * count, seed=2)
    rows, shares, versions = [], {}, {}

    def row(side: str, bands: str, labels: np.ndarray, given: int) -> None:
        expected, low, high = expected_missed(planted.similarity[:given], *BANDS[bands])
        lost = int(given - hits(labels, given).sum())
        shares[f"{side} {bands}"] = lost / given
        figures = [f"{100 * lost / given:.2f} %", f"{100 * expected / given:.2f} %"]
        figures += [f"{100 * low / given:.2f} to {100 * high / given:.2f} %"]
        rows.append([side, bands, len(labels), given, *figures, joined_falsely(labels, given)])

    for bands in BANDS:
        row("ours", bands, clusters(texts, preset=bands), count)
    for name in PEERS:
        given = min(count, PEER_PAIRS)
        found = near.peer(name, planted.texts[: 2 * given])
        if found is not None:
            versions[name] = found[1]
            row(name, "14x8", found[0], given)
    return rows, shares, versions


def curve(count: int) -> list[list]:
    """Candidates by true similarity: the share found, what theory says, and how many standard deviations lie between."""
    planted = pairs(count, seed=3, words=(60, 240), edits=(1, 9))
    place = np.digitize(planted.similarity, BINS)
    found = {bands: hits(clusters(planted.texts, preset=bands), count) for bands in BANDS}
    rows = []
    for at in range(1, len(BINS) + 1):
        chosen = place == at
        row: list = [f"{BINS[at - 1]:.2f} to {BINS[at]:.2f}" if at < len(BINS) else f"{BINS[-1]:.2f} and more"]
        row.append(int(chosen.sum()))
        for bands, hit in found.items():
            theory = hit_probability(planted.similarity[chosen], *BANDS[bands])
            spread = max(float(np.sqrt((theory * (1 - theory)).sum())), 1e-9)
            row += [f"{hit[chosen].mean():.4f}", f"{theory.mean():.4f}"]
            row.append(f"{(hit[chosen].sum() - theory.sum()) / spread:+.1f}")
        rows.append(row)
    return rows


def recall_and_precision(known: Known, labels: np.ndarray, side: str, bands: str) -> list:
    """A row: of the known pairs how many are together, and of the pairs together how many are known or truly alike."""
    found, alike = near.together(labels), known.similarity
    theory = hit_probability(np.array([alike.get(pair, 0.0) for pair in sorted(known.pairs)]), *BANDS[bands]).mean()
    very = {pair for pair, value in alike.items() if value >= 0.8}
    return [
        known.name,
        side,
        len(known.texts),
        f"{len(known.pairs & found)} of {len(known.pairs)}",
        f"{theory:.3f}",
        f"{len(very & found)} of {len(very)}",
        len(found),
        f"{len(found & known.pairs) / max(len(found), 1):.3f}",
        f"{len(found & alike.keys()) / max(len(found), 1):.3f}",
    ]


def on_known(known: Known) -> list[list]:
    """Rows for ours, as candidates and verified, and for the peers."""
    sides: list[tuple[str, str, Callable[[], np.ndarray | None]]] = [
        ("ours 14x8", "14x8", lambda: clusters(known.texts)),
        ("ours 14x8, figure_weight 4 (the recipes)", "14x8", lambda: clusters(known.texts, figure_weight=4)),
        ("ours 26x11", "26x11", lambda: clusters(known.texts, preset="26x11")),
        ("ours 14x8, verified at 0.8", "14x8", lambda: clusters(known.texts, min_similarity=0.8)),
    ]
    for name in PEERS:
        sides.append((name, "14x8", lambda name=name: (near.peer(name, known.texts) or (None,))[0]))
    found = [(side, bands, find()) for side, bands, find in sides]
    return [recall_and_precision(known, labels, side, bands) for side, bands, labels in found if labels is not None]


def run(size_mb: int = 200) -> dict:
    """Share of planted near-copies missed among `size_mb` thousand documents; `ratio` is theory's share over ours."""
    documents = size_mb * 1000
    rows, shares, versions = missed(documents)
    own = shares["ours 14x8"]
    count = round(documents * COPIES)
    expected = expected_missed(pairs(count, seed=1).similarity, 14, 8)[0] / count
    return {
        "name": "dedup_quality",
        "unit": "% of planted near-copies missed",
        "ours": round(100 * own, 2),
        "peer": round(100 * expected, 2),
        "ratio": round(expected / own, 2) if own else None,
        "peer_name": "theory, 14 bands of 8",
        "versions": versions,
        "input": f"{documents} generated documents, {count} of them near-copies",
        "rounds": 1,
        "missed_percent": {side: round(100 * share, 2) for side, share in shares.items()},
        "tables": {
            "missed": {
                "head": [
                    "side",
                    "bands",
                    "documents",
                    "near-copies",
                    "missed",
                    "theory",
                    "95 % interval of theory",
                    "joined falsely",
                ],
                "rows": rows,
            },
            "curve": {
                "head": ["true Jaccard", "pairs"]
                + [f"{name} {what}" for name in BANDS for what in ("found", "theory", "σ")],
                "rows": curve(count),
            },
            "known": {
                "head": [
                    "set",
                    "side",
                    "documents",
                    "known pairs found",
                    "theory",
                    "of Jaccard ≥ 0.8 found",
                    "pairs found",
                    "known among them",
                    "Jaccard ≥ 0.5 among them",
                ],
                "rows": [row for known in (articles(2500), bbc()) for row in on_known(known)],
            },
        },
    }
