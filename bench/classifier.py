"""The domain classifier on real text: finance against general, sources left out one at a time; its speed against fastText's.

`python -m bench.classifier` writes docs/classifiers.md.
"""

import functools
import hashlib
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
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


def _fasttext(texts: list[Text], seen: list[Text]) -> tuple[float, float | None, float | None] | None:
    """MB/s, AUC and recall of a fastText classifier (words 1-2, dimension 16) on the same split; None without it."""
    try:
        import fasttext  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    if not hasattr(fasttext, "train_supervised"):
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for t in seen:
            line = " ".join(re.findall(r"\w+", excerpt(t.text.encode()).decode().lower()))
            file.write(f"__label__{t.label} {line}\n")
        file.flush()
        model = fasttext.train_supervised(
            file.name, wordNgrams=2, bucket=2**18, dim=16, lr=0.5, epoch=6, thread=1, verbose=0
        )
    flat = [" ".join(re.findall(r"\w+", t.text.lower())) for t in texts]
    start = time.perf_counter()
    # The wheels repeat the first label's chance for the others: ask for one label.
    found = zip(*model.predict(flat, k=1), strict=True)
    scores = np.array([p[0] if label[0] == "__label__1" else 1 - p[0] for label, p in found])
    seconds = time.perf_counter() - start
    labels = np.array([t.label for t in texts])
    size = sum(len(t.text.encode()) for t in texts) / 1e6
    return (
        size / seconds,
        auc(scores[labels == 1], scores[labels == 0]),
        recall_at(scores[labels == 1], scores[labels == 0], 0.01),
    )


def run(size_mb: int = 20) -> dict[str, Any]:
    """MB/s of scoring whole documents, and AUC on unseen owners; fastText's beside them where it is installed."""
    from pipeline.measure.domain import domain

    sample, ordered = sample_of(corpus())
    start = time.perf_counter()
    model, card = train(sample)
    seconds = time.perf_counter() - start
    test = held_out(sample)[0]
    unseen = [t for t, is_test in zip(ordered, test, strict=True) if is_test]
    seen = [t for t, is_test in zip(ordered, test, strict=True) if not is_test]
    total = sum(len(t.text) for t in unseen)
    chosen = unseen[:: max(1, round(total / (size_mb * 1e6)))]
    size = sum(len(t.text.encode()) for t in chosen) / 1e6
    ids = pa.array([f"{at:032x}" for at in range(len(chosen))])
    batch = pa.record_batch({"id": ids, "text": pa.array([t.text for t in chosen], pa.large_string())})
    settings = domain.settings()
    domain.run(batch.slice(0, 2), settings, model)
    speeds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        domain.run(batch, settings, model)
        speeds.append(size / (time.perf_counter() - start))
    ours, peer = statistics.median(speeds), _fasttext(chosen, seen)
    return {
        "name": "classifier",
        "unit": "MB/s",
        "ours": ours,
        "peer": peer[0] if peer else None,
        "ratio": ours / peer[0] if peer else None,
        "peer_name": "fastText, words already split and lower-cased",
        "versions": _fasttext_version() if peer else {},
        "input": f"{size:.1f} MB, {len(chosen)} documents of owners that training did not see",
        "rounds": ROUNDS,
        "training_seconds": round(seconds, 2),
        "trained_on": card["trained"],
        "auc": card["auc"],
        "recall_at_1_percent": card["recall_at_1_percent_false_positives"],
        "calibration_error": card["calibration"]["error"],
        "peer_auc": peer[1] if peer else None,
        "peer_recall_at_1_percent": peer[2] if peer else None,
    }


def _fasttext_version() -> dict[str, str]:
    names = metadata.packages_distributions().get("fasttext", [])
    return {name: metadata.version(name) for name in names}


def _rows(method: str, cases: dict[str, Callable[[Text], bool]]) -> list[str]:
    rows = []
    for name, leave in cases.items():
        found = measure(leave, method)
        rows.append(
            f"| {name} | {found['positives']:,} | {found['negatives']:,} | {found['auc']:.4f} | {found['recall']:.3f} |"
        )
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """Write docs/classifiers.md."""
    counts: dict[str, int] = {}
    for text in corpus():
        counts[text.source] = counts.get(text.source, 0) + 1
    head = [
        "| left out of training | finance | general | AUC | recall at 1 % false positives |",
        "|---|---|---|---|---|",
    ]
    ratio = {name: CASES[name] for name in list(CASES)[:4]}
    page = PAGE.format(
        sets=", ".join(f"{name} {count:,}" for name, count in counts.items()),
        logistic="\n".join(head + _rows("logistic", CASES)),
        dsir="\n".join(head + _rows("dsir", ratio)),
        speed="\n".join(f"| {SHOWN[key]} | {_plain(value)} |" for key, value in run().items() if key in SHOWN),
    )
    Path(__file__).resolve().parent.parent.joinpath("docs/classifiers.md").write_text(page)
    return 0


SHOWN = {
    "ours": "ours, MB/s",
    "peer": "fastText, MB/s",
    "input": "input",
    "training_seconds": "ours, seconds to train",
    "auc": "ours, AUC",
    "recall_at_1_percent": "ours, recall at 1 % false positives",
    "calibration_error": "ours, expected calibration error",
    "peer_auc": "fastText, AUC",
    "peer_recall_at_1_percent": "fastText, recall at 1 % false positives",
}


def _plain(value: Any) -> str:
    if value is None:
        return "not installed"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


PAGE = """# Classifiers trained in the run

Made by `CORPORA=… python -m bench.classifier`; speed alone: `python -m bench classifier`.

The `domain` and `quality` judges score with a linear model over hashed words and word pairs (2^18 float16 weights, 512 KiB of
safetensors). `train`, the step before `measure`, learns it from documents of the run, or loads pinned weights. The score is
a probability at even odds of the two sides; a threshold is a setting of the recipe.

```yaml
- domain: {{positives: {{roles: [domain]}}, negatives: {{sources: [wikipedia, books]}}, role_score: 0.5}}
- quality: {{positives: {{sources: [wikipedia]}}, negatives: {{sources: [crawl]}}, min_score: 0.1, exempt: [calls]}}
- domain: {{weights: {{path: s3://bucket/domain.safetensors, sha256: 4f1f…}}}}
- quality: {{fasttext: {{path: model.bin, sha256: 9a77…, label: __label__hq}}}}
```

- Sample: of each side the `max_documents` extracted documents with the lowest hash of their id, long ones in four pieces
  of 4 KiB; one copy of each text; documents that both sides name stand on neither.
- Held out: whole hosts, about a fifth of each side; by document where a side has one large host or none. The card in
  `classifiers/` says which, with AUC, calibration, kept shares and counts.
- Audit: a random 1 % of ids (column `audit`) is never learned from; decide counts the kept share of it beside that of all.
- `role: auto` follows the domain score (`role_score`). `min_score` removes; `exempt` names the sources it spares. A recipe
  that wants general text too gives `domain` no `min_score`, or exempts those sources.
- `shuffled` (quality: 0.25): positives with their words in another order stand among the negatives.
- Incremental runs pin: give the weights of the first run by path and sha256, and new documents change no old score.

## Finance against general text

Documents: {sets}. BBC other is politics, sport, technology and entertainment. Each row trains again, without what it
names; the other side of the comparison is a fifth that training did not see either, by company, speaker or work. Some
general documents are about finance all the same (web pages with stock news, encyclopaedia articles on banks): they are
most of the highest-scoring negatives, so recall at 1 % false positives is a lower bound.

{logistic}

With a genre unknown to training, scores fall: name sources of every genre that the corpus is to have.

Log ratio of n-gram frequencies (`method: dsir`):

{dsir}

## Speed

One core, whole documents, signal column included; fastText (dimension 16, the same buckets) on words already split and
lower-cased.

| | |
|---|---|
{speed}
"""

if __name__ == "__main__":
    sys.exit(main())
