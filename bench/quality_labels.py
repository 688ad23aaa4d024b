"""How well scores tell good pages from thin ones and from junk: 360 web pages that were read and labelled.

    CORPORA=… python -m bench quality_labels              # AUC of the score and of its peers on the untouched half
    CORPORA=… python -m bench.quality_labels --draw       # the pages of the draw that have no label yet, to be read
    CORPORA=… python -m bench.quality_labels --fit        # the weights of the informative view, from the other half

300 pages are those with the lowest hashes of their names in four sets of web pages, English ones, as the product extracts
them, 60 more the same among those of under 1,500 characters, where the junk is. Beginning, middle and end were read. A label is
good (text worth training on), thin (nothing broken, and worth little: listings, blurbs, chat, filler) or junk (what should go:
menus, errors, spam, scraps). `bench/quality_labels.jsonl` holds ids, the digest of the text that was read, labels and reasons; no
text. A page whose text is another now than when it was read is left out and counted. A hash of the id puts a page in the half
that the score's weights were fitted on, or in the half that only the table reads.
"""

import argparse
import functools
import hashlib
import json
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import save

from bench import finance
from bench.audit_tables import DIALECT_PAIRS
from bench.classifier import trainable_fasttext
from bench.corpora import documents, members, root
from bench.published import PUBLISHED
from pipeline.audit.identity_terms import find_terms, identity_terms
from pipeline.audit.swaps import Mention, rivals, swap
from pipeline.classify.classifier_settings import QualitySettings, ViewShares
from pipeline.classify.informative import FEATURES, features, standard
from pipeline.classify.learn import train
from pipeline.classify.measures import auc
from pipeline.classify.sample import Sample, excerpt, id_hashes
from pipeline.classify.views import HUNDREDTHS, View, Views, view_of, without_identity
from pipeline.core.batch import DOCUMENTS
from pipeline.kernels.buffers import text_buffers
from pipeline.measure.judges.gopher import gopher
from pipeline.measure.judges.language import language
from pipeline.measure.judges.quality import quality
from pipeline.measure.judges.repetition import repetition

LABELS = Path(__file__).with_suffix(".jsonl")
DRAWN = {"cleaneval": 170, "trafilatura_eval": 80, "newspaper_tests": 20, "readability_tests": 30}
"""Pages of each file under `${CORPORA}/web`; CleanEval's are a random sample of the web, the others are mostly articles."""
PAGES = re.compile(r"(/input/|/html/|eval/|cache/).*\.html?$|source\.html$")
SHORT, OF_SHORT = 1500, 60
SHOWN = 420
"""Characters of beginning, middle and end that are printed to be read."""
CHUNK = 20_000
"""Characters of a piece of a book."""
PRIOR = 10.0
"""Weight of the pull to zero when fitting, chosen among 0.3 … 100 by five-fold cross-validation on the tuning half."""
DIALS = (0.03, 0.1, 0.3)


@dataclass(frozen=True)
class Page:
    """A web page's text, and its id: a hash of the name of its file."""

    id: str
    name: str
    text: str

    @property
    def digest(self) -> str:
        """Of the text that was read."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def tuning(self) -> bool:
        """Whether it is of the half that weights may be fitted on."""
        return int(self.id, 16) % 2 == 0


@functools.cache
def pages() -> dict[str, list[Page]]:
    """By set: its English pages with any text, in the order of their hashes."""
    found: dict[str, list[Page]] = {}
    for name in DRAWN:
        items = [(path, body) for path, body in members(root() / f"web/{name}.tar.zst") if PAGES.search(path)]
        batch = finance.extracted(items, "html")
        labels = language.run(batch, language.settings())["label"].to_pylist()
        rows = zip(batch["path"].to_pylist(), batch["text"].to_pylist(), labels, strict=True)
        english = [(f"{name}/{path}", text) for path, text, label in rows if label == "en" and text.strip()]
        made = [Page(hashlib.sha256(path.encode()).hexdigest()[:16], path, text) for path, text in english]
        found[name] = sorted(made, key=lambda page: page.id)
    return found


def drawn() -> list[Page]:
    """The pages to be read: 300 of all, and 60 more of the short ones."""
    found = [page for name, own in pages().items() for page in own[: DRAWN[name]]]
    taken = {page.id for page in found}
    rest = [page for own in pages().values() for page in own if page.id not in taken and len(page.text) < SHORT]
    return found + sorted(rest, key=lambda page: page.id)[:OF_SHORT]


def labels() -> dict[str, dict[str, Any]]:
    """By id."""
    rows = [json.loads(line) for line in LABELS.read_text().splitlines()] if LABELS.exists() else []
    return {row["id"]: row for row in rows}


def labelled(tuning: bool) -> tuple[list[Page], np.ndarray]:
    """The pages of a half whose text is still what was read, and their labels."""
    read = labels()
    chosen = [p for p in drawn() if p.tuning == tuning and p.id in read and read[p.id]["digest"] == p.digest]
    return chosen, np.array([read[page.id]["label"] for page in chosen])


def _column(chosen: list[Page]) -> pa.Array:
    return pa.array([page.text for page in chosen], pa.large_string())


def unread() -> list[Page]:
    """English pages without a label: raw text to compare with."""
    read = labels()
    return [page for own in pages().values() for page in own if page.id not in read]


def fit() -> dict[str, np.ndarray]:
    """The informative view's arrays: logistic regression of good against thin and junk on the tuning half.

    Beside them stand bad texts made of every second good page: the first eight words of it, said again until they are as many as
    the page has. The web's own junk is mostly short, and length alone must not make soup worth reading.
    """
    chosen, said = labelled(tuning=True)
    soup = []
    for page in [page for page, label in zip(chosen, said, strict=True) if label == "good"][::2]:
        words = page.text.split()
        soup.append(" ".join((words[:8] * (len(words) // 8 + 1))[: len(words)]))
    raw = features(pa.array([*(page.text for page in chosen), *soup], pa.large_string()))
    said = np.concatenate([said, ["junk"] * len(soup)])
    middle, scale = (np.round(own, 4) for own in (np.median(raw, axis=0), raw.std(axis=0) + 1e-6))
    inputs = np.c_[standard(raw, middle, scale), np.ones(len(raw))]
    target, found = (said == "good").astype(float), np.zeros(inputs.shape[1])
    pull = np.diag([PRIOR] * len(FEATURES) + [1e-6])
    for _ in range(50):
        guess = 1 / (1 + np.exp(-inputs @ found))
        curve = (inputs * (guess * (1 - guess))[:, None]).T @ inputs + pull
        found = found - np.linalg.solve(curve, inputs.T @ (guess - target) + pull @ found)
    weights = np.round(found[:-1], 3)
    sums = standard(features(_column(unread())), middle, scale) @ weights
    arrays = {"weights": weights, "middle": middle, "scale": scale, "ranks": np.quantile(sums, HUNDREDTHS)}
    return {name: own.astype(np.float32) for name, own in arrays.items()}


def sample() -> Sample:
    """Curated text (encyclopaedia, books, news) against the pages without a label, as a run would draw them."""
    rows = [(0, page.name.partition("/")[0], page.name, page.text) for page in unread()]
    for name, stride in (("wikipedia", 4), ("bbc", 3), ("books", 1)):
        for at, text in enumerate(list(documents(name))[::stride]):
            parts = range(0, max(len(text) - CHUNK, 1), 8 * CHUNK) if name == "books" else [0]
            rows += [
                (1, name, f"{name}{at}", text[start : start + CHUNK] if name == "books" else text) for start in parts
            ]
    hashes = id_hashes(pa.array([hashlib.sha256(f"{r[2]}{r[3]}".encode()).hexdigest()[:32] for r in rows]), 1)
    order = np.argsort(hashes, kind="stable")
    rows = [rows[at] for at in order]
    texts = pa.array([excerpt(row[3].encode()) for row in rows], pa.large_binary())
    sides = np.array([row[0] for row in rows])
    return Sample(texts, sides, [row[2] for row in rows], hashes[order], None, [row[1] for row in rows]).deduplicated()


def learned(chosen: Sample, method: str = "logistic") -> View:
    """The reference view that a run learns."""
    model = train(chosen, method, QualitySettings().shuffled)[0]
    return view_of(without_identity(model), chosen.texts.filter(pa.array(chosen.labels == 0)))


def _words(text: str) -> str:
    """Words as fastText reads them: lower case, one space between."""
    return " ".join(re.findall(r"\w+", text.lower()))


def fasttext_scores(chosen: Sample, texts: pa.Array) -> np.ndarray | None:
    """A fastText classifier (words 1-2, dimension 16) of the same sides; None where the library cannot train."""
    if (fasttext := trainable_fasttext()) is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text, label in zip(chosen.texts.to_pylist(), chosen.labels, strict=True):
            # Both sides weigh the same, as they do in ours.
            times = max(1, round(chosen.labels.sum() / (chosen.labels == 0).sum())) if label == 0 else 1
            file.write(times * f"__label__{label} {_words(text.decode())}\n")
        file.flush()
        model = fasttext.train_supervised(
            file.name, wordNgrams=2, bucket=2**18, dim=16, lr=0.5, epoch=6, thread=1, verbose=0
        )
    # The wheel's own `predict` needs NumPy 1; it repeats the first label's chance for the others: ask for one label.
    found = [model.f.predict(_words(text) + "\n", 1, 0.0, "strict")[0] for text in texts.to_pylist()]
    return np.array([chance if label == "__label__1" else 1 - chance for chance, label in found])


def rules_failed(texts: pa.Array) -> np.ndarray:
    """Of each text, minus the number of published Gopher rules (quality and repetition) that it fails."""
    failed = np.zeros(len(texts))
    for judge, name in ((gopher, "Gopher"), (repetition, "Repetition")):
        settings = judge.settings.model_validate(PUBLISHED[name])
        blank = {key: pa.nulls(len(texts), DOCUMENTS.field(key).type) for key in judge.reads}
        signals = judge.run(pa.record_batch({**blank, "text": texts}), settings)
        failed += sum(np.asarray(mask) for mask in judge.rules(pa.Table.from_batches([signals]), settings).values())
    return -failed


def interval(high: np.ndarray, low: np.ndarray) -> tuple[float, float]:
    """95 % interval of an AUC by 500 redraws of both sides."""
    rng = np.random.default_rng(0)
    found = [auc(rng.choice(high, len(high)), rng.choice(low, len(low))) or 0.0 for _ in range(500)]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def row(scores: np.ndarray | None, said: np.ndarray) -> dict[str, Any] | None:
    """AUC of good pages against junk and against thin ones, with intervals."""
    if scores is None:
        return None
    good, found = scores[said == "good"], {}
    for name in ("junk", "thin"):
        other = scores[said == name]
        found[name] = (auc(good, other), *interval(good, other))
    return found


def swaps(texts: list[str]) -> list[tuple[int, str, str]]:
    """Every text that names a term, read with the next term of its axis in its place: row, axis, text."""
    rows, terms, starts, ends = (own.tolist() for own in find_terms(*text_buffers(pa.array(texts, pa.large_string()))))
    by_term: dict[tuple[int, int], list[Mention]] = {}
    for page, term, start, end in zip(rows, terms, starts, ends, strict=True):
        by_term.setdefault((page, term), []).append(Mention(term, start, end))
    found = []
    for (page, term), mentions in by_term.items():
        for other in rivals(term)[:1]:
            text = swap(texts[page].encode(), mentions, other)[0].decode()
            found.append((page, identity_terms()[term].axis, text))
    return found


def audit(views: Views, texts: list[str]) -> dict[str, Any]:
    """What the dial does to identities and to a dialect, on pages that nothing was fitted on.

    `swaps`: pages with another term of the same axis in place of one; `dialect`: pages with the written sentences of African
    American English behind them, and with the same in standard English. Of both the mean and the largest change of the score
    (0-1), and the pages that change sides at each dial.
    """

    def score(found: list[str]) -> np.ndarray:
        return views.scores(pa.array(found, pa.large_string()), ViewShares())["score"]

    scores = score(texts)
    bounds = {share: float(np.quantile(scores, 1 - share)) for share in DIALS}

    def change(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
        sides = {f"{share:g}": int(((before >= b) != (after >= b)).sum()) for share, b in bounds.items()}
        by = after - before
        return {"pages": len(by), "mean": float(by.mean()), "largest": float(np.abs(by).max()), "change_sides": sides}

    swapped = swaps(texts)
    spoken = [" ".join(pair[at] + "." for pair in DIALECT_PAIRS) for at in (0, 1)]
    both = [score([f"{text}\n{own}" for text in texts]) for own in spoken]
    return {
        "swaps": change(scores[[page for page, _, _ in swapped]], score([text for _, _, text in swapped])),
        "dialect": change(both[1], both[0]),
        "dialect_alone": [round(float(own), 4) for own in score(spoken)],
    }


def speed(views: Views, texts: pa.Array) -> float:
    """MB/s of processor time of the judge, median of three rounds."""
    batch = pa.record_batch({"id": pa.array(["0" * 32] * len(texts)), "text": texts})
    found = []
    for _ in range(4):
        start = time.process_time()
        quality.run(batch, QualitySettings(), views)
        found.append(texts.nbytes / 1e6 / (time.process_time() - start))
    return statistics.median(found[1:])


def rows_of(table: dict[str, Any]) -> list[list[str]]:
    """The table of AUCs and their intervals as text."""
    return [
        [
            name,
            *(
                "not installed" if found is None else "{:.3f} ({:.2f} to {:.2f})".format(*found[k])
                for k in ("junk", "thin")
            ),
        ]
        for name, found in table.items()
    ]


def run() -> dict[str, Any]:
    """The table of docs/quality.md."""
    chosen, said = labelled(tuning=False)
    texts, curated = _column(chosen), sample()
    reference = learned(curated)
    views = Views({"reference": reference})
    found = views.scores(texts, ViewShares())
    ratio = Views({"reference": learned(curated, "dsir")}).scores(texts, ViewShares())["reference"]
    rows = {
        "score (reference and informative)": found["score"],
        "reference alone": found["reference"],
        "informative alone": found["informative"],
        "DSIR alone, same positives": ratio,
        "fastText, same positives": fasttext_scores(curated, texts),
        "Gopher rules failed": rules_failed(texts),
    }
    table = {name: row(scores, said) for name, scores in rows.items()}
    counts = {name: int((said == name).sum()) for name in ("good", "thin", "junk")}
    raw = pa.array([page.text for own in pages().values() for page in own], pa.large_string())
    own = table["score (reference and informative)"]
    assert own is not None
    return {
        "unit": "AUC good against thin",
        "ours": own["thin"][0],
        "peer": None,
        "ratio": None,
        "peer_name": "",
        "input": f"untouched half: {counts}; {len(labels()) - len(chosen) - len(labelled(True)[0])} labels of other texts",
        "rounds": 1,
        "versions": {},
        "tables": {"auc": {"head": ["score", "good against junk", "good against thin"], "rows": rows_of(table)}},
        "megabytes_a_second": speed(views, raw),
        "audit": audit(views, texts.to_pylist()),
    }


def main() -> int:
    """Print pages to be read, or fit the informative view's weights."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    options.add_argument("--draw", action="store_true")
    options.add_argument("--fit", action="store_true")
    told = options.parse_args()
    if told.draw:
        for page in [page for page in drawn() if page.id not in labels()]:
            middle = len(page.text) // 2
            parts = (page.text[:SHOWN], page.text[middle : middle + SHOWN], page.text[-SHOWN:])
            print(json.dumps({"id": page.id, "page": page.name, "digest": page.digest, "shown": parts}))
    if told.fit:
        path = Path(__file__).resolve().parent.parent / "pipeline/classify/informative.safetensors"
        path.write_bytes(save(fit()))
        print(f"{path}: sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
