"""Memory by address for the innermost loops.

An array that is handed from function to function is counted each time with atomic operations, and an index may wrap
around; measured on the pre-token scanner, both together cost four fifths of the time. A kernel takes arrays, hands
`address(array)` on, and keeps the array alive by being its caller. Nothing here is checked, unless `KERNELS=checked` asks
for it (`pipeline.kernels.checked`).
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.kernels.checked import guard, refuse, tag
from pipeline.kernels.compiled import CHECKED, kernel

Int = int | np.integer
"""What compiled arithmetic takes and gives: a Python int to a reader, a machine word to the compiler."""


def _address(typing_context: Any, array: Any) -> Any:  # numba takes the type from it
    """Where the first item of an array lies."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, ir.IntType(64))

    return types.int64(array), code


def _loaded(bits: int, *, signed: bool = False) -> Any:
    what = f"load of {bits // 8} bytes"

    def load(typing_context: Any, place: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = guard(context, builder, arguments[0], bits // 8, what)
            item = builder.load(builder.inttoptr(place, ir.PointerType(ir.IntType(bits))))
            item.align = 1
            return (builder.sext if signed else builder.zext)(item, ir.IntType(64)) if bits < 64 else item

        return (types.int64 if bits < 64 else types.uint64)(types.int64), code

    return load


def _loaded_item(bits: int) -> Any:
    def load(typing_context: Any, data: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            if CHECKED:
                most = builder.sub(array.nitems, ir.Constant(ir.IntType(64), bits // 8))
                low = builder.icmp_signed("<", arguments[1], ir.Constant(ir.IntType(64), 0))
                bad = builder.or_(low, builder.icmp_signed(">", arguments[1], most))
                refuse(context, builder, bad, f"load of {bits // 8} bytes")
            word = ir.IntType(bits)
            pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), word.as_pointer())
            # Little-endian on every machine Numba compiles for; align=1: text starts anywhere.
            item = builder.load(pointer, align=1)
            return builder.zext(item, ir.IntType(64)) if bits < 64 else item

        return types.uint64(data, types.int64), code

    return load


def _stored(bits: int) -> Any:
    what = f"store of {bits // 8} bytes"

    def put(typing_context: Any, place: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = guard(context, builder, arguments[0], bits // 8, what)
            number = builder.trunc(arguments[1], ir.IntType(bits)) if bits < 64 else arguments[1]
            item = builder.store(number, builder.inttoptr(place, ir.PointerType(ir.IntType(bits))))
            item.align = 1
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), code

    return put


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


# Plain names, so that a reader's type checker does not ask for the typing context.
plain_address: Any = intrinsic(_address)
byte_at: Any = intrinsic(_loaded(8))
"""`byte_at(place)`: the byte at an address, as int64: all arithmetic stays signed."""
short_at: Any = intrinsic(_loaded(16))
"""`short_at(place)`: the two bytes at an address, little-endian, as int64."""
int_at: Any = intrinsic(_loaded(32, signed=True))
"""`int_at(place)`: the four bytes at an address as a signed number, int64."""
word_at: Any = intrinsic(_loaded(64))
"""`word_at(place)`: the eight bytes at an address, at any alignment, as one little-endian word, uint64."""
load_u32: Any = intrinsic(_loaded_item(32))
"""`load_u32(data, at)`: the four bytes of a uint8 array from `data[at]`, little-endian, at any alignment, as uint64."""
load_u64: Any = intrinsic(_loaded_item(64))
"""`load_u64(data, at)`: the eight bytes from `data[at]`, as uint64."""
put_byte: Any = intrinsic(_stored(8))
"""`put_byte(place, value)`: write the low 8 bits of an integer to an address; `put_int` 32, `put_word` all 64."""
put_int: Any = intrinsic(_stored(32))
put_word: Any = intrinsic(_stored(64))
trailing_zeros: Any = intrinsic(_trailing_zeros)
"""`trailing_zeros(word)`: how many of the low bits are zero, int64; 64 of a word without a bit."""


@kernel()
def _tagged_address(array: np.ndarray) -> int:
    return tag(plain_address(array), plain_address(array) + array.nbytes)


address: Any = _tagged_address if CHECKED else plain_address
"""`address(array)`: where the first item of a contiguous array lies."""
