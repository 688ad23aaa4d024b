"""The store: files that exist whole or not at all, with checksums, on local disk or any fsspec URL.

Local files are written under a temporary name, synced and renamed; object stores make a file visible when its upload is
closed. Either way the bytes are read back and compared before a commit record may name them.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import local_calls
from pipeline.core.writer import READ_BLOCK, FileInfo, Writer
from pipeline.errors import InfrastructureError, UsageError, is_of_storage, missing_library

AT_ONCE = 1 << 24
"""Bytes of an object that are read by one request."""
WORK = "work"
"""The folder of a run folder for everything but what a user opens."""

MAKE_AGAIN = "run the recipe into this folder again with --verify sums, which finds damaged files and makes them again"


class Store:
    """A run folder. Paths are relative, with forward slashes; only commit records say what exists."""

    def __init__(self, root: str) -> None:
        try:
            filesystem, path = fsspec.core.url_to_fs(root)
        except ImportError as error:
            raise missing_library(root, error) from error
        except ValueError as error:
            raise UsageError(f"{root!r}: cannot be opened as a run folder ({error})") from error
        self.root = root
        self.filesystem = filesystem
        self.local = "file" in (
            filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
        )
        self._base = os.path.abspath(path) if self.local else path.rstrip("/")

    def locate(self, path: str) -> str:
        """The absolute path or object key of a relative path."""
        return f"{self._base}/{path}"

    def url(self, path: str) -> str:
        """What any reader of files opens: an absolute path on a local disk, a URL elsewhere."""
        return self.locate(path) if self.local else self.filesystem.unstrip_protocol(self.locate(path))

    def make_folder(self) -> None:
        """Make the run folder for its owner alone, as it holds unmasked text; one that is there keeps the mode it has."""
        if not os.path.isdir(self._base):
            local_calls.CALLS.makedirs(os.path.dirname(self._base))
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._base, 0o700)

    @contextlib.contextmanager
    def explained(self, path: str) -> Iterator[None]:
        """Turn errors of the operating system, and of an object store's library, into ones that name the file and what to do."""
        try:
            yield
        except Exception as error:
            if not is_of_storage(error):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            raise InfrastructureError(
                f"{self.url(path)}: {reason}. Nothing half-written is visible; "
                "fix the cause and run the same command again."
            ) from error

    def create(self, path: str) -> Writer:
        """Start a file. Use as a context manager and call `finish()`."""
        with self.explained(path):
            return Writer(self, path)

    def put(self, path: str, data: bytes) -> FileInfo:
        """Write a whole small file."""
        with self.create(path) as writer, self.explained(path):
            writer.write(data)
            return writer.finish()

    def put_json(self, path: str, value: Any) -> FileInfo:
        """Write canonical, readable JSON."""
        return self.put(path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())

    def put_table(
        self, path: str, batches: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema, level: int = 3
    ) -> FileInfo:
        """Write Parquet with page checksums: the same rows in the same batches give the same bytes. `level` is zstd's."""
        rows = 0
        with self.create(path) as writer, self.explained(path):
            with pq.ParquetWriter(
                writer,
                schema,
                compression="zstd",
                compression_level=level,
                write_page_checksum=True,
                store_schema=True,
                use_dictionary=[f.name for f in schema if pa.types.is_string(f.type)],  # pyright: ignore[reportArgumentType]
            ) as parquet:
                for batch in batches:
                    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
                    rows += table.num_rows
                    parquet.write_table(table.cast(schema))
            return writer.finish(rows)

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        with self.explained(path):
            return (
                local_calls.CALLS.read(self.locate(path)) if self.local else self.filesystem.cat_file(self.locate(path))
            )

    def read_if_there(self, path: str) -> bytes | None:
        """All bytes of a file; None without it, in one request."""
        with self.explained(path):
            try:
                return local_calls.CALLS.read(self.locate(path)) if self.local else self._get(path)
            except FileNotFoundError:
                return None

    def _get(self, path: str) -> bytes:
        """A small object in one request: s3fs asks for the size first where it may read in pieces at once."""
        options = {"max_concurrency": 1} if hasattr(self.filesystem, "max_concurrency") else {}
        return self.filesystem.cat_file(self.locate(path), **options)

    def map(self, path: str) -> np.ndarray:
        """The bytes of a file, uint8[n]: mapped where the store is local, so that workers of a machine share them.

        Writing to them changes nobody else's (kernels are compiled for arrays that may be written).
        """
        if not self.local:
            return np.frombuffer(bytearray(self.read(path)), np.uint8)
        with self.explained(path):
            return np.memmap(self.locate(path), np.uint8, "c").view(np.ndarray)

    def read_json(self, path: str) -> Any:
        """A JSON file; InfrastructureError when it is damaged."""
        try:
            return json.loads(self.read(path))
        except ValueError as error:
            raise InfrastructureError(f"{self.locate(path)} is not valid JSON ({error}); {MAKE_AGAIN}") from error

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        if self.local:
            return os.path.exists(self.locate(path))
        with self.explained(path):
            return self.filesystem.exists(self.locate(path))

    def open_table(self, path: str) -> pq.ParquetFile:
        """Open Parquet for reading with its page checksums verified."""
        with self.explained(path):
            source: Any = self.locate(path) if self.local else self.filesystem.open(self.locate(path), "rb")
            return pq.ParquetFile(source, page_checksum_verification=True, memory_map=self.local)

    def read_table(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """A whole table, or some of its columns. Damaged bytes raise InfrastructureError."""
        try:
            with self.open_table(path) as parquet:
                return parquet.read(columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise InfrastructureError(f"{self.locate(path)} is damaged: {error}; {MAKE_AGAIN}") from error

    def read_batch(self, path: str, number: int, columns: list[str]) -> pa.Table:
        """Columns of one record batch of an Arrow IPC file; the others are not read. Damaged bytes raise InfrastructureError."""
        try:
            with self.explained(path), self._source(path) as source, pa.ipc.open_file(source) as whole:
                fields = [whole.schema.get_field_index(name) for name in columns]
                with pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=fields)) as file:
                    return pa.Table.from_batches([file.get_batch(number)]).select(columns)
        except pa.ArrowException as error:
            raise InfrastructureError(f"{self.locate(path)} is damaged: {error}; {MAKE_AGAIN}") from error

    def _source(self, path: str) -> Any:
        return pa.memory_map(self.locate(path)) if self.local else self.filesystem.open(self.locate(path), "rb")

    def digest(self, path: str, written: str | None = None, expected: int = AT_ONCE + 1) -> tuple[int, str]:
        """Size in bytes and sha256 of a file as it lies there, or of the local file `written` that is to become it.

        `expected`: bytes that it should have, which says whether an object store is asked for all of them at once.
        """
        found, size = hashlib.sha256(), 0
        if self.local:
            data = local_calls.CALLS.read(written or self.locate(path))
            return len(data), hashlib.sha256(data).hexdigest()
        if expected <= AT_ONCE:  # one request, where a file that is opened takes two
            data = self._get(path)
            return len(data), hashlib.sha256(data).hexdigest()
        with self.filesystem.open(self.locate(path), "rb") as handle:
            while block := handle.read(READ_BLOCK):
                found.update(block)
                size += len(block)
        return size, found.hexdigest()

    def check(self, info: FileInfo, written: str | None = None) -> None:
        """Raise InfrastructureError unless the file holds exactly the bytes its record names.

        `written`: the absolute path of a local file that is to become it.
        """
        with self.explained(info.path):
            size, sha256 = self.digest(info.path, written, info.bytes)
        if (size, sha256) != (info.bytes, info.sha256):
            raise InfrastructureError(
                f"{self.locate(info.path)}: read back {size} bytes with sha256 {sha256[:12]}, "
                f"wrote {info.bytes} with {info.sha256[:12]}: the storage does not keep what it is given"
            )

    def list(self, folder: str) -> list[str]:
        """Paths of everything under a folder, sorted, temporary files included. Only to remove what no record names."""
        if self.local:
            found = [str(path) for path in Path(self.locate(folder)).rglob("*") if path.is_file()]
        else:
            with self.explained(folder):
                self.filesystem.invalidate_cache()  # other processes write, too
                found = ["/" + name.lstrip("/") for name in self.filesystem.find(self.locate(folder))]
                self.filesystem.invalidate_cache()
        prefix = self.locate("").lstrip("/")
        return sorted(path.lstrip("/").removeprefix(prefix) for path in found)

    def copy(self, info: FileInfo, path: str) -> FileInfo:
        """The same file under a second path: a hard link where the disk has them, a copy made by the storage elsewhere.

        `path` must name this content alone, as paths with a fingerprint do: on an object store a file of the same size that is
        there already is taken for it.
        """
        made, source, target = replace(info, path=path), self.locate(info.path), self.locate(path)
        with self.explained(path):
            if not self.local:
                if not self.present(made):
                    self.filesystem.copy(source, target)
                return made
            if os.path.exists(target) and os.path.samefile(source, target):
                return made
            local_calls.CALLS.makedirs(os.path.dirname(target))
            temporary = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.tmp")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            try:
                local_calls.CALLS.link(source, temporary)
            except OSError:  # a disk without hard links
                return replace(self.put(path, self.read(info.path)), rows=info.rows)
            local_calls.CALLS.rename(temporary, target)
            local_calls.CALLS.sync_folder(os.path.dirname(target))
        return made

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there, or cannot be removed, is no error here."""
        with contextlib.suppress(OSError):
            os.unlink(self.locate(path)) if self.local else self.filesystem.rm_file(self.locate(path))

    def whole(self, info: FileInfo) -> bool:
        """Whether the file is there and holds exactly the bytes its record names."""
        with self.explained(info.path):
            try:
                return self.digest(info.path, expected=info.bytes) == (info.bytes, info.sha256)
            except OSError:
                return False

    def present(self, info: FileInfo) -> bool:
        """Whether the file is there with the recorded size (`whole` compares the checksum)."""
        try:
            if self.local:
                return os.stat(self.locate(info.path)).st_size == info.bytes
        except OSError:
            return False
        with self.explained(info.path):
            try:
                return int(self.filesystem.size(self.locate(info.path))) == info.bytes
            except FileNotFoundError:
                return False

    def those_present(self, infos: Iterable[FileInfo]) -> set[str]:
        """Paths of those files that are `present`. An object store lists their folders, a thousand files a request."""
        if self.local:
            return {info.path for info in infos if self.present(info)}
        sizes = {info.path: info.bytes for info in infos}
        found: dict[str, int] = {}
        for folder in sorted({path.rpartition("/")[0] for path in sizes}):
            with self.explained(folder), contextlib.suppress(FileNotFoundError):
                self.filesystem.invalidate_cache()  # other processes write, too
                for one in self.filesystem.ls(self.locate(folder), detail=True):
                    found[f"{folder}/{one['name'].rpartition('/')[2]}"] = one["size"] or 0
        self.filesystem.invalidate_cache()
        return {path for path, size in sizes.items() if found.get(path) == size}
