"""Language identification: our kernel on windows and on full text, and py3langid itself, on the same text."""

import statistics
import time
from typing import Any

import pyarrow as pa

from bench import peers
from bench.corpora import texts
from pipeline.measure.language import Language, language

ROUNDS = 3


def _ours(batch: pa.RecordBatch, settings: Language) -> tuple[float, list[str]]:
    start = time.perf_counter()
    labels = language.run(batch, settings)["label"].to_pylist()
    return time.perf_counter() - start, labels


def run(size_mb: int = 10) -> dict[str, Any]:
    """MB/s of documents in the default mode against py3langid; full-text speed and agreement beside them."""
    versions = peers.require("py3langid")
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz")
    column = texts(size_mb)
    documents = column.to_pylist()
    size = sum(len(text.encode()) for text in documents) / 1e6
    batch = pa.record_batch({"text": column})
    default, full = Language(), Language(full_text=True)
    looked = sum(min(len(text.encode()), default.windows * default.window_bytes) for text in documents) / 1e6
    _ours(batch.slice(0, 8), default)
    ours, whole, peer = [], [], []
    labels, full_labels, reference = [], [], []
    for _ in range(ROUNDS):
        seconds, labels = _ours(batch, default)
        ours.append(seconds)
        seconds, full_labels = _ours(batch, full)
        whole.append(seconds)
        start = time.perf_counter()
        reference = [identifier.classify(text)[0] for text in documents]
        peer.append(time.perf_counter() - start)
    fast, slow = size / statistics.median(ours), size / statistics.median(peer)
    return {
        "name": "language",
        "unit": "MB/s",
        "ours": fast,
        "peer": slow,
        "ratio": fast / slow,
        "peer_name": "py3langid",
        "versions": versions,
        "input": f"{size:.1f} MB, {len(documents)} documents: news, calls, speeches, Wikipedia, books, web",
        "rounds": ROUNDS,
        "looked_at": looked / statistics.median(ours),
        "full_text": size / statistics.median(whole),
        "full_text_agreement": sum(map(str.__eq__, full_labels, reference)) / len(reference),
        "agreement": sum(map(str.__eq__, labels, reference)) / len(reference),
    }
