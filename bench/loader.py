"""Training samples from token shards on disk: our loader beside datatrove's folder dataset, in turns, one process each.

The goal is ten times the 60,300 tokens/s that one H200 consumes at 55 % utilisation on the Llama-3.2-1B shape, T = 4096.
"""

import hashlib
import importlib.metadata
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

VOCAB, LENGTH, BATCH = 128_256, 4096, 8
H200_TOKENS_PER_S = 60_300


def write_handoff(root: Path, tokens: int, vocab: int = VOCAB, length: int = LENGTH) -> Path:
    """A hand-off of two sources of random documents, log-normal lengths around 600 tokens."""
    from pipeline.handoff import (
        TrainConfig,
        build_manifest,
        default_train_config,
        dump_manifest,
        dump_train_config,
        token_dtype,
    )

    rng = np.random.default_rng(0)
    sources = []
    for name, role, weight in (("domain", "domain", 0.51), ("general", "general", 0.49)):
        n = int(tokens * weight)
        values = rng.integers(1, vocab, n).astype(np.dtype(token_dtype(vocab)).newbyteorder("<"))
        ends = np.cumsum(np.maximum(2, rng.lognormal(6.0, 1.0, n // 400)).astype(np.int64))
        ends = np.append(ends[ends < n], n).astype("<u8")
        values[ends.astype(np.int64) - 1] = 0
        path = root / "shards" / "train" / name / "00000.ds"
        path.parent.mkdir(parents=True)
        path.write_bytes(values.tobytes())
        Path(f"{path}.index").write_bytes(ends.tobytes())
        shard = {
            "path": str(path.relative_to(root)),
            "bytes": path.stat().st_size,
            "num_tokens": n,
            "num_documents": len(ends),
            "max_id": int(values.max()),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        sources.append({"name": name, "role": role, "weight": weight, "splits": {"train": [shard]}})
    (root / "tokenizer").mkdir()
    (root / "tokenizer" / "tokenizer.json").write_text("{}")
    tokenizer = {
        "sha256": hashlib.sha256(b"{}").hexdigest(),
        "vocab_size": vocab,
        "padded_vocab_size": vocab,
        "eos_id": 0,
    }
    manifest = build_manifest(tokenizer=tokenizer, sources=sources)
    config = TrainConfig.model_validate({"objective": {"sequence_length": length}, "global_batch": BATCH, "steps": 1})
    handoff = root / "handoff"
    handoff.mkdir()
    (handoff / "manifest.json").write_text(dump_manifest(manifest))
    (handoff / "train.yaml").write_text(dump_train_config(default_train_config(manifest, config)))
    return handoff


def ours(handoff: Path, samples: int) -> float:
    """Tokens per second of whole micro-batches: inputs, targets, document numbers, positions."""
    from recipes.pretrain.data import Samples, micro_batches
    from recipes.pretrain.inputs import open_handoff
    from recipes.pretrain.objectives import build_objective

    opened = open_handoff(str(handoff))
    objective = build_objective(opened.config.objective, opened.manifest.tokenizer)
    source = Samples(opened, objective)
    source[0]  # the order's kernel is compiled, the files are open
    begun = time.perf_counter()
    for first in range(0, samples, BATCH):
        micro_batches(source, list(range(first, first + BATCH)), BATCH)
    return samples * LENGTH / (time.perf_counter() - begun)


def peer(handoff: Path, samples: int) -> float | None:
    """The same of datatrove's `DatatroveFolderDataset` with positions, which needs torch; None when not installed."""
    try:
        import torch
        from datatrove.utils.dataset import DatatroveFolderDataset
    except ImportError:
        return None
    folder = handoff.parent / "shards" / "train" / "domain"
    dataset = DatatroveFolderDataset(str(folder), LENGTH, token_size=4, return_positions=True, shuffle=True)
    samples = min(samples, len(dataset))
    dataset[0]
    begun = time.perf_counter()
    for first in range(0, samples, BATCH):
        rows = [dataset[i] for i in range(first, min(samples, first + BATCH))]
        {key: torch.stack([torch.as_tensor(row[key]) for row in rows]) for key in rows[0]}
    return samples * LENGTH / (time.perf_counter() - begun)


def run(size_mb: int = 128, rounds: int = 5) -> dict:
    """Tokens per second, medians of rounds in turns."""
    tokens = size_mb * 1_000_000 // 4
    with tempfile.TemporaryDirectory() as folder:
        handoff = write_handoff(Path(folder), tokens)
        samples = min(1024, tokens // LENGTH // 2)
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(ours(handoff, samples))
            found = peer(handoff, samples)
            if found is not None:
                theirs.append(found)
    speed = statistics.median(mine)
    other = statistics.median(theirs) if theirs else None
    return {
        "name": "loader",
        "unit": "tokens/s",
        "ours": speed,
        "peer": other,
        "ratio": speed / other if other else None,
        "peer_name": "datatrove DatatroveFolderDataset",
        "versions": {"datatrove": importlib.metadata.version("datatrove"), "numpy": np.__version__},
        "input": f"{tokens:,} random tokens, uint32, T = {LENGTH}",
        "rounds": rounds,
        "h200_multiple": speed / H200_TOKENS_PER_S,
    }
