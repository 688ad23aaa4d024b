"""Near-duplicate clusters of texts by ours and by the peers: a label per document, equal for documents of one cluster.

The peers' signatures are made by their own code with their own words; documents that share one of their signatures are
joined. Run as a script it is the peers' side: `near.py NAME TEXTS.json`.
"""

import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the peers' interpreter runs this file as a script


def ours(texts: list[str], work: Path, *, column: str = "near_cluster", **settings: Any) -> np.ndarray:
    """int64[n], -1 for a document alone. `settings` are those of minhash, and `min_similarity`."""
    import pyarrow as pa

    from bench.cluster_step import cluster_shards, commit_shard, labels_of, signals_of
    from pipeline.cluster.cluster_settings import ClusterSettings
    from pipeline.core.store import Store
    from pipeline.measure.judges.minhash import MinHashSettings

    chosen = ClusterSettings(min_similarity=settings.pop("min_similarity", None), contained=False)
    signatures = MinHashSettings(**settings)
    store, documents = Store(str(work)), pa.array(texts, pa.large_string())
    shard = commit_shard(store, "all", [signals_of(documents, signatures)], documents)
    return labels_of(cluster_shards(store, {"all": shard}, chosen, signatures.bands, signatures), column)


def removals(texts: list[str], work: Path, minhash: dict[str, Any], **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """For each document the one that stays instead of it, int64[n], -1 where it stays itself; and float32[n, 2], how alike they
    are without and with boilerplate. Of copies the longest stays, of equally long ones the first."""
    import pyarrow as pa

    from bench.cluster_step import commit_shard, near_copies_of, signals_of
    from pipeline.cluster.cluster_settings import ClusterSettings
    from pipeline.core.store import Store
    from pipeline.decide.survivors import CANDIDATES, Survivors, best_members
    from pipeline.measure.judges.minhash import MinHashSettings

    chosen, signatures = ClusterSettings(**settings), MinHashSettings(**minhash)
    store, documents = Store(str(work)), pa.array(texts, pa.large_string())
    shard = commit_shard(store, "all", [signals_of(documents, signatures)], documents)
    table, edges = near_copies_of(store, {"all": shard}, chosen, signatures)
    nodes = table["node"].fill_null(-1).to_numpy()
    rows = np.flatnonzero(nodes >= 0)
    columns = {
        "node": nodes[rows],
        "length": [len(texts[row]) for row in rows],
        "id": [f"{row:09}" for row in rows],
        "row": rows,
    }
    columns |= {"indexed": np.zeros(len(rows), bool), "shard": ["all"] * len(rows)}
    missing = {name: pa.nulls(len(rows)) for name in CANDIDATES.names if name not in columns}
    best = best_members(pa.table(columns | missing).select(CANDIDATES.names).cast(CANDIDATES))
    places, similar = Survivors(best, edges, chosen.min_similarity).of(nodes)
    stays = np.append(best["row"].to_numpy(), -1)[places]
    return np.where(stays == np.arange(len(texts)), -1, stays), similar


def peer(name: str, texts: list[str]) -> tuple[np.ndarray, str] | None:
    """Labels as of `ours`, and the peer's version; None when it is not installed."""
    from bench import child

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.json")
        path.write_text(json.dumps(texts))
        found = child.call(__file__, name, str(path))
    return None if found is None else (np.array(found["labels"], np.int64), found["version"])


def together(labels: np.ndarray) -> set[tuple[int, int]]:
    """All pairs of documents in one cluster."""
    members: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        if label >= 0:
            members.setdefault(label, []).append(row)
    return {pair for group in members.values() for pair in combinations(group, 2)}


def _datatrove(texts: list[str]) -> Iterator[list]:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    step = MinhashDedupSignature(output_folder="memory://bench", config=MinhashConfig())
    for text in texts:
        shingles = step.get_shingles(text)
        yield [tuple(map(int, band)) for band in step.get_signature(shingles)] if len(shingles) else []


def _text_dedup(texts: list[str]) -> Iterator[list]:
    from bench.minhash import text_dedup_signer

    sign = text_dedup_signer()
    for number, text in enumerate(texts):
        yield sign(text, number)["__signatures__"]


def _joined(signatures: Iterator[list]) -> list[int]:
    """The peers' side: least document of each one's cluster, -1 for one alone."""
    parent: list[int] = []
    first: dict[tuple, int] = {}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for number, bands in enumerate(signatures):
        parent.append(number)
        for band, key in enumerate(bands):
            a, b = root(first.setdefault((band, key), number)), root(number)
            parent[max(a, b)] = min(a, b)
    roots = [root(node) for node in range(len(parent))]
    sizes = np.bincount(roots, minlength=len(roots))
    return [label if sizes[label] > 1 else -1 for label in roots]


if __name__ == "__main__":
    side = {"datatrove": _datatrove, "text-dedup": _text_dedup}[sys.argv[1]]
    found = _joined(side(json.loads(Path(sys.argv[2]).read_text())))
    print(json.dumps({"labels": found, "version": importlib.metadata.version(sys.argv[1])}))
