"""Memory by address for the innermost loops.

An array that is handed from function to function is counted each time with atomic operations, and an index may wrap
around; measured on the pre-token scanner, both together cost four fifths of the time. A kernel takes arrays, hands
`address(array)` on, and keeps the array alive by being its caller. Nothing here is checked.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Int = int | np.integer
"""What compiled arithmetic takes and gives: a Python int to a reader, a machine word to the compiler."""


def _address(typing_context: Any, array: Any) -> Any:  # numba takes the type from it
    """Where the first item of an array lies."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, ir.IntType(64))

    return types.int64(array), code


def _load(builder: Any, place: Any, bits: int) -> Any:
    item = builder.load(builder.inttoptr(place, ir.PointerType(ir.IntType(bits))))
    item.align = 1
    return item


def _byte_at(typing_context: Any, place: Any) -> Any:
    """The byte at an address, as int64: all arithmetic stays signed."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(_load(builder, arguments[0], 8), ir.IntType(64))

    return types.int64(types.int64), code


def _short_at(typing_context: Any, place: Any) -> Any:
    """The two bytes at an address, little-endian, as int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(_load(builder, arguments[0], 16), ir.IntType(64))

    return types.int64(types.int64), code


def _word_at(typing_context: Any, place: Any) -> Any:
    """The eight bytes at an address, at any alignment, as one little-endian word."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(builder, arguments[0], 64)

    return types.uint64(types.int64), code


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    """How many of the low bits of a word are zero, int64; 64 of a word without a bit."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


def _int_at(typing_context: Any, place: Any) -> Any:
    """The four bytes at an address as a signed number, int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sext(_load(builder, arguments[0], 32), ir.IntType(64))

    return types.int64(types.int64), code


def _store(bits: int) -> Any:
    def put(typing_context: Any, place: Any, value: Any) -> Any:
        """Write the low bits of an integer to an address."""

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = builder.trunc(arguments[1], ir.IntType(bits)) if bits < 64 else arguments[1]
            item = builder.store(number, builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(bits))))
            item.align = 1
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), code

    return put


# Plain names, so that a reader's type checker does not ask for the typing context.
address: Any = intrinsic(_address)
byte_at: Any = intrinsic(_byte_at)
short_at: Any = intrinsic(_short_at)
int_at: Any = intrinsic(_int_at)
word_at: Any = intrinsic(_word_at)
trailing_zeros: Any = intrinsic(_trailing_zeros)
put_byte: Any = intrinsic(_store(8))
put_int: Any = intrinsic(_store(32))
put_word: Any = intrinsic(_store(64))
