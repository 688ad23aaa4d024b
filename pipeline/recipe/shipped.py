"""Recipes that come with the package, found by name from any folder."""

from importlib import resources
from pathlib import Path

from pipeline.errors import UsageError, did_you_mean


def folder() -> Path:
    """Where the shipped recipes lie: `recipes/` of the checkout, or of the installed package."""
    return Path(str(resources.files("recipes")))


def names() -> list[str]:
    """What can be asked for by name."""
    return sorted(found.stem for found in folder().glob("*.yaml"))


def find(recipe: str) -> Path:
    """The file that `recipe` means: a file of that path, with or without `.yaml`, else the shipped recipe of that name.

    Raises UsageError, with the nearest right name, when there is neither.
    """
    for candidate in (Path(recipe), Path(f"{recipe}.yaml")):
        if candidate.is_file():
            return candidate
    if recipe in names():
        return folder() / f"{recipe}.yaml"
    beside = Path(recipe).parent
    files = sorted(str(found) for found in beside.glob("*.yaml")) if beside.is_dir() else []
    nearest = did_you_mean(recipe, [*files, *names()]) or did_you_mean(Path(recipe).stem, names())
    raise UsageError(f"{recipe}: no such recipe{nearest or ' (shipped: ' + ', '.join(names()) + ')'}")
