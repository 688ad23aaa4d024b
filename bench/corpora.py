"""Text of `${CORPORA}` for the benches and the certificate: read in a fixed order, sampled by a fixed stride."""

import csv
import html
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard
from resiliparse.extract.html2text import extract_plain_text

SETS = {
    "reuters": "finance/reuters_news_2006_2010.jsonl.zst",
    "earnings_calls": "finance/earnings_calls_2020_2021.jsonl.zst",
    "fed_speeches": "finance/fed_speeches_html_and_text.tar.zst",
    "reuters_1987": "finance/reuters21578_sgml.tar.zst",
    "wikipedia": "general/wikipedia_en_a.jsonl.zst",
    "books": "general/classic_books.jsonl.zst",
    "bbc": "general/bbc_news.jsonl.zst",
    "web_gold": "web/cleaneval.tar.zst",
    "news_gold": "web/newspaper_tests.tar.zst",
    "court": "legal/scotus_oral_arguments.jsonl.zst",
    "edgar_html": "finance/edgar_filings_html_a.tar.zst",
    "korean_chinese": "multilingual/wikipedia_ko_zh.jsonl.zst",
    "xquad": "filters/langid_xquad_paragraphs.jsonl.zst",
    "languages": "filters/langid_lingua_75.tar.zst",
    "articles": "filters/neardup_articles_truth.tar.zst",
    "statutes": "legal/us_statutes_bills_uslm.tar.zst",
    "legalbench": "legal/legalbench.tar.zst",
    "medquad": "medical/medquad_xml.tar.zst",
    "clinical": "medical/clinical_misc.tar.zst",
    "toxicity": "filters/toxicity_a.tar.zst",
    "bias": "filters/bias_a.tar.zst",
    "personal_data": "filters/pii_presidio_synth.tar.zst",
    "benchmarks": "filters/decontam_targets_a.tar.zst",
    "web_pages": "web/trafilatura_eval.tar.zst",
    "reader_pages": "web/readability_tests.tar.zst",
}
"""Name of a text set -> its file under `${CORPORA}`."""
_BY_SUFFIX = {
    "statutes", "legalbench", "medquad", "clinical", "toxicity", "bias", "personal_data", "benchmarks", "web_pages",
    "reader_pages",
}  # fmt: skip
ENGLISH_WEB = ["reuters", "earnings_calls", "fed_speeches", "wikipedia", "books", "bbc", "web_gold", "news_gold"]
"""The sets the benches draw from: finance, general and web text."""


def root() -> Path:
    """The folder of the corpora, or an error that says how to name it."""
    folder = os.environ.get("CORPORA")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("set CORPORA to the folder that holds finance/, general/, web/ and filters/")
    return Path(folder)


def _open(path: Path) -> io.BufferedReader:
    return io.BufferedReader(zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb")))


def lines(path: Path) -> Iterator[dict]:
    """The records of a `.jsonl.zst` file."""
    with _open(path) as raw, io.TextIOWrapper(raw, encoding="utf-8") as text:
        for line in text:
            yield json.loads(line)


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of a `.tar.zst`, in the archive's order, without the origin's own notes."""
    with _open(path) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
        for entry in archive:
            if entry.isfile() and "_origin/" not in entry.name:
                handle = archive.extractfile(entry)
                if handle is not None:
                    yield entry.name, handle.read()


def documents(name: str) -> Iterator[str]:
    """The texts of one set, in the file's order."""
    path = root() / SETS[name]
    if path.name.endswith(".jsonl.zst"):
        yield from (record["text"] for record in lines(path))
        return
    for entry, body in members(path):
        text = body.decode("utf-8", "replace")
        if name == "reuters_1987" and entry.endswith(".sgm"):
            yield from (html.unescape(part) for part in re.findall(r"<BODY>(.*?)</BODY>", text, re.S))
        elif name == "languages" and "sentences" in entry:
            yield from text.splitlines()
        elif name == "articles" and entry.endswith(".train"):
            yield from (line.partition(" ")[2] for line in text.splitlines())
        elif name == "web_gold" and "/GoldStandard/" in entry:
            yield re.sub(r"<[phl]>", "", text.partition("\n")[2])
        elif name == "edgar_html" and entry.endswith((".htm", ".html", ".txt")):
            yield re.sub(r"[ \t]+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))
        elif name in ("fed_speeches", "news_gold") and entry.endswith(".txt"):
            yield text
        elif name in _BY_SUFFIX:
            yield from _by_suffix(entry, text)


def _by_suffix(entry: str, text: str) -> Iterator[str]:
    """The texts of a file by what its name ends in: a row of a table, an item of a list, a page's text, or all of it."""
    suffix = Path(entry).suffix
    if suffix in (".csv", ".tsv"):
        table = csv.reader(io.StringIO(text, newline=""), delimiter="," if suffix == ".csv" else "\t")
        yield from ("\n".join(row) for row in table)
    elif suffix == ".jsonl":
        yield from ("\n".join(_strings(json.loads(line))) for line in text.splitlines() if line)
    elif suffix == ".json":
        found = json.loads(text)
        yield from ("\n".join(_strings(item)) for item in (found if isinstance(found, list) else [found]))
    elif suffix == ".html":
        yield extract_plain_text(text, main_content=True)
    elif suffix == ".xml":
        yield html.unescape(re.sub(r"<[^>]*>", " ", text)).strip()
    else:
        yield text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def texts(size_mb: float, names: list[str] | None = None) -> pa.LargeStringArray:
    """About `size_mb` MB of text, the same share from each set, every k-th document of a set.

    A set that is too small is given whole; the text is repeated when all of them together are too small.
    """
    names = names or ENGLISH_WEB
    share = size_mb * 1e6 / len(names)
    chosen: list[str] = []
    for name in names:
        whole = list(documents(name))
        total = sum(map(len, whole))
        stride = max(1, round(total / share))
        chosen += whole[::stride]
    found = sum(map(len, chosen))
    if found < 0.8 * size_mb * 1e6:
        chosen *= max(1, round(size_mb * 1e6 / found))
    return pa.array(chosen, pa.large_string())
