"""Licence names: SPDX identifiers, the few words that are none, and the addresses and phrases that stand for them."""

import re
from fnmatch import fnmatchcase

UNKNOWN = "unknown"
"""No one said anything: a value like any other, to be allowed or denied by name."""

_CC = [
    f"CC-{terms}-{version}"
    for terms in ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")
    for version in ("1.0", "2.0", "2.5", "3.0", "4.0")
]
_OTHERS = (
    "0BSD AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CDLA-Permissive-1.0 "
    "CDLA-Permissive-2.0 CDLA-Sharing-1.0 EPL-2.0 EUPL-1.2 GFDL-1.2-or-later GFDL-1.3-or-later GPL-2.0-only "
    "GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later "
    "MIT MIT-0 MPL-2.0 ODbL-1.0 ODC-By-1.0 OGL-UK-1.0 OGL-UK-2.0 OGL-UK-3.0 PDDL-1.0 Unlicense WTFPL Zlib"
).split()
WORDS = ("public-domain", "proprietary", "internal", UNKNOWN)
"""Names in use beside SPDX's."""
KNOWN = tuple(sorted([*_CC, *_OTHERS, *WORDS], key=str.lower))

_BY_LOWER = {name.lower(): name for name in KNOWN}
_ALIASES = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd-3": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "creative commons zero": "CC0-1.0",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "mit license": "MIT",
    "none": UNKNOWN,
    "other": UNKNOWN,
    "odc-by": "ODC-By-1.0",
    "pd": "public-domain",
    "public domain": "public-domain",
    "publicdomain": "public-domain",
    "us government work": "public-domain",
    "": UNKNOWN,
}
_CC_LINK = re.compile(
    r"creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)|publicdomain/(zero|mark)/1\.0)", re.IGNORECASE
)
_CC_PHRASE = re.compile(
    r"(?:cc|creative commons)[ _-]*(?:attribution|by)((?:[ _-]*(?:nc|nd|sa|non-?commercial|no-?derivatives?|share-?alike))*)"
    r"[ _-]*(?:v?(\d\.\d))?(?:[ _]*(?:international|unported|deed|licen[cs]e))*",
    re.IGNORECASE,
)
_PARTS = (("NC", ("nc", "non")), ("ND", ("nd", "no-d", "noder")), ("SA", ("sa", "share")))
MAX_NAME = 120
"""Longer than this, a field holds the terms themselves and not their name."""


def licence_of(text: str | None) -> str:
    """The name of a licence as it was stated: an SPDX identifier where it is one in any spelling, else as it stands.

    >>> licence_of("https://creativecommons.org/licenses/by-nc-sa/4.0/deed.de"), licence_of("cc by 4.0")
    ('CC-BY-NC-SA-4.0', 'CC-BY-4.0')
    >>> licence_of("apache-2.0"), licence_of(None), licence_of("Terms of  the Journal")
    ('Apache-2.0', 'unknown', 'Terms of the Journal')
    """
    words = " ".join((text or "").split())
    lower = words.lower()
    if lower in _BY_LOWER:
        return _BY_LOWER[lower]
    if lower in _ALIASES:
        return _ALIASES[lower]
    link = _CC_LINK.search(words)
    if link:
        if link[3]:
            return "CC0-1.0" if link[3].lower() == "zero" else "public-domain"
        return f"CC-{link[1].upper()}-{link[2]}"
    phrase = _CC_PHRASE.fullmatch(words)
    if phrase:
        own = phrase[1].lower()
        terms = [name for name, marks in _PARTS if any(mark in own for mark in marks)]
        return "-".join(["CC-BY", *terms, *([phrase[2]] if phrase[2] else [])])
    return words[:MAX_NAME]


def matches(licence: str, patterns: list[str]) -> bool:
    """Whether a licence is one of the names, or fits a glob among them; case does not matter.

    >>> matches("CC-BY-NC-4.0", ["*-NC-*"]), matches("CC-BY-4.0", ["cc-by-4.0"]), matches("CC-BY-SA-4.0", ["CC-BY-4.0"])
    (True, True, False)
    """
    return any(fnmatchcase(licence.lower(), pattern.lower()) for pattern in patterns)


def is_known(pattern: str, others: list[str]) -> bool:
    """Whether a name or glob stands for a known licence or for one of `others`."""
    return any(matches(name, [pattern]) for name in (*KNOWN, *others))
