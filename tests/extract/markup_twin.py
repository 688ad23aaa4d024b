"""Plain-Python twin of the markup pass: expressions over bytes instead of a walk over them."""

import re
from collections.abc import Iterator

from pipeline.kernels.html import slim as kernel
from pipeline.kernels.html.html_tokens import NAME_BYTES

KINDS = {name[:NAME_BYTES].encode(): kind for kind, names in kernel.ELEMENTS.items() for name in names.split()}
KEPT = {name[:NAME_BYTES].encode(): kind for kind, names in kernel.ATTRIBUTES.items() for name in names.split()}

OPENING = re.compile(rb"<(/?)([A-Za-z][^\t\n\f\r />]*)")
BETWEEN = re.compile(rb"[\t\n\f\r /]*")
ATTRIBUTE = re.compile(
    rb"""(?P<name>=?[^\t\n\f\r />=]*)
    (?: [\t\n\f\r\ ]* = [\t\n\f\r\ ]* (?: "(?P<double>[^"]*)(?:"|\Z) | '(?P<single>[^']*)(?:'|\Z) | (?P<bare>[^\t\n\f\r\ >]*) ))?""",
    re.X,
)
# "display: none", "visibility: hidden", "vertical-align: super", "page-break-after", "Wingdings" and "Symbol", without their spaces.
HIDING = re.compile(rb"y:[nh]|n:s|ak-|&|ngs|mbo")
COMMENT_END = re.compile(rb"-->|--!>")
SCRIPT_EVENT = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />]|\Z)", re.I)


def rest_of_tag(markup: bytes, at: int) -> tuple[int, list[re.Match[bytes]], bool, bool]:
    """`(after, attributes, ends in "/>", whole)` of a tag whose name ends at `at`."""
    found = []
    while True:
        space = BETWEEN.match(markup, at)
        assert space
        at = space.end()
        if at >= len(markup):
            return at, found, False, False
        if markup[at] == ord(">"):
            return at + 1, found, space[0].endswith(b"/"), True
        attribute = ATTRIBUTE.match(markup, at)
        assert attribute
        found.append(attribute)
        at = attribute.end()


def is_kept(attribute: re.Match[bytes]) -> bool:
    """Whether an attribute says what is main content."""
    kind = KEPT.get(attribute["name"][:NAME_BYTES].lower())
    if kind != kernel._CSS:
        return kind is not None
    value = attribute["double"] or attribute["single"] or attribute["bare"] or b""
    return bool(HIDING.search(bytes(byte | 0x20 for byte in value if byte > 0x20)))


def kept_part(attribute: re.Match[bytes]) -> bytes:
    """What stays of an attribute that is kept."""
    named = KEPT[attribute["name"][:NAME_BYTES].lower()] == kernel._NAMED
    return attribute["name"] if named else attribute[0]


def script_end(markup: bytes, at: int) -> int:
    """Where the end tag of a script starts whose content starts at `at`."""
    escaped = doubly = False
    while event := SCRIPT_EVENT.search(markup, at):
        # The dashes of a start can be those of an end, too: "<!-->".
        at = event.start() + 2 if event[0] == b"<!--" else event.start() + 1
        if event[0] == b"<!--":
            at, escaped = (at, True) if not escaped else (event.end(), True)
        elif event[0] == b"-->":
            escaped = doubly = False
        elif event[1]:
            if not doubly:
                return event.start()
            doubly = False
        elif escaped:
            doubly = True
    return len(markup)


def text_end(markup: bytes, at: int, name: bytes) -> int:
    """Where the end tag `</name` starts."""
    for found in re.finditer(rb"</(?=([^\t\n\f\r />]*))", markup[at:]):
        if found[1][:NAME_BYTES].lower() == name and at + found.start() + 2 < len(markup):
            return at + found.start()
    return len(markup)


def attribute_work(text: bytes) -> int:
    """Squares of the attributes of whatever starts with "<" in a text."""
    work = at = 0
    while (at := text.find(b"<", at) + 1) and at < len(text):
        at, attributes, _, whole = rest_of_tag(text, at)
        at -= whole
        work += len(attributes) ** 2
    return work


def pieces(markup: bytes) -> Iterator[tuple[str, bytes, int]]:
    """`(what, bytes that stay, number)`: text, tags, what else there is, and the facts to sum up."""
    at, foreign, open_foreign = 0, b"", 0
    phrases: dict[int, list[bool]] = {}
    while (start := markup.find(b"<", at)) >= 0 and start + 1 < len(markup):
        yield "text", markup[at:start], start - at
        tag = OPENING.match(markup, start)
        if not tag:
            first = markup[start + 1 : start + 2]
            if first not in (b"!", b"/", b"?"):
                yield "text", b"<", 1
                at = start + 1
                continue
            if not open_foreign and markup.startswith(b"<!--", start):
                end = COMMENT_END.search(markup, start + 2)
                while end and end[0] == b"--!>" and end.start() < start + 4:
                    end = COMMENT_END.search(markup, end.start() + 1)
                at = end.end() if end else len(markup)
                kept = b"<!--" + (b"-->" if end and end[0] == b"-->" else b"")
                early = end and (end[0] == b"--!>" or end.start() < start + 4)
                yield "other", markup[start:at] if early else kept, 4
                continue
            if open_foreign and markup.startswith(b"<![CDATA[", start):
                close = markup.find(b"]]>", start + 9) + 3
                close = close if close >= 3 else len(markup)
            else:
                close = markup.find(b">", start + 2) + 1 or len(markup)
            yield "other", markup[start:close], 4
            at = close
            continue
        closing, name = bool(tag[1]), tag[2][:NAME_BYTES].lower()
        kind = KINDS.get(name, 0)
        at, attributes, closed_itself, whole = rest_of_tag(markup, tag.end())
        kept = [] if closing else [a for a in attributes if is_kept(a)][: kernel.MOST_ATTRIBUTES]
        if kind >= kernel._PHRASE and not open_foreign:
            opened = phrases.setdefault(kind, [])
            if not closing:
                opened.append(bool(kept) and len(opened) < 64)
            stay = opened[-1] if opened else False
            if closing and opened:
                opened.pop()
            if not stay:
                yield "tag", b"<!---->", 0
                continue
        yield "work", b"", len(kept) ** 2
        stays = markup[start:at]
        if attributes or not whole:
            stays = tag[0] + b"".join(b" " + kept_part(a) for a in kept) + (b" /" if closed_itself else b"") + b">"
            stays = stays if whole else b""  # what the page ends in is no tag
        yield "tag", stays, -1 if closing else 1
        if closing:
            open_foreign -= bool(open_foreign) and name == foreign
            if kind != kernel._SHALLOW:
                yield "depth", b"", -1
            continue
        if kind != kernel._SHALLOW and not closed_itself:
            yield "depth", b"", 1
        if kind == kernel._FOREIGN:
            if (not open_foreign or name == foreign) and not closed_itself:
                foreign, open_foreign = name, open_foreign + 1
        elif kernel._SHALLOW < kind < kernel._PHRASE and not open_foreign:
            if kind == kernel._PLAIN:
                close = len(markup)
            else:
                close = script_end(markup, at) if kind == kernel._SCRIPT else text_end(markup, at, name)
            formula = kind == kernel._SCRIPT and kept and b"math/tex" in markup[start:at]
            if kind in (kernel._SCRIPT, kernel._STYLE) and not formula:
                yield "hidden", b" " if close > at else b"", 0
            else:
                yield "text", markup[at:close], close - at
                yield "work", b"", attribute_work(markup[at:close])
            at = close
    yield "tail", markup[at:], (start if start >= 0 else len(markup)) - at


def slim(markup: bytes) -> tuple[bytes, int, int, int]:
    """What `pipeline.kernels.html.slim.slim` gives."""
    stays, tags, depth, deepest, work = [], 0, 0, 0, 0
    for what, kept, number in pieces(markup):
        # A tag that was left out keeps apart what would become a tag or a character.
        left_out = what == "tag" and kept == b"<!---->"
        stays.append(
            kept if not left_out or next((one for one in reversed(stays) if one), b"")[-1:] in (b"<", b"&") else b""
        )
        if what == "tag":
            tags += 1
        elif what == "depth":
            depth = max(0, depth + number)
            deepest = max(deepest, depth)
        elif what == "work":
            work += number
    return b"".join(stays), tags, deepest, work
