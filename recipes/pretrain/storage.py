"""Where a training writes: a local folder as pathlib.Path, an object store as `RemotePath`, by the same few methods.

An object appears whole when its upload ends, so nothing needs to be renamed there; a folder of objects exists as soon as
one of them does, so what must be whole as a folder ends with a seal. Nothing is appended: see `metrics`.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from pipeline.handoff import InfrastructureError, UsageError, is_of_storage, missing_library

PIECE = 1 << 24
"""Bytes of one request when a file is read from an object store from its first to its last byte."""
AGAIN = "; fix the cause and run again to resume"


def is_local(url: str) -> bool:
    """Whether a path or URL is a file of this machine."""
    return "://" not in url.removeprefix("file://")


@contextlib.contextmanager
def explained(url: str, *, may_lack: bool = False) -> Iterator[None]:
    """Turn an object store's errors into InfrastructureError with its URL; `may_lack` lets FileNotFoundError through."""
    try:
        yield
    except Exception as error:
        if not is_of_storage(error) or (may_lack and isinstance(error, FileNotFoundError)):
            raise
        first = str(getattr(error, "strerror", None) or error).strip().split("\n")[0]
        raise InfrastructureError(f"{url}: {first or type(error).__name__}{AGAIN}") from error


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it. Raises UsageError when there is none of that kind."""
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise missing_library(url, error) from None
    except ValueError as error:
        raise UsageError(f"{url}: cannot be opened ({error})") from None


class RemotePath:
    """The methods of pathlib.Path that training uses, at an fsspec URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.fs, self.path = file_system(self.url)
        self.name = self.url.rpartition("/")[2]

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(f"{self.url}/{name}")

    def __str__(self) -> str:
        return self.url

    def exists(self) -> bool:
        with explained(self.url):
            self.fs.invalidate_cache()  # other processes write, too
            return self.fs.exists(self.path)

    def mkdir(self, **_: Any) -> None:
        """Nothing: a folder is there with its first object."""

    def read_bytes(self) -> bytes:
        with explained(self.url, may_lack=True):
            return self.fs.cat_file(self.path)

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    @contextlib.contextmanager
    def open(self, mode: str) -> Iterator[BinaryIO]:
        """A file read or written from its first to its last byte."""
        options = {"block_size": PIECE, "cache_type": "readahead"} if mode == "rb" else {}
        with explained(self.url, may_lack=mode == "rb"), self.fs.open(self.path, mode, **options) as file:
            yield file

    def sizes(self) -> dict[str, int]:
        """What lies directly in the folder, with sizes in bytes (0 of folders)."""
        with explained(self.url):
            self.fs.invalidate_cache()
            try:
                listed = self.fs.ls(self.path, detail=True)
            except FileNotFoundError:
                return {}
        return {one["name"].rstrip("/").rpartition("/")[2]: one["size"] or 0 for one in listed}

    def unlink(self) -> None:
        with explained(self.url):
            self.fs.rm_file(self.path)


Where = Path | RemotePath


def place(url: str) -> Where:
    """A place by path or URL."""
    return Path(url.removeprefix("file://")) if is_local(url) else RemotePath(url)


def sizes(folder: Where) -> dict[str, int]:
    """Names of what lies directly in a folder, with sizes in bytes; nothing where there is none."""
    if isinstance(folder, RemotePath):
        return folder.sizes()
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}


def write_durably(path: Where, text: str) -> None:
    """Write a small file atomically: it appears under its name only when complete and synced."""
    if isinstance(path, RemotePath):
        with explained(path.url):
            path.fs.pipe_file(path.path, text.encode())
        return
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def remove_tree(folder: Where) -> None:
    """Delete a folder with all that is in it; one that is not there is no error."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with explained(folder.url), contextlib.suppress(FileNotFoundError):
        folder.fs.invalidate_cache()
        folder.fs.rm(folder.path, recursive=True)


def send(file: Path, folder: Where) -> None:
    """Upload a local file into a folder of an object store, and delete it here."""
    assert isinstance(folder, RemotePath)
    target = folder / file.name
    with explained(target.url):
        target.fs.put_file(str(file), target.path)
    file.unlink()


@contextlib.contextmanager
def local_copy(folder: Where) -> Iterator[Path]:
    """A folder as one on this machine: itself, or what lies directly in it, downloaded for as long as the block runs."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pretrain-") as here:
        for name in folder.sizes():
            with explained(f"{folder}/{name}"):
                folder.fs.get_file((folder / name).path, f"{here}/{name}")
        yield Path(here)
