"""Toxicity: our scorer against alt-profanity-check, on generated finance text."""

import importlib.metadata
import time

from bench.peer_text import finance_like_text


def run(size_mb: int = 10) -> dict:
    """MB/s of the judge `toxicity` and of alt-profanity-check over the same documents, in turns, one core each."""
    import pyarrow as pa

    from pipeline.measure.toxicity import Toxicity, toxicity

    texts = finance_like_text(size_mb * 1_000_000)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    size = sum(len(text.encode()) for text in texts) / 1e6
    toxicity.run(batch.slice(0, 1), Toxicity())
    try:
        from profanity_check import predict_prob  # type: ignore[import-not-found]

        version = importlib.metadata.version("alt-profanity-check")
    except ImportError:
        predict_prob, version = None, "not installed"
    ours, peer = [], []
    for _ in range(5):
        begin = time.perf_counter()
        toxicity.run(batch, Toxicity())
        ours.append(size / (time.perf_counter() - begin))
        if predict_prob is not None:
            begin = time.perf_counter()
            predict_prob(texts)
            peer.append(size / (time.perf_counter() - begin))
    middle = sorted(ours)[len(ours) // 2]
    other = sorted(peer)[len(peer) // 2] if peer else None
    return {
        "name": "toxicity",
        "unit": "MB/s",
        "ours": round(middle, 2),
        "peer": None if other is None else round(other, 2),
        "ratio": None if other is None else round(middle / other, 2),
        "peer_name": "alt-profanity-check",
        "versions": {"alt-profanity-check": version},
        "input": f"{size:.1f} MB of generated finance text",
        "rounds": 5,
    }
