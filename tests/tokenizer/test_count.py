"""Counts equal a dictionary's, add up in any order, and survive their table."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.bpe.counting import PretokenTable
from pipeline.kernels.bpe.pretokens import pretoken_ends
from pipeline.kernels.buffers import text_buffers
from tests.tokenizer.conftest import TEXT
from tokenizer.count import Counts, count_batch, merge_counts


def twin(texts: list[str], preset: str) -> dict[bytes, int]:
    found: Counter[bytes] = Counter()
    for text in texts:
        data = text.encode()
        ends, _ = pretoken_ends(np.array([0, len(data)]), np.frombuffer(data, np.uint8), preset)
        starts = [0, *ends.tolist()]
        found.update(data[start:end] for start, end in pairwise(starts))
    return dict(found)


def as_dict(counts: Counts) -> dict[bytes, int]:
    table = counts.to_table()
    return dict(zip(table["pretoken"].to_pylist(), table["count"].to_pylist(), strict=True))


@given(texts=st.lists(TEXT, max_size=8), cut=st.integers(0, 8))
@settings(deadline=None)
def test_equals_a_dictionary_and_adds_up(texts: list[str], cut: int):
    whole = count_batch(pa.array(texts, pa.string()), "gpt4")
    assert as_dict(whole) == twin(texts, "gpt4")
    assert whole.num_bytes == sum(len(text.encode()) for text in texts)
    parts = [count_batch(pa.array(part, pa.large_string()), "gpt4") for part in (texts[cut:], texts[:cut])]
    assert merge_counts(parts).to_table().equals(whole.to_table())
    assert Counts.from_table(whole.to_table()).to_table().equals(whole.to_table(), check_metadata=True)


def test_growth_keeps_every_count():
    words = [f"w{'x' * (number % 40)}{number:x}y" for number in range(60_000)]
    words = [word.translate(str.maketrans("0123456789", "ghijklmnop")) for word in words]
    text = " ".join(words) + " " + "q" * 100_000
    counts = count_batch(pa.array([text, text]), "gpt4")
    assert as_dict(counts) == twin([text, text], "gpt4")


def test_counts_beyond_32_bits():
    table = PretokenTable()
    offsets, data = text_buffers(pa.array(["loss", "a pre-token of more than fifteen bytes"]))
    for _ in range(3):
        table.weigh(offsets, data, np.array([2**40, 2**62], np.uint64))
    assert sorted(table.arrays()[2].tolist()) == [3 * 2**40, 3 * 2**62]


def test_presets_do_not_mix():
    parts = [count_batch(pa.array(["1234"]), preset) for preset in ("gpt4", "gpt4_digits_1")]
    with pytest.raises(ValueError, match="gpt4_digits_1"):
        merge_counts(parts)
    with pytest.raises(ValueError, match="none"):
        merge_counts([])
