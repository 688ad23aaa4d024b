"""Extraction quality on pages with gold text: words found and words right, per corpus. Run as a module to print them.

CORPORA=... python -m tests.extract.quality
"""

import html
import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

Extract = Callable[[bytes], str]
Case = tuple[bytes, str]
WORD = re.compile(r"\w+")


def members(corpora: Path, name: str) -> dict[str, bytes]:
    """Files of a packed corpus, by name."""
    with open(corpora / name, "rb") as file:
        reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file)
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            return {item.name: archive.extractfile(item).read() for item in archive if item.isfile()}


def paired(
    files: dict[str, bytes], page: str, gold: Callable[[str], str], clean: Callable[[str], str] = str
) -> Iterator[Case]:
    """Pages whose name matches, with the gold text under the name `gold` makes of it."""
    for name in sorted(files):
        if re.search(page, name) and gold(name) in files:
            yield files[name], clean(files[gold(name)].decode("utf-8", "replace"))


def cleaneval(corpora: Path) -> Iterator[Case]:
    def clean(text: str) -> str:
        return re.sub(r"(?i)</?(p|h|l)>", "", re.sub(r"^\s*URL:.*\n", "", text))

    files = members(corpora, "web/cleaneval.tar.zst")
    return paired(
        files, r"/input/.*\.html$", lambda n: n.replace("/input/", "/GoldStandard/").replace(".html", ".txt"), clean
    )


def newspaper(corpora: Path) -> Iterator[Case]:
    files = members(corpora, "web/newspaper_tests.tar.zst")
    return paired(files, r"/html/.*\.html$", lambda n: n.replace("/html/", "/text/").replace(".html", ".txt"))


def readability(corpora: Path) -> Iterator[Case]:
    files = members(corpora, "web/readability_tests.tar.zst")
    return paired(
        files,
        r"/source\.html$",
        lambda n: n.replace("source", "expected"),
        lambda t: html.unescape(re.sub(r"<[^>]+>", " ", t)),
    )


def fed_speeches(corpora: Path) -> Iterator[Case]:
    files = members(corpora, "finance/fed_speeches_html_and_text.tar.zst")
    return paired(files, r"/html/all/.*\.htm$", lambda n: n.replace("/html/", "/text/").replace(".htm", ".txt"))


SETS = {"cleaneval": cleaneval, "newspaper": newspaper, "readability": readability, "fed_speeches": fed_speeches}


def words_score(text: str, gold: str) -> tuple[float, float, float]:
    """Precision, recall and F1 over the bags of words."""
    found, wanted = Counter(WORD.findall(text.lower())), Counter(WORD.findall(gold.lower()))
    both = (found & wanted).total()
    precision, recall = both / max(1, found.total()), both / max(1, wanted.total())
    return precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0


def mean_score(cases: Iterator[Case], extract: Extract) -> tuple[float, float, float]:
    """Means over the pages that have gold words."""
    scores = [words_score(extract(page), gold) for page, gold in cases if WORD.search(gold)]
    precision, recall, f1 = (sum(column) / len(scores) for column in zip(*scores, strict=True))
    return precision, recall, f1


def trafilatura(corpora: Path, extract: Extract) -> tuple[float, float, float]:
    """Precision, recall and F1 over the segments that must and must not be in the text of trafilatura's pages."""
    files = members(corpora, "web/trafilatura_eval.tar.zst")
    by_name = {
        name.rpartition("/")[2]: data
        for name, data in sorted(files.items(), reverse=True)
        if name.endswith((".html", ".htm"))
    }
    labels = json.loads(next(data for name, data in files.items() if name.endswith("evaldata.json")))
    counts = Counter()
    for label in labels.values():
        if label["file"] not in by_name:
            continue
        text = " ".join(extract(by_name[label["file"]]).split())
        for side in ("with", "without"):
            for segment in label[side]:
                counts[side, " ".join(segment.split()) in text] += 1
    good, bad, lost = counts["with", True], counts["without", True], counts["with", False]
    return good / (good + bad), good / (good + lost), 2 * good / (2 * good + bad + lost)


def main() -> None:
    from resiliparse.extract.html2text import extract_plain_text

    from pipeline.extract.encoding import decode_payload
    from pipeline.extract.extract_settings import ExtractSettings
    from pipeline.extract.html_text import extract_html

    corpora = Path(os.environ["CORPORA"])

    def ours(page: bytes) -> str:
        return extract_html(page, None, ExtractSettings()).text

    def bare(page: bytes) -> str:
        return extract_plain_text(decode_payload(page, None, True).text, main_content=True)

    print(f"{'corpus':14} {'':6} precision recall    F1")
    for name, extract in [("ours", ours), ("bare", bare)]:
        for corpus, cases in SETS.items():
            print(f"{corpus:14} {name:6}", *(f"{score:8.4f}" for score in mean_score(cases(corpora), extract)))
        print(f"{'trafilatura':14} {name:6}", *(f"{score:8.4f}" for score in trafilatura(corpora, extract)))


if __name__ == "__main__":
    main()
