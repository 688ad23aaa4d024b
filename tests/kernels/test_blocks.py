"""Questions to sixty-four bytes at once have the answers that each byte has, and what lies behind a text changes nothing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.batch import DOCUMENTS
from pipeline.core.judge import judges
from pipeline.kernels.blocks import copy, count_byte, count_points, find
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import address

BYTES = st.tuples(st.lists(st.sampled_from(b"ab\n\x00\x7f\x80\xbf\xc3\xff"), max_size=12), st.integers(1, 30)).map(
    lambda found: bytes(found[0] * found[1])
)
PIECES = st.sampled_from(
    [
        "the", " of ", "income", "Use cookies", "javaScript", "lorem ipsum", "a", "1,234", "$", "[12]", "{", "}", "#", "-",
        "•", "…", "...", ". . .", "!", "?", '"', "”", "é", "中", "😀", " ", "  ", "\n", "\n\n", "\t", "\r", "\r\n", "\x0b",
        "\x1c", "\x85", "\xa0", "\u2028", "\u2003", "\u3000", "\u1680", "\u205f", "\u202f", "x" * 70, "word " * 40,
    ]
)  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=30).map("".join), min_size=1, max_size=4)


@kernel()
def begin(array: np.ndarray) -> int:
    return address(array)


@settings(deadline=None, max_examples=200)
@given(BYTES, st.integers(0, 100), st.integers(0, 300), st.integers(0, 70))
def test_blocks_answer_as_bytes_do(text: bytes, start: int, size: int, after: int):
    """Any range of a longer piece of memory, down to its last byte."""
    data = np.frombuffer(text + b"\n" * after, np.uint8)
    start = min(start, len(text))
    part = text[start : start + size]
    base, limit = begin(data), begin(data) + len(data)
    low, high = base + start, base + start + len(part)
    assert count_byte(low, high, 0x0A) == part.count(b"\n")
    assert count_points(low, high, limit) == sum(byte & 0xC0 != 0x80 for byte in part)
    for byte in (0x0A, 0xC3, 0x00):
        place = part.find(bytes([byte]))
        assert find(low, high, limit, byte) - low == (place if place >= 0 else len(part))
    target = np.full(len(part) + 1, 7, np.uint8)
    copy(low, begin(target), len(part))
    assert target.tobytes() == part + b"\x07"


def measured(name: str, texts: list[str]) -> list[dict[str, object]]:
    judge = judges()[name]
    spans = pa.array([[]] * len(texts), DOCUMENTS.field("table_spans").type)
    columns = {"text": pa.array(texts, pa.large_string()), "url": pa.nulls(len(texts), pa.string())}
    return judge.run(pa.record_batch(columns | {"table_spans": spans}), judge.settings()).to_pylist()


@pytest.mark.parametrize("name", ["gopher", "fineweb", "repetition", "c4", "exact", "minhash"])
@settings(deadline=None, max_examples=60)
@given(texts=TEXTS)
def test_what_lies_behind_a_text_changes_nothing(name: str, texts: list[str]):
    """The last bytes of a column are read one by one, those before them by blocks: both ways see the same."""
    assert measured(name, texts) == measured(name, [*texts, "filler " * 30])[:-1]
