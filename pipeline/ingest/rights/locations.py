"""Path patterns of robots.txt (RFC 9309, section 2.2.3), which tdmrep.json uses too: `*` is anything, a last `$` the end.

Both sides are brought to one percent-encoding first. Matching takes time linear in the path for each piece of the pattern.
"""

import re
from urllib.parse import quote, urlsplit

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN = "!#$%&'()*+,/:;=?@[]~"
MAX_PATTERN = 2048
"""Longer patterns match nothing: no real address is that long."""


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern matches a path with its query, from its start.

    >>> covers("/a/", "/a/b.html"), covers("/a/*.jpg$", "/a/b/c.jpg"), covers("/a$", "/a/b"), covers("/%7Eann", "/~ann/x")
    (True, True, False, True)
    >>> covers("/foo-%24", "/foo-$"), covers("/A", "/a"), covers("", "/a")
    (True, False, False)
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        return False
    anchored = pattern.endswith("$")
    pieces = [_same(piece) for piece in pattern[: len(pattern) - anchored].split("*")]
    text = _same(path).replace("$", "%24").replace("*", "%2A")
    if not text.startswith(pieces[0]):
        return False
    if len(pieces) == 1:
        return not anchored or text == pieces[0]
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if anchored:
        return len(text) - len(pieces[-1]) >= at and text.endswith(pieces[-1])
    return text.find(pieces[-1], at) >= 0


def _same(text: str) -> str:
    """One spelling of an encoded path: needless escapes undone, needed ones in capitals."""

    def one(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in _UNRESERVED else f"%{found[1].upper()}"

    return _ESCAPE.sub(one, quote(text, safe=_PLAIN, errors="replace"))


def host_and_path(url: str) -> tuple[str, str]:
    """Host with port, and path with query, of an address; empty ones of what is no address.

    >>> host_and_path("https://me@A.example:80/x?y=1#z"), host_and_path("http://[bad")
    (('a.example:80', '/x?y=1'), ('', ''))
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    query = f"?{parts.query}" if parts.query else ""
    return parts.netloc.rpartition("@")[2].lower(), (parts.path or "/") + query
