"""torch's distributed checkpoint format over any storage, with a CRC-32 of every file.

A file is summed while it is written, and the sums reach rank 0 with the other results of writing. When a checkpoint is
loaded each process reads the files it needs once, from first to last byte, and compares: with the layout that wrote them
these are its own files and nothing is read twice. The price: a process that needs a part of a file reads all of it.
"""

import contextlib
import io
import os
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.filesystem import FileSystem, FileSystemReader, _FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import LoadPlan, LoadPlanner, SavePlan, SavePlanner
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from pipeline.handoff import InfrastructureError
from recipes.pretrain.storage import PIECE, Where

Sums = dict[str, dict[str, int]]
"""{"bytes": …, "crc32": …} by name of a file."""
METADATA = ".metadata"


class Damaged(InfrastructureError):
    """A file of a checkpoint does not hold what was written."""


class SummedWriter(io.RawIOBase):
    """A file that is written from first to last byte, and its sum."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self.raw, self.size, self.crc = raw, 0, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.raw.write(view)
        self.crc, self.size = zlib.crc32(view, self.crc), self.size + len(view)
        return len(view)


class SummedReader:
    """A file whose slices are taken in ascending order, and the sum of all bytes up to where it has been read."""

    def __init__(self, raw: Any) -> None:
        self.raw, self.size, self.crc = raw, 0, 0
        self.last: tuple[int, bytes] = (-1, b"")

    def _read(self, length: int) -> bytes:
        data = self.raw.read(length)
        self.crc, self.size = zlib.crc32(data, self.crc), self.size + len(data)
        return data

    def take(self, offset: int, length: int) -> io.BytesIO:
        """The slice; the same one may be taken again."""
        if self.last[0] != offset:
            while self.size < offset and self._read(min(PIECE, offset - self.size)):
                pass
            self.last = offset, self._read(length)
        return io.BytesIO(self.last[1])

    def drain(self) -> dict[str, int]:
        """Read to the end; the file's sum."""
        self.last = (-1, b"")
        while self._read(PIECE):
            pass
        return {"bytes": self.size, "crc32": self.crc}


class Files(FileSystem):
    """What torch asks of a file system here, on a `Where`. `sums`: filled by writing; compared with by reading."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums

    @contextlib.contextmanager
    def create_stream(self, path: Any, mode: str) -> Iterator[Any]:
        with path.open(mode) as raw:
            if mode == "wb":
                stream = SummedWriter(raw)
                yield stream
                raw.flush()
                if isinstance(path, Path):
                    os.fsync(raw.fileno())
                self.sums[path.name] = {"bytes": stream.size, "crc32": stream.crc}
                return
            if path.name == METADATA:  # rank 0 has compared it
                yield raw
                return
            source = SummedReader(raw)
            try:
                yield source
            finally:  # torch's own error over altered bytes says less
                if source.drain() != self.sums.get(path.name):
                    raise Damaged(f"{path.name} was altered")

    def concat_path(self, path: Any, suffix: str) -> Any:
        return path / suffix


class Written(list[WriteResult]):
    """What one process has written, and the sums of its files."""

    sums: Sums


class Writer(_FileSystemWriter):
    """Writes one file for each process. On rank 0 `sums` holds those of all processes in the end."""

    def __init__(self, folder: Where) -> None:
        super().__init__(".", sync_files=False)  # what is local is synced in create_stream
        self.sums: Sums = {}
        self.fs, self.path = Files(self.sums), folder  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def checkpoint_id(self) -> str:
        return str(self.path)  # it stands in the metadata

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return plan  # the folder is there, and empty

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        written = Written(super().write_data(plan, planner).wait())
        written.sums = dict(self.sums)
        done: Future[list[WriteResult]] = Future()
        done.set_result(written)
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        metadata.storage_data = {one.index: one.storage_data for written in results for one in written}
        metadata.storage_meta, metadata.version = self.storage_meta(), "1.0.0"
        for written in results:
            self.sums |= written.sums  # pyright: ignore[reportAttributeAccessIssue]
        with self.fs.create_stream(self.fs.concat_path(self.path, METADATA), "wb") as stream:
            pickle.dump(metadata, stream)


class Reader(FileSystemReader):
    """Reads the files that a process needs, comparing each with its sum. Raises Damaged."""

    def __init__(self, folder: Where, sums: Sums) -> None:
        super().__init__(".")
        self.fs, self.path = Files(sums), folder  # pyright: ignore[reportAttributeAccessIssue]

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        def position(item: Any) -> tuple[str, int]:
            stored = self.storage_data[item.storage_index]
            return stored.relative_path, stored.offset

        return super().read_data(replace(plan, items=sorted(plan.items, key=position)), planner)

    def _slice_file(self, file: Any, sinfo: Any) -> Any:
        return file.take(sinfo.offset, sinfo.length)
