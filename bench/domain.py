"""The role by domain score, on sets that the finance recipe's classifier learns from and on sets that it never saw.

`python -m bench.domain` writes the tables of docs/domain.md between its marks; `python -m bench domain` gives the figures.
"""

import functools
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import classifier, finance
from bench.corpora import documents, lines, members, root
from pipeline.classify.classifier_settings import DomainSettings
from pipeline.classify.everyday import everyday_texts
from pipeline.classify.learn import train
from pipeline.classify.model import Model
from pipeline.classify.sample import Sample, excerpt, id_hashes

DOMAIN = ("EDGAR", "Fed", "calls", "Reuters")
GENERAL = ("Wikipedia", "books", "everyday", "web")
"""What `use: local` of the finance recipe learns from."""
UNSEEN_DOMAIN = ("EDGAR, other companies and years", "Reuters 1987", "BBC business")
UNSEEN = (
    "BBC entertainment", "BBC politics", "BBC sport", "BBC tech", "news and blog pages", "court", "medquad",
    "news articles",
)  # fmt: skip
MOST = 10_000


@functools.cache
def sets() -> dict[str, list[str]]:
    """Texts by set, without the web pages that are about finance (`bench/finance_pages.tsv`)."""
    found: dict[str, list[str]] = {}
    for text in classifier.corpus():
        if not classifier.doubtful(text) and not text.source.startswith(("BBC", "books")):
            found.setdefault("news and blog pages" if text.source == "pages" else text.source, []).append(text.text)
    found["books"] = list(documents("books"))
    found["everyday"] = [row["text"] for row in lines(root() / "general/everyday_language.jsonl.zst")]
    for row in lines(root() / "general/bbc_news.jsonl.zst"):
        found.setdefault(f"BBC {row['label']}", []).append(row["text"])
    items = [
        (path, body)
        for path, body in members(root() / "finance/edgar_filings_b.tar.zst")
        if path.endswith((".htm", ".html", ".txt"))
    ]
    texts = finance.extracted(items[::2], "html")["text"].to_pylist()
    found[UNSEEN_DOMAIN[0]] = [text for text in texts if len(text) > 300]
    found["news articles"] = list(documents("articles"))
    found["medquad"] = list(documents("medquad"))[::10]
    return found


def model(without: str = "") -> Model:
    """The classifier of the recipe's settings, trained on its sources but one."""
    rows: list[tuple[str, int, str, str]] = []
    for label, names in ((0, GENERAL), (1, DOMAIN)):
        own = [
            (hashlib.sha256(f"{name} {at}".encode()).hexdigest()[:32], label, name, text)
            for name in names
            if name != without
            for at, text in enumerate(sets()[name])
        ]
        rows += sorted(own)[:MOST]
    talk = round(DomainSettings().everyday * sum(row[1] == 0 for row in rows))
    rows += [(f"{at:032x}", 0, "everyday talk", text) for at, text in enumerate(everyday_texts(talk))]
    hashes = id_hashes(pa.array([row[0] for row in rows]), 1)
    order = np.argsort(hashes, kind="stable").tolist()
    sample = Sample(
        pa.array([excerpt(rows[at][3].encode()) for at in order], pa.large_binary()),
        np.array([rows[at][1] for at in order]),
        [""] * len(order),
        hashes[order],
        None,
        [rows[at][2] for at in order],
    )
    return train(sample.deduplicated())[0]


def share(scorer: Model, name: str) -> float:
    """Share of a set's documents that get the role domain."""
    scores, _ = scorer.score(pa.array(sets()[name], pa.large_string()))
    return float((scores >= DomainSettings().role_score).mean())


def run() -> dict[str, Any]:
    """Shares of role domain: worst of the domain's unseen sets, and mean of the general ones."""
    scorer = model()
    found = {name: share(scorer, name) for name in (*DOMAIN, *UNSEEN_DOMAIN, *GENERAL, *UNSEEN)}
    return {
        "unit": "of Reuters, filings and speeches read as domain",
        "ours": min(found[name] for name in DOMAIN),
        "peer": None,
        "versions": {},
        "input": f"{sum(len(sets()[name]) for name in found):,} documents",
        "rounds": 1,
        "domain": {name: round(found[name], 4) for name in (*DOMAIN, *UNSEEN_DOMAIN)},
        "general": {name: round(found[name], 4) for name in (*GENERAL, *UNSEEN)},
    }


def main() -> int:
    """Write the tables of docs/domain.md."""
    scorer = model()
    head = ["| set | documents | role domain | role domain, left out of training |", "|---|---:|---:|---:|"]
    rows = []
    for names, trained in ((DOMAIN, True), (UNSEEN_DOMAIN, False), (GENERAL, True), (UNSEEN, False)):
        for name in names:
            left = f"{share(model(name), name):.3f}" if trained else f"{share(scorer, name):.3f}"
            rows.append(
                f"| {name} | {len(sets()[name]):,} | {f'{share(scorer, name):.3f}' if trained else '–'} | {left} |"
            )
            print(rows[-1], flush=True)
    page = Path(__file__).resolve().parent.parent / "docs/domain.md"
    before, _, rest = page.read_text().partition("<!-- tables -->\n")
    after = rest.partition("<!-- /tables -->")[2]
    page.write_text(f"{before}<!-- tables -->\n" + "\n".join(head + rows) + f"\n<!-- /tables -->{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
