"""WARC to verdicts: our steps to `decide` and datatrove's FineWeb example on the same WARC file, one core each.

Ours: text by resiliparse, language, Gopher, FineWeb and C4 rules, exact hashes and MinHash signatures, clusters, verdicts,
all committed as Parquet; every rule measures every document, and removed documents stay in the files.
datatrove: the pipeline of its examples/fineweb.py. Its WARC reader, trafilatura (precision), Gopher repetition, Gopher
quality, C4 and FineWeb filters in that order, each seeing only what the one before let through, removed documents written
by exclusion writers, then MinHash signatures, buckets, clusters and filter over the rest (14 x 8, 5-grams). Differences to
the example: Parquet in place of gzipped JSON lines, which is faster; no URL filter (ours has none either) and no language
filter (its model is a download; ours has one); a minute for each page in place of a second, because on a busy machine a
page that is given up costs nothing more. So datatrove does less: pages it removes early cost it nothing later.
`bare` is fastwarc and resiliparse alone, which reads, decodes and extracts and keeps nothing.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import peers
from bench.crawl_files import even_sample
from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.flow import advance
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import parse

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
    advance(Run(store, recipe, Runner(store, InProcess())), "decide")
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
    """Seconds of datatrove's pipeline and its four MinHash stages, in one process."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.readers import ParquetReader, WarcReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.hashing import HashConfig

    def removed(name: str) -> Any:
        return ParquetWriter(str(out / "removed" / name))

    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64))
    passed, folders = str(out / "output"), {name: str(out / name) for name in ("signatures", "buckets", "clusters")}
    stages: list[tuple[int, list[Any]]] = [
        (
            1,
            [
                WarcReader(str(folder), glob_pattern="*.warc.gz"),
                Trafilatura(favour_precision=True, timeout=60),
                GopherRepetitionFilter(exclusion_writer=removed("gopher_rep")),
                GopherQualityFilter(exclusion_writer=removed("gopher_qual")),
                C4QualityFilter(filter_no_terminal_punct=False, exclusion_writer=removed("c4")),
                FineWebQualityFilter(exclusion_writer=removed("fineweb_qual")),
                ParquetWriter(passed),
            ],
        ),
        (1, [ParquetReader(passed), MinhashDedupSignature(folders["signatures"], config=config)]),
        (config.num_buckets, [MinhashDedupBuckets(folders["signatures"], folders["buckets"], config=config)]),
        (1, [MinhashDedupCluster(folders["buckets"], folders["clusters"], config=config)]),
        (
            1,
            [
                ParquetReader(passed),
                MinhashDedupFilter(folders["clusters"], exclusion_writer=removed("minhash")),
                ParquetWriter(str(out / "deduplicated")),
            ],
        ),
    ]
    start = time.perf_counter()
    for number, (tasks, blocks) in enumerate(stages):
        LocalPipelineExecutor(pipeline=blocks, tasks=tasks, logging_dir=str(out / "logs" / str(number))).run()
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
            "peer_name": "datatrove's FineWeb example",
            "bare_fastwarc_resiliparse": found["bare"],
            "share_of_bare": found["ours"] / found["bare"],
            "versions": versions,
            "input": f"{records} records, {size / 1e6:.0f} MB, an even sample of the crawl",
            "rounds": ROUNDS,
        }


def run(size_mb: int = 100) -> dict[str, Any]:
    """The core judges."""
    return compare(RECIPE, size_mb)
