"""From candidate pairs to clusters, side by side with the peers, on generated signatures with planted near-copies.

One document is 112 minima of 8 bytes, so a megabyte of `--size` is about a thousand documents. A tenth of them copies
an earlier one in one to fourteen of its bands. Ours starts from the signals of shards, datatrove from its signature
files (stages 2 and 3), text-dedup from its column of band strings; every peer runs its own code in a child process.
"""

import importlib.metadata
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BANDS, ROWS, ROUNDS, SHARD = 14, 8, 3, 50_000
PEERS = ["datatrove", "text-dedup"]


def signatures(count: int, shard: int) -> np.ndarray:
    """uint64[m, 112]: minima of one shard of `count` documents; one in ten copies bands of the shard's first tenth."""
    rows = min(SHARD, count - shard * SHARD)
    rng = np.random.default_rng(shard)
    minima = rng.integers(0, 1 << 61, (rows, BANDS, ROWS), dtype=np.uint64)
    copies = rng.choice(rows, rows // 10, replace=False)
    copied = rng.random((len(copies), BANDS)) < rng.uniform(1 / BANDS, 1, (len(copies), 1))
    minima[copies] = np.where(
        copied[:, :, None], minima[rng.integers(0, max(rows // 10, 1), len(copies))], minima[copies]
    )
    return minima.reshape(rows, BANDS * ROWS)


def _ours(count: int, folder: Path) -> int:
    """Cluster; returns the number of documents in clusters."""
    import pyarrow as pa

    from pipeline.cluster.clusters import SignalShard, cluster
    from pipeline.cluster.settings import ClusterSettings
    from pipeline.kernels.minhash import band_keys
    from pipeline.kernels.rows import bytes_column

    def read(shard: int) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(folder / f"{shard}.arrow")) as source:
            yield pa.ipc.open_file(source).get_batch(0)

    shards, number = [], -(-count // SHARD)
    for shard in range(number):
        path = folder / f"{shard}.arrow"
        minima = signatures(count, shard)
        valid = np.ones(len(minima), bool)
        batch = pa.record_batch(
            {
                "text_hash": bytes_column(minima[:, [0, 111]] * np.uint64(0x9E3779B97F4A7C15), valid, fixed=True),
                "bands": bytes_column(band_keys(minima, ROWS), valid),
            }
        )
        with pa.ipc.new_file(str(path), batch.schema) as writer:
            writer.write_batch(batch)
        shards.append(SignalShard(str(shard), len(minima), lambda shard=shard: read(shard)))
    list(cluster(shards[:1], ClusterSettings(), folder / "warm"))
    global _started
    _started = time.process_time()
    return sum(
        table.num_rows - table["near_cluster"].null_count
        for _, table in cluster(shards, ClusterSettings(), folder / "work")
    )


_started = 0.0


def _datatrove(count: int, folder: Path) -> int:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster

    global _started
    for shard in range(-(-count // SHARD)):
        minima = signatures(count, shard).reshape(-1, BANDS, ROWS)
        for band in range(BANDS):
            rows = [(tuple(keys), number) for number, keys in enumerate(minima[:, band].tolist())]
            packed = np.zeros(len(rows), np.dtype([("keys", "<u8", (ROWS,)), ("doc", "<u4")]))
            rows.sort()
            packed["keys"], packed["doc"] = [keys for keys, _ in rows], [number for _, number in rows]
            path = folder / "signatures" / f"bucket_{band:03d}" / f"{shard:05d}.minhash.sig"
            path.parent.mkdir(parents=True, exist_ok=True)
            packed.tofile(path)
    config = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS)
    _started = time.process_time()
    buckets = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
    for rank in range(BANDS):
        buckets.run(rank=rank, world_size=BANDS)
    MinhashDedupCluster(str(folder / "buckets"), str(folder / "removed"), config=config).run()
    return sum(path.stat().st_size // 4 for path in (folder / "removed").glob("*.remove"))


def _text_dedup(count: int, folder: Path) -> int:
    """The clustering step of text_dedup.minhash, which is one function with its command line."""
    from collections import defaultdict

    from text_dedup.utils import UnionFind  # pyright: ignore[reportMissingImports]

    global _started
    width = ROWS * 8
    rows = [
        [raw[band * width : band * width + width] for band in range(BANDS)]
        for shard in range(-(-count // SHARD))
        for raw in (row.tobytes() for row in signatures(count, shard))
    ]
    _started = time.process_time()
    tables: list[dict[bytes, set[int]]] = [defaultdict(set) for _ in range(BANDS)]
    joined = UnionFind()
    for number, keys in enumerate(rows):
        for table, key in zip(tables, keys, strict=True):
            table[key].add(number)
    for table in tables:
        for members in table.values():
            if len(members) > 1:
                least = min(members)
                for member in members:
                    joined.union(member, least)
    return sum(joined.find(number) != number for number in range(count))


def measure(name: str, count: str, folder: str) -> None:
    """The child's side: prints seconds, peak memory over the start's, and how many documents were found."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    act = {"ours": _ours, "datatrove": _datatrove, "text-dedup": _text_dedup}[name]
    found = act(int(count), Path(folder))
    seconds = time.process_time() - _started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"seconds": seconds, "peak_mib": peak // 1024, "start_mib": before // 1024, "found": found}
    print(json.dumps(result | ({} if name == "ours" else {"version": importlib.metadata.version(name)})))


def run(size_mb: int = 200) -> dict:
    """Thousands of documents per second of processor time; the ratio is against the faster peer."""
    from bench.minhash import call_peer

    count = size_mb * 1000
    found: dict[str, list[dict]] = {name: [] for name in ["ours", *PEERS]}
    for _ in range(ROUNDS):
        for name, results in found.items():
            with tempfile.TemporaryDirectory() as folder:
                result = call_peer(__file__, name, str(count), folder, own=name == "ours")
                if result is not None:
                    results.append(result)
    medians = {name: statistics.median(r["seconds"] for r in results) for name, results in found.items() if results}
    peers = {name: round(count / 1000 / seconds, 2) for name, seconds in medians.items() if name != "ours"}
    best = max(peers, key=lambda name: peers[name]) if peers else None
    own = count / 1000 / medians["ours"]
    return {
        "name": "cluster",
        "unit": "thousand documents per CPU second",
        "ours": round(own, 1),
        "peer": peers.get(best) if best else None,
        "ratio": round(own / peers[best], 1) if best else None,
        "peer_name": best,
        "versions": {name: found[name][0]["version"] for name in peers},
        "input": f"{count} documents, {BANDS} bands of {ROWS}",
        "rounds": ROUNDS,
        "peers": peers,
        "seconds": {name: round(seconds, 2) for name, seconds in medians.items()},
        "peak_mib": {name: max(r["peak_mib"] for r in results) for name, results in found.items() if results},
    }


if __name__ == "__main__":
    measure(*sys.argv[1:])
