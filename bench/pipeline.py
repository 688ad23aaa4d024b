"""WARC to verdicts: our steps to `decide` and datatrove's FineWeb-like pipeline on the same WARC file, one core each.

Ours: text by resiliparse, language, Gopher, FineWeb and C4 rules, exact hashes and MinHash signatures, clusters, verdicts,
all committed as Parquet. datatrove: its WARC reader, trafilatura, Gopher quality and repetition, C4 and FineWeb filters and
its Parquet writer; no language filter (its model is a download), no signatures.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import peers
from bench.crawl_files import even_sample
from pipeline.core.execute import InProcess, Runner
from pipeline.core.store import Store
from pipeline.flow import advance
from pipeline.located_yaml import read_yaml
from pipeline.recipe import parse
from pipeline.steps.context import Run

ROUNDS = 3
RECIPE = """\
name: bench
use: crawl
sources:
  crawl:
    - {name: crawl, kind: warc, path: "${FOLDER}"}
curate:
  - language: {keep: [en], min_score: 0.5}
  - gopher: {min_num_words: 50, max_num_words: 100000}
  - repetition: {max_dup_line_frac: 0.3}
  - fineweb: {min_line_punct_ratio: 0.12}
  - c4
  - exact
  - minhash
"""


def ours(recipe: Any, out: str) -> float:
    """Seconds to committed verdicts."""
    start = time.perf_counter()
    store = Store(out)
    advance(Run(recipe, store, Runner(store, InProcess())), "decide")
    return time.perf_counter() - start


def bare(warc: Path) -> float:
    """Seconds of fastwarc and resiliparse's main content alone: the floor under any pipeline built on them."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    start = time.perf_counter()
    with warc.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            payload = record.reader.read()
            extract_plain_text(bytes_to_str(payload, detect_encoding(payload) or "utf-8"), main_content=True)
    return time.perf_counter() - start


def datatrove(folder: Path, out: Path) -> float:
    """Seconds of datatrove's pipeline, in one process."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.readers import WarcReader
    from datatrove.pipeline.writers import ParquetWriter

    start = time.perf_counter()
    LocalPipelineExecutor(
        pipeline=[
            WarcReader(str(folder), glob_pattern="*.warc.gz"),
            Trafilatura(favour_precision=True),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            ParquetWriter(str(out / "output")),
        ],
        tasks=1,
        logging_dir=str(out / "logs"),
    ).run()
    return time.perf_counter() - start


def compare(text: str, size_mb: int) -> dict[str, Any]:
    """Both sides in turns on the same WARC file."""
    versions = peers.require("datatrove", "trafilatura", "spacy")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        work = Path(name)
        source = work / "crawl"
        source.mkdir()
        records, size = even_sample(source / "crawl.warc.gz", size_mb)
        recipe = parse("bench", read_yaml("bench", text.encode()), [], {"FOLDER": str(source)})
        ours(recipe, str(work / "warm"))  # compiles, or loads what is compiled
        speeds: dict[str, list[float]] = {"ours": [], "peer": [], "bare": []}
        for number in range(ROUNDS):
            speeds["ours"].append(size / 1e6 / ours(recipe, str(work / f"out{number}")))
            speeds["bare"].append(size / 1e6 / bare(source / "crawl.warc.gz"))
            speeds["peer"].append(size / 1e6 / datatrove(source, work / f"peer{number}"))
        found = {side: statistics.median(values) for side, values in speeds.items()}
        return {
            "unit": "MB of HTML per second",
            "ours": found["ours"],
            "peer": found["peer"],
            "ratio": found["ours"] / found["peer"],
            "peer_name": "datatrove with trafilatura",
            "bare_fastwarc_resiliparse": found["bare"],
            "share_of_bare": found["ours"] / found["bare"],
            "versions": versions,
            "input": f"{records} records, {size / 1e6:.0f} MB, an even sample of the crawl",
            "rounds": ROUNDS,
        }


def run(size_mb: int = 40) -> dict[str, Any]:
    """The core judges."""
    return compare(RECIPE, size_mb)
