"""What 1, 100 and 1,000 TB of HTML would take, from measured rates: core-hours, memory, requests, disk, dollars.

Nothing is run: rates are read from docs/benchmarks.json (`pipeline_full`, `scale`, `shards`), and the assumptions stand here.
Steps that go by shards are charged by bytes of HTML, those over the whole corpus by documents, those over text by its bytes.
"""

import json
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent / "docs/benchmarks.json"
SIZES_TB = (1, 100, 1000)
HTML_BYTES = 95e6 / 1068
"""Of a document: the crawl of `bench pipeline`."""
TEXT_SHARE = 0.1
"""Text of a byte of HTML, before anything is removed: pre-tokens extracted of raw ones, on the embedded sample."""
CLUSTERED = 0.3
"""Documents with a key in common with another."""
SHARD_BYTES = 1e9
"""HTML of a shard: one input file."""
JUDGES = 13
DISK = 0.8
"""Bytes of a run folder for a byte of compressed input, on the embedded sample; compressed HTML is a fifth of HTML."""
REQUESTS_A_SHARD = 280
"""Of a run with five judges on object storage: the difference of the tiny run with 2 and with 6 shards, each a source."""
REQUESTS_A_JUDGE = 6
"""More for each judge: its file is written, read back and opened twice."""
CORE_HOUR, THOUSAND_PUTS, GB_MONTH = 0.015, 0.005, 0.023
"""Dollars: a processor of a spot node, a thousand requests if all of them wrote, a gigabyte on object storage for a month."""
BY_SHARDS = ("files", "extract", "measure", "scatter", "shards", "driver")
"""Steps that are in the rates by bytes already."""
HELD = {
    "union of clusters": lambda documents: documents * (6 + 75 * CLUSTERED),
    "driver": lambda documents: documents * HTML_BYTES / SHARD_BYTES * (JUDGES + 12) * 4000,
    "report": lambda documents: documents * 33,
    "a part of decide": lambda documents: min(documents, 2**21) * 190,
}
"""Bytes that one task, or the driver, holds: as the pages of each step say, and as `scale` and `scale_driver` measured."""


def run() -> dict:
    """Core-hours of 100 TB; the table has a row a size."""
    known = json.loads(BENCHMARKS.read_text())
    by_bytes, by_text = known["pipeline_full"]["ours"] * 1e6, known["shards"]["ours"] * 1e6
    steps = {row[0]: row[2] for row in known["scale"]["tables"]["steps"]["rows"]}
    by_document = sum(cost for step, cost in steps.items() if step not in BY_SHARDS) * 1e-6
    rows, memory = [], []
    for size in SIZES_TB:
        html = size * 1e12
        documents, shards = html / HTML_BYTES, html / SHARD_BYTES
        seconds = html / by_bytes + documents * by_document + html * TEXT_SHARE / by_text
        requests = shards * (REQUESTS_A_SHARD + REQUESTS_A_JUDGE * (JUDGES - 5))
        disk = html / 5 * DISK
        alone = documents * steps["cluster"] * 1e-6 / 3600
        dollars = seconds / 3600 * CORE_HOUR + requests / 1000 * THOUSAND_PUTS
        held = {name: rule(documents) / 2**30 for name, rule in HELD.items()}
        rows.append([f"{size:,}", f"{documents / 1e6:,.0f}", f"{seconds / 3600:,.0f}", f"{alone:.1f}"])
        rows[-1] += [f"{requests / 1e6:,.2f}", f"{disk / 1e12:,.2f}", f"{dollars:,.0f}"]
        rows[-1] += [f"{disk / 1e9 * GB_MONTH:,.0f}"]
        memory.append([f"{size:,}", *(f"{amount:,.1f}" for amount in held.values())])
    head = ["TB of HTML", "million documents", "core-hours", "hours that one task works alone", "million requests"]
    head += ["TB written", "$ of processors and requests", "$ a month of storage"]
    tables = {
        "cost": {"head": head, "rows": rows},
        "memory": {"head": ["TB of HTML", *(f"{name}, GiB" for name in HELD)], "rows": memory},
    }
    for table in tables.values():
        for row in [table["head"], ["---:"] * len(table["head"]), *table["rows"]]:
            print(f"| {' | '.join(row)} |", file=sys.stderr)
    return {
        "name": "scale_plan",
        "unit": "core-hours for 100 TB of HTML",
        "ours": float(rows[1][2].replace(",", "")),
        "peer": None,
        "ratio": None,
        "peer_name": "",
        "versions": {},
        "input": "rates that other benches measured",
        "rounds": 1,
        "tables": tables,
    }
