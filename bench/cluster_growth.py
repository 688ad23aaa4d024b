"""Clustering at 10^5, 10^6 and 10^7 documents: time, disk and memory; and the two worst cases at 10^6.

`--size` is the largest number of documents in thousands; the smaller ones are a tenth and a hundredth of it. Memory is
the peak of the process, mapped files and the interpreter with its libraries included.
"""

import sys

from bench.cluster import measured
from bench.signatures import BANDS, ONE_CHAIN, ONE_KEY, PLANTED, ROWS

FIXED_MIB = 400
"""What a process may take whatever it is given; beyond it 64 bytes a document."""
BYTES = 64


def run(size_mb: int = 10_000) -> dict:
    """Documents per second at the largest size; the ratio is how much of that is left of the rate at a hundredth."""
    most = size_mb * 1000
    cases = [
        (most // 100, PLANTED),
        (most // 10, PLANTED),
        (most // 10, ONE_KEY),
        (most // 10, ONE_CHAIN),
        (most, PLANTED),
    ]
    rows, rate = [], {}
    for count, shape in cases:
        found = measured("ours", count, shape)
        if found is None:
            raise SystemExit(f"{count} documents, {shape}: did not finish")
        rate[count, shape] = count / 1000 / found["seconds"]
        beyond = max(found["peak_mib"] - FIXED_MIB, 0) * 2**20 / count
        row = [f"{count:,}", shape, found["seconds"], found["seconds"] * 1e6 / count, found["disk_mib"]]
        row += [found["disk_mib"] * 2**20 / count, found["peak_mib"], beyond, f"{found['removed']:,}"]
        rows.append([round(value, 2) if isinstance(value, float) else value for value in row])
        print(*rows[-1], sep="  ", file=sys.stderr)
    return {
        "name": "cluster_growth",
        "unit": "thousand documents per CPU second",
        "ours": round(rate[most, PLANTED], 1),
        "peer": round(rate[most // 100, PLANTED], 1),
        "ratio": round(rate[most, PLANTED] / rate[most // 100, PLANTED], 2),
        "peer_name": f"ours at {most // 100:,} documents",
        "versions": {},
        "input": f"{most // 100:,} to {most:,} documents, {BANDS} bands of {ROWS}",
        "rounds": 1,
        "tables": {
            "growth": {
                "head": [
                    "documents",
                    "case",
                    "CPU seconds",
                    "µs a document",
                    "disk, MiB",
                    "bytes a document",
                    "peak memory, MiB",
                    f"bytes a document above {FIXED_MIB} MiB",
                    "removed",
                ],
                "rows": rows,
            }
        },
    }
