"""Token shards as one long stream per source: memory-mapped when local, by byte ranges from any fsspec URL."""

import os
from collections.abc import Sequence
from typing import Any

import fsspec
import numpy as np

from pipeline.handoff import InfrastructureError, Shard, UsageError
from recipes.pretrain.inputs import Handoff

MAX_OPEN_BLOCKS = 64
BLOCK_BYTES = 1 << 20


class RemoteArray:
    """A flat little-endian array at an fsspec URL, sliced by range requests of whole 1 MiB blocks (a few are kept)."""

    def __init__(self, url: str, dtype: np.dtype[Any]) -> None:
        self.fs, self.path = fsspec.core.url_to_fs(url)
        self.dtype = dtype
        self.size = int(self.fs.size(self.path) or 0)
        self.blocks: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self.size // self.dtype.itemsize

    def __getitem__(self, where: slice) -> np.ndarray:
        first, last = where.start * self.dtype.itemsize, where.stop * self.dtype.itemsize
        parts = [self._block(b) for b in range(first // BLOCK_BYTES, (last + BLOCK_BYTES - 1) // BLOCK_BYTES)]
        offset = first % BLOCK_BYTES
        return np.frombuffer(b"".join(parts)[offset : offset + last - first], dtype=self.dtype)

    def _block(self, number: int) -> bytes:
        if number not in self.blocks:
            if len(self.blocks) >= MAX_OPEN_BLOCKS:
                self.blocks.pop(next(iter(self.blocks)))
            start = number * BLOCK_BYTES
            self.blocks[number] = self.fs.cat_file(self.path, start=start, end=min(self.size, start + BLOCK_BYTES))
        return self.blocks[number]


def open_array(url: str, dtype: str, expected_bytes: int) -> Any:
    """A memmap, or a RemoteArray, of a file that must have exactly this size.

    Raises InfrastructureError when the file is missing or was cut short.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    local = url.removeprefix("file://")
    try:
        size = os.path.getsize(local) if "://" not in local else fsspec.core.url_to_fs(url)[0].size(url)
    except FileNotFoundError:
        raise InfrastructureError(f"{url} is missing; the manifest names it") from None
    if size != expected_bytes:
        raise InfrastructureError(
            f"{url} has {size:,} bytes and the manifest says {expected_bytes:,}: it was "
            f"{'cut short' if (size or 0) < expected_bytes else 'changed'} after it was written"
        )
    if "://" in local:
        return RemoteArray(url, kind)
    return np.memmap(local, dtype=kind, mode="r") if size else np.empty(0, dtype=kind)


def open_ends(handoff: Handoff, shard: Shard) -> np.ndarray:
    """Where each document of a shard ends, uint64. Raises InfrastructureError when the index is another shard's."""
    url = handoff.at(shard.path) + ".index"
    array = open_array(url, "uint64", 8 * shard.num_documents)
    ends = array if isinstance(array, np.ndarray) else array[slice(0, len(array))]
    if not len(ends) or int(ends[-1]) != shard.num_tokens:
        last = int(ends[-1]) if len(ends) else 0
        raise InfrastructureError(f"{url} ends at token {last:,}, the shard at {shard.num_tokens:,}: another index")
    return ends


class TokenStream:
    """The shards of one source and split, in manifest order, as one sequence of tokens.

    num_tokens: length of the sequence. Documents lie one after the other, each ending with eos.
    """

    def __init__(self, handoff: Handoff, shards: Sequence[Shard]) -> None:
        dtype = handoff.manifest.dtype
        width = np.dtype(dtype).itemsize
        self.vocab_size = handoff.manifest.tokenizer.vocab_size
        self.shards = [shard for shard in shards if shard.num_tokens]
        self.starts = np.concatenate([[0], np.cumsum([s.num_tokens for s in self.shards])]).astype(np.int64)
        self.tokens = [open_array(handoff.at(s.path), dtype, s.num_tokens * width) for s in self.shards]
        self.ends = [open_ends(handoff, s) for s in self.shards]
        self.num_tokens = int(self.starts[-1])

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens `[start, stop)` as int64, and where documents end among them: start < end <= stop, minus start."""
        tokens = np.empty(stop - start, dtype=np.int64)
        ends: list[np.ndarray] = []
        shard = int(np.searchsorted(self.starts, start, side="right")) - 1
        at = start
        while at < stop:
            base = int(self.starts[shard])
            until = min(stop, int(self.starts[shard + 1]))
            tokens[at - start : until - start] = self.tokens[shard][slice(at - base, until - base)]
            document_ends = self.ends[shard]
            # asarray: searching a uint64 memmap with an int would convert the whole index to float
            low, high = np.searchsorted(
                document_ends, np.array([at - base, until - base], dtype=np.uint64), side="right"
            )
            ends.append(np.asarray(document_ends[low:high]).astype(np.int64) + (base - start))
            at, shard = until, shard + 1
        if len(tokens) and int(tokens.max()) >= self.vocab_size:
            raise UsageError(
                f"token id {int(tokens.max())} in {self.shards[shard - 1].path} is past the vocabulary of "
                f"{self.vocab_size}"
            )
        return tokens, np.concatenate(ends) if ends else np.empty(0, dtype=np.int64)
