"""Where tags, attributes, comments and scripts of a page end: the rules of the HTML standard's tokenizer, section 13.2.5.

Pages are given by address; `end` is one past the last byte.
"""

from typing import Any

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import find
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int, byte_at

NAME_BYTES = 8
"""Names are told apart by their first eight bytes, in lower case."""


def pack(name: str) -> int:
    """The first eight bytes of a name, as one little-endian word."""
    return int.from_bytes(name.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0"), "little")


_SCRIPT = np.uint64(pack("script"))


@kernel(forceinline=True)
def is_letter(byte: Int) -> bool | np.bool_:
    return codes.SMALL_A <= byte | codes.CASE_BIT <= codes.SMALL_Z


@kernel(forceinline=True)
def is_space(byte: Int) -> bool | np.bool_:
    return byte == codes.SPACE or (codes.TAB <= byte <= codes.RETURN and byte != 0x0B)


@kernel(forceinline=True)
def _lower(byte: Int) -> Int:
    """A byte of a name; NUL, which ends no name, is told apart from what a short name is filled with."""
    return byte + 0x20 if codes.UPPER_A <= byte <= codes.UPPER_Z else byte if byte else 0xFF


@kernel(forceinline=True)
def _after_space(place: Int, end: Int) -> Int:
    while place < end and is_space(byte_at(place)):
        place += 1
    return place


@kernel(forceinline=True)
def is_dashes(place: Int, end: Int) -> bool | np.bool_:
    return place + 1 < end and byte_at(place) == codes.HYPHEN and byte_at(place + 1) == codes.HYPHEN


@kernel(forceinline=True)
def name_at(place: Int, end: Int, also: Int = 0x3E) -> Any:
    """`(name, after)` of a tag or an attribute: up to white space, `/`, `>` or, after its first byte, `also`."""
    begin, name, size = place, np.uint64(0), 0
    while place < end:
        byte = byte_at(place)
        if (
            (byte <= codes.SPACE and is_space(byte))
            or byte == codes.SLASH
            or byte == codes.GREATER
            or (byte == also and place > begin)
        ):
            break
        if size < NAME_BYTES:
            name |= np.uint64(_lower(byte)) << np.uint64(8 * size)
            size += 1
        place += 1
    return name, place


@kernel()
def attribute_at(place: Int, end: Int) -> Any:
    """`(name, value, value's end, after)` of the attribute that starts at `place`; an empty value where there is none."""
    name, place = name_at(place, end, codes.EQUALS)
    after = _after_space(place, end)
    if after >= end or byte_at(after) != codes.EQUALS:
        return name, place, place, place
    after = _after_space(after + 1, end)
    if after >= end:
        return name, end, end, end
    quote = byte_at(after)
    if quote == codes.QUOTE or quote == codes.APOSTROPHE:
        close = find(after + 1, end, end, quote)
        return name, after + 1, close, min(close + 1, end)
    value = after
    while after < end and byte_at(after) != codes.GREATER and not is_space(byte_at(after)):
        after += 1
    return name, value, after, after


@kernel()
def comment_end(start: Int, end: Int) -> Any:
    """`(after, hollow)` of the comment that starts at `start`: 1 when it can be emptied, 2 when the page ends in it."""
    place = find(start + 4, end, end, codes.GREATER)
    while place < end:
        if byte_at(place - 1) == codes.HYPHEN and byte_at(place - 2) == codes.HYPHEN:
            return place + 1, int(place - 2 >= start + 4)
        if place - 3 >= start + 4 and byte_at(place - 1) == codes.EXCLAMATION and is_dashes(place - 3, end):
            return place + 1, 0
        place = find(place + 1, end, end, codes.GREATER)
    return end, 2


@kernel()
def cdata_end(place: Int, end: Int) -> Int:
    """One past the `]]>` of a section of characters, or the end of the page."""
    close = find(place + 2, end, end, codes.GREATER)
    while close < end and not (byte_at(close - 1) == codes.RIGHT_BRACKET and byte_at(close - 2) == codes.RIGHT_BRACKET):
        close = find(close + 1, end, end, codes.GREATER)
    return min(close + 1, end)


@kernel()
def text_end(place: Int, end: Int, name: np.uint64) -> Int:
    """Where the end tag `</name` starts, or the end of the page."""
    while True:
        place = find(place, end, end, codes.LESS)
        if place + 2 >= end:
            return end
        if byte_at(place + 1) == codes.SLASH and name_at(place + 2, end)[0] == name:
            return place
        place += 1


@kernel()
def script_end(place: Int, end: Int) -> Int:
    """Where a script's end tag starts: not one in `<!-- <script> ... </script> -->`, which is text of the script."""
    escaped = doubly = False
    while place < end:
        byte = byte_at(place)
        if byte == codes.GREATER and escaped and is_dashes(place - 2, place):
            escaped = doubly = False
        elif byte == codes.LESS and place + 2 < end:
            following = byte_at(place + 1)
            if following == codes.SLASH:
                if name_at(place + 2, end)[0] == _SCRIPT:
                    if not doubly:
                        return place
                    doubly = False
            elif following == codes.EXCLAMATION and not escaped and is_dashes(place + 2, end):
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
        place = find(place, end, end, codes.LESS) + 1
        if place >= end:
            return work
        attributes = 0
        while place < end and byte_at(place) != codes.GREATER:
            if byte_at(place) == codes.SLASH or is_space(byte_at(place)):
                place += 1
            else:
                place = attribute_at(place, end)[3]
                attributes += 1
        work += attributes * attributes
