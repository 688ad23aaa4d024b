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
from bench.corpora import documents, lines, members, root
from pipeline.classify.classifier_settings import QualitySettings
from pipeline.classify.learn import train
from pipeline.classify.measures import auc, recall_at
from pipeline.classify.model import Model
from pipeline.classify.sample import HELD_OUT, Sample, excerpt, held_out, id_hashes
from pipeline.measure.judges.language import language

ROUNDS = 3
CHUNK = 20_000
"""Characters of a piece of a book: nobody publishes whole novels as one web page."""
DOMAIN = ("EDGAR", "Fed", "calls", "Reuters", "Reuters 1987", "BBC business")
WEB = ("web", "pages")
PAGES = {
    "web/trafilatura_eval.tar.zst": r"\.html?$",
    "web/readability_tests.tar.zst": r"source\.html$",
    "web/newspaper_tests.tar.zst": r"\.html?$",
}
"""Raw pages by file under `${CORPORA}`, and which members are pages."""
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


def _pages() -> list[Text]:
    """English pages of the extraction tests of trafilatura, readability and newspaper: web text beside CleanEval's."""
    found = []
    for name, wanted in PAGES.items():
        items = [(path, body) for path, body in members(root() / name) if re.search(wanted, path)]
        batch = finance.extracted(items, "html")
        labels = language.run(batch, language.settings())["label"].to_pylist()
        rows = zip(batch["path"].to_pylist(), batch["text"].to_pylist(), labels, strict=True)
        found += [Text("pages", path, text) for path, text, label in rows if label == "en"]
    return found


@functools.cache
def finance_pages() -> set[str]:
    """First digits of the sha256 of web pages on markets, companies' money, monetary and fiscal policy.

    Chosen by the beginning and the middle of the pages that two models scored highest (48 of `web`, 24 of `pages` each),
    neither of which had learned from web pages. They stand on neither side.
    """
    rows = Path(__file__).with_name("finance_pages.tsv").read_text().splitlines()[1:]
    return {row.partition("\t")[0] for row in rows}


def doubtful(text: Text) -> bool:
    """A page of a general source that is about finance all the same."""
    return text.source in WEB and hashlib.sha256(text.text.encode()).hexdigest()[:12] in finance_pages()


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
        ("court", "court", 1),
    )
    for source, name, stride in plain:
        chosen = list(documents(name))[::stride]
        found += [Text(source, f"{name}{at}", text) for at, text in enumerate(chosen)]
    found += _pages()
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
    labels, sources = np.array([t.label for t in ordered]), [t.source for t in ordered]
    return Sample(column, labels, groups, hashes[order], None, sources), ordered


def _scores(model: Model, texts: list[Text]) -> np.ndarray:
    return model.score(pa.array([t.text for t in texts], pa.large_string()))[0]


def measure(leave: Callable[[Text], bool], method: str = "logistic") -> dict[str, Any]:
    """Train without some documents; tell them from the held-out documents of the other side.

    `recall_as_filed` counts the finance pages of general sources as general text.
    """
    inside = [t for t in corpus() if not leave(t) and not doubtful(t)]
    outside = [t for t in corpus() if leave(t) and not doubtful(t)]
    sample, ordered = sample_of(inside)
    model, card = train(sample, method)
    test = held_out(sample)[0]
    unseen = [t for t, is_test in zip(ordered, test, strict=True) if is_test]
    side = {t.label for t in outside}
    positive = [t for t in (outside if 1 in side else unseen) if t.label]
    negative = [t for t in (outside if 0 in side else unseen) if not t.label]
    doubted = [t for t in corpus() if doubtful(t) and (0 not in side or leave(t))]
    # Of a fifth of the general text, a fifth of the doubtful pages.
    doubted = doubted if 0 in side else doubted[:: round(1 / HELD_OUT)]
    p, n, d = _scores(model, positive), _scores(model, negative), _scores(model, doubted)
    return {
        "positives": len(p),
        "negatives": len(n),
        "auc": auc(p, n),
        "recall": recall_at(p, n, 0.01),
        "recall_as_filed": recall_at(p, np.concatenate([n, d]), 0.01),
        "calibration": card["calibration"]["error"],
        "model": model,
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
    "CleanEval's web pages (other pages stay)": lambda t: t.source == "web",
    "the other web pages (CleanEval's stay)": lambda t: t.source == "pages",
    "EDGAR, all": lambda t: t.source == "EDGAR",
    "Fed speeches, all": lambda t: t.source == "Fed",
    "earnings calls, all": lambda t: t.source == "calls",
    "EDGAR and all news": lambda t: t.source in ("EDGAR", *NEWS),
}
"""What training does not see. From `EDGAR, all` on, the genre itself is unknown to it."""


def quality_sample() -> Sample:
    """Curated text (encyclopaedia, books, news) against extracted web pages, and two kinds of hard negatives.

    `menus`: pages with every tag dropped, menus and footers included; `viewer pages`: EDGAR's index and viewer pages.
    """
    chosen = {"Wikipedia": 4, "books": 2, "BBC other": 4, "BBC business": 2}
    kept: list[tuple[str, Text]] = []
    for source, stride in chosen.items():
        kept += [("positives", t) for t in [t for t in corpus() if t.source == source][::stride]]
    kept += [("negatives", t) for t in corpus() if t.source == "pages"]
    inputs = [(path, body) for path, body in members(root() / "web/cleaneval.tar.zst") if "/input/" in path]
    batch = finance.extracted(inputs, "html")
    rows = zip(batch["path"].to_pylist(), batch["text"].to_pylist(), strict=True)
    kept += [("negatives", Text("crawl", path, text)) for path, text in rows]
    for path, body in inputs[::3]:
        text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body.decode("utf-8", "replace"))
        kept.append(("menus", Text("menus", path, " ".join(text.split()))))
    viewer = finance.sets(100)["EDGAR index and viewer pages"]
    rows = zip(viewer["path"].to_pylist(), viewer["text"].to_pylist(), strict=True)
    kept += [("viewer pages", Text("viewer", path, text)) for path, text in rows]
    hashes = id_hashes(pa.array([hashlib.sha256(f"{t.owner}\0{t.text}".encode()).hexdigest()[:32] for _, t in kept]), 1)
    order = np.argsort(hashes, kind="stable").tolist()
    return Sample(
        pa.array([excerpt(kept[at][1].text.encode()) for at in order], pa.large_binary()),
        np.array([int(kept[at][0] == "positives") for at in order]),
        [f"{kept[at][1].source}:{kept[at][1].owner}" for at in order],
        hashes[order],
        [kept[at][0] for at in order],
    ).deduplicated()


def quality_rows(method: str, bound: float = 0.1) -> list[str]:
    """The card of the `quality` judge on that sample, as rows of the page's table."""
    card = train(quality_sample(), method, QualitySettings().shuffled)[1]
    kept = card["kept_by_threshold"][f"{bound:.2f}"]
    hard = [
        f"AUC against {name} ({row['held_out']} held out) {row['auc']:.4f}"
        for name, row in card["hard_negatives"].items()
    ]
    return [
        f"| {method} | {card['trained']['positives']:,} / {card['trained']['negatives']:,} | {card['auc']:.4f} "
        f"| {card['recall_at_1_percent_false_positives']:.3f} | {card['calibration']['error']:.4f} "
        f"| {kept[0]:.1%} / {kept[1]:.1%} | {'; '.join(hard)}; "
        f"against its own words shuffled {card['auc_against_shuffled']:.4f} |"
    ]


def trainable_fasttext() -> Any:
    """The module fasttext; None where it is not installed, or is the build that only predicts."""
    try:
        import fasttext  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    return fasttext if hasattr(fasttext, "train_supervised") else None


def _fasttext(texts: list[Text], seen: list[Text]) -> tuple[float, float | None, float | None] | None:
    """MB/s, AUC and recall of a fastText classifier (words 1-2, dimension 16) on the same split; None without it."""
    if (fasttext := trainable_fasttext()) is None:
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
    from pipeline.measure.judges.domain import domain

    sample, ordered = sample_of([t for t in corpus() if not doubtful(t)])
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
            f"| {name} | {found['positives']:,} | {found['negatives']:,} | {found['auc']:.4f} | {found['recall']:.3f} "
            f"| {found['recall_as_filed']:.3f} |"
        )
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """Write docs/classifiers.md."""
    counts: dict[str, int] = {}
    for text in corpus():
        counts[text.source] = counts.get(text.source, 0) + 1
    head = [
        "| left out of training | finance | general | AUC | recall at 1 % false positives | the same, as filed |",
        "|---|---|---|---|---|---|",
    ]
    ratio = {name: CASES[name] for name in list(CASES)[:4]}
    page = PAGE.format(
        sets=", ".join(f"{name} {count:,}" for name, count in counts.items()),
        logistic="\n".join(head + _rows("logistic", CASES)),
        dsir="\n".join(head + _rows("dsir", ratio)),
        quality="\n".join(QUALITY_HEAD + quality_rows("logistic") + quality_rows("dsir")),
        doubtful=len(finance_pages()),
        speed="\n".join(f"| {SHOWN[key]} | {_plain(value)} |" for key, value in run().items() if key in SHOWN),
    )
    Path(__file__).resolve().parent.parent.joinpath("docs/classifiers.md").write_text(page)
    return 0


QUALITY_HEAD = [
    "| method | trained on curated / raw | AUC held out | recall at 1 % false positives | calibration error "
    "| kept at 0.1: curated / raw | hard negatives |",
    "|---|---|---|---|---|---|---|",
]
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

The `domain` and `quality` judges use a linear model over hashed words and word pairs (2^18 float16 weights, 512 KiB of
safetensors). `classify`, the step before `measure`, learns it from documents of the run, or loads pinned weights. The score of
`domain` is a probability at even odds of the two sides; that of `quality` is the mean of up to three ranks, of which this
model gives the first, and needs no model at all ([the dial](quality.md)). Cards describe the model. A threshold is a setting
of the recipe.

```yaml
- domain: {{positives: {{roles: [domain]}}, negatives: {{sources: [wikipedia, books]}}, role_score: 0.5}}
- quality: {{positives: {{sources: [wikipedia]}}, negatives: {{sources: [crawl]}}, min_score: 0.1, exempt: [calls]}}
- quality:
    positives: {{files: ["/data/curated/*.jsonl.zst"]}}  # text to learn from that is not in the corpus
    negatives: {{roles: [general]}}
    hard_negatives: {{farms: {{hosts: ["*.content-farm.example"]}}, menus: {{files: [/data/menus.parquet]}}}}
    method: dsir
- domain: {{weights: {{path: s3://bucket/domain.safetensors, sha256: 4f1f…}}}}
- quality: {{fasttext: {{path: model.bin, sha256: 9a77…, label: __label__hq}}}}
```

- Sample: of each side the `max_documents` extracted documents with the lowest hash of their id, long ones in four pieces
  of 4 KiB; one copy of each text; documents that both sides name stand on neither.
- Each word and word pair counts once a document, weighed by how rare it is; a source, else a host, weighs with the square root
  of its documents. Scoring reads long documents in the same pieces. Weights of versions before are refused.
- Calibration: four models each leave out whole general sources (with fewer than three, hosts), and Platt's fit runs over what
  they say of them; `calibrated_on` in the card has the share above 0.5 of each source. What this is for: [domain](domain.md).
- Held out: whole hosts, about a fifth of each side; by document where a side has one large host or none. The card in
  `classifiers/` says which, with AUC, calibration, kept shares and counts.
- Files are read and extracted as a source's, and stay out of the corpus. `hard_negatives` are judged apart, by name.
- Audit: a random 1 % of ids (column `audit`) is never learned from. decide scores every classifier on it: documents,
  kept share at the threshold beside that of all documents, AUC between the sides the recipe names. With the card this
  stands under "Classifiers" in `report.html`, and under `classifiers` in the last line of `--json`.
- Fewer than 20 documents of a side: the run stops when `min_score` is set, else it says so and leaves the scores empty; `quality`
  then has the score of its informative view.
- `role: auto` follows the domain score (`role_score`); the report has a table of roles by host and score. `min_score` removes;
  `exempt` names the sources it spares. A recipe that wants general text too gives `domain` no `min_score`, or exempts those
  sources.
- `shuffled` (quality: 0.25): positives with their words in another order stand among the negatives.
- Incremental runs pin: give the weights of the first run by path and sha256, and new documents change no old score.

## Finance against general text

Documents: {sets}. BBC other is politics, sport, technology and entertainment; court is oral arguments; pages are the
extraction tests of trafilatura, readability and newspaper. Each row trains again, without what it names; the other side of
the comparison is a fifth that training did not see either, by company, speaker or work.

{doubtful} web pages are about finance all the same, stock columns and company results among them. They were picked, by
beginning and middle, out of those that two models without web pages scored highest (48 of web, 24 of pages each), and are
listed in `bench/finance_pages.tsv`. They stand on neither side; the last column counts them, as filed, as general text.
Encyclopaedia articles on banks and political news on budgets were left where they are, and are most of the highest-scoring
negatives.

{logistic}

With a genre unknown to training, scores fall: name sources of every genre that the corpus is to have.

Log ratio of n-gram frequencies (`method: dsir`):

{dsir}

## Curated against raw text

Curated: Wikipedia, books, BBC news. Raw: extracted web pages. Hard negatives: pages with every tag dropped, menus and
footers included; EDGAR's index and viewer pages; curated text with its words shuffled. Held out by page or document.

{quality}

## Speed

One core, whole documents, signal column included; fastText (dimension 16, the same buckets) on words already split and
lower-cased.

| | |
|---|---|
{speed}
"""

if __name__ == "__main__":
    sys.exit(main())
