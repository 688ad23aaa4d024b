"""The exact judge: what counts as the same text and the same address."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.judge import judges
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.minhash import lower_table
from pipeline.kernels.text.fold import fold_text
from pipeline.kernels.text.urls import fold_url
from pipeline.kernels.unicode import IS_SPACE
from pipeline.measure.judges.exact import ExactSettings, exact


def run(texts: list[str | None], urls: list[str | None] | None = None, **config: bool) -> dict[str, list]:
    urls = urls if urls is not None else [None] * len(texts)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "url": pa.array(urls, pa.string())})
    return exact.run(batch, ExactSettings(**config)).to_pydict()


def folded(text: str, fold_case: bool) -> str:
    raw = np.frombuffer(text.encode(), np.uint8)
    out = np.empty(2 * len(raw) + 4, np.uint8)
    size = fold_text(raw, 0, len(raw), IS_SPACE, lower_table(), fold_case, out)
    return bytes(out[:size]).decode()


def url(address: str) -> str:
    raw = np.frombuffer(address.encode(), np.uint8)
    out = np.empty(len(raw) + 1, np.uint8)
    return bytes(out[: fold_url(raw, 0, len(raw), out)]).decode()


@settings(deadline=None)
@given(st.text(max_size=80))
def test_folding_is_joining_what_split_gives(text: str):
    assert folded(text, False) == " ".join(text.split())
    assert folded(text, True) == "".join(char.lower()[0] for char in " ".join(text.split()))


PARTS = st.lists(
    st.sampled_from(
        ["a", "word", "two words of it", " ", "\n", "\t", "  ", "\x0c", "\x1f", "\x00", "\x7f", "é", "中", "\xa0"]
    ),
    max_size=60,
)


@settings(deadline=None)
@given(PARTS, st.integers(1, 6))
def test_folding_by_blocks_is_joining_what_split_gives(parts: list[str], repeats: int):
    text = "".join(parts) * repeats
    assert folded(text, False) == " ".join(text.split())


def test_same_words_same_hash_other_figures_another():
    found = run(["Net sales\n rose  12%", "Net sales rose 12%\r\n", "Net sales rose 13%", "net sales rose 12%"])
    first, wrapped, other, lower = found["text_hash"]
    assert first == wrapped
    assert len({first, other, lower}) == 3
    assert len(set(run(["Net SALES", "net sales"], fold_case=True)["text_hash"])) == 1


def test_nothing_to_hash_is_null_and_matches_nothing():
    found = run(["", None, " \n\t", "a"], [None, "", "  ", "http://x.org"])
    assert [value is None for value in found["text_hash"]] == [True, True, True, False]
    assert [value is None for value in found["url_hash"]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Example.org/a", "https://www.example.org:443/a/"),
        ("http://example.org:80", "example.org/"),
        ("https://x.org/a?utm_source=m&b=2&fbclid=9#top", "https://x.org/a?b=2"),
        ("https://x.org/a?gclid=1", "https://x.org/a"),
        ("https://x.org/a?b=1&&c=2", "https://x.org/a?b=1&c=2"),
        ("  http://x.org/a\n", "HTTP://X.ORG/a"),
        ("http://x.org/a/ #top", "http://x.org/a"),
        ("http://x.org/a?b=1 &  #top", "http://x.org/a?b=1"),
    ],
)
def test_one_page_by_two_spellings(one: str, other: str):
    assert url(one) == url(other)
    assert len(set(run(["a", "b"], [one, other])["url_hash"])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.org/a", "https://x.org/A"),
        ("https://x.org/a?id=1", "https://x.org/a?id=2"),
        ("https://x.org/#!a", "https://x.org/#!b"),
        ("https://x.org/a", "https://y.org/a"),
        ("https://x.org:8080/", "https://x.org/"),
        ("ftp://x.org/a", "http://x.org/a"),
    ],
)
def test_two_pages_stay_two(one: str, other: str):
    assert url(one) != url(other)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("a/?#!&= u\t", max_size=20))
def test_folding_an_address_twice_changes_nothing_more(address: str):
    once = "http://h.org/" + address
    assert url("http://" + url(once)) == url(once)


@pytest.mark.skipif("CORPORA" not in os.environ, reason="set CORPORA to the folder of corpora")
def test_real_text_against_python(real_texts: list[str]):
    texts = real_texts
    assert all(folded(text, False) == " ".join(text.split()) for text in texts)
    distinct = {" ".join(text.split()) for text in texts}
    assert len(set(run([*texts])["text_hash"])) == len(distinct)


@pytest.fixture
def real_texts() -> list[str]:
    import json
    from pathlib import Path

    import zstandard

    path = Path(os.environ["CORPORA"]) / "general/bbc_news.jsonl.zst"
    raw = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb")).read()
    return [json.loads(line)["text"] for line in raw.splitlines()]


def test_slices_hash_like_whole_columns():
    batch = pa.record_batch({"text": pa.array(["a", "b", "c"], pa.large_string()), "url": pa.array(["x", "y", "z"])})
    whole = exact.run(batch, ExactSettings())
    assert exact.run(batch.slice(1), ExactSettings()).equals(whole.slice(1))
    assert text_buffers(batch["text"].slice(1))[0].tolist() == [1, 2, 3]


def test_registered():
    assert judges()["exact"] is exact
