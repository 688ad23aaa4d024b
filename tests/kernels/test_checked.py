"""`KERNELS=checked` finds every access outside of an array: by address, by block and by index, read or written.

The planted mistakes are only met in checked mode. The normal suite runs them, and the twins that compile soonest, in a
process of their own; `just checked` runs all twins so.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.kernels.blocks import SIZE, below, copy, copy_block, count_points, equal, find
from pipeline.kernels.compiled import CHECKED, cache_folder, kernel
from pipeline.kernels.memory import (
    address,
    byte_at,
    int_at,
    load_u32,
    load_u64,
    put_byte,
    put_int,
    put_word,
    short_at,
    word_at,
)

checked = pytest.mark.skipif(not CHECKED, reason="met in checked mode only")
QUICK_TWINS = [
    "test_blocks.py::test_blocks_answer_as_bytes_do",
    "test_hashing.py",
    "test_union_find.py",
    "test_syllables.py",
]


@kernel()
def _byte(data: np.ndarray, at: int) -> int:
    return byte_at(address(data) + at)


@kernel()
def _short(data: np.ndarray, at: int) -> int:
    return short_at(address(data) + at)


@kernel()
def _int(data: np.ndarray, at: int) -> int:
    return int_at(address(data) + at)


@kernel()
def _word(data: np.ndarray, at: int) -> int:
    return word_at(address(data) + at)


@kernel()
def _item_u32(data: np.ndarray, at: int) -> int:
    return load_u32(data, at)


@kernel()
def _item_u64(data: np.ndarray, at: int) -> int:
    return load_u64(data, at)


@kernel()
def _equal(data: np.ndarray, at: int) -> int:
    return equal(address(data) + at, 7)


@kernel()
def _below(data: np.ndarray, at: int) -> int:
    return below(address(data) + at, 7)


@kernel()
def _copy_from(data: np.ndarray, at: int) -> int:
    copy_block(address(data) + at, address(np.empty(SIZE, np.uint8)))
    return 0


@kernel()
def _copy_to(data: np.ndarray, at: int) -> int:
    copy_block(address(np.zeros(SIZE, np.uint8)), address(data) + at)
    return 0


@kernel()
def _put_byte(data: np.ndarray, at: int) -> int:
    put_byte(address(data) + at, 7)
    return 0


@kernel()
def _put_int(data: np.ndarray, at: int) -> int:
    put_int(address(data) + at, 7)
    return 0


@kernel()
def _put_word(data: np.ndarray, at: int) -> int:
    put_word(address(data) + at, 7)
    return 0


@kernel()
def _index(data: np.ndarray, at: int) -> int:
    return data[at]


@kernel()
def _put_index(data: np.ndarray, at: int) -> int:
    data[at] = 7
    return 0


ACCESSES = [
    (_byte, 1), (_short, 2), (_int, 4), (_word, 8), (_item_u32, 4), (_item_u64, 8), (_equal, 64), (_below, 64),
    (_copy_from, 64), (_copy_to, 64), (_put_byte, 1), (_put_int, 4), (_put_word, 8), (_index, 1), (_put_index, 1),
]  # fmt: skip


@checked
@pytest.mark.parametrize(("access", "width"), ACCESSES)
def test_one_byte_too_far_raises(access: Callable[[np.ndarray, int], int], width: int):
    """The array is the middle of a larger one: neither what lies around it nor its padding may be touched."""
    around = np.zeros(400, np.uint8)
    data = around[100:200]
    for inside in (0, 1, 100 - width):
        access(data, inside)
    before = around.copy()
    before[100:200] = data
    for outside in (100 - width + 1, 100, 10**6, 1 << 47, *(() if access in (_index, _put_index) else (-1, -width))):
        with pytest.raises(IndexError):
            access(data, outside)
    assert around.tolist() == before.tolist()


@checked
def test_the_message_names_the_kernels_line():
    with pytest.raises(IndexError, match=r"load of 8 bytes outside of its array, at .*test_checked\.py:\d+"):
        _word(np.zeros(15, np.uint8), 8)


@kernel()
def _sum_of_lines(data: np.ndarray, last: int) -> int:
    """As kernels go about it: addresses through calls, loops and other arrays; `last` may be planted one too far."""
    ends = np.zeros(2, np.int64)
    put_word(address(ends), address(data))
    at, end, total = np.int64(word_at(address(ends))), address(data) + last, 0
    while at < end:
        line = find(at, end, end, 0x0A)
        total += count_points(at, line, end)
        at = line + 1
    return total


@checked
def test_an_off_by_one_deep_in_a_loop_raises():
    """Also when the array is empty, and when an array that has room lies right behind."""
    both = np.frombuffer(b"one\ntwo\nthree" + b"x" * 200, np.uint8)
    text = both[:13]
    assert _sum_of_lines(text, 13) == 11
    with pytest.raises(IndexError):
        _sum_of_lines(text, 14)
    with pytest.raises(IndexError):
        _sum_of_lines(text[:0], 1)
    assert _sum_of_lines(both, 14) == 12


@kernel()
def _copied(source: np.ndarray, target: np.ndarray, size: int) -> int:
    return copy(address(source), address(target), size) - address(target)


@checked
@pytest.mark.parametrize("size", [1, 8, 63, 64, 65, 200])
def test_a_copy_that_does_not_fit_raises(size: int):
    data, larger = np.ones(size, np.uint8), np.zeros(size + 1, np.uint8)
    assert _copied(data, np.zeros(size, np.uint8), size) == size
    for source, target in ((data, larger), (larger, data)):
        with pytest.raises(IndexError):
            _copied(source, target, size + 1)


@checked
def test_an_address_that_no_array_gave_may_touch_nothing():
    @kernel()
    def anywhere(place: int) -> int:
        return byte_at(place)

    data = np.zeros(8, np.uint8)
    for place in (data.ctypes.data, 0, -1, -(1 << 62), (1 << 63) - 1):
        with pytest.raises(IndexError):
            anywhere(place)


@checked
def test_more_arrays_than_the_table_has_rows():
    """What is taken last counts; those before gave way."""
    data = np.zeros(40_000, np.uint8)
    for begin in range(0, len(data) - 8):
        assert _byte(data[begin : begin + 8], 7) == 0
    with pytest.raises(IndexError):
        _byte(data[:8], 8)


@checked
def test_checked_code_has_its_own_folder():
    assert cache_folder().name == "checked"


@pytest.mark.timeout(1200)  # compiles for half a minute, on a machine that may have other work
@pytest.mark.skipif(CHECKED, reason="this is the run it asks for")
def test_planted_overruns_raise_and_quick_twins_pass_in_checked_mode():
    here = Path(__file__).parent
    tests = [str(here / name) for name in ("test_checked.py", *QUICK_TWINS)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env=os.environ | {"KERNELS": "checked"}, cwd=here.parents[1], capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-4000:]
