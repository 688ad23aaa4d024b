"""Every judge on documents made to be slow: the seconds each takes for a megabyte of one thing."""

import time
from typing import Any

from pipeline.core.judge import Judge, judges

GOAL = 1.0
"""Seconds a rule may take."""
SKIPPED = {"datatrove", "hf_classifier"}
"""Plug-ins: another project's filter as it is, and a network of the recipe's choice."""


def documents(size: int = 1_000_000) -> dict[str, str]:
    """What each document is made of -> about `size` bytes of it."""
    units = {
        "one letter": "a",
        "digits": "7",
        "at signs": "@",
        "combining marks": "\u0301",
        "emoji": "\U0001f600",
        "one line of words": "word ",
        "different words": "",
        "line feeds": "\n",
        "short lines": "a\n",
        "addresses": "a@b.c ",
        "urls": "http://a.b/",
        "ideographs": "\u682a",
        "brackets": "([{",
        "hyphens": "1-",
        "sentences": "A. ",
    }
    made = {name: unit * (size // len(unit.encode())) for name, unit in units.items() if unit}
    made["different words"] = " ".join(map(str, range(size // 7)))
    return made


def batch_of(texts: list[str]) -> Any:
    """Extracted documents with these texts and nothing else."""
    import pyarrow as pa

    from pipeline.core.batch import DOCUMENTS

    rows = [{"id": f"{at:032x}", "url": "", "text": text, "table_spans": []} for at, text in enumerate(texts)]
    return pa.RecordBatch.from_pylist(rows, schema=DOCUMENTS)


def seconds(judge: Judge, text: str, model: Any = None) -> float:
    """Processor time of one judge on one document, compiled before."""
    batch, settings = batch_of([text]), judge.settings()
    begin = time.process_time()
    judge.run(batch, settings, model)
    return time.process_time() - begin


def model_of(judge: Judge) -> Any:
    """Random weights for a judge that a run would train; None for one that needs none."""
    import numpy as np

    from pipeline.classify.model import SLOTS, Model

    if judge.name == "quality":
        return None  # the shipped view stands alone
    return Model(np.random.default_rng(0).normal(size=SLOTS).astype(np.float32), 1.0, 0.0) if judge.model else None


def run(size_mb: int = 1) -> dict[str, Any]:
    """The slowest judge and document, and every judge's worst; the goal is a second for a megabyte."""
    texts, worst = documents(size_mb * 1_000_000), {}
    for name, judge in judges().items():
        if name in SKIPPED:
            continue
        model = model_of(judge)
        judge.run(batch_of(["Compile first. a@b.example 12 words", "x"]), judge.settings(), model)
        times = {kind: seconds(judge, text, model) for kind, text in texts.items()}
        kind = max(times, key=lambda key: times[key])
        worst[name] = (times[kind], kind)
    slowest = max(worst, key=lambda name: worst[name][0])
    return {
        "unit": "s",
        "ours": round(worst[slowest][0], 4),
        "peer": GOAL,
        "ratio": GOAL / max(worst[slowest][0], 1e-9),
        "peer_name": "the goal: under a second",
        "versions": {},
        "input": f"{size_mb} MB each of {', '.join(texts)}; slowest: {slowest} on {worst[slowest][1]}",
        "rounds": 1,
        "worst": {name: f"{time:.3f} s, {kind}" for name, (time, kind) in sorted(worst.items())},
    }
