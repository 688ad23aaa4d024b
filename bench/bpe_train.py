"""Train 32,000 tokens from text in memory, on one core, beside `tokenizers` and rustbpe, in turns."""

import json
import statistics
import tempfile
from pathlib import Path

from bench import bpe_sides, corpora


def run(size_mb: int = 100, rounds: int = 3) -> dict:
    """MB per second of processor time from text to merges and growth of memory, medians; `peer` is `tokenizers`."""
    texts = corpora.texts(size_mb).to_pylist()
    size = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        found: dict[str, list[dict]] = {side: [] for side in bpe_sides.TRAIN}
        for _ in range(rounds):
            for side in found:
                answer = bpe_sides.measure("train", side, folder)
                if answer is not None:
                    found[side].append(answer)
    speed = {side: statistics.median(one["mb_s"] for one in runs) for side, runs in found.items() if runs}
    memory = {side: statistics.median(one["grown_mb"] for one in runs) for side, runs in found.items() if runs}
    return {
        "name": "bpe_train",
        "unit": "MB/s",
        "ours": speed["ours"],
        "peer": speed["tokenizers"],
        "ratio": speed["ours"] / speed["tokenizers"],
        "peer_name": "tokenizers",
        "versions": {side: runs[0]["version"] for side, runs in found.items() if runs and "version" in runs[0]},
        "input": f"{len(texts)} documents, {size:.1f} MB of English news, calls, speeches, encyclopaedia, books",
        "rounds": rounds,
        "others": {side: {"mb_s": rate, "ratio": speed["ours"] / rate} for side, rate in speed.items()},
        "memory_grown_mb": memory,
        "memory_ratio": memory["ours"] / memory["tokenizers"],
    }
