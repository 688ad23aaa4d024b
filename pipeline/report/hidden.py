"""Texts that a reader sees only when asking for them: what a filter of abuse removed, and what the bias audit shows of it."""

import re
from collections.abc import Iterable

HIDDEN_STAGES = ("toxicity", "hf_classifier")

_INSIDE = re.compile(r"\w")


def is_hidden(reasons: Iterable[str]) -> bool:
    """Whether a document with these reasons ("stage.rule") is shown only when asked for."""
    return any(reason.split(".", 1)[0] in HIDDEN_STAGES for reason in reasons)


def masked(text: str, show: tuple[int, int] = (0, 0)) -> str:
    """Every letter and digit as a block, but for the characters from `show[0]` to `show[1]`.

    >>> masked("That gay man, 1999.", (5, 8))
    '████ gay ███, ████.'
    """
    start, end = show
    return _INSIDE.sub("█", text[:start]) + text[start:end] + _INSIDE.sub("█", text[end:])
