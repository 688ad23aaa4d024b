"""Hash kernels against the xxhash package and against their own laws."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import SEED_HIGH, SEED_LOW, fmix64, hash64_rows, hash128, hash128_rows, xxh64

xxhash = pytest.importorskip("xxhash")


def array(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, np.uint8)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 7), st.integers(0, 2**64 - 1))
def test_xxh64_equals_the_xxhash_package(raw: bytes, skip: int, seed: int):
    padded = array(b"\xff" * skip + raw + b"\xee")  # unaligned, and followed by bytes that must not count
    assert int(xxh64(padded, skip, skip + len(raw), np.uint64(seed))) == xxhash.xxh64_intdigest(raw, seed)


@pytest.mark.parametrize("length", range(0, 100))
def test_xxh64_every_tail_length(length: int):
    raw = bytes((7 * i + 3) % 256 for i in range(length))
    assert int(xxh64(array(raw), 0, length, 0)) == xxhash.xxh64_intdigest(raw, 0)


def test_xxh64_known_values_of_the_specification():
    assert int(xxh64(array(b""), 0, 0, 0)) == 0xEF46DB3751D8E999
    assert int(xxh64(array(b"abc"), 0, 3, 0)) == 0x44BC2CF5AD770999


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=8), st.integers(0, 3))
def test_rows_hash_like_their_bytes(rows: list[str | None], skip: int):
    column = pa.array(rows, pa.large_string())[skip:]
    offsets, data = text_buffers(column)
    raw = [(row or "").encode() for row in rows[skip:]]
    assert hash64_rows(offsets, data, 5).tolist() == [xxhash.xxh64_intdigest(r, 5) for r in raw]
    expected = [[xxhash.xxh64_intdigest(r, int(SEED_LOW)), xxhash.xxh64_intdigest(r, int(SEED_HIGH))] for r in raw]
    assert hash128_rows(offsets, data).tolist() == expected
    assert [list(map(int, hash128(array(r), 0, len(r)))) for r in raw] == expected


def test_fmix64_known_value_and_injective():
    values = np.array([int(fmix64(np.uint64(i))) for i in range(5000)], np.uint64)
    assert len(np.unique(values)) == 5000
    assert int(fmix64(np.uint64(1))) == 0xB456BCFC34C2CB2C
