"""Personal data and secrets that begin with a rare literal: private keys, tokens of services, addresses written around a robot.

A literal that a batch does not hold costs one search of its bytes; only what stands around one that it does is looked at.
"""

import re

import numpy as np

_KEY = rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----.{0,16384}?(-----END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----|\Z)"
"""The whole key: to its END line, or to the end of the text."""
_LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
_DOT = rb"(?:\.|\s{0,2}(?:[\[({<]\s?(?:dot|DOT|Dot|\.)\s?[\])}>]|\s(?:dot|DOT)\s)\s{0,2})"
_MAIL = (
    rb"[A-Za-z0-9](?:[A-Za-z0-9_+%-]|" + _DOT + rb"(?=[A-Za-z0-9])){0,63}\s{0,2}[\[({<]\s?(?:at|AT|At|@)\s?[\])}>]\s{0,2}"
    + _LABEL + rb"(?:" + _DOT + _LABEL + rb"){1,4}"
)  # fmt: skip
_SPELLED = (
    rb"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}(?: (?:dot|DOT) [A-Za-z0-9_+-]{1,63}){0,2} (?:at|AT) "
    + _LABEL + rb"(?: (?:dot|DOT) " + _LABEL + rb"){0,3} (?:dot|DOT) (?i:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|"
    rb"example|uk|de|fr|ca|au|nz|eu|jp|cn|kr|ch|nl|se|br|za|es|pl|ru|mx|ie|fi|dk|pt|gr|cz|hu)\b"
)  # fmt: skip
_BODY = rb"[A-Za-z0-9_-]"
_NAMED_KEY = rb"\w{0,20}(?i:secret_?access_?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[A-Za-z0-9/+]{40}\b"
"""It begins like nothing else: with its name."""

_ROBOTS = (b"[at]", b"(at)", b"[AT]", b"(AT)", b"[ at ]", b"( at )", b"{at}", b"<at>", b"[@]", b"(@)")
LOOKED_FOR: tuple[tuple[bytes, str, int, bytes], ...] = (
    (b"PRIVATE KEY", "api_key", 60, _KEY),
    (b"eyJ", "api_key", 0, rb"eyJ" + _BODY + rb"{10,2000}\.eyJ" + _BODY + rb"{10,4000}\." + _BODY + rb"{10,2000}"),
    (b"github_pat_", "api_key", 0, rb"github_pat_" + _BODY + rb"{40,100}"),
    (b"glpat-", "api_key", 0, rb"glpat-" + _BODY + rb"{20,60}"),
    (b"npm_", "api_key", 0, rb"npm_[A-Za-z0-9]{36}"),
    (b"pypi-", "api_key", 0, rb"pypi-" + _BODY + rb"{50,300}"),
    (b"hf_", "api_key", 0, rb"hf_[A-Za-z0-9]{30,60}"),
    (b"hooks.slack.com/", "api_key", 0, rb"hooks\.slack\.com/services/(?:[A-Z0-9]{6,14}/){2}[A-Za-z0-9]{20,30}"),
    *((name, "api_key", 20, _NAMED_KEY) for name in (b"secret_access_key", b"SECRET_ACCESS_KEY", b"SecretAccessKey")),
    (b"SG.", "api_key", 0, rb"SG\." + _BODY + rb"{20,24}\." + _BODY + rb"{40,46}"),
    *((mark, "email", 90, _MAIL) for mark in _ROBOTS),
    *((mark, "email", 90, _SPELLED) for mark in (b" dot ", b" DOT ")),
)  # fmt: skip
"""(literal, kind, bytes to look back, expression)."""
_WORDLIKE = re.compile(rb"[A-Za-z0-9_]")


def find_rare(offsets: np.ndarray, data: np.ndarray) -> list[tuple[int, int, int, str]]:
    """(row, start, end, kind) of what is found, bytes within the row, in order; nothing overlaps.

    >>> text = b"Write to jane [at] bank [dot] example."
    >>> find_rare(np.array([0, len(text)]), np.frombuffer(text, np.uint8))
    [(0, 9, 37, 'email')]
    """
    first = int(offsets[0])
    raw = data[first : int(offsets[-1])].tobytes()
    found: list[tuple[int, int, int, str]] = []
    for literal, kind, back, expression in LOOKED_FOR:
        at, pattern = raw.find(literal), re.compile(expression, re.DOTALL)
        while at >= 0:
            row = int(np.searchsorted(offsets, at + first, side="right")) - 1
            low, high = int(offsets[row]) - first, int(offsets[row + 1]) - first
            stop = at + len(literal)
            for hit in pattern.finditer(raw, max(low, at - back), min(high, stop + 20_000)):
                if hit.start() > at:
                    break
                alone = hit.start() == low or not _WORDLIKE.match(raw, hit.start() - 1)
                if hit.start() <= at < hit.end() and alone:
                    found.append((row, hit.start() - low, hit.end() - low, kind))
                    stop = hit.end()
                    break
            at = raw.find(literal, stop)
    found.sort()
    return [
        one
        for number, one in enumerate(found)
        if number == 0 or one[:2] >= (found[number - 1][0], found[number - 1][2])
    ]
