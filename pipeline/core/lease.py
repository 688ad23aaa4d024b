"""One run at a time in a folder: a lease with an owner and a heartbeat.

The lease is a small record in the folder. Its owner writes it again every few seconds with a higher beat; another run that
wants the folder watches it: a beat that does not move for `EXPIRES_S` is of a run that is gone. Clocks of different machines
are never compared, and a run of the same machine whose process has ended is not waited for. On storage without exclusive
creation two runs that start within the same second both write, and both read back after `SETTLE_S`: the later write wins.
"""

import contextlib
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from pipeline.core import sealed
from pipeline.core.store import WORK, Store
from pipeline.errors import InfrastructureError

FILE = f"{WORK}/lease.json"
BEAT_S = 5.0
EXPIRES_S = 30.0
"""Without a beat for so long, an owner on another machine is taken to be gone."""
SETTLE_S = {True: 0.1, False: 1.0}
"""By whether the folder is a local one."""
LEFT_BEHIND = re.compile(r"(?:^|/)\.[^/]+\.\d+\.tmp$")
"""What a run that was killed while writing leaves: see `Writer`."""


def _machine() -> str:
    """Where a process id means this process: the machine, since it was started, and the container."""
    found = socket.gethostname()
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
        found += f" {file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    return found


def _owner(holder: dict[str, Any]) -> str:
    return f"process {holder['pid']} on {holder['machine'].partition(' ')[0]}, since {holder['since']}"


def _ended(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    if holder["machine"] != _machine():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return holder["pid"] == os.getpid()


def _wait_until_gone(store: Store, holder: dict[str, Any]) -> None:
    """Return when the holder is gone. Raises InfrastructureError when its heart beats."""
    waited = time.monotonic()
    while not _ended(holder):
        now = sealed.read(store, FILE)
        if now is None:
            return
        if (now["token"], now["beat"]) != (holder["token"], holder["beat"]):
            raise InfrastructureError(
                f"{store.root}: another run works in this folder ({_owner(now)}). Wait for it to end, or give another --out"
            )
        if time.monotonic() - waited > EXPIRES_S:
            return
        time.sleep(min(BEAT_S, EXPIRES_S) / 10)


class Lease:
    """The right to work in a run folder, kept up by a thread. Use `held`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._record: dict[str, Any] = {
            "token": uuid.uuid4().hex,
            "machine": _machine(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "beat": 0,
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self.lost = ""
        """Who took the folder over, when someone did."""

    def take(self) -> None:
        """Take the folder. Raises InfrastructureError, which names the holder, when another run works in it."""
        holder = sealed.read(self._store, FILE)
        if holder is not None:
            _wait_until_gone(self._store, holder)
        sealed.write(self._store, FILE, self._record)
        time.sleep(SETTLE_S[self._store.local])
        self.check()
        if holder is not None and self._store.local:
            for path in filter(LEFT_BEHIND.search, self._store.list("")):
                self._store.delete(path)
        self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            with contextlib.suppress(Exception):  # storage that fails for a moment; the work itself will report it
                if not self._mine():
                    return
                self._record["beat"] += 1
                sealed.write(self._store, FILE, self._record)

    def _mine(self) -> bool:
        now = sealed.read(self._store, FILE)
        if now is not None and now["token"] != self._record["token"]:
            self.lost = _owner(now)
        return not self.lost

    def check(self) -> None:
        """Raise InfrastructureError when another run has taken the folder over."""
        if not self._mine():
            raise InfrastructureError(f"{self._store.root}: another run has taken over this folder ({self.lost})")

    def give_back(self) -> None:
        """Let the next run in."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._mine():
            self._store.delete(FILE)


@contextlib.contextmanager
def held(store: Store) -> Iterator[Lease]:
    """Hold the folder. Raises InfrastructureError when another run does."""
    lease = Lease(store)
    lease.take()
    try:
        yield lease
    finally:
        with contextlib.suppress(Exception):
            lease.give_back()
