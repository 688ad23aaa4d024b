"""Cost as the input grows: WARC to verdicts on 10 MB to 1 GB of the crawl's pages, a fresh worker process per size.

Each size is a folder of WARC files of about 100 MB of payload, as `bench pipeline` reads them; beyond the crawl's own size
its records are taken again, under other addresses. Reported per size: MB of HTML per second of processor time (wall time
beside it), the peak resident memory of the process, and what a second start costs before the first byte. A first run on a
machine compiles the kernels as well: measured once, on the smallest size, with an empty cache.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from fastwarc.warc import WarcRecord

from bench.crawl_files import each_record

FIRST_MB, LARGEST_MB = 10, 1000
SHARD_MB = 100


def _endless() -> Iterator[tuple[int, WarcRecord]]:
    """The crawl's records again and again, with the number of the round."""
    number = 0
    while True:
        for record in each_record():
            yield number, record
        number += 1


def write_folder(folder: Path, size_mb: int) -> int:
    """Fill a folder with WARC files of `size_mb` MB of payload in all; gives the bytes of payload."""
    folder.mkdir(parents=True)
    written, shard = 0, 0
    stream = None
    for number, record in _endless():
        if stream is None or written >= (shard * SHARD_MB * 1_000_000):
            if stream is not None:
                stream.close()
            stream = (folder / f"part-{shard:05d}.warc.gz").open("wb")
            shard += 1
        if number:
            record.headers["WARC-Target-URI"] = f"{record.headers['WARC-Target-URI']}?again={number}"
        written += record.content_length
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as member:
            record.write(member)
        if written >= size_mb * 1_000_000:
            break
    if stream is not None:
        stream.close()
    return written


def work(folder: str, out: str) -> dict[str, float]:
    """In the worker: the whole way to committed verdicts, and what it took."""
    from bench.pipeline import RECIPE, ours
    from pipeline.recipe.located_yaml import read_yaml
    from pipeline.recipe.model import parse

    recipe = parse("bench", read_yaml("bench", RECIPE.encode()), [], {"FOLDER": folder})
    before, start = time.process_time(), time.perf_counter()
    ours(recipe, out)
    return {
        "import_cpu_s": before,
        "cpu_s": time.process_time() - before,
        "wall_s": time.perf_counter() - start,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _measured(folder: Path, out: Path, **environment: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.growth", str(folder), str(out)]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(size_mb: int = LARGEST_MB) -> dict[str, Any]:
    """Sizes from 10 MB on, ten times more each, up to `size_mb`."""
    sizes = [FIRST_MB]
    while sizes[-1] * 10 <= size_mb:
        sizes.append(sizes[-1] * 10)
    rows: dict[str, dict[str, float]] = {}
    spent: dict[int, tuple[float, float]] = {}
    compile_s = 0.0
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        base = Path(name)
        for size in sizes:
            payload = write_folder(base / f"{size}", size)
            if size == FIRST_MB:
                cold = _measured(base / f"{size}", base / "cold", NUMBA_CACHE_DIR=str(base / "kernels"))
                _measured(base / f"{size}", base / "warm")
            found = _measured(base / f"{size}", base / f"out{size}")
            spent[size] = (payload / 1e6, found["cpu_s"])
            rows[f"{size}_mb"] = {
                "mb_per_cpu_s": round(payload / 1e6 / found["cpu_s"], 1),
                "mb_per_s": round(payload / 1e6 / found["wall_s"], 1),
                "peak_mib": round(found["peak_mib"]),
                "import_cpu_s": round(found["import_cpu_s"], 1),
            }
            if size == FIRST_MB:
                compile_s = cold["cpu_s"] - found["cpu_s"]
    last = rows[f"{sizes[-1]}_mb"]
    # What each ten-fold step adds, without what every process pays once (model, compiled kernels): equal when linear.
    beyond = {
        f"{after}_mb": round((spent[after][0] - spent[before][0]) / (spent[after][1] - spent[before][1]), 1)
        for before, after in pairwise(sizes)
    }
    return {
        "unit": "MB of HTML per processor second",
        "ours": last["mb_per_cpu_s"],
        "peer": None,
        "ratio": None,
        "peer_name": None,
        "sizes": rows,
        "mb_per_cpu_s_beyond_the_start": beyond,
        "peak_mib": max(row["peak_mib"] for row in rows.values()),
        "first_run_compiles_cpu_s": round(compile_s, 1),
        "versions": {},
        "input": f"{sizes[0]} to {sizes[-1]} MB of the crawl, in WARC files of {SHARD_MB} MB, one process a size",
        "rounds": 1,
    }


if __name__ == "__main__":
    print(json.dumps(work(*sys.argv[1:3])))
