"""Which files a source has, in an order that no listing decides, what becomes of each, and how they are grouped into shards."""

import posixpath
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UsageError, did_you_mean
from pipeline.ingest.content import content_of, ending_of, is_code
from pipeline.ingest.kinds import formats, kind_of_name
from pipeline.ingest.listing import Entry, listed, some
from pipeline.ingest.source import Source
from pipeline.ingest.streams import compression_of, head_of

SHARD_BYTES = 64 * 2**20
"""Small files share a shard up to this many bytes."""
SHARD_FILES = 512
BIG_FILE_BYTES = 2**20
"""A file of this size is a shard of its own: packed crawl files must spread over the workers."""

READ, EXCLUDED, NOT_READ, UNREADABLE, EMPTY, LINK = "read", "excluded", "not read", "unreadable", "empty", "link"
"""What becomes of a file. Excluded: by `include`, `exclude`, `kind`, or because its name starts with a dot. Not read: no reader
reads its kind. Unreadable: of a kind that is read, but nothing of it became a document."""


@dataclass(frozen=True)
class InputFile:
    """One input file. `version` changes when the file does: its entity tag, or its modification time and size."""

    path: str
    url: str
    size: int
    version: str

    def identity(self) -> list[Any]:
        """See `pipeline.core.reads.Readable`. The URL is left out: files that are moved are the same files."""
        return [self.path, self.size, self.version]


@dataclass(frozen=True)
class UnreadFile:
    """A file of the source that no reader opens, and why."""

    path: str
    kind: str
    size: int
    outcome: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """Every file under a source's path, once: those to read, and the others."""

    files: list[InputFile]
    others: list[UnreadFile]


@dataclass(frozen=True)
class InputShard:
    """The unit of work of ingest: one big file or several small ones."""

    name: str
    files: tuple[InputFile, ...]

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return sum(file.size for file in self.files)


def matches(path: str, pattern: str) -> bool:
    """Glob match on the whole relative path or, for a pattern without a slash, on the last name.

    >>> matches("a/b.html", "*.html"), matches("a/b.html", "a/*"), matches("a/b.html", "b/*")
    (True, True, False)
    """
    return fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(posixpath.basename(path), pattern))


def survey(source: Source) -> Survey:
    """Every file under the source's path, sorted by relative path, with what becomes of it.

    A file whose name says nothing is told by its first bytes. An absent optional source has no files. Raises `UsageError` when
    the path is missing, `InfrastructureError` when it cannot be listed.
    """
    if source.is_absent:
        return Survey([], [])
    if source.kind == "hub" and source.hub:
        hub = source.hub
        url = f"hub://{hub.dataset}@{hub.revision}/{hub.config or 'default'}/{hub.split}"
        return Survey([InputFile(f"{hub.dataset}/{hub.config or 'default'}/{hub.split}", url, 0, url)], [])
    if source.kind == "sql" and source.url:
        parts = urlsplit(source.url)
        name = f"{parts.hostname or ''}{parts.path}"
        return Survey([InputFile(name, source.url, 0, f"{parts.scheme}://{name}")], [])
    if source.has_no_files:
        raise UsageError(f"source {source.name}: kind {source.kind} is written to WARC files first, then listed")
    files: list[InputFile] = []
    others: list[UnreadFile] = []
    entries = sorted(listed(source), key=lambda entry: entry.path)
    saved = {posixpath.dirname(entry.path) for entry in entries if entry.path.endswith(".arrow")}
    saved |= {posixpath.dirname(folder) for folder in saved}
    for entry in entries:
        other = _why_not(source, entry) or _described(entry, saved)
        if other is None:
            files.append(InputFile(entry.path, entry.url, entry.size, entry.version))
        else:
            others.append(UnreadFile(entry.path, other[0], entry.size, other[1], other[2]))
    return Survey(files, others)


def list_inputs(source: Source) -> list[InputFile]:
    """The source's files to read, sorted by relative path.

    Raises `UsageError` when there is none, naming what is there instead, and as `survey` does.
    """
    return readable(source, survey(source))


def readable(source: Source, found: Survey) -> list[InputFile]:
    """The files to read. Raises `UsageError` when there is none, naming what is there instead."""
    if not found.files and not source.is_absent:
        raise UsageError(_nothing_matches(source, found.others))
    return found.files


def _why_not(source: Source, entry: Entry) -> tuple[str, str, str] | None:
    """(kind, outcome, reason) of a file that is not to be read; None for one that is."""
    path, named = entry.path, kind_of_name(entry.path)
    if entry.problem:
        return entry.kind, entry.problem, entry.reason
    if pattern := next((pattern for pattern in source.exclude if matches(path, pattern)), None):
        return named or ending_of(path), EXCLUDED, f"exclude: {pattern}"
    if source.include:
        wanted = any(matches(path, pattern) for pattern in source.include)
        return None if wanted else (named or ending_of(path), EXCLUDED, "no pattern of include matches")
    if source.kind != "auto":
        if formats()[source.kind].fits(path):
            return None
        return named or ending_of(path), EXCLUDED, f"its name is not one of kind {source.kind}"
    if named is not None:
        return None
    head = head_of(entry.url)
    found = content_of(head, path)
    if compression_of(head):
        return None
    if found in formats() and (found != "text" or not posixpath.splitext(path)[1]):
        return None
    if found == "text":
        return ending_of(path), NOT_READ, unknown_text(path)
    if found == "empty":
        return ending_of(path), EMPTY, "the file has no bytes"
    return found, NOT_READ, f"files of kind {found} are not read"


def _described(entry: Entry, saved: set[str]) -> tuple[str, str, str] | None:
    """For what `save_to_disk` writes beside a data set's Arrow files: excluded."""
    folder, name = posixpath.split(entry.path)
    if folder in saved and name in ("state.json", "dataset_info.json", "dataset_dict.json"):
        return "json", EXCLUDED, "describes the saved data set beside it"
    return None


def unknown_text(path: str, setting: str = "include") -> str:
    """Why a file that is text is not read: its ending names no kind. A setting that names the ending reads it as text."""
    ending = posixpath.splitext(path)[1]
    what = "source code" if is_code(path) else "text with an ending of no known kind"
    return f"{what} ({ending}); {setting}: ['*{ending}'] reads it as text"


def plan_shards(source: Source, files: list[InputFile]) -> list[InputShard]:
    """Group files into shards `<source>/00000`, …: a function of the sorted list alone."""
    groups: list[list[InputFile]] = []
    room, slots = 0, 0
    for file in files:
        if file.size >= BIG_FILE_BYTES:
            groups.append([file])
            room = slots = 0
            continue
        if file.size > room or slots == 0:
            groups.append([])
            room, slots = SHARD_BYTES, SHARD_FILES
        groups[-1].append(file)
        room, slots = room - file.size, slots - 1
    return [InputShard(f"{source.name}/{number:05d}", tuple(group)) for number, group in enumerate(groups)]


def _nothing_matches(source: Source, others: list[UnreadFile]) -> str:
    """What a source without a file to read holds instead; for a pattern that is nearly right, the right ending."""
    if others and all(other.outcome == EXCLUDED and other.reason.startswith("exclude: ") for other in others):
        # The folder may well hold files of the kind: naming the kind would send the reader to look at the wrong setting.
        held = some("it holds", [other.path for other in others])
        return f"source {source.name}: exclude ({', '.join(source.exclude)}) leaves out every file in {source.path}; {held}"
    lead = f"source {source.name}: no file "
    pattern = f"matching {', '.join(source.include)}" if source.include else f"of kind {source.kind}"
    names = [other.path for other in others]
    there = some("it holds", names) if names else "it is empty"
    kinds = Counter(other.kind for other in others if other.outcome == NOT_READ)
    said = f" ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common(6))})" if kinds else ""
    asked = source.include[0] if source.include else posixpath.basename((source.path or "").rstrip("/"))
    ending = "" if "*" not in asked else did_you_mean(asked.lstrip("*"), sorted({_full_ending(name) for name in names}))
    return f"{lead}{pattern} in {source.path}; {there}{said}{ending}"


def _full_ending(path: str) -> str:
    name = posixpath.basename(path)
    return "." + name.partition(".")[2] if "." in name[1:] else ""
