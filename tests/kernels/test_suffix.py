"""Winnowing runs and word borders against plain Python."""

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.suffix import anchor_runs, same_bytes, shrink_to_words


def runs_of(texts: list[str], length: int, gram: int, base: int = 0) -> list[tuple]:
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    capacity = max((len(text.encode()) for text in texts), default=0)
    row, found = 0, []
    while row < len(texts):
        row, *columns = anchor_runs(offsets, data, row, length, gram, base, capacity)
        found += list(zip(*(column.tolist() for column in columns), strict=True))
    return found


texts_of = st.lists(st.text(st.sampled_from("ab é"), max_size=60), min_size=1, max_size=4)


@settings(deadline=None)
@given(texts_of, st.integers(4, 12))
@example(["a" * 40, "ab" * 20], 8)
def test_every_window_lies_in_one_run_and_equal_windows_pick_equal_grams(texts: list[str], length: int):
    gram, base = length // 2, 100
    raw = "".join(texts).encode()
    picked, start = {}, 0
    expected = []
    for text in texts:
        size = len(text.encode())
        expected += range(start, start + size - length + 1)
        start += size
    for gram_hash, anchor, first, last in runs_of(texts, length, gram, base):
        for window in range(first - base, last - base + 1):
            assert window <= anchor - base <= window + length - gram
            choice = (gram_hash, anchor - base - window)
            content = raw[window : window + length]
            assert picked.setdefault(content, choice) == choice
            assert expected.pop(0) == window
    assert not expected


def test_about_one_anchor_in_half_a_window_of_ordinary_text():
    text = np.random.default_rng(1).bytes(50_000).hex()
    assert 2 * 100_000 / 251 * 0.9 < len(runs_of([text], 500, 250)) < 2 * 100_000 / 251 * 1.1


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_same_bytes(one: bytes, other: bytes):
    count = min(len(one), len(other))
    data = np.frombuffer(one + other, np.uint8)
    assert same_bytes(data, 0, len(one), count) == (one[:count] == other[:count])


@settings(deadline=None)
@given(st.text(st.sampled_from("ab .é字"), min_size=1, max_size=150), st.data())
def test_shrinking_splits_neither_words_nor_characters(text: str, data):
    raw = text.encode()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    low, high = shrink_to_words(np.frombuffer(raw, np.uint8), start, end, 0, len(raw))
    assert start <= low <= end or low == high == end
    assert high <= end
    if low < high:
        kept = raw[:low].decode(), raw[low:high].decode(), raw[high:].decode()
        assert "".join(kept) == text
        word = max((len(part.encode()) for part in text.replace(".", " ").split()), default=0)
        if word <= 64:
            assert not (kept[0] and kept[0][-1] not in " ." and kept[1][0] not in " .")
            assert not (kept[2] and kept[2][0] not in " ." and kept[1][-1] not in " .")
        glued = kept[0] and kept[2] and kept[0][-1] not in " ." and kept[2][0] not in " ."
        assert not glued or not set(kept[1]) & set(" .")
