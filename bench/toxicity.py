"""Toxicity: our scorer against alt-profanity-check: speed on generated finance text, AUC on labelled sets neither trained on.

The peer runs in a child process of `$BENCH_PEERS_PYTHON`. AUCs need `$CORPORA`: of OLID, which our scorer never saw, with the
shipped weights; of the training sets, with weights trained here without the set. alt-profanity-check was trained on Davidson.
The shipped settings were chosen with a look at OLID.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from bench import labelled
from bench.audit_tables import left_out, peer_run, scores
from bench.peer_text import finance_like_text
from pipeline.audit.bias import area_under_curve
from pipeline.measure.judges.toxicity import Toxicity, toxicity

ROUNDS, RESAMPLES = 5, 2000
SETS = ("olid", "toxigen", "madlibs", "davidson", "talk_comments")


def interval(labels: np.ndarray, *sides: np.ndarray) -> list[tuple[float, float]]:
    """95 % bootstrap intervals of each side's AUC and, of two sides, of the difference of the first to the second."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        aucs = [area_under_curve(side[rows], labels[rows]) for side in sides]
        found.append([*aucs, aucs[0] - aucs[1]] if len(aucs) == 2 else aucs)
    return [(round(float(low), 4), round(float(high), 4)) for low, high in np.quantile(found, [0.025, 0.975], axis=0).T]


def aucs(corpora: Path) -> dict[str, Any]:
    """AUC of ours and of the peer by set; of OLID 95 % bootstrap intervals too."""
    result: dict[str, Any] = {"auc": {}, "peer_auc": {}}
    for name in SETS:
        examples: list[labelled.Example] = getattr(labelled, name)(corpora)
        texts, toxic = [one.text for one in examples], np.array([one.toxic for one in examples])
        own = scores(texts) if name == "olid" else left_out(corpora, name, texts)
        result["auc"][name] = round(area_under_curve(own, toxic), 4)
        peer = peer_run(texts)
        sides = [own]
        if peer is not None:
            sides.append(np.array(peer["scores"]))
            result["peer_auc"][name] = round(area_under_curve(sides[1], toxic), 4)
        if name == "olid":
            named = zip(("ours", "peer", "ours_minus_peer"), interval(toxic, *sides), strict=False)
            result["olid_interval"] = {side: f"[{low:.4f}, {high:.4f}]" for side, (low, high) in named}
    return result


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def run(size_mb: int = 10) -> dict[str, Any]:
    """MB/s of processor time of both over the same documents, in turns, one core each; AUCs beside it."""
    texts = finance_like_text(size_mb * 1_000_000)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    size = sum(len(text.encode()) for text in texts) / 1e6
    toxicity.run(batch.slice(0, 1), Toxicity())
    ours, peer, version = [], [], "not installed"
    for _ in range(ROUNDS):
        ours.append(size / _seconds(lambda: toxicity.run(batch, Toxicity())))
        if (found := peer_run(texts)) is not None:
            peer.append(size / found["seconds"])
            version = found["version"]
    corpora = os.environ.get("CORPORA")
    return {
        "unit": "MB/s",
        "ours": round(median(ours), 2),
        "peer": round(median(peer), 3) if peer else None,
        "ratio": round(median(ours) / median(peer), 1) if peer else None,
        "peer_name": "alt-profanity-check",
        "versions": {"alt-profanity-check": version},
        "input": f"{size:.1f} MB of generated finance text",
        "rounds": ROUNDS,
        **(aucs(Path(corpora)) if corpora else {"auc": "CORPORA is not set"}),
    }
