"""Text of a corpus on a terminal: what would move its cursor, colour it, name its window or turn the line around is spelt out."""

import re
from typing import Any

from rich.console import Console

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with each character that steers a terminal as its number, such as \\x1b; tab and newline stay."""
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text)


class Terminal(Console):
    """Rich's console, on which printed text cannot steer the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As Console has it."""
        super().print(*(harmless(one) if isinstance(one, str) else one for one in objects), **options)
