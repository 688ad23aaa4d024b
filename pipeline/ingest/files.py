"""Which files a source has, in an order that no listing decides, and how they are grouped into shards."""

import difflib
import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import fsspec

from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.kinds import formats, kind_of_name
from pipeline.ingest.source import MADE_KINDS, Source
from pipeline.ingest.streams import reason_of

SHARD_BYTES = 64 * 2**20
"""Small files share a shard up to this many bytes."""
SHARD_FILES = 512
BIG_FILE_BYTES = 2**20
"""A file of this size is a shard of its own: packed crawl files must spread over the workers."""


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
class InputShard:
    """The unit of work of ingest: one big file or several small ones."""

    name: str
    files: tuple[InputFile, ...]

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return sum(file.size for file in self.files)


def wanted(source: Source, path: str) -> bool:
    """Whether a file with this relative path belongs to the source."""
    if any(matches(path, pattern) for pattern in source.exclude):
        return False
    if source.include:
        return any(matches(path, pattern) for pattern in source.include)
    if source.kind == "auto":
        return kind_of_name(path) is not None
    return formats()[source.kind].fits(path)


def matches(path: str, pattern: str) -> bool:
    """Glob match on the whole relative path or, for a pattern without a slash, on the last name.

    >>> matches("a/b.html", "*.html"), matches("a/b.html", "a/*"), matches("a/b.html", "b/*")
    (True, True, False)
    """
    return fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(posixpath.basename(path), pattern))


def list_inputs(source: Source) -> list[InputFile]:
    """The source's files, sorted by relative path.

    Raises `UsageError` when the folder is missing or holds no matching file, naming what is there instead;
    `InfrastructureError` when it cannot be listed. An absent optional source has no files.
    """
    if source.is_absent:
        return []
    if source.kind == "hub" and source.hub:
        hub = source.hub
        url = f"hub://{hub.dataset}@{hub.revision}/{hub.config or 'default'}/{hub.split}"
        return [InputFile(path=f"{hub.dataset}/{hub.config or 'default'}/{hub.split}", url=url, size=0, version=url)]
    if source.kind in MADE_KINDS:
        raise UsageError(f"source {source.name}: kind {source.kind} is written to WARC files first, then listed")
    found = [file for file in _find(source) if wanted(source, file.path)]
    if not found:
        raise UsageError(_nothing_matches(source))
    return sorted(found, key=lambda file: file.path)


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


def _find(source: Source) -> list[InputFile]:
    """Every file under the source's path, matching or not."""
    path = source.path or ""
    try:
        system, root = fsspec.core.url_to_fs(path)
        if any(sign in root for sign in "*?["):
            base = root[: min(root.index(sign) for sign in "*?[" if sign in root)].rpartition("/")[0]
            infos = {name: system.info(name) for name in system.glob(root)}
        elif system.isfile(root):
            base, infos = root.rpartition("/")[0], {root: system.info(root)}
        elif system.exists(root):
            base, infos = root.rstrip("/"), system.find(root, detail=True)
        else:
            raise UsageError(_missing(source, system, root))
    except (OSError, ValueError, ImportError) as error:
        raise InfrastructureError(f"source {source.name}: cannot list {path}: {reason_of(error)}") from error
    local = "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
    files = []
    for name, info in infos.items():
        if info.get("type") != "file":
            continue
        relative = name[len(base) :].lstrip("/")
        if any(part.startswith(".") for part in relative.split("/")):
            continue
        url = name if local else system.unstrip_protocol(name)
        files.append(InputFile(relative, url, int(info.get("size") or 0), _version(info)))
    return files


def _version(info: dict[str, Any]) -> str:
    for tag in ("ETag", "etag", "md5Hash", "checksum", "sha256"):
        if info.get(tag):
            return str(info[tag]).strip('"')
    when = info.get("mtime", info.get("LastModified", info.get("last_modified", "")))
    # Local files: seconds with a fraction; as nanoseconds they are an integer that prints the same everywhere.
    return f"{round(when * 10**9) if isinstance(when, int | float) else when}-{info.get('size')}"


def _missing(source: Source, system: Any, root: str) -> str:
    """ "no such folder", the nearest folder that exists and the likeliest name in it."""
    parent, wanted_name = posixpath.split(root.rstrip("/"))
    while parent not in ("", "/") and not system.exists(parent):
        parent, wanted_name = posixpath.split(parent)
    names = sorted(posixpath.basename(str(item).rstrip("/")) for item in system.ls(parent or "/", detail=False))
    near = difflib.get_close_matches(wanted_name, names, 1)
    hint = f"; did you mean {posixpath.join(parent, near[0])}?" if near else _some(f"; {parent} holds", names)
    return f"source {source.name}: {source.path} does not exist{hint}"


def _nothing_matches(source: Source) -> str:
    names = sorted(file.path for file in _find(source))
    pattern = f"matching {', '.join(source.include)}" if source.include else f"of kind {source.kind}"
    there = _some("it holds", names) if names else "it is empty"
    return f"source {source.name}: no file {pattern} in {source.path}; {there}"


def _some(lead: str, names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{lead} {shown}{f' and {len(names) - 5} more' if len(names) > 5 else ''}" if names else f"{lead} nothing"
