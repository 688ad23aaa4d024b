"""The registry of source kinds: which files are of a kind, and the reader that turns one into records.

A kind is one file of `pipeline/ingest/formats` with a reader under `@source_kind`. Nothing else has to name it: the recipe's
`kind:`, the JSON schema, the choice by file name and members of archives follow. Kinds without files (a Hub data set, a
crawl, the sample) are in `pipeline/ingest/source.py`.
"""

import importlib
import pkgutil
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.ingest.record import Record, Where

Read = Callable[[Any, "Where"], "Iterator[Record]"]
"""`(stream, where) -> records`. The stream is a BufferedReader without its compression, or the raw seekable file."""

_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")


@dataclass(frozen=True)
class Format:
    """One registered kind."""

    name: str
    read: Read
    endings: tuple[str, ...]
    """File name endings that mean this kind when the source's kind is auto; no two kinds share one."""
    accepts: tuple[str, ...] = ()
    """Further endings of files that a source of this kind reads."""
    seeks: bool = False
    """The reader wants the file as it is and seeks in it; otherwise it is given the decompressed stream."""
    recognises: Callable[[bytes, bool], bool] | None = None
    """Tells this kind by a file's first 4,096 bytes, and whether its name says this kind, too; for files of this name, and those
    whose name only says text or HTML."""
    unpacks: bool = False
    """The reader undoes gzip and zstd by itself; a seeking reader of another kind gets the unpacked file."""
    binary: bool = False
    """Files of this kind are not text: one that is text in spite of its name is read as what it is."""

    def fits(self, path: str) -> bool:
        """Whether a source of this kind reads the file."""
        return _ends(path, self.endings + self.accepts)


def _ends(path: str, endings: tuple[str, ...]) -> bool:
    return path.lower().endswith(tuple(ending + packed for ending in endings for packed in _PACKED))


_REGISTRY: dict[str, Format] = {}


def source_kind(name: str, *endings: str, **options: Any) -> Callable[[Read], Read]:
    """Register a reader under a kind's name; `options` are the fields of `Format` from `accepts` on. Raises ValueError when name
    or ending is another kind's already."""

    def register(read: Read) -> Read:
        for other in _REGISTRY.values():
            if other.name == name and other.read.__module__ != read.__module__:
                raise ValueError(f"two kinds named {name}: {other.read.__module__}, {read.__module__}")
            if other.name != name and (shared := set(other.endings) & set(endings)):
                raise ValueError(f"kinds {other.name} and {name} both claim {', '.join(sorted(shared))}")
        _REGISTRY[name] = Format(name, read, endings, **options)
        return read

    return register


def formats() -> dict[str, Format]:
    """All kinds of files by name. Importing every module of `pipeline.ingest.formats` registers them."""
    _load(tuple(importlib.import_module("pipeline.ingest.formats").__path__))
    return _REGISTRY


@cache
def _load(folders: tuple[str, ...]) -> None:
    """Import every module of these folders, once: a listing asks for the kind of each of a million names."""
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"pipeline.ingest.formats.{module.name}")


def kind_of_name(path: str) -> str | None:
    """The kind that a file's name means, or None.

    >>> kind_of_name("a/CC-MAIN.warc.gz"), kind_of_name("pages.tar.zst"), kind_of_name("x.png")
    ('warc', 'tar', None)
    """
    known, name = _kinds_by_ending(len(formats())), posixpath.basename(path).lower()
    for packed in _PACKED[1:]:
        name = name.removesuffix(packed)
    at = name.find(".")
    while at >= 0:
        if name[at:] in known:
            return known[name[at:]]
        at = name.find(".", at + 1)
    return None


@cache
def _kinds_by_ending(count: int) -> dict[str, str]:
    """Ending -> kind, of a registry with so many kinds."""
    return {ending: name for name, form in _REGISTRY.items() for ending in form.endings}
