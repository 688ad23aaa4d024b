"""BLAKE2b in lanes gives the digests of hashlib, row by row."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.blake2 import digests
from pipeline.kernels.buffers import text_buffers

SIZES = st.sampled_from([0, 1, 2, 127, 128, 129, 255, 256, 257, 384, 1000, 70_000])
ROWS = st.lists(st.tuples(SIZES, st.binary(min_size=1, max_size=4)), max_size=40)


def alone(rows: list[bytes]) -> list[bytes]:
    return [hashlib.blake2b(row, digest_size=32).digest() for row in rows]


@settings(deadline=None, max_examples=150)
@given(ROWS)
def test_equals_hashlib(sizes: list[tuple[int, bytes]]):
    """More rows than lanes and fewer, of all lengths around the border of a block."""
    rows = [(seed * size)[:size] for size, seed in sizes]
    assert digests(*text_buffers(pa.array(rows, pa.large_binary()))) == alone(rows)


@pytest.mark.parametrize("long", [0, 1 << 20])
def test_slices_and_a_row_that_outweighs_the_others(long: int):
    rows = [b"skipped", b"", b"a" * long, b"b", None, b"c" * 500]
    column = pa.array(rows, pa.large_binary())[1:]
    assert digests(*text_buffers(column)) == alone([row or b"" for row in rows[1:]])
