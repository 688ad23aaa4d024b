"""One pass over a page's bytes before any parser sees it: how many tags, how deep, what its attributes cost.

HTML parsers take time that grows with the square of some of these; a page made for that stops a worker.
"""

import numpy as np

from pipeline.kernels.compiled import kernel

# Elements that hold nothing, and those whose end tag HTML lets out and that do not nest in themselves.
_SHALLOW = (
    "area base br col embed hr img input link meta param source track wbr p li td th tr dt dd option thead tbody tfoot"
)
_NAME = 8


def _pack(name: str) -> int:
    return int.from_bytes(name.encode()[:_NAME].ljust(_NAME, b"\0"), "little")


SHALLOW = np.array(sorted({_pack(name) for name in _SHALLOW.split()}), np.uint64)
SHALLOW.flags.writeable = False


@kernel(nogil=True)
def scan_markup(data: np.ndarray, shallow: np.ndarray) -> tuple[int, int, int]:
    """`(tags, depth, attribute_work)` of a page given as uint8 bytes.

    `depth` is the largest number of open tags that nest, counted without a parser: unclosed ones count on.
    `attribute_work` is the sum over all tags of the square of the number of attributes, which is what parsers compare
    to find repeated names. Linear in the bytes.
    """
    tags, depth, deepest, work = 0, 0, 0, 0
    at, end = 0, data.shape[0]
    while at < end:
        if data[at] != 0x3C:  # <
            at += 1
            continue
        at += 1
        if at >= end:
            break
        closing = data[at] == 0x2F
        if closing:
            at += 1
        name, size = np.uint64(0), 0
        while at < end and size < _NAME:
            low = data[at] | 0x20
            if not (0x61 <= low <= 0x7A or (size and 0x30 <= data[at] <= 0x39)):
                break
            name |= np.uint64(low if low >= 0x61 else data[at]) << np.uint64(8 * size)
            size += 1
            at += 1
        if size == 0:
            continue
        tags += 1
        nests = True
        for known in shallow:
            if known == name:
                nests = False
                break
        if closing:
            if nests and depth:
                depth -= 1
            continue
        at, attributes, closed_itself = _skip_tag(data, at, end)
        work += attributes * attributes
        if nests and not closed_itself:
            depth += 1
            deepest = max(deepest, depth)
    return tags, deepest, work


@kernel()
def _skip_tag(data: np.ndarray, at: int, end: int) -> tuple[int, int, bool]:
    """`(after, attributes, ends in "/>")` of a tag whose name ends at `at`."""
    attributes, fresh, value = 0, False, False
    while at < end:
        byte = data[at]
        if byte == 0x3E:
            return at + 1, attributes, data[at - 1] == 0x2F
        elif byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0x2F:
            fresh = True
        else:
            if byte == 0x3D:
                value = True
            elif (byte == 0x22 or byte == 0x27) and value:
                at += 1
                while at < end and data[at] != byte:
                    at += 1
                value = False
                fresh = True
            else:
                attributes += fresh and not value
                value = fresh = False
        at += 1
    return end, attributes, False


# Elements whose content the tokenizer reads as text up to their own end tag.
_RAW = "script style textarea title xmp iframe noembed noframes"
RAW = np.array([_pack(name) for name in _RAW.split()], np.uint64)
"""The first `UNSEEN` of them are never shown."""
RAW.flags.writeable = False
UNSEEN = 2


@kernel(nogil=True)
def visible_bytes(data: np.ndarray, raw: np.ndarray) -> int:
    """Bytes of a page (uint8) outside of tags, comments, scripts and style sheets: about the most its text can have.

    Each tag counts as 4 more, for the line feeds, tabs and bullets that a text has in its place. `raw` is `RAW`.
    """
    found, at, end = 0, 0, data.shape[0]
    while at < end:
        if data[at] != 0x3C:
            found += 1
            at += 1
            continue
        at += 1
        if at >= end:
            break
        first = data[at]
        if first == 0x21 and at + 2 < end and data[at + 1] == 0x2D and data[at + 2] == 0x2D:  # <!--
            at = _comment_end(data, at + 1, end)
            continue
        name, size, letter = np.uint64(0), 0, at
        while letter < end and size < _NAME and 0x61 <= (data[letter] | 0x20) <= 0x7A:
            name |= np.uint64(data[letter] | 0x20) << np.uint64(8 * size)
            size += 1
            letter += 1
        if size == 0:
            if first == 0x21 or first == 0x2F or first == 0x3F:  # an end tag, a declaration
                while at < end and data[at] != 0x3E:
                    at += 1
                at += 1
                found += 4
            else:
                found += 1
            continue
        at, _, _ = _skip_tag(data, letter, end)
        found += 4
        for which in range(raw.shape[0]):
            if raw[which] == name:
                close = _raw_end(data, at, end, name)
                found += close - at if which >= UNSEEN else 0
                at = close
                break
    return found


@kernel()
def _comment_end(data: np.ndarray, at: int, end: int) -> int:
    """One past the `-->` of a comment whose dashes start at `at`; `<!-->` is a whole comment."""
    while at + 2 < end:
        if data[at + 2] != 0x3E:
            at += 1
        elif data[at] == 0x2D and data[at + 1] == 0x2D:
            return at + 3
        else:
            at += 1
    return end


@kernel()
def _raw_end(data: np.ndarray, at: int, end: int, name: np.uint64) -> int:
    """Where the end tag `</name` starts, or the end of the page."""
    while at + 2 < end:
        if data[at] != 0x3C:
            at += 1
            continue
        if data[at + 1] == 0x2F:
            low, size = np.uint64(0), 0
            while at + 2 + size < end and size < _NAME and 0x61 <= (data[at + 2 + size] | 0x20) <= 0x7A:
                low |= np.uint64(data[at + 2 + size] | 0x20) << np.uint64(8 * size)
                size += 1
            if low == name:
                return at
        at += 1
    return end
