"""A page's markup without what no text extraction looks at: scripts, style sheets, comments and most attributes.

Half of a web page's bytes, two thirds of a filing's. The tree of what is left has the same elements, in the same places,
with the same text: comments and scripts stay as empty ones, because "is this the last element?" is asked of neighbours.
Where a tag, a comment, a script ends is as in the HTML standard's tokenizer (section 13.2.5).

The same pass says how many tags there are, how deep they nest, and what their attributes cost: parsers take time that grows
with the square of some of these, and a page made for that would stop a worker.
"""

from typing import Any

import numpy as np

from pipeline.kernels.bpe_load import Int, address, byte_at, put_byte, put_word, trailing_zeros, word_at
from pipeline.kernels.compiled import kernel

_NAME = 8
"""Names are told apart by their first eight bytes, in lower case."""
MOST_ATTRIBUTES = 64
"""Attributes kept of one tag: parsers compare each with all before it, and of a name given twice the first counts."""

_SHALLOW, _SCRIPT, _STYLE, _TEXT, _PLAIN, _FOREIGN = 1, 2, 3, 4, 5, 6
ELEMENTS = {
    # What holds nothing, and what does not nest in itself because HTML lets its end tag out.
    _SHALLOW: "area base br col embed hr img input link meta param source track wbr p li td th tr dt dd option thead tbody tfoot",
    _SCRIPT: "script",
    _STYLE: "style",
    # What holds text up to its own end tag.
    _TEXT: "textarea title xmp iframe noembed noframes",
    _PLAIN: "plaintext",
    # Where scripts, style sheets and comments are read as elsewhere only by a parser.
    _FOREIGN: "svg math",
}  # fmt: skip
_KEPT, _CSS = 1, 2
ATTRIBUTES = {
    # What resiliparse's rules for main content ask for, and two names that the tree depends on.
    _KEPT: "class id role hidden rel itemprop aria-hidden aria-expanded data-ad data-advertisement data-text-ad type encoding",
    _CSS: "style",
}  # fmt: skip
_SLOTS = 7
"""Bits of the place that a name has in its table."""


def pack(name: str) -> int:
    """The first eight bytes of a name, as one little-endian word."""
    return int.from_bytes(name.encode()[:_NAME].ljust(_NAME, b"\0"), "little")


def _table(kinds: dict[int, str]) -> tuple[np.ndarray, np.ndarray, np.uint64]:
    """`(names, kinds, factor)`: a name's place is the top bits of name times factor, and no two names share one."""
    names = {pack(name): kind for kind, words in kinds.items() for name in words.split()}
    factor = 0x9E3779B97F4A7C15
    while len({_place(name, factor) for name in names}) < len(names):
        factor = (factor * 0x5851F42D4C957F2D + 0x14057B7EF767814F) % 2**64 | 1
    keys, found = np.zeros(1 << _SLOTS, np.uint64), np.zeros(1 << _SLOTS, np.uint8)
    for name, kind in names.items():
        keys[_place(name, factor)], found[_place(name, factor)] = name, kind
    keys.flags.writeable = found.flags.writeable = False
    return keys, found, np.uint64(factor)


def _place(name: int, factor: int) -> int:
    return name * factor % 2**64 >> (64 - _SLOTS)


_ELEMENTS, _ATTRIBUTES = _table(ELEMENTS), _table(ATTRIBUTES)


def slim(markup: bytes) -> tuple[bytes, int, int, int, int]:
    """`(slimmer markup, tags, depth, attribute work, visible bytes)` of a page in UTF-8.

    `tags` counts start and end tags outside of scripts, style sheets and comments. `depth` is the largest number of open
    tags that nest, counted without a parser: unclosed ones count on. `attribute_work` is the sum over the tags of the slim
    markup of the square of the number of attributes, which is what parsers compare to find repeated names.
    `visible` is about the most that the page's text can have: bytes outside of tags, comments, scripts and style sheets,
    and 4 more for each tag, for the line feeds, tabs and bullets that a text has in its place. Linear in the bytes.
    """
    data = np.frombuffer(markup, np.uint8)
    # An attribute that is kept can gain the space before it, a tag one before its slash.
    out = np.empty(len(data) + len(data) // 2 + 16, np.uint8)
    size, tags, depth, work, visible = _slim(data, out, *_ELEMENTS, *_ATTRIBUTES)
    return out[:size].tobytes(), tags, depth, work, visible


@kernel(nogil=True)
def _slim(
    data: np.ndarray,
    out: np.ndarray,
    element_names: np.ndarray,
    element_kinds: np.ndarray,
    element_factor: np.uint64,
    attribute_names: np.ndarray,
    attribute_kinds: np.ndarray,
    attribute_factor: np.uint64,
) -> tuple[int, int, int, int, int]:
    tags, depth, deepest, work, visible = 0, 0, 0, 0, 0
    foreign, foreign_depth = np.uint64(0), 0
    begin = address(data)
    end = begin + data.shape[0]
    names, kinds = address(element_names), address(element_kinds)
    own_names, own_kinds = address(attribute_names), address(attribute_kinds)
    start_of_out = address(out)
    to, copied, here = start_of_out, begin, begin
    while here < end:
        start = _find(here, end, 0x3C)  # <
        visible += start - here
        if start + 1 >= end:
            break
        first = byte_at(start + 1)
        closing = first == 0x2F and start + 2 < end and _is_letter(byte_at(start + 2))
        if not closing and not _is_letter(first):
            if first == 0x21 or first == 0x2F or first == 0x3F:  # a declaration, a comment
                visible += 4
                if foreign_depth == 0 and first == 0x21 and _dashes(start + 2, end):
                    here, hollow = _comment_end(start, end)
                    if hollow:
                        to = _copy(copied, start + 4, to)
                        copied = max(start + 4, here - 3) if hollow == 1 else end
                else:
                    here = _find(start + 2, end, 0x3E) + 1
            else:
                visible += 1
                here = start + 1
            continue
        name, here = _name(start + 1 + closing, end)
        tags += 1
        visible += 4
        kind = _kind(name, names, kinds, element_factor)
        # The rest of the tag.
        here, to, copied, kept, closed_itself = _rest_of_tag(
            here, end, start, to, copied, closing, own_names, own_kinds, attribute_factor
        )
        work += kept * kept
        nests = kind != _SHALLOW
        if closing:
            depth -= nests and depth > 0
            if foreign_depth and name == foreign:
                foreign_depth -= 1
            continue
        if nests and not closed_itself:
            depth += 1
            deepest = max(deepest, depth)
        if kind <= _SHALLOW:
            continue
        if kind == _FOREIGN:
            if (foreign_depth == 0 or name == foreign) and not closed_itself:
                foreign = name
                foreign_depth += 1
        elif foreign_depth == 0:
            close = end if kind == _PLAIN else _script_end(here, end) if kind == _SCRIPT else _text_end(here, end, name)
            if kind in (_SCRIPT, _STYLE):
                to = _copy(copied, here, to) if copied < here else to
                copied = close
                if close > here:
                    put_byte(to, 0x20)
                    to += 1
            else:
                visible += close - here
                work += _attribute_work(here, close)
            here = close
    to = _copy(copied, end, to) if copied < end else to
    return to - start_of_out, tags, deepest, work, visible


@kernel(inline="always")
def _is_letter(byte: Int) -> bool | np.bool_:
    return 0x61 <= byte | 0x20 <= 0x7A


@kernel(inline="always")
def _is_space(byte: Int) -> bool | np.bool_:
    return byte == 0x20 or (0x09 <= byte <= 0x0D and byte != 0x0B)


@kernel(inline="always")
def _lower(byte: Int) -> Int:
    return byte + 0x20 if 0x41 <= byte <= 0x5A else byte


@kernel(inline="always")
def _after_space(place: Int, end: Int) -> Int:
    while place < end and _is_space(byte_at(place)):
        place += 1
    return place


@kernel(inline="always")
def _dashes(place: Int, end: Int) -> bool | np.bool_:
    return place + 1 < end and byte_at(place) == 0x2D and byte_at(place + 1) == 0x2D


@kernel(inline="always")
def _kind(name: np.uint64, names: Int, kinds: Int, factor: np.uint64) -> Int:
    slot = np.int64((name * factor) >> np.uint64(64 - _SLOTS))
    return byte_at(kinds + slot) if word_at(names + 8 * slot) == name else 0


@kernel()
def _find(place: Int, end: Int, byte: Int) -> Int:
    """Where a byte comes next, or the end: eight bytes a step (a byte less one borrows only from a zero)."""
    ones, tops = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    wanted = np.uint64(byte) * ones
    while place + 8 <= end:
        word = word_at(place) ^ wanted
        hits = (word - ones) & ~word & tops
        if hits:
            return place + (trailing_zeros(hits) >> 3)
        place += 8
    while place < end and byte_at(place) != byte:
        place += 1
    return place


@kernel()
def _copy(place: Int, end: Int, to: Int) -> Int:
    while place + 8 <= end:
        put_word(to, word_at(place))
        place += 8
        to += 8
    while place < end:
        put_byte(to, byte_at(place))
        place += 1
        to += 1
    return to


@kernel(inline="always")
def _name(place: Int, end: Int) -> Any:
    """`(name, after)` of a tag or an attribute: up to white space, `/`, `>`."""
    name, size = np.uint64(0), 0
    while place < end:
        byte = byte_at(place)
        if (byte <= 0x20 and _is_space(byte)) or byte == 0x2F or byte == 0x3E:
            break
        if size < _NAME:
            name |= np.uint64(_lower(byte)) << np.uint64(8 * size)
            size += 1
        place += 1
    return name, place


@kernel()
def _rest_of_tag(
    place: Int, end: Int, start: Int, to: Int, copied: Int, closing: bool, names: Int, kinds: Int, factor: np.uint64
) -> Any:
    """`(after, to, copied, attributes kept, ends in "/>")` of a tag whose name ends at `place`.

    A tag without attributes stays to be copied with what is around it. One that the page ends in is none.
    """
    name_end, kept, slash, rewritten = place, 0, 0, False
    to_before, copied_before = to, copied
    while place < end:
        byte = byte_at(place)
        if byte == 0x3E:
            closed_itself = slash == place - 1
            if rewritten:
                if closed_itself:
                    put_byte(to, 0x20)
                    put_byte(to + 1, 0x2F)
                    to += 2
                copied = place
            return place + 1, to, copied, kept, closed_itself
        if byte == 0x2F or _is_space(byte):
            slash = place if byte == 0x2F else slash
            place += 1
            continue
        if not rewritten:
            to = _copy(copied, name_end, to)
            rewritten = True
        begin = place
        name, value, value_end, place = _attribute(place, end)
        if closing or kept == MOST_ATTRIBUTES:
            continue
        kind = _kind(name, names, kinds, factor)
        if kind == _KEPT or (kind == _CSS and _may_hide(value, value_end)):
            put_byte(to, 0x20)
            to = _copy(begin, place, to + 1)
            kept += 1
    return end, _copy(copied_before, start, to_before), end, kept, False


@kernel()
def _attribute(place: Int, end: Int) -> Any:
    """`(name, value, value's end, after)` of the attribute that starts at `place`; an empty value where there is none."""
    begin, name, size = place, np.uint64(0), 0
    while place < end:
        byte = byte_at(place)
        # A name may start with "=".
        if byte == 0x3E or byte == 0x2F or _is_space(byte) or (byte == 0x3D and place > begin):
            break
        if size < _NAME:
            name |= np.uint64(_lower(byte)) << np.uint64(8 * size)
            size += 1
        place += 1
    after = _after_space(place, end)
    if after >= end or byte_at(after) != 0x3D:
        return name, place, place, place
    after = _after_space(after + 1, end)
    if after >= end:
        return name, end, end, end
    quote = byte_at(after)
    if quote == 0x22 or quote == 0x27:
        close = _find(after + 1, end, quote)
        return name, after + 1, close, min(close + 1, end)
    value = after
    while after < end and byte_at(after) != 0x3E and not _is_space(byte_at(after)):
        after += 1
    return name, value, after, after


@kernel()
def _may_hide(place: Int, end: Int) -> bool:
    """Whether a style may say `display: none` or `visibility: hidden`, or has a character reference that may."""
    before, last = 0, 0  # what comes before a colon
    while place < end:
        byte = byte_at(place)
        place += 1
        if byte > 0x20:
            byte |= 0x20
            if byte == 0x26 or (before == 0x79 and last == 0x3A and (byte == 0x6E or byte == 0x68)):  # "y:n", "y:h"
                return True
            before, last = last, byte
    return False


@kernel()
def _comment_end(start: Int, end: Int) -> Any:
    """`(after, hollow)` of the comment that starts at `start`: 1 when it can be emptied, 2 when the page ends in it."""
    place = _find(start + 4, end, 0x3E)
    while place < end:
        if byte_at(place - 1) == 0x2D and byte_at(place - 2) == 0x2D:
            return place + 1, int(place - 2 >= start + 4)
        if place - 3 >= start + 4 and byte_at(place - 1) == 0x21 and _dashes(place - 3, end):
            return place + 1, 0
        place = _find(place + 1, end, 0x3E)
    return end, 2


@kernel()
def _text_end(place: Int, end: Int, name: np.uint64) -> Int:
    """Where the end tag `</name` starts, or the end of the page."""
    while True:
        place = _find(place, end, 0x3C)
        if place + 2 >= end:
            return end
        if byte_at(place + 1) == 0x2F and _name(place + 2, end)[0] == name:
            return place
        place += 1


@kernel()
def _script_end(place: Int, end: Int) -> Int:
    """Where a script's end tag starts: not one in `<!-- <script> ... </script> -->`, which is text of the script."""
    script = np.uint64(0x747069726373)
    escaped = doubly = False
    while place < end:
        byte = byte_at(place)
        if byte == 0x3E and escaped and byte_at(place - 1) == 0x2D and byte_at(place - 2) == 0x2D:
            escaped = doubly = False
        elif byte == 0x3C and place + 2 < end:
            following = byte_at(place + 1)
            if following == 0x2F:
                if _name(place + 2, end)[0] == script:
                    if not doubly:
                        return place
                    doubly = False
            elif following == 0x21 and not escaped and _dashes(place + 2, end):
                escaped = True
                place += 3
            elif escaped and not doubly and _name(place + 1, end)[0] == script:
                doubly = True
        place += 1
    return end


@kernel()
def _attribute_work(place: Int, end: Int) -> Int:
    """The most that attributes can cost in what was taken for text, should a parser see tags there."""
    work = 0
    while True:
        place = _find(place, end, 0x3C) + 1
        if place >= end:
            return work
        attributes = 0
        while place < end and byte_at(place) != 0x3E:
            if byte_at(place) == 0x2F or _is_space(byte_at(place)):
                place += 1
            else:
                place = _attribute(place, end)[3]
                attributes += 1
        work += attributes * attributes
