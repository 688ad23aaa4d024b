"""Plain-Python twins of the markup scans: expressions over bytes instead of a walk over them."""

import re

from pipeline.kernels.markup import _RAW, _SHALLOW, UNSEEN

NAME_BYTES = 8
TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]{0,%d})" % (NAME_BYTES - 1))
TOKEN = re.compile(rb"(?P<end>>)|(?P<space>[\t-\r /]+)|(?P<equals>=)|(?P<quote>[\"'])|(?P<other>[^>\t-\r /=\"'])", re.S)
# Names are told apart by their first eight bytes, as the kernel does.
SHALLOW_NAMES = {name[:NAME_BYTES].encode() for name in _SHALLOW.split()}


def scan(markup: bytes) -> tuple[int, int, int]:
    """`(tags, depth, attribute_work)`."""
    tags = depth = deepest = work = at = 0
    while found := TAG.search(markup, at):
        tags += 1
        at = found.end()
        nests = found[2].lower() not in SHALLOW_NAMES
        if found[1]:
            depth -= nests and depth > 0
            continue
        at, attributes, closes_itself = rest_of_tag(markup, at)
        work += attributes**2
        if nests and not closes_itself:
            depth += 1
            deepest = max(deepest, depth)
    return tags, deepest, work


def rest_of_tag(markup: bytes, at: int) -> tuple[int, int, bool]:
    """`(after, attributes, ends in "/>")`. A quote only opens a value right after `=`, spaces between or not."""
    attributes, new_word, value_next = 0, False, False
    while token := TOKEN.match(markup, at):
        at = token.end()
        if token["end"]:
            return at, attributes, markup[at - 2 : at - 1] == b"/"
        if token["space"]:
            new_word = True
        elif token["equals"]:
            value_next = True
        elif token["quote"] and value_next:
            close = markup.find(token["quote"], at)
            if close < 0:
                return len(markup), attributes, False
            at, new_word, value_next = close + 1, True, False
        else:
            attributes += new_word and not value_next
            new_word = value_next = False
    return len(markup), attributes, False


RAW_NAMES = {name: shown for name, shown in zip(_RAW.split(), [False] * UNSEEN + [True] * 9, strict=False)}
LETTERS = re.compile(rb"[A-Za-z]{0,%d}" % NAME_BYTES)


def visible(markup: bytes) -> int:
    """What `visible_bytes` counts."""
    total = at = 0
    while (found := markup.find(b"<", at)) >= 0 and found + 1 < len(markup):
        total += found - at
        at = found + 1
        if markup.startswith(b"!--", at):
            close = markup.find(b"-->", at + 1)
            at = close + 3 if close >= 0 else len(markup)
            continue
        name = LETTERS.match(markup, at)[0]  # type: ignore[index]
        if not name:
            if markup[at : at + 1] in (b"!", b"/", b"?"):
                close = markup.find(b">", at)
                total, at = total + 4, close + 1 if close >= 0 else len(markup)
            else:
                total += 1
            continue
        at, _, _ = rest_of_tag(markup, at + len(name))
        total += 4
        name = name.lower().decode()
        if name in RAW_NAMES:
            ends = re.compile(rb"</(?=([A-Za-z]{0,%d}))" % NAME_BYTES)
            close = next((f.start() for f in ends.finditer(markup, at) if f[1].lower().decode() == name), len(markup))
            total += (close - at) * RAW_NAMES[name]
            at = close
    return total + (found if found >= 0 else len(markup)) - at
