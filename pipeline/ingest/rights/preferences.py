"""AI preferences: `Content-Usage` (IETF drafts aipref-vocab and aipref-attach) and Cloudflare's `Content-Signal`.

Both say yes or no to categories of use. Training a language model is the narrowest of several that drafts have named; what
is said of the narrowest one counts, so that `bots=n, train-ai=y` allows training.
"""

import re
from collections.abc import Iterable

from pipeline.ingest.rights.locations import covers

FIELDS = ("content-usage", "content-signal")
USES = ("train-genai", "genai", "train-ai", "ai-train", "ai", "tdm", "bots")
"""Keys that cover training, the narrowest first: of the vocabulary, of its earlier drafts, and of content signals."""
_ANSWERS = {"content-usage": {"y": True, "n": False}, "content-signal": {"yes": True, "no": False}}
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_QUOTED = re.compile(r'"[^"]*"')


def allows_training(name: str, value: str) -> bool | None:
    """What one statement says of training: True, False, or None where it says nothing or cannot be read.

    A dictionary of structured fields (RFC 9651): keys are lower case, of a repeated key the last one counts, parameters
    (after ";", or the "," that stands for it where a signal is stored) are ignored, and what cannot be read says nothing.

    >>> allows_training("content-usage", "train-ai=n, search=y"), allows_training("content-usage", "Train-AI=n")
    (False, None)
    >>> allows_training("content-usage", "train-ai=y, train-ai"), allows_training("content-usage", "bots=n, train-ai=y")
    (None, True)
    >>> allows_training("content-signal", "search=yes,ai-train=no"), allows_training("content-usage", "train-ai=no")
    (False, None)
    """
    answers, found = _ANSWERS[name], {}
    for part in _QUOTED.sub('""', value).split(","):
        key, _, answer = part.strip().partition(";")[0].strip().partition("=")
        if not _KEY.fullmatch(key):
            if part.strip():
                return None
            continue
        found[key] = answers.get(answer)
    said = [found[use] for use in USES if found.get(use) is not None]
    return said[0] if said else None


def robots_preferences(text: str, path: str, agents: Iterable[str]) -> list[str]:
    """Preference rules of a robots.txt that hold for a path: of the group for everybody, and of groups for these crawlers.

    In each group and for each field the longest pattern that covers the path wins, and of equal ones all hold
    (aipref-attach, section 3). Rules before the first group are read as for everybody. Values that groups share stand once.
    """
    wanted = {"*", *(agent.lower() for agent in agents)}
    found: dict[str, None] = {}
    for own, rules in _groups(text):
        if own and wanted.isdisjoint(own):
            continue
        for name in FIELDS:
            holding = [(len(prefix), value) for field, prefix, value in rules if field == name and covers(prefix, path)]
            most = max((length for length, _ in holding), default=0)
            found |= dict.fromkeys(f"robots.txt {name}: {value}" for length, value in holding if length == most)
    return sorted(found)


def _groups(text: str) -> list[tuple[set[str], list[tuple[str, str, str]]]]:
    """(user agents, rules as (field, path pattern, value)) of every group, in order; the first one names nobody."""
    groups: list[tuple[set[str], list[tuple[str, str, str]]]] = [(set(), [])]
    naming = False
    for line in text.splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or name == "sitemap":
            continue
        if name == "user-agent":
            if not naming:
                groups.append((set(), []))
            groups[-1][0].add(value.lower())
        elif name in FIELDS and value:
            prefix, _, rest = value.partition(" ") if value.startswith("/") else ("/", "", value)
            groups[-1][1].append((name, prefix, " ".join(rest.replace(";", ",").split())[:512]))
        naming = name == "user-agent"
    return groups
