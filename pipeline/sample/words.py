"""Lists of words by name, read once from `texts/words.txt`."""

from functools import cache
from importlib.resources import files


def text_of(name: str) -> str:
    """The text of a file of `texts/`, by its name without the ending."""
    return files("pipeline.sample.texts").joinpath(f"{name}.txt").read_text("utf-8")


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in text_of("words").split("\n= ")[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = tuple(body.split())
    return found


def words(name: str) -> tuple[str, ...]:
    """The words of a list."""
    return _lists()[name]
