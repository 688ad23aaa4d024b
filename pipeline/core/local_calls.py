"""The operating-system calls that a store on a local disk makes."""

import os
from typing import BinaryIO


class LocalCalls:
    """The operating-system calls a local store makes, one method each: the seam where a test injects faults."""

    def makedirs(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def open(self, path: str) -> BinaryIO:
        return open(path, "wb", buffering=0)

    def write(self, handle: BinaryIO, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[handle.write(view) :]

    def fsync(self, handle: BinaryIO) -> None:
        os.fsync(handle.fileno())

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def link(self, source: str, target: str) -> None:
        os.link(source, target)

    def sync_folder(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: str) -> bytes:
        with open(path, "rb") as handle:
            return handle.read()


CALLS = LocalCalls()
"""What every local store uses; a fault test replaces its methods through `install_calls`."""


def install_calls(calls: LocalCalls) -> None:
    """Swap the operating-system calls of this process."""
    global CALLS
    CALLS = calls
