"""From signatures to clusters, side by side with the peers, on generated signatures with planted copies.

One document is 112 minima of 8 bytes, so a megabyte of `--size` is about a thousand documents. Ours is the step of a run,
its units one after the other: from the committed signals of shards to committed clusters. Datatrove starts from its signature
files (stages 2 to 4: buckets, clusters, and the list of documents to remove that stage 4 reads), text-dedup from its column
of band strings; every peer runs its own code in a child process. All must remove exactly the planted copies.
"""

import importlib.metadata
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the peers' interpreter runs this file as a script

from bench import child
from bench.signatures import BANDS, PLANTED, ROWS, SHARD, removed, signatures, write_shards

PEERS = ["datatrove", "text-dedup"]
FEW = 500_000
"""From so many documents on one round is enough: a peer takes half a minute and more."""


def disk(folder: Path) -> int:
    """MiB of the files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20


def ours(count: int, folder: Path, shape: str = PLANTED) -> Callable[[], tuple[int, int]]:
    """Ready to cluster; the call gives documents to remove and MiB of pairs and clusters on disk."""
    from bench.cluster_step import cluster_shards
    from pipeline.cluster.cluster_settings import ClusterSettings
    from pipeline.core.store import Store

    # As the peers do: one document stays of every chain of shared keys; a recipe compares texts besides.
    settings = ClusterSettings(min_similarity=None)
    warm, store = Store(str(folder / "warm")), Store(str(folder / "run"))
    cluster_shards(warm, write_shards(1000, warm), settings, BANDS)
    shards = write_shards(count, store, shape)

    def act() -> tuple[int, int]:
        rows, labels = 0, []
        for table in cluster_shards(store, shards, settings, BANDS).values():
            clustered = table["near_cluster"].combine_chunks().drop_null().to_numpy()
            rows += len(clustered)
            labels.append(np.unique(clustered))
        written = sum(disk(folder / "run" / name) for name in ("pairs", "clusters"))
        return rows - len(np.unique(np.concatenate(labels))), written

    return act


def _datatrove(count: int, folder: Path) -> Callable[[], tuple[int, int]]:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster

    for shard in range(-(-count // SHARD)):
        minima = signatures(count, shard).reshape(-1, BANDS, ROWS)
        for band in range(BANDS):
            packed = np.zeros(len(minima), np.dtype([("keys", "<u8", (ROWS,)), ("doc", "<u4")]))
            order = np.lexsort(minima[:, band, ::-1].T)
            packed["keys"], packed["doc"] = minima[order, band], order
            path = folder / "signatures" / f"bucket_{band:03d}" / f"{shard:05d}.minhash.sig"
            path.parent.mkdir(parents=True, exist_ok=True)
            packed.tofile(path)
    config = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS)

    def act() -> tuple[int, int]:
        buckets = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
        for rank in range(BANDS):
            buckets.run(rank=rank, world_size=BANDS)
        MinhashDedupCluster(str(folder / "buckets"), str(folder / "removed"), config=config).run()
        listed = (folder / "removed").glob("*.remove")
        return sum(path.stat().st_size // 4 for path in listed), disk(folder)

    return act


def _text_dedup(count: int, folder: Path) -> Callable[[], tuple[int, int]]:
    """The clustering step of text_dedup.minhash, which is one function with its command line."""
    from collections import defaultdict

    from text_dedup.utils import UnionFind  # pyright: ignore[reportMissingImports]

    width = ROWS * 8

    def rows() -> Iterator[list[bytes]]:  # as its data set gives them: strings made when they are read
        for shard in range(-(-count // SHARD)):
            raw = np.load(folder / f"{shard}.npy").tobytes()
            for at in range(0, len(raw), BANDS * width):
                yield [raw[band : band + width] for band in range(at, at + BANDS * width, width)]

    for shard in range(-(-count // SHARD)):
        np.save(folder / f"{shard}.npy", signatures(count, shard))

    def act() -> tuple[int, int]:
        tables: list[dict[bytes, set[int]]] = [defaultdict(set) for _ in range(BANDS)]
        joined = UnionFind()
        for number, keys in enumerate(rows()):
            for table, key in zip(tables, keys, strict=True):
                table[key].add(number)
        for table in tables:
            for members in table.values():
                if len(members) > 1:
                    least = min(members)
                    for member in members:
                        joined.union(member, least)
        return sum(joined.find(number) != number for number in range(count)), 0

    return act


def measure(name: str, count: str, folder: str, shape: str = PLANTED) -> None:
    """The child's side: prints seconds, memory, disk, and how many documents it would remove."""
    if name == "ours":
        act = ours(int(count), Path(folder), shape)
    else:
        act = {"datatrove": _datatrove, "text-dedup": _text_dedup}[name](int(count), Path(folder))
    result = child.timed(act)
    result["removed"], result["disk_mib"] = result.pop("result")
    print(json.dumps(result | ({} if name == "ours" else {"version": importlib.metadata.version(name)})))


def measured(name: str, count: int, shape: str = PLANTED) -> dict | None:
    """One side in a child process; None when it does not finish. Raises SystemExit when it removes the wrong number."""
    with tempfile.TemporaryDirectory() as folder:
        found = child.call(__file__, name, str(count), folder, shape, own=name == "ours")
    if found is not None and found["removed"] != removed(count, shape):
        raise SystemExit(f"{name} removes {found['removed']} of {count} documents, {removed(count, shape)} are copies")
    return found


def run(size_mb: int = 1000) -> dict:
    """Thousands of documents per second of processor time; the ratio is against the faster peer."""
    count = size_mb * 1000
    rounds = 3 if count < FEW else 1
    found: dict[str, list[dict]] = {name: [] for name in ["ours", *PEERS]}
    for _ in range(rounds):
        for name, results in found.items():
            result = measured(name, count)
            if result is not None:
                results.append(result)
    sides = {name: results for name, results in found.items() if results}
    seconds = {name: statistics.median(result["seconds"] for result in results) for name, results in sides.items()}
    peers = {name: round(count / 1000 / seconds[name], 2) for name in seconds if name != "ours"}
    best = max(peers, key=lambda name: peers[name]) if peers else None
    own = count / 1000 / seconds["ours"]
    rows = [
        [
            name,
            round(seconds[name], 2),
            *(max(result[column] for result in sides[name]) for column in ("peak_mib", "disk_mib")),
        ]
        for name in sides
    ]
    return {
        "name": "cluster",
        "unit": "thousand documents per CPU second",
        "ours": round(own, 1),
        "peer": peers.get(best) if best else None,
        "ratio": round(own / peers[best], 1) if best else None,
        "peer_name": best,
        "versions": {name: found[name][0]["version"] for name in peers},
        "input": f"{count} documents, {BANDS} bands of {ROWS}, one in ten a copy",
        "rounds": rounds,
        "peers": peers,
        "tables": {"sides": {"head": ["side", "CPU seconds", "peak memory, MiB", "on disk, MiB"], "rows": rows}},
    }


if __name__ == "__main__":
    measure(*sys.argv[1:])
