"""Language identification: our kernel on windows and on full text, and py3langid itself, on the same text.

Speeds are of processor time. With `--every` labels are compared on every text of `${CORPORA}`; py3langid takes minutes for
that, so `--cache FOLDER` keeps its labels by set, text and version, and a second run goes on from there.
"""

import hashlib
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench import peers
from bench.corpora import SETS, documents, texts
from pipeline.measure.judges.language import Language, language

ROUNDS = 3


def _ours(batch: pa.RecordBatch, settings: Language) -> tuple[float, list[str]]:
    start = time.process_time()
    labels = language.run(batch, settings)["label"].to_pylist()
    return time.process_time() - start, labels


def _chunks(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(itertools.islice(texts, size)):
        yield some


def remembered(name: str, number: int, some: list[str], identifier: Any, cache: Path | None) -> list[str]:
    """py3langid's labels of some texts of a set, from `cache` when they are there."""
    if cache is None:
        return [identifier.classify(text)[0] for text in some]
    digest = hashlib.sha256(version("py3langid").encode())
    for text in some:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    path = cache / f"{name}-{number:03d}-{digest.hexdigest()[:24]}.json"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        labels = [identifier.classify(text)[0] for text in some]
        path.with_suffix(".tmp").write_text(json.dumps(labels))
        path.with_suffix(".tmp").rename(path)
    return json.loads(path.read_text())


def differing(cache: Path | None = None, size: int = 4096) -> tuple[int, int, list[tuple[str, str, str, str]]]:
    """Every text of every set, whole, against py3langid: texts, those whose windows give another label, and the differing.

    A differing text is its set, its beginning, our label and py3langid's. Minutes long without the labels in `cache`.
    """
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz")
    default, full = Language(), Language(full_text=True)
    total, windows, wrong = 0, 0, []
    for name in SETS:
        for number, some in enumerate(_chunks(documents(name), size)):
            batch = pa.record_batch({"text": pa.array(some, pa.large_string())})
            quick, whole = _ours(batch, default)[1], _ours(batch, full)[1]
            reference = remembered(name, number, some, identifier, cache)
            total += len(some)
            windows += sum(map(str.__ne__, quick, reference))
            rows = zip(some, whole, reference, strict=True)
            wrong += [(name, text[:60], ours, theirs) for text, ours, theirs in rows if ours != theirs]
    return total, windows, wrong


def run(size_mb: int = 10, every: bool = False, cache: Path | None = None) -> dict[str, Any]:
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
        start = time.process_time()
        reference = [identifier.classify(text)[0] for text in whole_texts]
        peer.append(time.process_time() - start)
    fast, slow = size / statistics.median(ours), size / statistics.median(peer)
    compared = {}
    if every:
        total, windows, wrong = differing(cache)
        compared = {
            "texts_compared": total,
            "full_text_labels_that_differ": len(wrong),
            "default_mode_agreement_on_every_text": 1 - windows / total,
        }
        for row in wrong[:20]:
            print(*row, file=sys.stderr)
    return {
        "name": "language",
        "unit": "MB per CPU second",
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
