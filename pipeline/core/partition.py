"""Where a document goes by its id alone: partitions, splits and samples, independent of any shard layout."""

import hashlib

import numpy as np
import pyarrow as pa

from pipeline.kernels.buffers import text_buffers


def id_fractions(ids: pa.Array | pa.ChunkedArray, salt: str) -> np.ndarray:
    """float64[n] in [0, 1): a hash of (salt, id). The same id has the same fraction in every run and shard.

    >>> id_fractions(pa.array(["00ff", "00ff"]), "validation").tolist()[0] < 1
    True
    """
    offsets, data = text_buffers(ids)
    prefix = salt.encode() + b"\0"
    raw = data.tobytes()
    found = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(found)):
        digest = hashlib.blake2b(prefix + raw[offsets[row] : offsets[row + 1]], digest_size=8).digest()
        found[row] = int.from_bytes(digest, "little")
    return (found >> np.uint64(11)) * 2.0**-53


def part_numbers(ids: pa.Array | pa.ChunkedArray, parts: int) -> np.ndarray:
    """int64[n]: the part of each document when a stream is cut into `parts` by id."""
    return (id_fractions(ids, "part") * parts).astype(np.int64)


def validation_mask(ids: pa.Array | pa.ChunkedArray, fraction: float) -> np.ndarray:
    """bool[n]: documents of the held-out split."""
    return id_fractions(ids, "validation") < fraction
