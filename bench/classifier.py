"""The domain classifier on real text: finance against general, sources left out one at a time; its speed against fastText's.

`python -m bench.classifier` writes docs/classifiers.md.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import finance
from bench.corpora import documents, lines, root
from pipeline.classify.learn import train
from pipeline.classify.measures import auc, recall_at
from pipeline.classify.model import Model
from pipeline.classify.sample import Sample, excerpt, held_out, id_hashes

ROUNDS = 3
CHUNK = 20_000
"""Characters of a piece of a book: nobody publishes whole novels as one web page."""
DOMAIN = ("EDGAR", "Fed", "calls", "Reuters", "Reuters 1987", "BBC business")
NEWS = ("Reuters", "Reuters 1987", "BBC business")


@dataclass(frozen=True)
class Text:
    """One document of the evaluation; `owner` is who wrote it (company, speaker, work), as far as it is known."""

    source: str
    owner: str
    text: str

    @property
    def label(self) -> int:
        """1 for finance."""
        return int(self.source in DOMAIN)


def _filings() -> list[Text]:
    found = finance.sets(1)
    edgar, fed = found["EDGAR filings"], found["Fed speeches"]
    rows = zip(edgar["path"].to_pylist(), edgar["text"].to_pylist(), strict=True)
    texts = [Text("EDGAR", path.rpartition("/")[0] if "/fixtures/" in path else path, text) for path, text in rows]
    speeches = zip(fed["path"].to_pylist(), fed["text"].to_pylist(), strict=True)
    return texts + [Text("Fed", re.sub(r"\d.*", "", Path(path).name), text) for path, text in speeches]


@functools.cache
def corpus() -> list[Text]:
    """Finance and general documents, a fixed stride of the large sets."""
    found = _filings()
    calls = lines(root() / "finance/earnings_calls_2020_2021.jsonl.zst")
    found += [Text("calls", record["ticker"], record["text"]) for record in calls]
    plain = (
        ("Reuters", "reuters", 4),
        ("Reuters 1987", "reuters_1987", 4),
        ("Wikipedia", "wikipedia", 2),
        ("web", "web_gold", 1),
    )
    for source, name, stride in plain:
        chosen = list(documents(name))[::stride]
        found += [Text(source, f"{name}{at}", text) for at, text in enumerate(chosen)]
    for at, book in enumerate(documents("books")):
        found += [
            Text("books", f"book{at}", book[start : start + CHUNK]) for start in range(0, len(book) - CHUNK, 2 * CHUNK)
        ]
    for record in lines(root() / "general/bbc_news.jsonl.zst"):
        business = record["label"] == "business"
        found.append(Text("BBC business" if business else "BBC other", str(record["id"]), record["text"]))
    return [text for text in found if len(text.text) >= 200]


def sample_of(texts: list[Text]) -> tuple[Sample, list[Text]]:
    """What a run would draw from these documents, and the documents in the same order."""
    keyed = {hashlib.sha256(f"{t.source}\0{t.text}".encode()).hexdigest()[:32]: t for t in texts}
    hashes = id_hashes(pa.array(list(keyed)), 1)
    order = np.argsort(hashes, kind="stable")
    ordered = [list(keyed.values())[at] for at in order]
    column = pa.array([excerpt(t.text.encode()) for t in ordered], pa.large_binary())
    groups = [f"{t.source}:{t.owner}" for t in ordered]
    return Sample(column, np.array([t.label for t in ordered]), groups, hashes[order]), ordered


def _scores(model: Model, texts: list[Text]) -> np.ndarray:
    return model.score(pa.array([t.text for t in texts], pa.large_string()))[0]


def measure(leave: Callable[[Text], bool], method: str = "logistic") -> dict[str, Any]:
    """Train without some documents; tell them from the held-out documents of the other side."""
    inside = [t for t in corpus() if not leave(t)]
    outside = [t for t in corpus() if leave(t)]
    sample, ordered = sample_of(inside)
    model, card = train(sample, method)
    test = held_out(sample)[0]
    unseen = [t for t, is_test in zip(ordered, test, strict=True) if is_test]
    side = {t.label for t in outside}
    positive = [t for t in (outside if 1 in side else unseen) if t.label]
    negative = [t for t in (outside if 0 in side else unseen) if not t.label]
    p, n = _scores(model, positive), _scores(model, negative)
    return {
        "positives": len(p),
        "negatives": len(n),
        "auc": auc(p, n),
        "recall": recall_at(p, n, 0.01),
        "calibration": card["calibration"]["error"],
        "model": model,
        "worst": [negative[at] for at in np.argsort(-n)[:40]],
    }


def _half(text: Text) -> bool:
    return hashlib.sha256(text.owner.encode()).digest()[0] % 2 == 0


CASES: dict[str, Callable[[Text], bool]] = {
    "nothing (unseen companies, speakers, works)": lambda t: False,
    "Reuters 2006-2010 (other news stay)": lambda t: t.source == "Reuters",
    "Reuters 1987 (other news stay)": lambda t: t.source == "Reuters 1987",
    "BBC business (other news stay)": lambda t: t.source == "BBC business",
    "half of the EDGAR filings, by company": lambda t: t.source == "EDGAR" and _half(t),
    "half of the Fed speeches, by speaker": lambda t: t.source == "Fed" and _half(t),
    "half of the earnings calls, by company": lambda t: t.source == "calls" and _half(t),
    "Wikipedia": lambda t: t.source == "Wikipedia",
    "books": lambda t: t.source == "books",
    "BBC other": lambda t: t.source == "BBC other",
    "web pages": lambda t: t.source == "web",
    "EDGAR, all": lambda t: t.source == "EDGAR",
    "Fed speeches, all": lambda t: t.source == "Fed",
    "earnings calls, all": lambda t: t.source == "calls",
    "EDGAR and all news": lambda t: t.source in ("EDGAR", *NEWS),
}
"""What training does not see. From `EDGAR, all` on, the genre itself is unknown to it."""
