"""Generated MinHash signatures with planted copies: any document's minima at once, the same for every number of shards.

Document d's minima are a hash of d; every tenth document copies between one and all bands of some document that is no
copy. So the number of documents that deduplication removes is known: one in ten, whatever finds them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.core.store import Store

BANDS, ROWS, SHARD = 14, 8, 50_000
PLANTED, ONE_KEY, ONE_CHAIN = "planted copies", "one key in all", "one chain"
SHAPES = (PLANTED, ONE_KEY, ONE_CHAIN)


def mix(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: uint64 in, uint64 spread over all bits out."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _own(documents: np.ndarray, width: int) -> np.ndarray:
    """uint64[m, width]: what each document has of its own."""
    return mix(documents.astype(np.uint64)[:, None] * np.uint64(width) + np.arange(width, dtype=np.uint64))


def _copies(count: int, shard: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The documents of a shard; the rows that are copies, what each is a copy of, and bool[copies, 14], in which bands."""
    documents = np.arange(shard * SHARD, min((shard + 1) * SHARD, count))
    rows = np.flatnonzero(documents % 10 == 9)
    rng = np.random.default_rng([count, shard])
    copied = rng.random((len(rows), BANDS)) < rng.uniform(0, 1, (len(rows), 1))
    copied[np.arange(len(rows)), rng.integers(0, BANDS, len(rows))] = True
    return documents, rows, rng.integers(0, max(count // 10, 1), len(rows)) * 10, copied


def signatures(count: int, shard: int) -> np.ndarray:
    """uint64[m, 112]: the minima of one shard of `count` documents with planted copies."""
    documents, rows, originals, copied = _copies(count, shard)
    minima = _own(documents, BANDS * ROWS)
    minima[rows] = np.where(np.repeat(copied, ROWS, axis=1), _own(originals, BANDS * ROWS), minima[rows])
    return minima >> np.uint64(3)


def removed(count: int, shape: str = PLANTED) -> int:
    """How many documents are in a cluster with an earlier one."""
    return count // 10 if shape == PLANTED else count - 1


def keys(count: int, shard: int, shape: str) -> np.ndarray:
    """uint64[m, 14]: band keys of one shard: the planted copies of `signatures`, or one of the two worst cases.

    ONE_KEY: the first band's key is the same in all documents. ONE_CHAIN: the first band joins documents in pairs, the
    second joins the pairs to one chain through all documents, in an order that is shuffled.
    """
    documents, rows, originals, copied = _copies(count, shard)
    found = _own(documents, BANDS)
    if shape == PLANTED:
        found[rows] = np.where(copied, _own(originals, BANDS), found[rows])
        return found
    if shape == ONE_KEY:
        found[:, 0] = 12345
        return found
    step = next(prime for prime in (7_368_787, 15_485_863) if count % prime)  # so that `place` is a permutation
    place = documents.astype(np.uint64) * np.uint64(step) % np.uint64(count)
    found[:, 0] = mix(place // np.uint64(2))
    found[:, 1] = mix((place + np.uint64(1)) // np.uint64(2) + np.uint64(count))
    return found


def write_shards(count: int, store: "Store", shape: str = PLANTED) -> dict[str, dict[str, Any]]:
    """Commit the signals of `count` documents, SHARD rows a file; returns the shards as `bench.cluster_step` wants them."""
    import pyarrow as pa

    from bench.cluster_step import commit_shard
    from pipeline.kernels.rows import bytes_column

    shards = {}
    for shard in range(-(-count // SHARD)):
        bands = keys(count, shard, shape)
        documents = np.arange(shard * SHARD, shard * SHARD + len(bands), dtype=np.uint64)
        valid = np.ones(len(bands), bool)
        hashes = mix(documents[:, None] * np.uint64(2) + np.arange(2, dtype=np.uint64))
        batch = pa.record_batch(
            {"text_hash": bytes_column(hashes, valid, fixed=True), "bands": bytes_column(bands, valid)}
        )
        shards[str(shard)] = commit_shard(store, str(shard), [batch])
    return shards
