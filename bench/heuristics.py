"""Gopher quality and repetition, C4 and FineWeb together: our judges and datatrove's four filters on the same text."""

import statistics
import time
from typing import Any

import pyarrow as pa

from bench import peers
from bench.corpora import texts
from pipeline.core.batch import SPAN
from pipeline.kernels.text.line_stats import last_lines
from pipeline.kernels.text.words import last_words
from pipeline.measure.judges.c4 import C4, c4
from pipeline.measure.judges.fineweb import FineWeb, fineweb
from pipeline.measure.judges.gopher import Gopher, gopher
from pipeline.measure.judges.repetition import Repetition, repetition

ROUNDS = 3


def _ours(batch: pa.RecordBatch) -> float:
    last_words.clear()
    last_lines.clear()
    start = time.perf_counter()
    for judge, settings in ((gopher, Gopher()), (repetition, Repetition()), (c4, C4()), (fineweb, FineWeb())):
        judge.run(batch, settings)
    return time.perf_counter() - start


def _datatrove(documents: list[str]) -> float:
    from datatrove.data import Document
    from datatrove.pipeline.filters.c4_filters import C4QualityFilter
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
    from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter
    from datatrove.utils.text import split_into_parts

    blocks: list[Any] = [GopherQualityFilter(), GopherRepetitionFilter(), FineWebQualityFilter(), C4QualityFilter()]
    for block in blocks:  # loads spaCy
        block.filter(Document(text="warm up", id="0"))
    split_into_parts.cache_clear()
    start = time.perf_counter()
    for text in documents:
        # C4 last: it asks spaCy about each line and pushes the document's words out of datatrove's cache.
        for block in blocks:
            block.filter(Document(text=text, id="0"))
    return time.perf_counter() - start


def run(size_mb: int = 8) -> dict[str, Any]:
    """Both sides in turns on about `size_mb` MB of finance, general and web text; MB/s, medians."""
    versions = peers.require("datatrove", "spacy")
    column = texts(size_mb)
    documents = column.to_pylist()
    size = sum(len(text.encode()) for text in documents) / 1e6
    batch = pa.record_batch({"text": column, "table_spans": pa.array([[]] * len(column), pa.list_(SPAN))})
    _ours(batch)  # compiles, or loads what is compiled
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(size / _ours(batch))
        peer.append(size / _datatrove(documents))
    fast, slow = statistics.median(ours), statistics.median(peer)
    return {
        "name": "heuristics",
        "unit": "MB/s",
        "ours": fast,
        "peer": slow,
        "ratio": fast / slow,
        "peer_name": "datatrove: Gopher quality, Gopher repetition, C4, FineWeb",
        "versions": versions,
        "input": f"{size:.1f} MB, {len(documents)} documents: news, calls, speeches, Wikipedia, books, web",
        "rounds": ROUNDS,
    }
