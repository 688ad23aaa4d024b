"""A page's markup without what no text extraction looks at: scripts, style sheets, comments, most attributes, the look of words.

Half of a web page's bytes, two thirds of a filing's. The tree of what is left has the same blocks, in the same places,
with the same text: comments and scripts stay as empty ones, because "is this the last element?" is asked of neighbours.

The same pass says how many tags there are, how deep they nest, and what their attributes cost: parsers take time that grows
with the square of some of these, and a page made for that would stop a worker.
"""

from typing import Any

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import copy, find
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import (
    attribute_at,
    attribute_work,
    cdata_end,
    comment_end,
    is_dashes,
    is_letter,
    is_space,
    name_at,
    pack,
    script_end,
    text_end,
)
from pipeline.kernels.html.names import NameTable, kind_of, name_table
from pipeline.kernels.memory import Int, address, byte_at, put_byte, put_word, word_at

MOST_ATTRIBUTES = 64
"""Attributes kept of one tag: parsers compare each with all before it, and of a name given twice the first counts."""

_SHALLOW, _SCRIPT, _STYLE, _TEXT, _PLAIN, _FOREIGN = 1, 2, 3, 4, 5, 6
PHRASES = "span b strong em i u"
"""Elements that change the look of words; one without an attribute that stays is left out, its words stay.

Not `font`: on old pages it holds blocks, and how deep a list or a footer lies tells what is main content."""
_PHRASE = 8
"""The first of them in the table, which tells them apart by their kinds."""
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
    **{_PHRASE + number: name for number, name in enumerate(PHRASES.split())},
}  # fmt: skip
_CDATA, _TEX = np.uint64(pack("![CDATA[")), np.uint64(pack("math/tex"))
_APART = np.int64(pack("<!---->"))
"""What stands for a tag left out behind "<" or "&", which would make a tag or a character of what follows."""
_KEPT, _CSS, _NAMED = 1, 2, 3
ATTRIBUTES = {
    # What says which text is main content, how a table's cells lie, and two names that the tree depends on.
    _KEPT: "class id role hidden rel itemprop aria-hidden aria-expanded data-ad data-advertisement data-text-ad type encoding "
    "colspan rowspan start value itemtype reversed",
    _CSS: "style face",
    _NAMED: "href",  # kept without its value: an anchor that leads nowhere is no link, and old pages leave it open
}  # fmt: skip
_SLOTS = 7
_ELEMENTS, _ATTRIBUTES = name_table(ELEMENTS, _SLOTS), name_table(ATTRIBUTES, _SLOTS)


def slim(markup: bytes) -> tuple[bytes, int, int, int]:
    """`(slimmer markup, tags, depth, attribute work)` of a page in UTF-8.

    `tags` counts start and end tags outside of scripts, style sheets and comments. `depth` is the largest number of open
    tags that nest, counted without a parser: unclosed ones count on. `attribute_work` is the sum over the tags of the slim
    markup of the square of the number of attributes, which is what parsers compare to find repeated names. Linear in the bytes.
    """
    data = np.frombuffer(markup, np.uint8)
    # A kept attribute can gain a space before it, a tag one before its slash, a phrase's tag of three becomes a comment.
    out = np.empty(2 * len(data) + 16, np.uint8)
    size, tags, depth, work = _slim(data, out, _ELEMENTS, _ATTRIBUTES)
    return out[:size].tobytes(), tags, depth, work


@kernel(nogil=True)
def _slim(data: np.ndarray, out: np.ndarray, elements: NameTable, attributes: NameTable) -> tuple[int, int, int, int]:
    tags, depth, deepest, work = 0, 0, 0, 0
    foreign, foreign_depth = np.uint64(0), 0
    begin = address(data)
    end = begin + data.shape[0]
    names, kinds = address(elements[0]), address(elements[1])
    own_names, own_kinds = address(attributes[0]), address(attributes[1])
    start_of_out = address(out)
    to, copied, here = start_of_out, begin, begin
    stays, open_phrases = np.zeros(8, np.uint64), np.zeros(8, np.int64)
    while here < end:
        start = find(here, end, end, codes.LESS)  # <
        if start + 1 >= end:
            break
        first = byte_at(start + 1)
        closing = first == codes.SLASH and start + 2 < end and is_letter(byte_at(start + 2))
        if not closing and not is_letter(first):
            # a declaration, a comment
            if first == codes.EXCLAMATION or first == codes.SLASH or first == codes.QUESTION:
                if foreign_depth == 0 and first == codes.EXCLAMATION and is_dashes(start + 2, end):
                    here, hollow = comment_end(start, end)
                    if hollow:
                        to = copy(copied, to, start + 4 - copied)
                        copied = max(start + 4, here - 3) if hollow == 1 else end
                elif foreign_depth and first == codes.EXCLAMATION and start + 9 <= end and word_at(start + 1) == _CDATA:
                    here = cdata_end(start + 9, end)
                else:
                    here = find(start + 2, end, end, codes.GREATER) + 1
            else:
                here = start + 1
            continue
        name, here = name_at(start + 1 + closing, end)
        tags += 1
        kind = kind_of(name, names, kinds, elements[2], _SLOTS)
        phrase = kind - _PHRASE if foreign_depth == 0 else -1
        if phrase >= 0:  # all before it is copied, so that it alone can be taken back
            to, copied = copy(copied, to, start - copied), start
        before = to
        here, to, copied, kept, closed_itself = _rest_of_tag(
            here, end, start, to, copied, closing, own_names, own_kinds, attributes[2]
        )
        if phrase >= 0 and not _phrase_stays(stays, open_phrases, phrase, closing, kept):
            to, copied = before, here
            if to > start_of_out and (byte_at(to - 1) == codes.LESS or byte_at(to - 1) == codes.AMPERSAND):
                put_word(to, _APART)
                to += 7
            continue
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
        if kind <= _SHALLOW or kind >= _PHRASE:
            continue
        if kind == _FOREIGN:
            if (foreign_depth == 0 or name == foreign) and not closed_itself:
                foreign = name
                foreign_depth += 1
        elif foreign_depth == 0:
            close = end if kind == _PLAIN else script_end(here, end) if kind == _SCRIPT else text_end(here, end, name)
            if kind == _STYLE or (kind == _SCRIPT and not (kept and _is_formula(start, here))):
                to = copy(copied, to, here - copied)
                copied = close
                if close > here:
                    put_byte(to, codes.SPACE)
                    to += 1
            else:
                work += attribute_work(here, close)
            here = close
    to = copy(copied, to, end - copied)
    return to - start_of_out, tags, deepest, work


@kernel()
def _phrase_stays(stays: np.ndarray, opened: np.ndarray, phrase: Int, closing: bool | np.bool_, kept: Int) -> Any:
    """Whether a start or end tag of a phrase element stays: with attributes that stay, or as the end of such a one.

    `stays` has a bit for each open element of a name, `opened` their number; from the 65th on none stays.
    """
    if closing:
        if opened[phrase] == 0:
            return False  # nothing to end: parsers skip it, too
        opened[phrase] -= 1
        return opened[phrase] < 64 and (stays[phrase] >> np.uint64(opened[phrase])) & np.uint64(1) == np.uint64(1)
    level = opened[phrase]
    opened[phrase] += 1
    if level >= 64:
        return False
    bit = np.uint64(1) << np.uint64(level)
    stays[phrase] = stays[phrase] | bit if kept else stays[phrase] & ~bit
    return kept > 0


@kernel()
def _rest_of_tag(
    place: Int,
    end: Int,
    start: Int,
    to: Int,
    copied: Int,
    closing: bool | np.bool_,
    names: Int,
    kinds: Int,
    factor: np.uint64,
) -> Any:
    """`(after, to, copied, attributes kept, ends in "/>")` of a tag whose name ends at `place`.

    A tag without attributes stays to be copied with what is around it. One that the page ends in is none.
    """
    name_end, kept, slash, rewritten = place, 0, 0, False
    to_before, copied_before = to, copied
    while place < end:
        byte = byte_at(place)
        if byte == codes.GREATER:
            closed_itself = slash == place - 1
            if rewritten:
                if closed_itself:
                    put_byte(to, codes.SPACE)
                    put_byte(to + 1, codes.SLASH)
                    to += 2
                copied = place
            return place + 1, to, copied, kept, closed_itself
        if byte == codes.SLASH or is_space(byte):
            slash = place if byte == codes.SLASH else slash
            place += 1
            continue
        if not rewritten:
            to = copy(copied, to, name_end - copied)
            rewritten = True
        begin = place
        name, value, value_end, place = attribute_at(place, end)
        if closing or kept == MOST_ATTRIBUTES:
            continue
        kind = kind_of(name, names, kinds, factor, _SLOTS)
        if kind == _KEPT or (kind == _CSS and _may_matter(value, value_end)):
            put_byte(to, codes.SPACE)
            to = copy(begin, to + 1, place - begin)
            kept += 1
        elif kind == _NAMED:
            put_byte(to, codes.SPACE)
            to = copy(begin, to + 1, len("href"))
            kept += 1
    return end, copy(copied_before, to_before, start - copied_before), end, kept, False


@kernel()
def _is_formula(place: Int, end: Int) -> bool | np.bool_:
    """Whether a script's tag says that it holds a formula: `type="math/tex"`."""
    while place + 8 <= end and word_at(place) != _TEX:
        place += 1
    return place + 8 <= end


@kernel()
def _may_matter(place: Int, end: Int) -> bool:
    """Whether a style may hide, or break the page ("y:none", "y:hidden", "break-"), may raise text ("n:super", "n:sub"), name a
    font of signs ("Wingdings", "Symbol"), or has a character reference that may."""
    before, last = 0, 0
    while place < end:
        byte = byte_at(place)
        place += 1
        if byte > codes.SPACE:
            byte |= 0x20
            hides = before == codes.SMALL_Y and last == codes.COLON and (byte == codes.SMALL_N or byte == codes.SMALL_H)
            breaks = before == codes.SMALL_A and last == codes.SMALL_K and byte == codes.HYPHEN
            dings = before == codes.SMALL_N and last == codes.SMALL_G and byte == codes.SMALL_S
            symbol = before == codes.SMALL_M and last == codes.SMALL_B and byte == codes.SMALL_O
            raises = before == codes.SMALL_N and last == codes.COLON and byte == codes.SMALL_S
            if byte == codes.AMPERSAND or hides or breaks or raises or dings or symbol:
                return True
            before, last = last, byte
    return False
