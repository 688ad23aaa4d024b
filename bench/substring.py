"""Repeated substrings of 500 bytes over `--size` MB of text on one core, beside suffix arrays.

The reference tool (google-research/deduplicate-text-datasets, also inside text-dedup) publishes about 0.1 MB/s a core
for building its suffix array and needs Rust and the repository at run time. libdivsufsort (`pydivsufsort`), where it is
installed, is measured: it only builds the array, before any duplicate is looked for.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
PUBLISHED_MB_S = 0.1


def _peer(path: str) -> None:
    import importlib.metadata

    import pydivsufsort  # pyright: ignore[reportMissingImports]

    raw = Path(path).read_bytes()
    start = time.process_time()
    pydivsufsort.divsufsort(raw)
    print(json.dumps({"seconds": time.process_time() - start, "version": importlib.metadata.version("pydivsufsort")}))


def run(size_mb: int = 200) -> dict:
    """Megabytes of text per CPU second, from texts in Arrow to the merged byte ranges to cut."""
    import numpy as np
    import pyarrow as pa

    from bench.minhash import call_peer, corpus
    from pipeline.cluster.substrings import SubstringSettings, TextShard, repeated_substrings

    texts = corpus(size_mb)
    while (
        size := sum(map(len, texts))
    ) < size_mb * 900_000:  # the corpora hold less: words in another order, no copies
        rng = np.random.default_rng(size)
        texts += [
            " ".join(rng.permutation(text.split()))
            for text in texts[: int(len(texts) * (size_mb * 1e6 / size - 1)) + 1]
        ]
    ids = pa.array([f"{i:09}" for i in range(len(texts))])
    batch = pa.record_batch({"id": ids, "text": pa.array(texts, pa.large_string())})

    def part(start: int) -> TextShard:
        rows = batch.slice(start, 2000)
        return TextShard(str(start), rows.num_rows, lambda: iter([rows]))

    shards = [part(start) for start in range(0, batch.num_rows, 2000)]
    size = sum(len(text.encode()) for text in texts)
    ours, built, versions = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "all.txt").write_bytes("\0".join(texts).encode())
        list(repeated_substrings(shards[:1], SubstringSettings(), Path(folder, "warm")))
        for _ in range(ROUNDS):
            start = time.process_time()
            list(repeated_substrings(shards, SubstringSettings(), Path(folder, "work")))
            ours.append(size / 1e6 / (time.process_time() - start))
            found = call_peer(__file__, str(Path(folder, "all.txt")))
            if found is not None:
                built.append(size / 1e6 / found["seconds"])
                versions["pydivsufsort"] = found["version"]
    own = statistics.median(ours)
    peer = statistics.median(built) if built else PUBLISHED_MB_S
    return {
        "name": "substring",
        "unit": "MB of text per CPU second, one core",
        "ours": round(own, 1),
        "peer": round(peer, 2),
        "ratio": round(own / peer, 1),
        "peer_name": "libdivsufsort (array only)" if built else "deduplicate-text-datasets (published)",
        "versions": versions,
        "input": f"{len(texts)} documents, {size / 1e6:.0f} MB",
        "rounds": ROUNDS,
        "peers": {"deduplicate-text-datasets (published)": PUBLISHED_MB_S},
    }


if __name__ == "__main__":
    _peer(*sys.argv[1:])
