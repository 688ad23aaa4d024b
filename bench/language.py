"""Language identification: our kernel on windows and on full text, and py3langid itself, on the same text."""

import itertools
import statistics
import sys
import time
from typing import Any

import pyarrow as pa

from bench import peers
from bench.corpora import SETS, documents, texts
from pipeline.measure.language import Language, language

ROUNDS = 3


def _ours(batch: pa.RecordBatch, settings: Language) -> tuple[float, list[str]]:
    start = time.perf_counter()
    labels = language.run(batch, settings)["label"].to_pylist()
    return time.perf_counter() - start, labels


def differing(size: int = 4096) -> tuple[int, int, list[tuple[str, str, str, str]]]:
    """Every text of every set, whole, against py3langid: texts, those whose windows give another label, and the differing.

    A differing text is its set, its beginning, our label and py3langid's. Minutes long.
    """
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz")
    default, full = Language(), Language(full_text=True)
    total, windows, wrong = 0, 0, []
    for name in SETS:
        every = documents(name)
        while some := list(itertools.islice(every, size)):
            batch = pa.record_batch({"text": pa.array(some, pa.large_string())})
            quick, whole = _ours(batch, default)[1], _ours(batch, full)[1]
            reference = [identifier.classify(text)[0] for text in some]
            total += len(some)
            windows += sum(map(str.__ne__, quick, reference))
            rows = zip(some, whole, reference, strict=True)
            wrong += [(name, text[:60], ours, theirs) for text, ours, theirs in rows if ours != theirs]
    return total, windows, wrong


def run(size_mb: int = 10, every: bool = False) -> dict[str, Any]:
    """MB/s of documents in the default mode against py3langid; full-text speed and agreement beside them.

    With `every`, labels are also compared on every text of `${CORPORA}`.
    """
    versions = peers.require("py3langid")
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz")
    column = texts(size_mb)
    whole_texts = column.to_pylist()
    size = sum(len(text.encode()) for text in whole_texts) / 1e6
    batch = pa.record_batch({"text": column})
    default, full = Language(), Language(full_text=True)
    looked = sum(min(len(text.encode()), default.windows * default.window_bytes) for text in whole_texts) / 1e6
    _ours(batch.slice(0, 8), default)
    ours, whole, peer = [], [], []
    labels, full_labels, reference = [], [], []
    for _ in range(ROUNDS):
        seconds, labels = _ours(batch, default)
        ours.append(seconds)
        seconds, full_labels = _ours(batch, full)
        whole.append(seconds)
        start = time.perf_counter()
        reference = [identifier.classify(text)[0] for text in whole_texts]
        peer.append(time.perf_counter() - start)
    fast, slow = size / statistics.median(ours), size / statistics.median(peer)
    compared = {}
    if every:
        total, windows, wrong = differing()
        compared = {
            "texts_compared": total,
            "full_text_labels_that_differ": len(wrong),
            "default_mode_agreement_on_every_text": 1 - windows / total,
        }
        for row in wrong[:20]:
            print(*row, file=sys.stderr)
    return {
        "name": "language",
        "unit": "MB/s",
        "ours": fast,
        "peer": slow,
        "ratio": fast / slow,
        "peer_name": "py3langid",
        "versions": versions,
        "input": f"{size:.1f} MB, {len(whole_texts)} documents: news, calls, speeches, Wikipedia, books, web",
        "rounds": ROUNDS,
        "looked_at": looked / statistics.median(ours),
        "full_text": size / statistics.median(whole),
        "full_text_agreement": sum(map(str.__eq__, full_labels, reference)) / len(reference),
        "agreement": sum(map(str.__eq__, labels, reference)) / len(reference),
        **compared,
    }
