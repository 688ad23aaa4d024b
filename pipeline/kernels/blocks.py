"""Sixty-four bytes at once: questions to every byte of a block, answered in the bits of a word, first byte lowest.

The code is that of vectors of bytes, which the compiler turns into whatever the machine has for them. As with all of
`memory`, nothing is checked unless `KERNELS=checked` asks for it: the caller sees to it that all 64 bytes lie inside the
array. Padding behind an array does not count: Arrow pads its own allocations, not slices, files or others' buffers.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.kernels import codes
from pipeline.kernels.checked import guard
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at, put_byte, put_word, trailing_zeros, word_at

SIZE = 64
_BLOCK = ir.VectorType(ir.IntType(8), SIZE)


def _load(context: Any, builder: Any, place: Any) -> Any:
    place = guard(context, builder, place, SIZE, "load of a block")
    block = builder.load(builder.inttoptr(place, ir.PointerType(_BLOCK)))
    block.align = 1
    return block


def _spread(builder: Any, byte: Any) -> Any:
    """A block of one byte, given as any integer."""
    one = builder.trunc(byte, ir.IntType(8))
    block = builder.insert_element(ir.Constant(_BLOCK, ir.Undefined), one, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        block, ir.Constant(_BLOCK, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), SIZE), [0] * SIZE)
    )


def _asked(compare: Any) -> Any:
    def ask(typing_context: Any, place: Any, byte: Any) -> Any:
        """Bits of the bytes at an address that compare so with `byte`, uint64."""

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            bits = compare(builder, _load(context, builder, arguments[0]), _spread(builder, arguments[1]))
            return builder.bitcast(bits, ir.IntType(SIZE))

        return types.uint64(types.int64, types.int64), code

    return ask


def _copied(typing_context: Any, source: Any, target: Any) -> Any:
    """Copy a block from one address to another."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _load(context, builder, arguments[0])
        target = guard(context, builder, arguments[1], SIZE, "store of a block")
        builder.store(block, builder.inttoptr(target, ir.PointerType(_BLOCK))).align = 1
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


def _ones(typing_context: Any, word: Any) -> Any:
    """How many bits of a word are set, int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), code


def _leading_zeros(typing_context: Any, word: Any) -> Any:
    """How many of the high bits of a word are zero, int64; 64 of a word without a bit."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


equal: Any = intrinsic(_asked(lambda builder, block, byte: builder.icmp_unsigned("==", block, byte)))
"""`equal(place, byte)`: the bytes that are `byte`."""
below: Any = intrinsic(_asked(lambda builder, block, byte: builder.icmp_unsigned("<", block, byte)))
"""`below(place, byte)`: the bytes less than `byte`, unsigned."""
alike: Any = intrinsic(
    _asked(
        lambda builder, block, byte: builder.icmp_unsigned(
            "==", builder.or_(block, ir.Constant(_BLOCK, [0x20] * SIZE)), byte
        )
    )
)
"""`alike(place, byte)`: the bytes that are `byte` once 0x20 is set in them."""
copy_block: Any = intrinsic(_copied)
"""`copy_block(source, target)`: copy 64 bytes."""
ones: Any = intrinsic(_ones)
"""`ones(word)`: how many bits are set."""
leading_zeros: Any = intrinsic(_leading_zeros)
"""`leading_zeros(word)`: how many of the high bits are not set."""


@kernel(forceinline=True)
def first_bits(count: Int) -> np.uint64:
    """The lowest `count` bits, 0 to 64, all of them from 64 on."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) if count >= SIZE else (np.uint64(1) << np.uint64(count)) - np.uint64(1)


@kernel(forceinline=True)
def begins(at: Int) -> np.uint64:
    """The bytes at which a character of UTF-8 begins, stray ones too: all but those from 0x80 to 0xBF."""
    return below(at, codes.NON_ASCII) | ~below(at, 0xC0)


@kernel()
def find(at: Int, end: Int, limit: Int, byte: Int) -> Int:
    """The address of the first `byte` from `at` on, or `end`; nothing from `limit` on is read."""
    while at < end:
        if at + SIZE <= limit:
            found = equal(at, byte)
            if found:
                return min(at + trailing_zeros(found), end)
            at += SIZE
        else:
            if byte_at(at) == byte:
                return at
            at += 1
    return end


@kernel()
def count_byte(at: Int, end: Int, byte: Int) -> Int:
    """How many bytes between two addresses are `byte`."""
    total = 0
    while at + SIZE <= end:
        total += ones(equal(at, byte))
        at += SIZE
    while at < end:
        total += byte_at(at) == byte
        at += 1
    return total


@kernel()
def count_points(at: Int, end: Int, limit: Int) -> Int:
    """How many characters of UTF-8 begin between two addresses; nothing from `limit` on is read."""
    total = 0
    while at < end and at + SIZE <= limit:
        total += ones(begins(at) & first_bits(end - at))
        at += SIZE
    while at < end:
        total += byte_at(at) & 0xC0 != 0x80
        at += 1
    return total


@kernel()
def copy(source: Int, target: Int, size: Int) -> Int:
    """Copy `size` bytes, none when it is negative, to another place that does not overlap; the address behind them."""
    at = 0
    while at + SIZE <= size:
        copy_block(source + at, target + at)
        at += SIZE
    while at + 8 <= size:
        put_word(target + at, word_at(source + at))
        at += 8
    while at < size:
        put_byte(target + at, byte_at(source + at))
        at += 1
    return target + at
