"""Contamination: planted benchmark items found, clean documents left, and speed; beside it datatrove's exact 12-grams.

Ours is the judge `contamination` of the recipes; the peer is what datatrove's decontamination does with each text: its
normalisation, its word tokenizer, its hashes of 12-grams of every item, looked up for every document.
"""

import random
import time
from itertools import islice
from statistics import median

import pyarrow as pa

from bench.corpora import documents, members, root
from bench.finance import extracted
from pipeline.ingest.benchmarks import read_items
from pipeline.measure.judges.contamination import Contamination, contamination

TARGETS = ("filters/decontam_targets_a.tar.zst",)
CLEAN = ("reuters", "wikipedia", "bbc")
NGRAM = 12
PLANTED = 2_000
PEER_MB, PEER_PLANTED, PEER_CLEAN = 1.0, 200, 500
ROUNDS = 3
FORMS = ("exact", "reformatted", "edited")
SHARE_EDITED, MOST_EDITS = 0.1, 5


def clean_texts(count: int | None = None) -> list[str]:
    """Documents that hold no benchmark item by intention, of each set in turn the first ones."""
    share = None if count is None else count // len(CLEAN)
    return [text for name in CLEAN for text in islice(documents(name), share)]


def edited(text: str, rng: random.Random, words: list[str]) -> str:
    """A tenth of the words, at most five, changed, inserted or deleted; figures stay."""
    own = text.split()
    for _ in range(max(1, min(MOST_EDITS, round(len(own) * SHARE_EDITED)))):
        places = [n for n, word in enumerate(own) if not any(sign.isdigit() for sign in word)]
        if not places:
            break
        at, kind = rng.choice(places), rng.randrange(3)
        own[at : at + (kind < 2)] = [] if kind == 0 else [rng.choice(words)]
    return " ".join(own)


def reformatted(text: str, rng: random.Random) -> str:
    """Other case, line breaks, spacing and punctuation."""
    parts = text.upper().split() if rng.random() < 0.5 else text.lower().split()
    return "".join(part + rng.choice([" ", "\n", "  ", ", ", " – "]) for part in parts)


def planted(settings: Contamination, count: int, form: str, kind: str | None = None) -> list[str]:
    """News with one item each in its middle: a question with its answer, evidence, or another text."""
    rng = random.Random(f"contamination {form}")
    found = {item.pieces: item for path in settings.files for item in read_items(path, settings.min_words)}
    items = [item for item in found.values() if kind in (None, item.kind)]
    frame = clean_texts(300)
    words = [word for text in frame[:50] for word in text.split() if word.isalpha()]
    change = {"exact": str, "reformatted": lambda t: reformatted(t, rng), "edited": lambda t: edited(t, rng, words)}[
        form
    ]
    texts = []
    for item in rng.sample(items, min(count, len(items))):
        around, answer = rng.choice(frame), item.answer.split("\n")[0]
        texts.append(f"{around[:600]}\n{change(' '.join(item.pieces))} {answer}\n{around[600:1500]}")
    return texts


def filings() -> list[str]:
    """Annual, quarterly and current reports that no benchmark was made of."""
    found = members(root() / "finance/edgar_filings_b.tar.zst")
    return extracted([item for item in found if item[0].endswith((".html", ".htm"))], "html")["text"].to_pylist()


def judged(texts: list[str], settings: Contamination) -> list[bool]:
    """Whether each text holds an item."""
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return [bool(names) for names in contamination.run(batch, settings)["items"].to_pylist()]


def recalls(settings: Contamination, count: int) -> dict[str, float]:
    """Share of planted items found, by form."""
    found = {form: judged(planted(settings, count, form), settings) for form in FORMS}
    return {form: sum(hits) / len(hits) for form, hits in found.items()}


class Peer:
    """datatrove's n-gram decontamination over the same items."""

    def __init__(self, settings: Contamination) -> None:
        from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontIndexer  # pyright: ignore[reportMissingImports]

        NGramsDecontIndexer._requires_dependencies = []  # lighteval is for its own tasks, which are not used here
        self.indexer = NGramsDecontIndexer("/tmp", config=NGramsDecontConfig(n_grams=NGRAM))
        texts = {
            text for path in settings.files for item in read_items(path, settings.min_words) for text in item.pieces
        }
        self.index: set[int] = set()
        for text in texts:
            self.index.update(self.indexer.compute_hashes(text))

    def judged(self, texts: list[str]) -> list[bool]:
        """Whether each text shares a 12-gram with an item."""
        return [not self.index.isdisjoint(self.indexer.compute_hashes(text)) for text in texts]


def _rate(work: object, size: float) -> float:
    begin = time.process_time()
    work()  # type: ignore[operator]
    return size / (time.process_time() - begin)


def run(size_mb: int | None = None) -> dict:
    """MB/s of processor time; recall by form and false positives of both sides beside it."""
    settings = Contamination(files=[str(root() / name) for name in TARGETS])
    texts = clean_texts()
    if size_mb:
        kept, total = [], 0
        for text in texts:
            total += len(text.encode())
            if total > size_mb * 1e6:
                break
            kept.append(text)
        texts = kept
    size = sum(len(text.encode()) for text in texts) / 1e6
    judged(texts[:1], settings)
    begin = time.process_time()
    peer, why = _peer(settings)
    index_s = time.process_time() - begin
    sample, taken = [], 0.0
    for text in texts:
        if taken > PEER_MB:
            break
        sample.append(text)
        taken += len(text.encode()) / 1e6
    ours, other = [], []
    for _ in range(ROUNDS):
        ours.append(_rate(lambda: judged(texts, settings), size))
        if peer is not None:
            other.append(_rate(lambda: peer.judged(sample), taken))
    flagged = judged(texts, settings)
    result = {
        "unit": "MB/s",
        "ours": round(median(ours), 1),
        "peer": round(median(other), 3) if other else None,
        "ratio": round(median(ours) / median(other), 1) if other else None,
        "peer_name": f"datatrove's exact {NGRAM}-grams" if other else None,
        "versions": why,
        "input": f"{len(texts):,} clean documents, {size:.0f} MB; items of {', '.join(TARGETS)}",
        "rounds": ROUNDS,
        "recall": {form: round(value, 4) for form, value in recalls(settings, PLANTED).items()},
        "recall_by_kind": {
            f"{kind} {form}": round(sum(hits) / len(hits), 4)
            for kind in ("question", "evidence")
            for form in FORMS
            if (hits := judged(planted(settings, PLANTED, form, kind), settings))
        },
        "clean_flagged": f"{sum(flagged)} of {len(texts):,}",
        "filings_flagged": f"{sum(judged(reports := filings(), settings))} of {len(reports)}",
    }
    if peer is not None:
        forms = {form: peer.judged(planted(settings, PEER_PLANTED, form)) for form in FORMS}
        result["peer_recall"] = {form: round(sum(hits) / len(hits), 4) for form, hits in forms.items()}
        result["peer_clean_flagged"] = (
            f"{sum(peer.judged(texts[:: max(1, len(texts) // PEER_CLEAN)]))} of about {PEER_CLEAN:,}"
        )
        result["peer_index_s"] = round(index_s, 1)
    return result


def _peer(settings: Contamination) -> tuple[Peer | None, dict[str, str]]:
    import importlib.metadata

    try:
        return Peer(settings), {"datatrove": importlib.metadata.version("datatrove")}
    except ImportError as error:
        return None, {"datatrove": f"not used: {error}"}
