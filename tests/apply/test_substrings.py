"""Repeated substrings against the rule taken literally, and independent of the layout."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.apply.substrings import REPEATS, SubstringSettings, TextShard, repeated_substrings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.suffix import shrink_to_words
from pipeline.kernels.hashing import hash128_rows


def shard(name: str, rows: list[tuple[str, str | None]], ranks: dict[str, int] | None = None) -> TextShard:
    columns = {
        "id": pa.array([r[0] for r in rows], pa.string()),
        "text": pa.array([r[1] for r in rows], pa.large_string()),
    }
    if ranks is not None:
        columns["rank"] = pa.array([ranks[r[0]] for r in rows], pa.int64())
    batch = pa.record_batch(columns)
    step = max(2, len(rows) // 4)
    return TextShard(name, len(rows), lambda: (batch.slice(at, step) for at in range(0, len(rows), step)))


def spans(shards: list[TextShard], length: int, work: Path) -> list[list[tuple[int, int]]]:
    found = []
    for (name, column), given_shard in zip(
        repeated_substrings(shards, SubstringSettings(min_bytes=length), work), shards, strict=True
    ):
        assert name == given_shard.name
        assert column.type == REPEATS
        assert len(column) == given_shard.num_rows
        found += [[(span["start"], span["end"]) for span in row] for row in column.to_pylist()]
    assert not list(work.glob("*.bin"))
    return found


def by_the_rule(
    rows: list[tuple[str, str | None]], length: int, ranks: dict[str, int] | None = None
) -> list[list[tuple[int, int]]]:
    """Every window that equals an earlier one is cut; of overlapping copies the first stays whole."""
    raw = [(text or "").encode() for _, text in rows]
    keys = hash128_rows(*text_buffers(pa.array([name for name, _ in rows], pa.string()))).tolist()
    order = sorted(range(len(rows)), key=lambda i: ((ranks or {}).get(rows[i][0], 0), keys[i]))
    first: dict[bytes, tuple[int, int]] = {}
    cut = [np.zeros(len(text) + 1, bool) for text in raw]
    for doc in order:
        for at in range(len(raw[doc]) - length + 1):
            window = raw[doc][at : at + length]
            if window not in first:
                first[window] = (doc, at)
                continue
            where, start = first[window]
            low = max(at, start + length) if where == doc else at
            cut[doc][low : at + length] = True
    out = []
    for doc, mask in enumerate(cut):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], mask]).astype(np.int8)))
        data = np.frombuffer(raw[doc] + b" ", np.uint8)
        ranges = [shrink_to_words(data, a, b, 0, len(raw[doc])) for a, b in edges.reshape(-1, 2)]
        out.append([(int(a), int(b)) for a, b in ranges if a < b])
    return out


@st.composite
def corpora(draw: st.DrawFn) -> list[tuple[str, str | None]]:
    """Documents put together from few pieces, some periodic, so that copies chain, nest and overlap."""
    pieces = draw(st.lists(st.text(st.sampled_from("ab c\né"), min_size=1, max_size=40), min_size=1, max_size=4))
    pieces += ["a" * draw(st.integers(1, 60)), "ab" * draw(st.integers(1, 30))]
    texts = draw(st.lists(st.none() | st.lists(st.sampled_from(pieces), max_size=6).map("".join), max_size=7))
    return [(f"{i:04}", text) for i, text in enumerate(texts)]


@settings(deadline=None, max_examples=150)
@given(corpora(), st.integers(16, 24), st.booleans())
@example([("0", "a" * 100), ("1", "a" * 60)], 20, False)
def test_equals_the_rule(tmp_path_factory, rows: list, length: int, ranked: bool):
    ranks = {name: int(name) % 3 for name, _ in rows} if ranked else None
    found = spans([shard("s", rows, ranks)], length, tmp_path_factory.mktemp("w"))
    assert found == by_the_rule(rows, length, ranks)


@settings(deadline=None, max_examples=30)
@given(corpora(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_layout_and_order_do_not_matter(tmp_path_factory, rows: list, random, pieces: int):
    whole = dict(
        zip([name for name, _ in rows], spans([shard("s", rows)], 16, tmp_path_factory.mktemp("w")), strict=True)
    )
    mixed = rows[:]
    random.shuffle(mixed)
    parts = [shard(f"p{i}", mixed[i::pieces]) for i in range(pieces)]
    names = [name for i in range(pieces) for name, _ in mixed[i::pieces]]
    assert dict(zip(names, spans(parts, 16, tmp_path_factory.mktemp("w")), strict=True)) == whole


def test_disclaimer_is_kept_once_and_words_stay_whole(tmp_path: Path):
    rng = np.random.default_rng(4)
    disclaimer = " ".join(f"Past performance {word} is no guarantee." for word in rng.permutation(20))
    rows = [(f"{i}", f"{rng.bytes(400).hex()} report{i}x{disclaimer}end{i} {rng.bytes(400).hex()}") for i in range(50)]
    found = spans([shard("a", rows[:20]), shard("b", rows[20:])], 500, tmp_path)
    assert sum(not row for row in found) == 1
    for (_, text), row in zip(rows, found, strict=True):
        for start, end in row:
            assert end - start > 500
            assert not (text[start - 1].isalnum() and text[start].isalnum())
            assert not (text[end - 1].isalnum() and text[end].isalnum())


def test_no_duplicates_no_spans(tmp_path: Path):
    rng = np.random.default_rng(9)
    rows = [(f"{i}", rng.bytes(int(size)).hex()) for i, size in enumerate(rng.integers(0, 4000, 200))]
    assert spans([shard("a", rows)], 500, tmp_path) == [[]] * 200


@pytest.mark.parametrize("unit", ["a", "ab", "é", "字😀", "x y "])
def test_periodic_megabyte_keeps_one_copy(tmp_path: Path, unit: str):
    text = unit * (500_000 // len(unit.encode()))
    (row,) = spans([shard("a", [("0", text)])], 500, tmp_path)
    ((start, end),) = row
    assert 500 <= start < 600
    assert len(text.encode()) - end < 4
    assert text.encode()[:start].decode()


def test_same_hash_group_of_many_copies(tmp_path: Path):
    """One band of boilerplate in 20,000 documents, each with other neighbours: linear, and one copy stays."""
    rng = np.random.default_rng(2)
    boilerplate = rng.bytes(450).hex()
    rows = [(f"{i}", f"{rng.bytes(100).hex()} {boilerplate} {rng.bytes(100).hex()}") for i in range(20_000)]
    found = spans([shard("a", rows)], 500, tmp_path)
    assert sum(not row for row in found) == 1
    assert all(len(boilerplate) <= end - start <= len(boilerplate) + 30 for row in found for start, end in row)
