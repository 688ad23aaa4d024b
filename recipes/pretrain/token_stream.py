"""Token shards as one long stream per source, read by the very ranges of its windows, from a disk or a URL.

A run may have tens of thousands of shards: of local ones a bounded number is open at a time, of remote ones the small
indexes stay in memory (4 bytes a document) and nothing else. Nothing is opened before it is read, and a local shard that
is changed meanwhile ends the training: its tokens would be others in the next epoch.
"""

import bisect
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.handoff import InfrastructureError, Shard, UsageError
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.storage import explained, file_system, is_local


class RemoteArray:
    """A flat little-endian array at an fsspec URL; a slice is one range request of exactly its bytes."""

    def __init__(self, url: str, dtype: np.dtype[Any], size: int) -> None:
        self.url, self.dtype, self.size = url, dtype, size
        self.open()

    def open(self) -> None:
        self.fs, self.path = file_system(self.url)

    def __len__(self) -> int:
        return self.size // self.dtype.itemsize

    def read(self, first: int, last: int) -> bytes:
        """Bytes `[first, last)`. Raises InfrastructureError when they cannot be read."""
        with explained(self.url):
            return self.fs.cat_file(self.path, start=first, end=last)

    def __getitem__(self, where: slice) -> np.ndarray:
        start, stop, _ = where.indices(len(self))
        first, last = start * self.dtype.itemsize, stop * self.dtype.itemsize
        return np.frombuffer(self.read(first, last) if first < last else b"", dtype=self.dtype)

    def number(self, at: int) -> int:
        """One element."""
        return int(self[at : at + 1][0])


class LocalArray(RemoteArray):
    """The same in a local file. It is read, not mapped: a file that is cut short under a map ends the process with SIGBUS."""

    def open(self) -> None:
        with explained(self.url):
            self.file = open(self.url, "rb", buffering=0)  # noqa: SIM115  open for as long as the array is used
        self.stamp = self._stamp()

    def _stamp(self) -> tuple[int, int]:
        stat = os.fstat(self.file.fileno())
        return stat.st_size, stat.st_mtime_ns

    def read(self, first: int, last: int) -> bytes:
        with explained(self.url):
            data = os.pread(self.file.fileno(), last - first, first)
        if len(data) < last - first or self._stamp() != self.stamp:
            raise changed(self.url)
        return data


def changed(path: str) -> InfrastructureError:
    """The error for a local shard that is not what it was when the training began."""
    return InfrastructureError(f"{path} was changed while the training read it; put it back and run again to resume")


def open_array(url: str, dtype: str, expected_bytes: int) -> RemoteArray:
    """A file that must have exactly this size, as an array that is read when it is sliced.

    Raises InfrastructureError when the file is missing, cannot be opened or was cut short.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    local = url.removeprefix("file://")
    try:
        with explained(url, may_lack=True):
            size = os.path.getsize(local) if is_local(url) else file_system(url)[0].size(url)
    except FileNotFoundError:
        raise InfrastructureError(f"{url} is missing; the manifest names it") from None
    if size != expected_bytes:
        raise InfrastructureError(
            f"{url} has {size:,} bytes and the manifest says {expected_bytes:,}: it was "
            f"{'cut short' if (size or 0) < expected_bytes else 'changed'} after it was written"
        )
    return LocalArray(local, kind, size) if is_local(url) else RemoteArray(url, kind, size)


def check_end(url: str, last: int, shard: Shard) -> None:
    """Raises InfrastructureError when an index, by the `last` of its numbers, is another shard's."""
    if last != shard.num_tokens:
        raise InfrastructureError(f"{url} ends at token {last:,}, the shard at {shard.num_tokens:,}: another index")


def open_index(handoff: Handoff, shard: Shard) -> RemoteArray:
    """Where each document of a shard ends. Raises InfrastructureError when the index is another shard's."""
    ends = open_array(handoff.at(shard.path) + ".index", "uint64", 8 * shard.num_documents)
    check_end(ends.url, ends.number(len(ends) - 1) if len(ends) else 0, shard)
    return ends


def read_ends(handoff: Handoff, shard: Shard) -> np.ndarray:
    """The same in memory, unsigned, by one read. Raises InfrastructureError when they do not ascend."""
    url = handoff.at(shard.path) + ".index"
    ends = open_array(url, "uint64", 8 * shard.num_documents)[:]
    check_end(url, int(ends[-1]) if len(ends) else 0, shard)
    if np.any(ends[1:] <= ends[:-1]):
        raise InfrastructureError(f"{url} was altered: documents do not end in order")
    return ends.astype(np.uint32 if shard.num_tokens < 1 << 32 else np.uint64)


def open_limit() -> int:
    """How many shards may be open at a time: half of what the process may open, once that is raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        soft = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(8, min(4096, soft // 2))


class OpenShards:
    """Open local shards of all streams of this process: those used last, `limit` files at most."""

    def __init__(self) -> None:
        self.limit = 0
        self.lock = threading.Lock()
        self.local: OrderedDict[tuple[str, int, str, bool], LocalArray] = OrderedDict()
        self.stamps: dict[tuple[str, int, str, bool], tuple[int, int]] = {}

    def forget(self) -> None:
        """Close all: a training begins."""
        self.local.clear()
        self.stamps.clear()

    def get(self, handoff: Handoff, shard: Shard, ends: bool) -> LocalArray:
        """The tokens of a local shard, or the ends of its documents. Raises InfrastructureError when the file is another
        one than the last time."""
        path = handoff.at(shard.path)
        key = (path, shard.bytes, shard.sha256, ends)  # a search writes shorter cuts of a shard to one path
        with self.lock:
            if key in self.local:
                self.local.move_to_end(key)
                return self.local[key]
            self.limit = self.limit or open_limit()
            while len(self.local) >= self.limit:
                self.local.popitem(last=False)
            opened = open_index(handoff, shard) if ends else open_array(path, handoff.manifest.dtype, shard.bytes)
            assert isinstance(opened, LocalArray)
            if self.stamps.setdefault(key, opened.stamp) != opened.stamp:
                raise changed(opened.url)
            self.local[key] = opened
            return opened


SHARDS = OpenShards()


def past_vocabulary(token: int, shard: Shard, vocab_size: int) -> str:
    """The sentence for an id that no token has."""
    return f"token id {token} in {shard.path} is past the vocabulary of {vocab_size}"


class TokenStream:
    """The shards of one source and split, in manifest order, as one sequence of tokens.

    num_tokens: length of the sequence. Documents lie one after the other, each ending with eos.
    """

    def __init__(self, handoff: Handoff, shards: Sequence[Shard]) -> None:
        self.handoff, self.vocab_size = handoff, handoff.manifest.tokenizer.vocab_size
        self.shards = [shard for shard in shards if shard.num_tokens]
        self.starts = np.concatenate([[0], np.cumsum([s.num_tokens for s in self.shards])]).astype(np.int64)
        self.num_tokens = int(self.starts[-1])
        self.remote = bool(self.shards) and not is_local(handoff.at(self.shards[0].path))
        self.kept: dict[tuple[int, bool], Any] = {}
        self.opening: dict[tuple[int, bool], threading.Lock] = {}

    def _open(self, number: int, ends: bool = False) -> Any:
        """The tokens of a shard, or where its documents end."""
        shard = self.shards[number]
        if not self.remote:
            return SHARDS.get(self.handoff, shard, ends)
        key = (number, ends)
        with self.opening.setdefault(key, threading.Lock()):  # nothing is asked for by two threads
            if key not in self.kept:
                at = self.handoff.at(shard.path)
                dtype = self.handoff.manifest.dtype
                self.kept[key] = read_ends(self.handoff, shard) if ends else open_array(at, dtype, shard.bytes)
            return self.kept[key]

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens `[start, stop)` as int64, and where documents end among them: start < end <= stop, minus start."""
        tokens = np.empty(stop - start, dtype=np.int64)
        ends: list[np.ndarray] = []
        shard = int(np.searchsorted(self.starts, start, side="right")) - 1
        at = start
        while at < stop:
            base = int(self.starts[shard])
            until = min(stop, int(self.starts[shard + 1]))
            tokens[at - start : until - start] = self._open(shard)[slice(at - base, until - base)]
            document_ends = self._open(shard, ends=True)
            number = getattr(document_ends, "number", document_ends.__getitem__)
            places = range(len(document_ends))
            low, high = (bisect.bisect_right(places, reach - base, key=number) for reach in (at, until))
            ends.append(document_ends[low:high].astype(np.int64) + (base - start))
            at, shard = until, shard + 1
        if len(tokens) and int(tokens.max()) >= self.vocab_size:
            raise UsageError(past_vocabulary(int(tokens.max()), self.shards[shard - 1], self.vocab_size))
        return tokens, np.concatenate(ends) if ends else np.empty(0, dtype=np.int64)
