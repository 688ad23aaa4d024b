"""Readers of labelled sets and of clean text under a corpora folder: what the toxicity scorer is trained and audited on.

Every reader takes the folder, streams archives in order of their members and yields plain text. Nothing is written.
"""

import csv
import html
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

TOXICITY = "filters/toxicity_a.tar.zst"


@dataclass(frozen=True)
class Example:
    """A labelled sentence: `toxic` is the label, `group` what it is about where the set says so."""

    text: str
    toxic: bool
    group: str = ""


def open_zstd(path: Path) -> io.BufferedReader:
    """A decompressed stream of a .zst file (long windows allowed)."""
    return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb"), closefd=True)  # type: ignore[return-value]


def members(path: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the archive's files whose name holds `wanted`."""
    with open_zstd(path) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
        for member in archive:
            if member.isfile() and wanted in member.name:
                handle = archive.extractfile(member)
                if handle is not None:
                    yield member.name, handle.read()


def table(corpora: Path, archive: str, name: str, delimiter: str = ",") -> list[dict[str, str]]:
    """One CSV or TSV of an archive as rows. Raises FileNotFoundError when the archive holds no such file."""
    for _, content in members(corpora / archive, name):
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        text = io.StringIO(content.decode("utf-8"), newline="")
        return list(csv.DictReader(text, delimiter=delimiter, quoting=quoting))
    raise FileNotFoundError(f"{corpora / archive} holds no {name}")


def plain_tweet(text: str) -> str:
    """A tweet without entities, links, mentions and the mark of a repeat."""
    text = html.unescape(html.unescape(text))
    text = re.sub(r"https?://\S+|\bURL\b", " ", text)
    text = re.sub(r"\bRT\b|@\w{1,30}:?", " ", text)
    return " ".join(text.split())


def davidson(corpora: Path) -> list[Example]:
    """24,783 tweets: hate speech and offensive language against neither (Davidson et al. 2017; MIT)."""
    rows = table(corpora, TOXICITY, "davidson/data/labeled_data.csv")
    return [Example(plain_tweet(row["tweet"]), row["class"] != "2") for row in rows]


def olid(corpora: Path) -> list[Example]:
    """13,240 tweets, offensive or not (Zampieri et al. 2019). Research use: for evaluation only, never trained on."""
    rows = table(corpora, TOXICITY, "olid/olid-training-v1.0.tsv", "\t")
    return [Example(plain_tweet(row["tweet"]), row["subtask_a"] == "OFF") for row in rows]


def toxigen(corpora: Path) -> list[Example]:
    """The unique sentences of TOXIGEN's prompts: adversarial, mostly without a rude word (Hartvigsen et al. 2022; MIT)."""
    found: dict[str, Example] = {}
    for name, content in members(corpora / TOXICITY, "toxigen/prompts/"):
        label, _, group = Path(name).stem.removesuffix("_1k").partition("_")
        for part in re.split(r"\\+n|\n", content.decode("utf-8", "replace")):
            text = part.strip().lstrip("- ").rstrip("\\ ")
            if len(text.split()) >= 3:
                found.setdefault(text, Example(text, label == "hate", group))
    return list(found.values())


def madlibs(corpora: Path) -> list[Example]:
    """76,564 templates filled with identity terms, half of them toxic (Dixon et al. 2018; Apache-2.0)."""
    rows = table(corpora, TOXICITY, "eval_datasets/bias_madlibs_77k.csv")
    return [Example(row["Text"], row["Label"] == "BAD", row["Template"]) for row in rows]


def talk_comments(corpora: Path) -> list[Example]:
    """1,492 comments of Wikipedia talk pages, 248 toxic (the same repository as the templates; Apache-2.0)."""
    rows = table(corpora, TOXICITY, "eval_datasets/toxicity_nonfuzzed_testset.csv")
    return [Example(" ".join(row["comment"].split()), row["toxic"] == "True") for row in rows]


def listed_phrases(corpora: Path) -> list[str]:
    """The English list of obscene words and phrases of LDNOOBW (CC BY 4.0)."""
    for _, content in members(corpora / TOXICITY, "ldnoobw/en"):
        return [line.strip() for line in content.decode("utf-8").splitlines() if line.strip()]
    raise FileNotFoundError("no ldnoobw/en")


def crows_pairs(corpora: Path) -> list[tuple[str, str, str]]:
    """1,508 pairs of sentences that differ in the group they are about, with the kind of bias (CC BY-SA 4.0)."""
    rows = table(corpora, "filters/bias_a.tar.zst", "crows_pairs_anonymized.csv")
    return [(row["sent_more"], row["sent_less"], row["bias_type"]) for row in rows]


def json_lines(path: Path) -> Iterator[str]:
    """The field `text` of every line of a .jsonl.zst file."""
    with open_zstd(path) as raw:
        for line in io.TextIOWrapper(raw, encoding="utf-8"):
            yield json.loads(line)["text"]


_TAG = re.compile(r"<[^<>]{0,2000}>")


def clean_text(corpora: Path, name: str, limit_bytes: int) -> list[str]:
    """Documents of presumably clean text: edgar, fed, medquad, statutes, wikipedia, reuters, books; about `limit_bytes`.

    Markup is dropped in the simplest way: this feeds a linear model, it is not extraction.
    """
    readers = {
        "wikipedia": lambda: json_lines(corpora / "general/wikipedia_en_a.jsonl.zst"),
        "reuters": lambda: json_lines(corpora / "finance/reuters_news_2006_2010.jsonl.zst"),
        "calls": lambda: json_lines(corpora / "finance/earnings_calls_2020_2021.jsonl.zst"),
        "books": lambda: json_lines(corpora / "general/classic_books.jsonl.zst"),
        "bbc": lambda: json_lines(corpora / "general/bbc_news.jsonl.zst"),
        "fed": lambda: _tar_text(corpora / "finance/fed_speeches_html_and_text.tar.zst", "/text/all/"),
        "edgar": lambda: _tar_text(corpora / "finance/edgar_filings_html_a.tar.zst", ".htm"),
        "medquad": lambda: _tar_text(corpora / "medical/medquad_xml.tar.zst", ".xml"),
        "dialogues": lambda: (
            row["dialogue"] for row in table(corpora, "medical/clinical_misc.tar.zst", "MTS-Dialog-TrainingSet.csv")
        ),
        "reviews": lambda: _reviews(corpora / "general/everyday_language.jsonl.zst"),
        "abstracts": lambda: (
            text
            for name, content in members(corpora / "medical/clinical_misc.tar.zst", "medical_tc_test.csv")
            for text in (
                row["medical_abstract"] for row in csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
            )
        ),
        "statutes": lambda: _tar_text(corpora / "legal/us_statutes_bills_uslm.tar.zst", ".xml"),
    }
    found, size = [], 0
    for text in readers[name]():
        if len(text) > 200:
            found.append(text)
            size += len(text)
        if size >= limit_bytes:
            break
    return found


def _tar_text(path: Path, wanted: str) -> Iterator[str]:
    for name, content in members(path, wanted):
        text = content.decode("utf-8", "replace")
        if not name.endswith(".txt"):
            text = re.sub(r"(?is)<(script|style|ix:header)\b.{0,4000000}?</\1>", " ", text)
            text = re.sub(r"(?i)</(p|div|tr|li|h\d)>|<br[^>]{0,20}>", "\n", text)
            text = html.unescape(_TAG.sub(" ", text))
            text = "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
        yield text


def _reviews(path: Path) -> Iterator[str]:
    """Film and product reviews (CC BY 4.0) of the everyday language."""
    with open_zstd(path) as raw:
        for line in io.TextIOWrapper(raw, encoding="utf-8"):
            row = json.loads(line)
            if "reviews" in row["source_set"]:
                yield row["text"]


def chunks(text: str, size: int = 2000) -> list[str]:
    """Pieces of about `size` characters, cut at white space."""
    found, at = [], 0
    while at < len(text):
        end = min(len(text), at + size)
        if end < len(text):
            space = text.rfind(" ", at + size // 2, end)
            end = space if space > 0 else end
        found.append(text[at:end])
        at = end
    return [piece for piece in found if len(piece) >= size // 2]
