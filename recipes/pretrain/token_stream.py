"""Token shards as one long stream per source: memory-mapped when local, by the very ranges of its windows from a URL.

A run may have tens of thousands of shards: of local ones a bounded number is mapped at a time, of remote ones the small
indexes stay in memory (4 bytes a document) and nothing else. Nothing is opened before it is read.
"""

import hashlib
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.handoff import InfrastructureError, PipelineError, Shard, UsageError
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.storage import explained, file_system, is_local


class RemoteArray:
    """A flat little-endian array at an fsspec URL; a slice is one range request of exactly its bytes."""

    def __init__(self, url: str, dtype: np.dtype[Any], size: int) -> None:
        self.fs, self.path = file_system(url)
        self.url, self.dtype, self.size = url, dtype, size

    def __len__(self) -> int:
        return self.size // self.dtype.itemsize

    def __getitem__(self, where: slice) -> np.ndarray:
        first, last = where.start * self.dtype.itemsize, where.stop * self.dtype.itemsize
        if first == last:
            return np.empty(0, dtype=self.dtype)
        with explained(self.url):
            return np.frombuffer(self.fs.cat_file(self.path, start=first, end=last), dtype=self.dtype)


def open_array(url: str, dtype: str, expected_bytes: int) -> Any:
    """A memmap, or a RemoteArray, of a file that must have exactly this size.

    Raises InfrastructureError when the file is missing or was cut short.
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
    if not is_local(url):
        return RemoteArray(url, kind, expected_bytes)
    return np.memmap(local, dtype=kind, mode="r") if size else np.empty(0, dtype=kind)


def open_ends(handoff: Handoff, shard: Shard) -> np.ndarray:
    """Where each document of a shard ends, unsigned. Raises InfrastructureError when the index is another shard's."""
    url = handoff.at(shard.path) + ".index"
    ends = open_array(url, "uint64", 8 * shard.num_documents)
    if isinstance(ends, RemoteArray):
        ends = ends[slice(0, len(ends))]
        ends = ends.astype(np.uint32 if shard.num_tokens < 1 << 32 else np.uint64)
    if not len(ends) or int(ends[-1]) != shard.num_tokens:
        last = int(ends[-1]) if len(ends) else 0
        raise InfrastructureError(f"{url} ends at token {last:,}, the shard at {shard.num_tokens:,}: another index")
    return ends


def map_limit() -> int:
    """How many files may be mapped at a time: half of what the process may open, once that is raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        soft = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(8, min(4096, soft // 2))


class Maps:
    """Open shards of all streams of this process; of local files those used last, `limit` maps at most."""

    def __init__(self) -> None:
        self.limit = 0
        self.lock = threading.Lock()
        self.local: OrderedDict[tuple[str, int, str, bool], Any] = OrderedDict()

    def get(self, handoff: Handoff, shard: Shard, ends: bool) -> Any:
        """The tokens of a local shard, or the ends of its documents."""
        path = handoff.at(shard.path)
        key = (path, shard.bytes, shard.sha256, ends)  # a search writes shorter cuts of a shard to one path
        with self.lock:
            if key in self.local:
                self.local.move_to_end(key)
                return self.local[key]
            self.limit = self.limit or map_limit()
            while len(self.local) >= self.limit:
                self.local.popitem(last=False)
            opened = open_ends(handoff, shard) if ends else open_array(path, handoff.manifest.dtype, shard.bytes)
            self.local[key] = opened
            return opened


MAPS = Maps()


def damage(handoff: Handoff, shards: Iterable[Shard]) -> PipelineError | None:
    """What is wrong with the first local shard whose bytes are not those of the manifest; None when all are right."""
    for shard in shards:
        path = Path(handoff.at(shard.path).removeprefix("file://"))
        try:
            open_array(str(path), handoff.manifest.dtype, shard.bytes)
            open_ends(handoff, shard)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except PipelineError as error:
            return error
        if digest != shard.sha256:
            largest = int(np.memmap(path, np.dtype(handoff.manifest.dtype).newbyteorder("<"), "r").max())
            if largest >= handoff.manifest.tokenizer.vocab_size:
                return UsageError(past_vocabulary(largest, shard, handoff.manifest.tokenizer.vocab_size))
            return InfrastructureError(f"{path} was altered after it was written: its sha256 is another")
    return None


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
            return MAPS.get(self.handoff, shard, ends)
        key = (number, ends)
        with self.opening.setdefault(key, threading.Lock()):  # nothing is asked for by two threads
            if key not in self.kept:
                at = self.handoff.at(shard.path)
                dtype = self.handoff.manifest.dtype
                self.kept[key] = open_ends(self.handoff, shard) if ends else open_array(at, dtype, shard.bytes)
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
            # in the index's own integer: searching it with another would convert the whole index
            reach = np.array([at - base, until - base], dtype=document_ends.dtype)
            low, high = np.searchsorted(document_ends, reach, side="right")
            ends.append(np.asarray(document_ends[low:high]).astype(np.int64) + (base - start))
            at, shard = until, shard + 1
        if len(tokens) and int(tokens.max()) >= self.vocab_size:
            raise UsageError(past_vocabulary(int(tokens.max()), self.shards[shard - 1], self.vocab_size))
        return tokens, np.concatenate(ends) if ends else np.empty(0, dtype=np.int64)
