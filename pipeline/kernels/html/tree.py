"""The tree of a page as flat arrays, in document order, read in one pass over markup that is closed and balanced.

A parser builds the tree, with HTML's error recovery, and writes it out again; walking the parser's own tree from Python
takes 19 ms a page, writing it out and reading it here 0.4 ms. `read_tree` takes exactly what HTML's fragment serialisation
(section 13.3 of the standard) writes. Other bytes give some tree, never an error.

A node is a row of `nodes`, int32[rows, 8]; the columns are:

- `TAG`: `TEXT`, `UNKNOWN`, or the number of the element's name in `TAGS`.
- `PARENT`: the row of the parent, -1 at the top.
- `END`: the row after the last one inside; of a text node the next row.
- `BEGIN`, `STOP`: bytes in `data` of the text inside, of elements that of all their descendants together.
- `MARKS`: what words of class, id, role and itemprop say an element is for: bits 1 << group of `WORDS`. `itemtype` says
  which is a comment.
- `FLAGS`: `HIDDEN`, `ARIA_HIDDEN`, `BREAK_BEFORE`, `BREAK_AFTER`, `TEX`, `PRESENTATION`, `GONE`, `LINK`, and those of lists,
  drawn formulas, fonts of signs and raised text, see `attribute_values`.
- `SPANS`: of a list the number of its first item (1 unless `start` says another), of an item its `value` or 0; else colspan
  (1 to 1,000) plus rowspan (0 to 32,767; 0 is "to the last row") times 65,536.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import copy, count_byte, find
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import xxh64
from pipeline.kernels.html import attribute_values
from pipeline.kernels.html.attribute_values import FONT, FONT_BITS, marks_of, number_at, numbering, style_flags
from pipeline.kernels.html.html_tokens import attribute_at, is_letter, is_space, name_at, pack
from pipeline.kernels.html.names import NameTable, kind_of, name_table
from pipeline.kernels.html.symbols import LETTERS, MOST, SIGNS, put_signs, symbol_font
from pipeline.kernels.memory import Int, address, byte_at, put_byte

TAG, PARENT, END, BEGIN, STOP, MARKS, FLAGS, SPANS = range(8)
TEXT, UNKNOWN = 0, 1
HIDDEN, ARIA_HIDDEN = attribute_values.HIDDEN, attribute_values.ARIA_HIDDEN
BREAK_BEFORE, BREAK_AFTER = attribute_values.BREAK_BEFORE, attribute_values.BREAK_AFTER
TEX, PRESENTATION = attribute_values.TEX, attribute_values.PRESENTATION
GONE, LINK = attribute_values.GONE, attribute_values.LINK
REVERSED, LETTERED, ROMAN = attribute_values.REVERSED, attribute_values.LETTERED, attribute_values.ROMAN
CAPITALS, DRAWN = attribute_values.CAPITALS, attribute_values.DRAWN
RAISED, LOWERED = attribute_values.RAISED, attribute_values.LOWERED
_INLINE = (
    "a abbr acronym b bdi bdo big br button cite code data del dfn em font i img ins kbd label map mark meter nobr output "
    "picture progress q rp rt ruby s samp slot small span strike strong sub sup time tt u var wbr ix:nonfr ix:nonnu"
)
_BLOCK = (
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form h1 "
    "h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol optgroup option p pre search section summary ul"
)
_TABLE = "table caption colgroup col thead tbody tfoot tr td th"
_UNSEEN = (
    "head title base link meta style script noscript template textarea select datalist iframe noembed noframes object embed "
    "audio video canvas applet param source track area input svg ix:header ix:hidden ix:resources ix:references"
)
_MATH = "math annotation"
_RAW = "style script xmp iframe noembed noframes plaintext"
"""Elements whose text is written as it is, up to their end tag."""
_VOID = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
_NAMES = dict.fromkeys(" ".join([_INLINE, _BLOCK, _TABLE, _UNSEEN, _MATH, _RAW, _VOID]).split())
TAGS = {name: number for number, name in enumerate(_NAMES, 2)}
"""Numbers of the elements that are told apart. Names are compared by their first eight bytes."""
_MATHML, _DRAWING, _LIST, _ORDERED, _ITEM, _SCRIPT = (
    TAGS[name] for name in ("math", "svg", "ul", "ol", "li", "script")
)

BOUNDARY, UNSEEN, RAW, VOID = 1, 2, 4, 8
"""Bits of `TRAITS`: text before and after belongs to different blocks; never text; text as it is; nothing inside."""
TRAITS = np.zeros(256, np.uint8)
for _names, _bit in ((_BLOCK + " xmp plaintext " + _TABLE, BOUNDARY), (_UNSEEN, UNSEEN), (_RAW, RAW), (_VOID, VOID)):
    for _name in _names.split():
        TRAITS[TAGS[_name]] |= _bit
TRAITS.flags.writeable = False

WORDS = (
    "comment comments commentlist commenter disqus respond reply replies discussion livefyre kommentar kommentare "
    "comentarios commentaires",
    "nav navbar navigation menu menus menubar breadcrumb breadcrumbs topnav mainnav pagination pager paging pagenav "
    "toolbar dropdown tabs skip",
    "foot footer colophon copyright contentinfo legal disclaimer privacy bottom",
    "side sidebar aside rail widget widgets secondary complementary sidenav",
    "related recommended recommend recommendations recirc trending popular mostread also teaser teasers promo "
    "outbrain taboola",
    "subscribe newsletter signup subscription paywall login signin register registration cookie cookies consent "
    "popup modal form sign",
    "share shares sharing social addthis sharedaddy sharebar sharethis facebook twitter tweet bookmark bookmarks "
    "print email follow like actions button buttons btn",
    "ad ads adv advert adverts advertising advertisement sponsor sponsored sponsors adsense dfp gpt banner skyscraper",
    "meta byline author dateline date timestamp time published tag tags category categories posted tools metadata",
    "caption captions wpcaption credit credits figcaption",
    "head header masthead topbar branding logo",
    "article content body main text entry post story hentry copy paragraph bodytext richtext maincontent "
    "articlebody postbody",
    "title headline heading subtitle",
    "list lists listing link links recent latest more most posts stories entries feed carousel results",
)
"""Words of class, id, role and itemprop, by what they say an element holds; their places are the bits of `MARKS`."""
(
    COMMENT, NAVIGATION, FOOT, SIDE, RELATED, SUBSCRIBE, SHARE, ADVERT, META, CAPTION, HEAD, BODY, TITLE, LISTING,
) = (1 << group for group in range(len(WORDS)))  # fmt: skip

_LONGEST_ID = 40
"""Bytes of an id from which it is no name that a person gave: filings put whole sentences there."""
(
    _CLASS, _ID, _ROLE, _ITEMPROP, _ITEMTYPE, _HIDDEN, _ARIA, _STYLE, _COLSPAN, _ROWSPAN, _ENCODING, _START, _VALUE, _HREF,
    _REVERSED, _TYPE, _FACE,
) = range(1, 18)  # fmt: skip
_ATTRIBUTES = {
    _CLASS: "class", _ID: "id", _ROLE: "role", _ITEMPROP: "itemprop", _HIDDEN: "hidden", _ARIA: "aria-hidden",
    _STYLE: "style", _COLSPAN: "colspan", _ROWSPAN: "rowspan", _ENCODING: "encoding", _START: "start", _VALUE: "value",
    _HREF: "href", _ITEMTYPE: "itemtype", _REVERSED: "reversed", _TYPE: "type", _FACE: "face",
}  # fmt: skip
_TAG_SLOTS, _WORD_SLOTS, _ATTRIBUTE_SLOTS = 11, 11, 7
_TAG_TABLE = name_table({number: name for name, number in TAGS.items()}, _TAG_SLOTS)
_WORD_TABLE = name_table(dict(enumerate(WORDS, 1)), _WORD_SLOTS)
_ATTRIBUTE_TABLE = name_table(_ATTRIBUTES, _ATTRIBUTE_SLOTS)
_TRUE, _PRESENTS, _NO_ROLE, _NBSP, _QUOT, _AMP, _LT, _GT, _MATH_TYPE, _MATHJAX = (
    np.uint64(pack(word))
    for word in ("true", "presentation", "none", "nbsp;", "quot;", "amp;", "lt;", "gt;", "math", "mathjax")
)


def read_tree(markup: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(nodes, signatures, data)` of serialised markup (uint8[n], valid UTF-8).

    `nodes` int32[rows, 8], see above; `signatures` uint64[rows]: a hash of an element's name and class value, 0 of text;
    `data` uint8: the text of all text nodes, character references decoded, back to back.
    """
    return _read_tree(markup, _TAG_TABLE, _WORD_TABLE, _ATTRIBUTE_TABLE, SIGNS, LETTERS)


@kernel(nogil=True)
def _read_tree(
    markup: np.ndarray, tags: NameTable, words: NameTable, attributes: NameTable, signs: np.ndarray, letters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    begin = address(markup)
    end = begin + markup.shape[0]
    most = 2 * count_byte(begin, end, codes.LESS) + 1
    nodes, signatures = np.empty((most, 8), np.int32), np.empty(most, np.uint64)
    element_names = np.empty(most, np.uint64)
    data = np.empty(3 * markup.shape[0] + 4 * MOST, np.uint8)  # a letter may be drawn as a sign of three bytes
    start_of_data = address(data)
    to, rows, parent, here = start_of_data, 0, -1, begin
    foreign = -1  # the drawing or formula that is open: in it, elements of these names are not raw
    while here < end:
        raw = parent >= 0 and foreign < 0 and TRAITS[nodes[parent, TAG]] & RAW
        stop = _raw_end(here, end, element_names[parent]) if raw else find(here, end, end, codes.LESS)
        if stop > here:
            first = to
            to = copy(here, to, stop - here) if raw else _decoded(here, stop, to)
            font = nodes[parent, FLAGS] >> FONT & FONT_BITS if parent >= 0 else 0
            to = start_of_data + put_signs(data, first - start_of_data, to - start_of_data, font, signs, letters)
            _put_node(nodes, rows, TEXT, parent, first - start_of_data, to - start_of_data)
            signatures[rows] = 0
            rows += 1
            here = stop
        if here + 1 >= end:
            break
        first = byte_at(here + 1)
        closing = first == codes.SLASH
        if not closing and not is_letter(first):
            here = _after_other(here, end)
            continue
        name, after = name_at(here + 1 + closing, end)
        if closing:
            row = _opened(nodes, element_names, parent, name)
            while row >= 0 and parent != nodes[row, PARENT]:
                nodes[parent, END], nodes[parent, STOP] = rows, to - start_of_data
                parent = nodes[parent, PARENT]
            foreign = foreign if parent >= foreign else -1
            here = min(find(after, end, end, codes.GREATER) + 1, end)
            continue
        tag = kind_of(name, address(tags[0]), address(tags[1]), tags[2], _TAG_SLOTS)
        tag = tag if tag else UNKNOWN
        _put_node(nodes, rows, tag, parent, to - start_of_data, to - start_of_data)
        element_names[rows] = name
        signature = np.uint64(tag) if tag > UNKNOWN else name
        while after < end and byte_at(after) != codes.GREATER:
            if is_space(byte_at(after)) or byte_at(after) == codes.SLASH:
                after += 1
                continue
            key, value, value_end, after = attribute_at(after, end)
            kind = kind_of(key, address(attributes[0]), address(attributes[1]), attributes[2], _ATTRIBUTE_SLOTS)
            if kind == 0:
                continue
            if _CLASS <= kind <= _ITEMTYPE and (kind != _ID or value_end - value <= _LONGEST_ID):
                marks = marks_of(value, value_end, address(words[0]), address(words[1]), words[2], _WORD_SLOTS)
                nodes[rows, MARKS] |= marks if kind != _ITEMTYPE else marks & COMMENT
            if kind == _CLASS:
                signature ^= xxh64(markup, value - begin, value_end - begin, np.uint64(tag))
            if kind != _ID:
                _note_attribute(nodes, rows, kind, value, value_end)
        signatures[rows] = signature
        if not TRAITS[tag] & VOID:
            parent = rows
            foreign = rows if foreign < 0 and tag in (_MATHML, _DRAWING) else foreign
        rows += 1
        here = min(after + 1, end)
    while parent >= 0:
        nodes[parent, END], nodes[parent, STOP] = rows, to - start_of_data
        parent = nodes[parent, PARENT]
    return nodes[:rows], signatures[:rows], data[: to - start_of_data]


@kernel()
def _put_node(nodes: np.ndarray, row: Int, tag: Int, parent: Int, begin: Int, stop: Int) -> None:
    nodes[row, TAG], nodes[row, PARENT], nodes[row, END] = tag, parent, row + 1
    nodes[row, BEGIN], nodes[row, STOP] = begin, stop
    nodes[row, MARKS] = nodes[row, FLAGS] = 0
    nodes[row, SPANS] = 0 if tag == _ITEM else 1 if tag in (_LIST, _ORDERED) else 0x10001


@kernel()
def _opened(nodes: np.ndarray, names: np.ndarray, row: Int, name: np.uint64) -> Int:
    """The open element that an end tag ends, among the 64 innermost; -1 when there is none."""
    for _ in range(64):
        if row < 0 or names[row] == name:
            return row
        row = nodes[row, PARENT]
    return -1


@kernel()
def _raw_end(place: Int, end: Int, name: np.uint64) -> Int:
    """Where the end tag of an element whose text is written as it is starts."""
    while place < end:
        place = find(place, end, end, codes.LESS)
        if place + 2 < end and byte_at(place + 1) == codes.SLASH and name_at(place + 2, end)[0] == name:
            return place
        place += 1
    return end


@kernel()
def _after_other(place: Int, end: Int) -> Int:
    """One past a comment, a declaration or a processing instruction."""
    comment = place + 4 <= end and byte_at(place + 2) == codes.HYPHEN and byte_at(place + 3) == codes.HYPHEN
    close = find(place + (6 if comment else 1), end, end, codes.GREATER)
    while comment and close < end and not (byte_at(close - 1) == codes.HYPHEN and byte_at(close - 2) == codes.HYPHEN):
        close = find(close + 1, end, end, codes.GREATER)
    return min(close + 1, end)


@kernel()
def _decoded(place: Int, end: Int, to: Int) -> Int:
    """Copy text with the five character references that a serialisation writes; one past what was written."""
    while place < end:
        stop = find(place, end, end, codes.AMPERSAND)
        to = copy(place, to, stop - place)
        if stop >= end:
            break
        name, place = np.uint64(0), stop + 1
        while place < min(end, stop + 7) and name >> np.uint64(56) == 0:
            name |= np.uint64(byte_at(place)) << np.uint64(8 * (place - stop - 1))
            place += 1
            if byte_at(place - 1) == 0x3B:
                break
        if name == _NBSP:
            put_byte(to, 0xC2)
            put_byte(to + 1, 0xA0)
            to += 2
            continue
        sign = (
            codes.AMPERSAND if name == _AMP else codes.LESS if name == _LT else codes.GREATER if name == _GT
            else codes.QUOTE if name == _QUOT else 0
        )  # fmt: skip
        if not sign:
            place = stop + 1
        put_byte(to, sign if sign else codes.AMPERSAND)
        to += 1
    return to


@kernel()
def _note_attribute(nodes: np.ndarray, row: Int, kind: Int, place: Int, end: Int) -> None:
    """What an attribute other than id says, put into a node's row, besides its marks."""
    if kind == _CLASS:
        nodes[row, FLAGS] |= DRAWN if name_at(place, min(place + 7, end))[0] == _MATHJAX else 0
        return
    if kind in (_STYLE, _FACE):
        nodes[row, FLAGS] |= (style_flags(place, end) if kind == _STYLE else 0) | symbol_font(place, end) << FONT
        return
    if kind in (_HIDDEN, _HREF):
        nodes[row, FLAGS] |= HIDDEN | GONE if kind == _HIDDEN else LINK
        return
    if kind == _REVERSED or (kind == _TYPE and nodes[row, TAG] == _ORDERED):
        nodes[row, FLAGS] |= REVERSED if kind == _REVERSED else numbering(place, end)
        return
    if _COLSPAN <= kind <= _VALUE and kind != _ENCODING:
        _note_number(nodes, row, kind, number_at(place, end))
        return
    word = name_at(place, end)[0]
    if kind == _ARIA and word == _TRUE:
        nodes[row, FLAGS] |= ARIA_HIDDEN
    elif kind == _TYPE and nodes[row, TAG] == _SCRIPT and word == _MATH_TYPE:
        nodes[row, FLAGS] |= TEX
    elif kind == _ROLE and word in (_PRESENTS, _NO_ROLE):
        nodes[row, FLAGS] |= PRESENTATION
    elif kind == _ENCODING:
        for at in range(place, end - 2):
            if name_at(at, at + 3)[0] == 0x786574:  # "tex"
                nodes[row, FLAGS] |= TEX


@kernel()
def _note_number(nodes: np.ndarray, row: Int, kind: Int, number: Int) -> None:
    """A number that an attribute gives (-1: none), put into a node's `SPANS`."""
    listed = nodes[row, TAG] in (_LIST, _ORDERED, _ITEM)
    if number < 0:
        return
    if kind == _COLSPAN and number and not listed:
        nodes[row, SPANS] = nodes[row, SPANS] & ~0xFFFF | min(number, 1000)
    elif kind == _ROWSPAN and not listed:
        nodes[row, SPANS] = nodes[row, SPANS] & 0xFFFF | min(number, 32767) << 16
    elif (kind == _START and listed and nodes[row, TAG] != _ITEM) or (kind == _VALUE and nodes[row, TAG] == _ITEM):
        nodes[row, SPANS] = number
