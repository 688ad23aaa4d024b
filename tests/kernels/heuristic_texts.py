"""Texts that the heuristic judges are tested on: random Unicode rich in what the rules look at, and real documents."""

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from pipeline.core.batch import SPAN

PIECES = [
    "the", "The", "and", "word", "Don't", "can’t", "it's", "'s", "cannot", "U.S.", "Inc.", "e.g.", "a.", "10am", "5km",
    "1,234.56", "$1.23bn", "12%", "US$", "C$5", "+1", "1+1", "well-known", "a--b", "either/or", "x:y", "end.Start",
    "http://example.com/a?b=c", "me@example.org", "www.x.co", "...", "..", ".", "…", "……", "#", "•", "-", "—", "–", "~",
    '"', "'", "’", "“", "(", ")", "[", "]", "[1]", "[12]", "[edit]", "[citation needed]", "[x]", "{", "}", ",", ";", ":",
    ":)", "):", "?", "!", "*", "&", "|", "@", "=", "<", ">", "/", "\\", "^", "_", "`", "%", "€", "£", "°C.", "™", "😀", "👍🏽",
    "e\u0301", "é", "É", "ß", "İ", "K", "cooKies", "日本語。", "한국어", "привет.", "שלום", "عربى؟", "हिन्दी।", "ไทย", "١٢", "1", "23",
    "lorem ipsum", "Lorem Ipsum", "JavaScript", "terms of use", "Privacy Policy", "uses cookies", "Operator", "Jane Doe:",
    "Jane Doe -- Analyst", "A" * 40, "x" * 1001,
]  # fmt: skip
SPACES = [" ", " ", " ", "  ", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\t", "\v", "\f", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\xa0", "\u3000", "\ufeff", "\u200b", ""]  # fmt: skip

relaxed = settings(deadline=None, max_examples=150)
"""The first example pays for compiling."""

characters = st.characters(exclude_categories=["Cs"])
pieces = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), st.text(characters, max_size=6))
texts = st.lists(st.tuples(pieces, st.sampled_from(SPACES)), max_size=40).map(
    lambda parts: "".join(piece + space for piece, space in parts)
)
"""Random documents."""

ADVERSARIAL = {
    "one letter": "a" * 1_000_000,
    "digits": "7" * 1_000_000,
    "at signs": "@" * 1_000_000,
    "combining marks": "e" + "\u0301" * 499_999,
    "emoji": "😀" * 250_000,
    "asterisks": "*" * 1_000_000,
    "full stops": "." * 1_000_000,
    "hyphens": "a-" * 500_000,
    "brackets": "[" * 1_000_000,
    "quotes": "'" * 1_000_000,
    "line feeds": "\n" * 1_000_000,
    "short lines": "a\n" * 500_000,
    "one long line": "word " * 200_000,
    "different words": " ".join(map(str, range(150_000))),
    "addresses": "http://a@b.c/" * 77_000,
    "slashes": "a/b:" * 250_000,
}


def real_texts(limit: int = 400, longest: int = 20_000) -> list[str]:
    """Documents of `${CORPORA}` by a fixed stride, of every kind; the test is skipped when it is not set."""
    folder = os.environ.get("CORPORA")
    if not folder or not (Path(folder) / "finance").is_dir():
        pytest.skip("CORPORA is not set: no real text to compare on")
    from bench.corpora import documents

    found: list[str] = []
    for name in ("fed_speeches", "wikipedia", "web_gold", "xquad", "earnings_calls"):
        some = [text for _, text in zip(range(1200), documents(name), strict=False)]
        found += [text[:longest] for text in some[:: max(1, 5 * len(some) // limit)]]
    return found


few_or_many = pytest.mark.parametrize("limit", [50, pytest.param(200, marks=pytest.mark.slow)])
"""How many real texts: a few of every kind in each run of the suite, more in `just slow`."""


def batch(documents: list[str], spans: list[list[dict[str, int]]] | None = None) -> pa.RecordBatch:
    """A batch with the columns that the heuristic judges read."""
    tables = spans or [[] for _ in documents]
    return pa.record_batch(
        {"text": pa.array(documents, pa.large_string()), "table_spans": pa.array(tables, pa.list_(SPAN))}
    )
