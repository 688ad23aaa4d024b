"""Lists of words and of phrases by name, read once from `texts/words.txt`."""

from functools import cache
from importlib.resources import files


def text_of(name: str) -> str:
    """The text of a file of `texts/`, by its name without the ending."""
    return files("pipeline.sample.texts").joinpath(f"{name}.txt").read_text("utf-8")


@cache
def _lists() -> dict[str, str]:
    parts = (part.partition("\n") for part in text_of("words").split("\n= ")[1:])
    return {name.strip(): body for name, _, body in parts}


def words(name: str) -> tuple[str, ...]:
    """A list whose entries are single words, in the order of the file."""
    return tuple(_lists()[name].split())


def phrases(name: str) -> tuple[str, ...]:
    """A list that has one entry a line, in the order of the file."""
    return tuple(_lists()[name].strip().splitlines())
