"""How many lines of code judges step through on a text, their kernels run as plain Python.

`python -m tests.measure.counted` reads [judge, settings, texts] lists as JSON and prints the counts of each. A count is
the same on every machine and however loaded it is, so a test can say that work grows with the text and not with its square.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def steps(jobs: Sequence[tuple[str, dict[str, Any], Sequence[str]]]) -> list[list[int]]:
    """Lines executed for each text of each (judge, settings, texts), in one interpreter of its own with the compiler off."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.measure.counted"],
        input=json.dumps(jobs), cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": ROOT},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def stand_in(function: str) -> Any:
    """Plain Python for a piece of machine code of `pipeline.kernels` (`memory`, `blocks`, `hashing`), by its name there, `plain_address` being
    `address` without the tag of checked mode."""
    import ctypes

    import numpy as np

    def number(kind: Any, place: int) -> int:
        return kind.from_address(int(place)).value

    def block(place: int) -> Any:
        return np.frombuffer(ctypes.string_at(int(place), 64), np.uint8)

    def bits(mask: Any) -> Any:
        return np.packbits(mask, bitorder="little").view(np.uint64)[0]

    def put(kind: Any) -> Any:
        def store(place: int, value: int) -> None:
            kind.from_address(int(place)).value = int(value) & (1 << 8 * ctypes.sizeof(kind)) - 1

        return store

    plain = {
        "address": lambda array: array.__array_interface__["data"][0],
        "byte_at": lambda place: number(ctypes.c_uint8, place),
        "short_at": lambda place: number(ctypes.c_uint16, place),
        "int_at": lambda place: number(ctypes.c_int32, place),
        "word_at": lambda place: np.uint64(number(ctypes.c_uint64, place)),
        "trailing_zeros": lambda word: (int(word) & -int(word)).bit_length() - 1 if word else 64,
        "leading_zeros": lambda word: 64 - int(word).bit_length(),
        "ones": lambda word: int(word).bit_count(),
        "put_byte": put(ctypes.c_uint8),
        "put_int": put(ctypes.c_uint32),
        "put_word": put(ctypes.c_uint64),
        "equal": lambda place, byte: bits(block(place) == byte),
        "below": lambda place, byte: bits(block(place) < byte),
        "alike": lambda place, byte: bits(block(place) | 0x20 == byte),
        "copy_block": lambda source, target: ctypes.memmove(int(target), int(source), 64),
        "load_u64": lambda data, at: np.uint64(number(ctypes.c_uint64, data.__array_interface__["data"][0] + at)),
        "load_u32": lambda data, at: np.uint64(number(ctypes.c_uint32, data.__array_interface__["data"][0] + at)),
    }
    return plain[function.removeprefix("plain_")]


def main() -> None:
    """The child's side."""
    import numpy as np

    from pipeline.kernels import blocks, hashing, memory

    for module in (memory, blocks, hashing):
        for own, value in vars(module).items():
            if type(value) is type(memory.address):
                value.plain = stand_in(own)
    type(memory.address).__call__ = lambda self, *arguments: self.plain(*arguments)  # only in this child
    from bench.adversarial import batch_of, model_of
    from pipeline.core.judge import judges

    np.seterr(all="ignore")  # machine integers wrap around
    count, found = 0, []

    def line(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    for name, given, texts in json.load(sys.stdin):
        judge = judges()[name]
        settings, model, counts = judge.settings.model_validate(given), model_of(judge), []
        judge.run(batch_of(["What is made once is made: a@b.example 12.50 words.\n"]), settings, model)
        for text in texts:
            batch, count = batch_of([text]), 0
            sys.settrace(line)
            judge.run(batch, settings, model)
            sys.settrace(None)
            counts.append(count)
        found.append(counts)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
