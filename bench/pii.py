"""Personal data: our scan against presidio's patterns, on news text with planted data."""

import importlib.metadata
import time

from bench.peer_text import finance_like_text


def run(size_mb: int = 10) -> dict:
    """MB/s of the judge `pii` and of presidio-analyzer's pattern recognizers, in turns, one core each."""
    import pyarrow as pa

    from pipeline.measure.pii import Pii, pii

    texts = finance_like_text(size_mb * 1_000_000)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    size = sum(len(text.encode()) for text in texts) / 1e6
    pii.run(batch.slice(0, 1), Pii())
    peer_texts = texts[: max(1, len(texts) // (10 * size_mb))]
    peer_size = sum(len(text.encode()) for text in peer_texts) / 1e6
    analyze, versions = _presidio()
    ours, peer = [], []
    for _ in range(5):
        begin = time.perf_counter()
        pii.run(batch, Pii())
        ours.append(size / (time.perf_counter() - begin))
        if analyze is not None:
            begin = time.perf_counter()
            for text in peer_texts:
                analyze(text)
            peer.append(peer_size / (time.perf_counter() - begin))
    middle = sorted(ours)[len(ours) // 2]
    other = sorted(peer)[len(peer) // 2] if peer else None
    return {
        "name": "pii",
        "unit": "MB/s",
        "ours": round(middle, 2),
        "peer": None if other is None else round(other, 3),
        "ratio": None if other is None else round(middle / other, 1),
        "peer_name": "presidio-analyzer pattern recognizers",
        "versions": versions,
        "input": f"{size:.1f} MB of generated finance text (presidio: {peer_size:.2f} MB of it)",
        "rounds": 5,
    }


def _presidio() -> tuple:
    try:
        from presidio_analyzer import predefined_recognizers as known  # type: ignore[import-not-found]
    except ImportError:
        return None, {"presidio-analyzer": "not installed"}
    found = [
        recognizer()
        for recognizer in (
            known.EmailRecognizer,
            known.IpRecognizer,
            known.IbanRecognizer,
            known.CreditCardRecognizer,
            known.UsSsnRecognizer,
            known.PhoneRecognizer,
        )
    ]

    def analyze(text: str) -> None:
        for recognizer in found:
            recognizer.analyze(text, recognizer.supported_entities, None)

    return analyze, {"presidio-analyzer": importlib.metadata.version("presidio-analyzer")}
