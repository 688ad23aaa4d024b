"""Operating-system calls of a store that fail at the N-th one, in the manner of SQLite's crash tests."""

import errno
import os

from pipeline.core import lease
from pipeline.core.local_calls import LocalCalls

MODES = ("EIO", "ENOSPC", "torn", "silent", "kill_before", "kill_after")
KILLED = 137
lease.BEAT_S = 3600.0  # a heartbeat would be one more call at a moment that differs from run to run


class FaultyCalls(LocalCalls):
    """Counts calls; at number `at` it does what `mode` says. `at = -1` only counts.

    torn: half the data is written, then EIO; silent: half the data is written and reported as all;
    kill_before, kill_after: the process is gone, without any clean-up, before or after the call.
    """

    def __init__(self, at=-1, mode="EIO"):
        self.at, self.mode, self.count, self.names = at, mode, 0, []

    def _call(self, name, real, data=None, half=None):
        number = self.count
        self.count += 1
        self.names.append(name)
        if number != self.at:
            return real()
        if self.mode == "kill_before":
            os._exit(KILLED)
        if self.mode == "kill_after":
            try:
                real()  # which may be the read of a file that is not there
            finally:
                os._exit(KILLED)
        if self.mode in ("torn", "silent") and half is not None:
            half()
            if self.mode == "silent":
                return None
        code = errno.ENOSPC if self.mode == "ENOSPC" else errno.EIO
        raise OSError(code, os.strerror(code))

    def makedirs(self, path):
        return self._call("makedirs", lambda: super(FaultyCalls, self).makedirs(path))

    def open(self, path):
        return self._call("open", lambda: super(FaultyCalls, self).open(path))

    def write(self, handle, data):
        return self._call(
            "write",
            lambda: super(FaultyCalls, self).write(handle, data),
            half=lambda: super(FaultyCalls, self).write(handle, data[: len(data) // 2]),
        )

    # A killed process loses no page the kernel has, so the real sync, most of a small run's time, is left out here.
    def fsync(self, handle):
        return self._call("fsync", lambda: None)

    def rename(self, source, target):
        return self._call("rename", lambda: super(FaultyCalls, self).rename(source, target))

    def link(self, source, target):
        return self._call("link", lambda: super(FaultyCalls, self).link(source, target))

    def sync_folder(self, path):
        return self._call("sync_folder", lambda: None)

    def read(self, path):
        return self._call("read", lambda: super(FaultyCalls, self).read(path))
