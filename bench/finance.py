"""How many good finance documents the finance recipe's heuristics keep, and stock FineWeb's rules, after our extraction.

A filing is good when it is a filing (no index, search or viewer page of EDGAR) with at least 100 words outside tables.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from bench.corpora import documents, lines, members, root
from bench.published import PUBLISHED
from pipeline.core.batch import RECORDS
from pipeline.core.judge import Judge, judges
from pipeline.core.settings import JudgeSettings
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.records import extract_batch
from pipeline.measure.judges.gopher import Gopher, gopher

NO_FILING = re.compile(
    r"(^|[/_-])R\d+\.html?$|index-headers|fundclass|fundseries|fund-series|sec_forms_page|AutomatedTool|infotable|"
    r"troweprice"
)
HEURISTICS = ("language", "gopher", "repetition", "fineweb", "c4", "dolma")
STOCK: dict[str, dict[str, Any]] = {
    "gopher": PUBLISHED["Gopher"],
    "repetition": PUBLISHED["Repetition"],
    "c4": {**PUBLISHED["C4"], "filter_no_terminal_punct": False},
    "fineweb": PUBLISHED["FineWeb"],
}
"""FineWeb's chain of filters with its own thresholds."""


def extracted(items: list[tuple[str, bytes]], kind: str) -> pa.RecordBatch:
    """The documents of files, as a run extracts them, without those it quarantines."""
    rows = [
        {"id": hashlib.sha256(name.encode()).hexdigest()[:32], "path": name, "kind": kind, "payload": body}
        for name, body in items
    ]
    found = extract_batch(pa.RecordBatch.from_pylist(rows, schema=RECORDS), ExtractSettings.model_validate({}))
    return found.filter(pa.compute.is_null(found["reason"]))


def _tar(name: str, wanted: Callable[[str], bool]) -> list[tuple[str, bytes]]:
    return [(path, body) for path, body in members(root() / name) if wanted(path)]


def _html(path: str) -> bool:
    return path.lower().endswith((".htm", ".html"))


def sets(stride: int) -> dict[str, pa.RecordBatch]:
    """The finance sets and what surrounds them, extracted; every `stride`-th document of the large ones."""
    filings = extracted(_tar("finance/edgar_filings_html_a.tar.zst", _html), "html")
    words = np.array(gopher.run(filings, Gopher(prose_only=True))["num_words"])
    paths = filings["path"].to_pylist()
    good = np.array([not NO_FILING.search(path) for path in paths]) & (words >= 100)
    speeches = _tar("finance/fed_speeches_html_and_text.tar.zst", _html)[::stride]
    calls = [
        (str(at), record["text"].encode())
        for at, record in enumerate(lines(root() / "finance/earnings_calls_2020_2021.jsonl.zst"))
    ]
    plain = ("reuters", "wikipedia", "bbc", "korean_chinese")
    texts = {name: [(str(at), text.encode()) for at, text in enumerate(documents(name))] for name in plain}
    return {
        "EDGAR filings": filings.filter(pa.array(good)),
        "Fed speeches": extracted(speeches, "html"),
        "earnings calls": extracted(calls[::stride], "text"),
        "Reuters": extracted(texts["reuters"][:: 8 * stride], "text"),
        "Wikipedia": extracted(texts["wikipedia"][:: 8 * stride], "text"),
        "BBC": extracted(texts["bbc"][::stride], "text"),
        "EDGAR index and viewer pages": filings.filter(pa.array(~good)),
        "Korean and Chinese": extracted(texts["korean_chinese"][:: 8 * stride], "text"),
    }


def recipe_rules(path: Path = Path("recipes/finance.yaml")) -> dict[str, dict[str, Any]]:
    """The heuristic judges of a recipe's `curate:` block, with their settings."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["curate"]
    named = [entry if isinstance(entry, dict) else {entry: {}} for entry in entries]
    return {name: settings or {} for entry in named for name, settings in entry.items() if name in HEURISTICS}


def kept(batch: pa.RecordBatch, rules: dict[str, dict[str, Any]]) -> np.ndarray:
    """bool per document: no rule removes it."""
    known: dict[str, Judge] = judges()
    passed = np.ones(len(batch), np.bool_)
    for name, chosen in rules.items():
        settings: JudgeSettings = known[name].settings(**chosen)
        signals = pa.table(known[name].run(batch, settings.without_thresholds()))
        for mask in known[name].rules(signals, settings).values():
            passed &= ~mask.to_numpy(zero_copy_only=False)
    return passed


def run(size_mb: int = 100) -> dict[str, Any]:
    """Kept share of good filings, speeches and calls: the worst set by our recipe and by the stock rules."""
    found = sets(1 if size_mb >= 100 else 8)
    recipe = recipe_rules()
    table = {
        name: {
            "documents": len(batch),
            "recipe": float(kept(batch, recipe).mean()),
            "stock": float(kept(batch, STOCK).mean()),
        }
        for name, batch in found.items()
    }
    good = [table[name] for name in ("EDGAR filings", "Fed speeches", "earnings calls")]
    ours, peer = (100 * min(row[side] for row in good) for side in ("recipe", "stock"))
    return {
        "name": "finance",
        "unit": "% of good documents kept, worst of filings, speeches and calls",
        "ours": ours,
        "peer": peer,
        "ratio": ours / max(peer, 0.1),
        "peer_name": "stock FineWeb thresholds",
        "versions": {},
        "input": f"{sum(row['documents'] for row in table.values()):,} documents",
        "rounds": 1,
        "sets": table,
    }
