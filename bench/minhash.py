"""MinHash signatures from text on one core, side by side with the peers: 5-grams of words, 112 permutations.

Ours goes from UTF-8 to band keys and sketches. Each peer goes from text to its signature by its own code, with the
same n-grams and permutations; what the peer has no word splitter for (datasketch, rensa) gets `str.split`. Peers run in
a child process of `$BENCH_PEERS_PYTHON` (this interpreter by default), so their environment can be another one.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

NGRAM, PERMUTATIONS, ROUNDS = 5, 112, 3
PEERS = {"datatrove": 0.02, "text-dedup": 0.1, "datasketch": 0.2, "rensa": 0.5, "daft": 1.0}
"""Peer -> the share of the input it is given: the slow ones get less, rates are what is compared."""


def _datatrove(texts: list[str]) -> float:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    step = MinhashDedupSignature(output_folder="memory://bench", config=MinhashConfig())

    def sign(text: str) -> None:
        shingles = step.get_shingles(text)
        if len(shingles):
            step.get_signature(shingles)

    sign("a b c d e f g")
    start = time.process_time()
    for text in texts:
        sign(text)
    return time.process_time() - start


def text_dedup_signer() -> Callable[[str, int], dict]:
    """`sign(text, number)` by text-dedup, as its command line calls it."""
    import numpy as np
    from text_dedup.minhash import RNG, embed_func, xxh3_32hash  # pyright: ignore[reportMissingImports]

    prime = np.uint64((1 << 61) - 1)
    draws = tuple(RNG.randint(low, prime, size=(PERMUTATIONS,), dtype=np.uint64) for low in (1, 0))

    def sign(text: str, number: int) -> dict:
        return embed_func(
            text,
            number,
            num_perm=PERMUTATIONS,
            ngram_size=NGRAM,
            min_length=NGRAM,
            hashranges=[(i * 8, i * 8 + 8) for i in range(14)],
            permutations=draws,
            hash_func=xxh3_32hash,
            dtype=np.uint64,
            max_hash=np.uint32((1 << 32) - 1),
            modulo_prime=prime,
        )

    return sign


def _text_dedup(texts: list[str]) -> float:
    sign = text_dedup_signer()
    start = time.process_time()
    for number, text in enumerate(texts):
        sign(text, number)
    return time.process_time() - start


def _shingles(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)]


def _datasketch(texts: list[str]) -> float:
    from datasketch import MinHash  # pyright: ignore[reportMissingImports]

    start = time.process_time()
    for text in texts:
        MinHash(num_perm=PERMUTATIONS, seed=1).update_batch([gram.encode() for gram in set(_shingles(text))])
    return time.process_time() - start


def _rensa(texts: list[str]) -> float:
    from rensa import RMinHash  # pyright: ignore[reportMissingImports]

    start = time.process_time()
    for text in texts:
        made = RMinHash(num_perm=PERMUTATIONS, seed=1)
        made.update(_shingles(text))
        made.digest()
    return time.process_time() - start


def _daft(texts: list[str]) -> float:
    import daft  # pyright: ignore[reportMissingImports]
    import pyarrow as pa

    def sign(part: list[str]) -> None:
        frame = daft.from_arrow(pa.table({"text": pa.array(part, pa.large_string())}))
        frame.select(daft.col("text").minhash(num_hashes=PERMUTATIONS, ngram_size=NGRAM, seed=1)).collect()

    sign(texts[:10])
    start = time.process_time()
    sign(texts)
    return time.process_time() - start


def _peer(name: str, path: str) -> None:
    """The child's side: read the texts, time the peer, print seconds and version."""
    import importlib.metadata

    texts = json.loads(Path(path).read_text())
    run_peer = {
        "datatrove": _datatrove,
        "text-dedup": _text_dedup,
        "datasketch": _datasketch,
        "rensa": _rensa,
        "daft": _daft,
    }[name]
    print(json.dumps({"seconds": run_peer(texts), "version": importlib.metadata.version(name)}))


def corpus(size_mb: int) -> list[str]:
    """About `size_mb` of finance and general text, the sets taken in turns."""
    from bench.corpora import ENGLISH_WEB, documents

    texts, size = [], 0
    for name in ENGLISH_WEB:
        taken = 0
        for text in documents(name):
            texts.append(text)
            taken += len(text.encode())
            if taken > size_mb * 1e6 / len(ENGLISH_WEB):
                break
        size += taken
    return texts


def run(size_mb: int = 40) -> dict:
    """Medians of `ROUNDS` rounds in turns; the peer of the ratio is the fastest found."""
    import numpy as np
    import pyarrow as pa

    from bench import child
    from pipeline.measure.judges.minhash import MinHashSettings, minhash

    texts = corpus(size_mb)
    sizes = np.array([len(text.encode()) for text in texts])
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    settings = MinHashSettings()
    minhash.run(batch.slice(0, 10), settings)
    ours, rates, versions = [], {name: [] for name in PEERS}, {}
    with tempfile.TemporaryDirectory() as folder:
        spread = np.random.default_rng(1).permutation(len(texts))
        for name, share in PEERS.items():
            chosen = spread[: np.searchsorted(np.cumsum(sizes[spread]), share * sizes.sum()) + 1]
            Path(folder, name).write_text(json.dumps([texts[i] for i in chosen]))
        for _ in range(ROUNDS):
            start = time.process_time()
            minhash.run(batch, settings)
            ours.append(sizes.sum() / 1e6 / (time.process_time() - start))
            for name in PEERS:
                path = Path(folder, name)
                found = child.call(__file__, name, str(path))
                if found is not None:
                    given = sum(len(text.encode()) for text in json.loads(path.read_text()))
                    rates[name].append(given / 1e6 / found["seconds"])
                    versions[name] = found["version"]
    peers = {name: round(statistics.median(found), 2) for name, found in rates.items() if found}
    best = max(peers, key=lambda name: peers[name]) if peers else None
    own = statistics.median(ours)
    return {
        "name": "minhash",
        "unit": "MB of text per CPU second, one core",
        "ours": round(own, 1),
        "peer": peers.get(best) if best else None,
        "ratio": round(own / peers[best], 2) if best else None,
        "peer_name": best,
        "versions": versions,
        "input": f"{len(texts)} documents, {sizes.sum() / 1e6:.0f} MB, {NGRAM}-grams, {PERMUTATIONS} permutations",
        "rounds": ROUNDS,
        "peers": peers,
    }


if __name__ == "__main__":
    _peer(*sys.argv[1:])
