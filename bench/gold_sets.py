"""Pages with gold text under a corpora folder, and how an extraction is scored on them.

Four sets give the whole text of a page's main content; trafilatura's gives a few segments that must be in the text and a few
that must not. Nothing is written; pages are other people's and stay where they are.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.labelled import members

WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class GoldPage:
    """A page as it was served. `text` is its main content, or the segments say what belongs to it and what does not."""

    name: str
    page: bytes
    text: str = ""
    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    """Segments of readers' comments, which are neither asked for nor forbidden by the published labels."""


def _paired(
    corpora: Path, archive: str, page: str, gold: Callable[[str], str], clean: Callable[[str], str] = str
) -> Iterator[GoldPage]:
    """Pages whose name matches `page` and whose gold text, under the name `gold` makes of it, has words."""
    files = dict(members(corpora / archive, ""))
    for name in sorted(files):
        if re.search(page, name) and gold(name) in files:
            text = clean(files[gold(name)].decode("utf-8", "replace"))
            if WORD.search(text):
                yield GoldPage(name, files[name], text)


def cleaneval(corpora: Path) -> Iterator[GoldPage]:
    """738 pages of 2006-07, cleaned by hand (SIGWAC, research use): for evaluation, never for shipped weights."""

    def clean(text: str) -> str:
        return re.sub(r"(?i)</?(p|h|l)>", "", re.sub(r"^\s*URL:.*\n", "", text))

    def gold(name: str) -> str:
        return name.replace("/input/", "/GoldStandard/").replace(".html", ".txt")

    return _paired(corpora, "web/cleaneval.tar.zst", r"/input/.*\.html$", gold, clean)


def newspaper(corpora: Path) -> Iterator[GoldPage]:
    """157 news pages with the text that newspaper's tests expect (MIT)."""
    return _paired(
        corpora,
        "web/newspaper_tests.tar.zst",
        r"/html/.*\.html$",
        lambda name: name.replace("/html/", "/text/").replace(".html", ".txt"),
    )


def readability(corpora: Path) -> Iterator[GoldPage]:
    """130 pages with the markup that Readability.js' tests expect (Apache-2.0)."""
    return _paired(
        corpora,
        "web/readability_tests.tar.zst",
        r"/source\.html$",
        lambda name: name.replace("source", "expected"),
        lambda text: html.unescape(re.sub(r"<[^>]+>", " ", text)),
    )


def fed_speeches(corpora: Path) -> Iterator[GoldPage]:
    """1,026 speeches of the Federal Reserve (public domain); their text leaves out openings and some sentences."""
    return _paired(
        corpora,
        "finance/fed_speeches_html_and_text.tar.zst",
        r"/html/all/.*\.htm$",
        lambda name: name.replace("/html/", "/text/").replace(".htm", ".txt"),
    )


def trafilatura(corpora: Path) -> Iterator[GoldPage]:
    """990 pages, many of them German, with segments inside and outside of the main content (Apache-2.0)."""
    files = dict(members(corpora / "web/trafilatura_eval.tar.zst", ""))
    pages = {name.rpartition("/")[2]: name for name in sorted(files, reverse=True) if name.endswith((".html", ".htm"))}
    labels = json.loads(next(data for name, data in files.items() if name.endswith("evaldata.json")))
    for label in labels.values():
        if label["file"] in pages:
            segments = (
                tuple(" ".join(segment.split()) for segment in label.get(key, ()) if segment.strip())
                for key in ("with", "without", "comments")
            )
            yield GoldPage(label["file"], files[pages[label["file"]]], "", *segments)


SETS: dict[str, Callable[[Path], Iterator[GoldPage]]] = {
    "cleaneval": cleaneval,
    "newspaper": newspaper,
    "readability": readability,
    "fed_speeches": fed_speeches,
    "trafilatura": trafilatura,
}


def words_score(text: str, gold: str) -> tuple[float, float, float]:
    """Precision, recall and F1 over the bags of words."""
    ours, wanted = Counter(WORD.findall(text.lower())), Counter(WORD.findall(gold.lower()))
    both = (ours & wanted).total()
    precision, recall = both / max(1, ours.total()), both / max(1, wanted.total())
    return precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0


def score(extracted: Iterable[tuple[GoldPage, str]]) -> tuple[float, float, float]:
    """Precision, recall and F1 of a set: means over pages with gold text, or one count of all segments of the others."""
    rows, counts = [], Counter[tuple[bool, bool]]()
    for page, text in extracted:
        if page.text:
            rows.append(words_score(text, page.text))
            continue
        joined = " ".join(text.split())
        for wanted, segments in ((True, page.inside), (False, page.outside)):
            counts.update((wanted, segment in joined) for segment in segments)
    if rows:
        precision, recall, f1 = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        return precision, recall, f1
    right, wrong, lost = counts[True, True], counts[False, True], counts[True, False]
    return right / max(1, right + wrong), right / max(1, right + lost), 2 * right / max(1, 2 * right + wrong + lost)
