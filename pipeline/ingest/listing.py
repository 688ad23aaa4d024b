"""Everything under a source's path, local or remote: each file once, and each folder or link that is not entered, with why.

Local folders are walked here, because fsspec passes over symbolic links and would read a pattern's signs in a folder's own name.
"""

import difflib
import errno
import glob
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fsspec

from pipeline.errors import InfrastructureError, UsageError, did_you_mean
from pipeline.ingest.source import Source
from pipeline.ingest.streams import reason_of

_RUN_MARKS = ("work/recipe.json", "work/ledger")
"""What every run folder holds from its first second on."""
_SIGNS = "*?["
_OUTSIDE = "outside of the source; follow_links: true reads it"


@dataclass(frozen=True)
class Entry:
    """A file under a source's path. `path` is relative, in valid UTF-8; `url` is what opens it. A `problem` is the outcome of
    what is not opened."""

    path: str
    url: str
    size: int = 0
    version: str = ""
    kind: str = ""
    problem: str = ""
    reason: str = ""


def listed(source: Source) -> Iterator[Entry]:
    """Every file of a source. Raises UsageError when its path does not exist, InfrastructureError when it cannot be listed."""
    path = source.path or ""
    try:
        system, root = fsspec.core.url_to_fs(path)
        local = "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
        yield from (_local(source, root.rstrip("/") or "/") if local else _remote(source, system, root))
    except (OSError, ValueError, ImportError) as error:
        raise InfrastructureError(f"source {source.name}: cannot list {path}: {reason_of(error)}") from error


def _local(source: Source, root: str) -> Iterator[Entry]:
    folder = _Folder(root, source.follow_links)
    if os.path.isdir(root):
        if _is_run(root):
            raise UsageError(f"source {source.name}: {root} is a run folder; its documents are in {root}/corpus/kept")
        yield from folder.walk(root, "")
    elif os.path.lexists(root):
        yield folder.entry(root, os.path.basename(root))
    elif any(sign in root for sign in _SIGNS):
        base = root[: min(root.index(sign) for sign in _SIGNS if sign in root)].rpartition("/")[0] or "/"
        folder = _Folder(base, source.follow_links)
        names = sorted(glob.glob(root, recursive=True))
        if not names:
            raise UsageError(f"source {source.name}: no file of kind {source.kind} in {source.path}{_endings(root)}")
        for name in names:
            relative = os.path.relpath(name, base)
            if not os.path.isdir(name):
                yield folder.entry(name, relative)
            elif not root.rstrip("/").endswith("**"):
                yield _not_entered(
                    relative, "the pattern names the folder and not its files; /** at the end names them"
                )
    else:
        system = fsspec.filesystem("file")
        raise UsageError(_missing(source, system, root))


class _Folder:
    """Walks a local folder. Links are followed inside it and into the `blobs` of a Hub cache, others are named."""

    def __init__(self, root: str, follow: bool) -> None:
        self._root = os.path.realpath(root)
        self._follow = follow
        self._entered: set[str] = set()

    def walk(self, folder: str, relative: str) -> Iterator[Entry]:
        self._entered.add(os.path.realpath(folder))
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        for entry in inside:
            path = posixpath.join(relative, entry.name)
            if not os.path.isdir(entry.path):  # False, too, of a link that leads to itself
                yield self.entry(entry.path, path)
            elif reason := self._why_not_entered(entry):
                yield _not_entered(path, reason)
            else:
                yield from self.walk(entry.path, path)

    def _why_not_entered(self, entry: "os.DirEntry[str]") -> str:
        if entry.name.startswith("."):
            return "hidden: its name starts with a dot"
        if _is_run(entry.path):
            return "a run folder"
        if not entry.is_symlink():
            return ""
        target = os.path.realpath(entry.path)
        if not self._may_follow(target):
            return f"a link to {printable(target)}, {_OUTSIDE}"
        # Following a link back into the walk would read the same files again, or never end.
        again = target in self._entered or _is_in(target, self._root)
        return f"a link to {target}, which is read by its own name" if again else ""

    def entry(self, name: str, relative: str) -> Entry:
        """A file, or a link to one."""
        path = printable(relative)
        if os.path.basename(relative).startswith("."):
            return Entry(path, name, _size(name), problem="excluded", reason="hidden: its name starts with a dot")
        target = os.path.realpath(name)
        if os.path.islink(name) and not self._may_follow(target):
            reason = f"a link to {printable(target)}, {_OUTSIDE}"
            return Entry(path, name, _size(name), kind="link", problem="link", reason=reason)
        try:
            info = os.stat(name)
        except OSError as error:
            circle = "which leads back to itself" if error.errno == errno.ELOOP else "which is not there"
            return Entry(path, name, kind="link", problem="link", reason=f"a link to {printable(target)}, {circle}")
        if not stat.S_ISREG(info.st_mode):
            return Entry(path, name, kind="device", problem="not read", reason="a pipe, socket or device, not a file")
        return Entry(path, name, info.st_size, _version({"mtime": info.st_mtime, "size": info.st_size}))

    def _may_follow(self, target: str) -> bool:
        """Inside the source, or in a `blobs` folder beside one of the folders above it, as the Hub's cache is laid out."""
        if self._follow or _is_in(target, self._root):
            return True
        holder, _, _ = target.rpartition("/blobs/")
        return "/blobs/" in target and _is_in(self._root, holder)


def _remote(source: Source, system: Any, root: str) -> Iterator[Entry]:
    if any(sign in root for sign in _SIGNS) and not system.exists(root):
        base = root[: min(root.index(sign) for sign in _SIGNS if sign in root)].rpartition("/")[0]
        infos = {name: system.info(name) for name in system.glob(root)}
    elif system.isfile(root):
        base, infos = root.rpartition("/")[0], {root: system.info(root)}
    elif system.exists(root):
        base, infos = root.rstrip("/"), system.find(root, detail=True)
    else:
        raise UsageError(_missing(source, system, root))
    runs = {
        name.partition(f"/{mark}")[0] + "/" for name in infos for mark in _RUN_MARKS if f"/{mark}" in name[len(base) :]
    }
    for run in sorted(runs):
        yield _not_entered(run[len(base) :].strip("/") or ".", "a run folder")
    for name, info in infos.items():
        if info.get("type") != "file" or name.startswith(tuple(runs)):
            continue
        path, size = name[len(base) :].lstrip("/"), int(info.get("size") or 0)
        if any(part.startswith(".") for part in path.split("/")):
            yield Entry(path, name, size, problem="excluded", reason="hidden: its name starts with a dot")
        else:
            yield Entry(path, system.unstrip_protocol(name), size, _version(info))


def printable(name: str) -> str:
    """A file name in valid UTF-8: bytes that are none (names in Latin-1) are written as `\\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _not_entered(path: str, reason: str) -> Entry:
    problem = "link" if _OUTSIDE in reason else "excluded"
    return Entry(f"{printable(path)}/", path, kind="folder", problem=problem, reason=reason)


def _is_run(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, mark)) for mark in _RUN_MARKS)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return 0


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
    near = nearest_name(wanted_name, names)
    hint = f"; did you mean {posixpath.join(parent, near)}?" if near else some(f"; {parent} holds", names)
    return f"source {source.name}: {source.path} does not exist{hint}"


def _endings(pattern: str) -> str:
    """The endings of the files beside a pattern that matches none: `*.json1` in a folder of `.jsonl`."""
    folder, last = posixpath.split(pattern)
    while any(sign in folder for sign in _SIGNS):
        folder = posixpath.dirname(folder)
    if not os.path.isdir(folder):
        return f"; there is no folder {folder}"
    names = [os.path.basename(name) for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    endings = sorted({"." + name.partition(".")[2] for name in names if "." in name[1:]})
    if not endings:
        return some(f"; {folder} holds", sorted(names)) if names else f"; {folder} is empty"
    return f"; {folder} holds files ending in {', '.join(endings[:8])}{did_you_mean(last.lstrip('*'), endings)}"


def nearest_name(wanted: str, names: list[str]) -> str | None:
    """The name that is most like the wanted one, or None."""
    return next(iter(difflib.get_close_matches(wanted, names, 1)), None)


def some(lead: str, names: list[str]) -> str:
    """ "it holds a, b, c, d, e and 4 more"."""
    shown = ", ".join(names[:5])
    return f"{lead} {shown}{f' and {len(names) - 5} more' if len(names) > 5 else ''}" if names else f"{lead} nothing"
