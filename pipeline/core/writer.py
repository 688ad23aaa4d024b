"""A file that is being written: it exists whole, with the bytes that were given, or not at all.

A local file is written under a temporary name, synced, read back and renamed; an object appears when its upload is closed, and
goes again when it does not hold what was written.
"""

import contextlib
import hashlib
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.core import local_calls
from pipeline.errors import InfrastructureError

if TYPE_CHECKING:
    from pipeline.core.store import Store

READ_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A committed file: path relative to the run folder, size in bytes, sha256, and rows for tables."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None

    def identity(self) -> str:
        """See `pipeline.core.reads.Readable`."""
        return self.sha256


class Writer(io.RawIOBase):
    """A file being written: `finish()` makes it exist and returns its `FileInfo`; leaving the block early discards."""

    def __init__(self, store: "Store", path: str) -> None:
        super().__init__()
        self._store, self.path = store, path
        self._hash, self._size, self._done = hashlib.sha256(), 0, False
        self._buffer = bytearray()
        target = store.locate(path)
        self._target = target
        if store.local:
            store.make_folder()
            local_calls.CALLS.makedirs(os.path.dirname(target))
            self._temporary = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.tmp")
            self._handle: Any = local_calls.CALLS.open(self._temporary)
        else:
            self._temporary = ""
            self._handle = store.filesystem.open(target, "wb")

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        self._hash.update(view)
        self._size += len(view)
        self._buffer += view
        if len(self._buffer) >= READ_BLOCK:
            self._drain()
        return len(view)

    def _drain(self) -> None:
        if self._buffer:
            block = bytes(self._buffer)
            self._buffer.clear()
            if self._store.local:
                local_calls.CALLS.write(self._handle, block)
            else:
                self._handle.write(block)

    def finish(self, rows: int | None = None) -> FileInfo:
        """Sync, read back, compare, publish under the final name. Raises InfrastructureError on a mismatch.

        A local file is read back under its temporary name: what stood under the final name before, a step's record, say,
        stays whole when the new bytes are not what was written.
        """
        info = FileInfo(self.path, self._size, self._hash.hexdigest(), rows)
        with self._store.explained(self.path):
            self._drain()
            if self._store.local:
                local_calls.CALLS.fsync(self._handle)
                self._handle.close()
                self._store.check(info, self._temporary)
                local_calls.CALLS.rename(self._temporary, self._target)
                local_calls.CALLS.sync_folder(os.path.dirname(self._target))
                self._done = True
                return info
            self._handle.close()
            self._done = True
            try:
                self._store.check(info)
            except InfrastructureError:
                self._store.delete(self.path)  # a damaged object must not be found by the next run
                raise
        return info

    def discard(self) -> None:
        """Forget what was written; nothing exists under the final name."""
        if not self._done:
            self._done = True
            with contextlib.suppress(OSError):
                self._handle.close() if self._store.local else self._handle.discard()
            if self._store.local:
                with contextlib.suppress(OSError):
                    os.unlink(self._temporary)

    def __exit__(self, *_: object) -> None:
        self.discard()
