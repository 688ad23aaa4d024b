"""Where tags, attributes, comments and scripts of a page end: the rules of the HTML standard's tokenizer, section 13.2.5.

Pages are given by address; `end` is one past the last byte.
"""

from typing import Any

import numpy as np

from pipeline.kernels.blocks import find
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at

NAME_BYTES = 8
"""Names are told apart by their first eight bytes, in lower case."""


def pack(name: str) -> int:
    """The first eight bytes of a name, as one little-endian word."""
    return int.from_bytes(name.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0"), "little")


_SCRIPT = np.uint64(pack("script"))


@kernel(inline="always")
def is_letter(byte: Int) -> bool | np.bool_:
    return 0x61 <= byte | 0x20 <= 0x7A


@kernel(inline="always")
def is_space(byte: Int) -> bool | np.bool_:
    return byte == 0x20 or (0x09 <= byte <= 0x0D and byte != 0x0B)


@kernel(inline="always")
def _lower(byte: Int) -> Int:
    """A byte of a name; NUL, which ends no name, is told apart from what a short name is filled with."""
    return byte + 0x20 if 0x41 <= byte <= 0x5A else byte if byte else 0xFF


@kernel(inline="always")
def _after_space(place: Int, end: Int) -> Int:
    while place < end and is_space(byte_at(place)):
        place += 1
    return place


@kernel(inline="always")
def is_dashes(place: Int, end: Int) -> bool | np.bool_:
    return place + 1 < end and byte_at(place) == 0x2D and byte_at(place + 1) == 0x2D


@kernel(inline="always")
def name_at(place: Int, end: Int, also: Int = 0x3E) -> Any:
    """`(name, after)` of a tag or an attribute: up to white space, `/`, `>` or, after its first byte, `also`."""
    begin, name, size = place, np.uint64(0), 0
    while place < end:
        byte = byte_at(place)
        if (byte <= 0x20 and is_space(byte)) or byte == 0x2F or byte == 0x3E or (byte == also and place > begin):
            break
        if size < NAME_BYTES:
            name |= np.uint64(_lower(byte)) << np.uint64(8 * size)
            size += 1
        place += 1
    return name, place


@kernel()
def attribute_at(place: Int, end: Int) -> Any:
    """`(name, value, value's end, after)` of the attribute that starts at `place`; an empty value where there is none."""
    name, place = name_at(place, end, 0x3D)
    after = _after_space(place, end)
    if after >= end or byte_at(after) != 0x3D:
        return name, place, place, place
    after = _after_space(after + 1, end)
    if after >= end:
        return name, end, end, end
    quote = byte_at(after)
    if quote == 0x22 or quote == 0x27:
        close = find(after + 1, end, end, quote)
        return name, after + 1, close, min(close + 1, end)
    value = after
    while after < end and byte_at(after) != 0x3E and not is_space(byte_at(after)):
        after += 1
    return name, value, after, after


@kernel()
def comment_end(start: Int, end: Int) -> Any:
    """`(after, hollow)` of the comment that starts at `start`: 1 when it can be emptied, 2 when the page ends in it."""
    place = find(start + 4, end, end, 0x3E)
    while place < end:
        if byte_at(place - 1) == 0x2D and byte_at(place - 2) == 0x2D:
            return place + 1, int(place - 2 >= start + 4)
        if place - 3 >= start + 4 and byte_at(place - 1) == 0x21 and is_dashes(place - 3, end):
            return place + 1, 0
        place = find(place + 1, end, end, 0x3E)
    return end, 2


@kernel()
def cdata_end(place: Int, end: Int) -> Int:
    """One past the `]]>` of a section of characters, or the end of the page."""
    close = find(place + 2, end, end, 0x3E)
    while close < end and not (byte_at(close - 1) == 0x5D and byte_at(close - 2) == 0x5D):
        close = find(close + 1, end, end, 0x3E)
    return min(close + 1, end)


@kernel()
def text_end(place: Int, end: Int, name: np.uint64) -> Int:
    """Where the end tag `</name` starts, or the end of the page."""
    while True:
        place = find(place, end, end, 0x3C)
        if place + 2 >= end:
            return end
        if byte_at(place + 1) == 0x2F and name_at(place + 2, end)[0] == name:
            return place
        place += 1


@kernel()
def script_end(place: Int, end: Int) -> Int:
    """Where a script's end tag starts: not one in `<!-- <script> ... </script> -->`, which is text of the script."""
    escaped = doubly = False
    while place < end:
        byte = byte_at(place)
        if byte == 0x3E and escaped and byte_at(place - 1) == 0x2D and byte_at(place - 2) == 0x2D:
            escaped = doubly = False
        elif byte == 0x3C and place + 2 < end:
            following = byte_at(place + 1)
            if following == 0x2F:
                if name_at(place + 2, end)[0] == _SCRIPT:
                    if not doubly:
                        return place
                    doubly = False
            elif following == 0x21 and not escaped and is_dashes(place + 2, end):
                escaped = True
                place += 3
            elif escaped and not doubly and name_at(place + 1, end)[0] == _SCRIPT:
                doubly = True
        place += 1
    return end


@kernel()
def attribute_work(place: Int, end: Int) -> Int:
    """The most that attributes can cost in what was taken for text, should a parser see tags there."""
    work = 0
    while True:
        place = find(place, end, end, 0x3C) + 1
        if place >= end:
            return work
        attributes = 0
        while place < end and byte_at(place) != 0x3E:
            if byte_at(place) == 0x2F or is_space(byte_at(place)):
                place += 1
            else:
                place = attribute_at(place, end)[3]
                attributes += 1
        work += attributes * attributes
