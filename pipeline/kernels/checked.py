"""`KERNELS=checked`: every load and store by address stays inside the array that the address was taken of, or raises.

An address is 48 bits of 64. In checked mode `tag` puts a number into the upper 16: the entry of a table that holds where
the array begins and ends. Arithmetic keeps the number, so `guard` knows for every address which array it may touch, also
when another array lies right behind. An address that no array gave has no number and may touch nothing.

No padding counts. Arrow pads what it allocates itself to 64 bytes; slices, memory maps and buffers of other libraries
are not padded. So a block of 64 bytes must lie inside the array as a whole, as the array's length says, and kernels read
what is left byte by byte.

Off, all of this is absent from the compiled code. On, the twins of the tests take about three times as long.
"""

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, errors
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from pipeline.kernels.compiled import CHECKED, kernel

_WORD = ir.IntType(64)
_TAG_SHIFT = 48
_PLACE = (1 << _TAG_SHIFT) - 1
_WAYS = 8
_SETS = 4096
_RANGES = np.zeros((_WAYS * _SETS, 2), np.int64)
"""Row n: where array n begins and ends. An array may have any row of its set of eight; the first set is not used, and its
first row says how many arrays had to take another's place. A tag has 15 bits, so that a tagged address is positive."""
_SYMBOL = "domain_corpus_checked_ranges"
binding.add_symbol(_SYMBOL, _RANGES.ctypes.data)


def _table(builder: Any) -> Any:
    kind = ir.ArrayType(_WORD, 2 * _WAYS * _SETS)
    variable = builder.module.globals.get(_SYMBOL) or ir.GlobalVariable(builder.module, kind, _SYMBOL)
    return builder.gep(variable, [ir.Constant(_WORD, 0), ir.Constant(_WORD, 0)])


@intrinsic
def _ranges(typing_context: Any) -> Any:
    """The table's address: looked up when code is loaded, so that code from the cache finds this process's table."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _table(builder)

    return types.CPointer(types.int64)(), code


@kernel()
def tag(begin: int, end: int) -> int:
    """The address `begin`, marked as one of the array that ends before the address `end`."""
    ranges = carray(_ranges(), (_WAYS * _SETS, 2))  # pyright: ignore[reportCallIssue]
    mixed = np.uint64(begin ^ (end << 24)) * np.uint64(0x9E3779B97F4A7C15)
    first = _WAYS * (1 + np.int64(mixed >> np.uint64(32)) % (_SETS - 1))
    free = -1
    for row in range(first, first + _WAYS):
        if ranges[row, 0] == begin and ranges[row, 1] == end:
            return row << _TAG_SHIFT | begin
        if ranges[row, 0] == 0 and free < 0:
            free = row
    if free < 0:
        free = first + ranges[0, 0] % _WAYS
        ranges[0, 0] += 1
    ranges[free, 0], ranges[free, 1] = begin, end
    return free << _TAG_SHIFT | begin


def refuse(context: Any, builder: Any, bad: Any, what: str) -> None:
    """Code that raises IndexError where `bad` holds; the message names the line of the kernel that asked."""
    place = errors.loc_info.get("loc")
    message = f"{what} outside of its array" + (f", at {place.filename}:{place.line}" if place else "")
    with cgutils.if_unlikely(builder, bad):
        context.call_conv.return_user_exc(builder, IndexError, (message,))


def guard(context: Any, builder: Any, place: Any, size: int, what: str) -> Any:
    """The plain address of a tagged one, once `size` bytes from it are known to lie in its array; else code that raises."""
    if not CHECKED:
        return place
    row = builder.shl(builder.lshr(place, ir.Constant(_WORD, _TAG_SHIFT)), ir.Constant(_WORD, 1))
    # A negative address has a tag beyond the table: it looks up row 0, which lets nothing through.
    row = builder.select(builder.icmp_signed("<", place, ir.Constant(_WORD, 0)), ir.Constant(_WORD, 0), row)
    table = _table(builder)
    begin = builder.load(builder.gep(table, [row]))
    end = builder.load(builder.gep(table, [builder.add(row, ir.Constant(_WORD, 1))]))
    plain = builder.and_(place, ir.Constant(_WORD, _PLACE))
    behind = builder.add(plain, ir.Constant(_WORD, size))
    bad = builder.or_(builder.icmp_signed("<", plain, begin), builder.icmp_signed(">", behind, end))
    refuse(context, builder, bad, what)
    return plain
