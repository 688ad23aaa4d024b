"""A hand-off folder made by hand: a small tokenizer, shards written with numpy, manifest and train.yaml."""

import hashlib
import random
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.handoff import (
    Manifest,
    TrainConfig,
    build_manifest,
    default_train_config,
    dump_manifest,
    dump_train_config,
    parse_train_config,
)

SPECIAL = ["<eos>", "<pad>", "<mask>", "<cls>", "<sep>", *[f"<extra_id_{i}>" for i in range(32)]]


def texts(seed: int, count: int, subject: str) -> list[str]:
    """Documents with a planted pattern: each number word is always followed by its successor."""
    rng = random.Random(seed)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
    out = []
    for _ in range(count):
        start = rng.randrange(len(words))
        run = [words[(start + i) % len(words)] for i in range(rng.randrange(6, 40))]
        out.append(f"the {subject} counts " + " ".join(run) + " and rests")
    return out


def write_shard(root: Path, path: str, documents: list[list[int]], eos: int, dtype: str) -> dict[str, Any]:
    """One .ds with its index; returns the manifest's entry."""
    flat = np.array([t for d in documents for t in [*d, eos]], dtype=np.dtype(dtype).newbyteorder("<"))
    ends = np.cumsum([len(d) + 1 for d in documents]).astype("<u8")
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(flat.tobytes())
    Path(f"{target}.index").write_bytes(ends.tobytes())
    return {
        "path": path,
        "bytes": target.stat().st_size,
        "num_tokens": len(flat),
        "num_documents": len(documents),
        "max_id": int(flat.max()),
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }


def make_handoff(root: Path, config: dict[str, Any] | None = None, documents: int = 400) -> Path:
    """A run folder with two sources (domain 0.51, general 0.49); returns its handoff/ folder."""
    corpus = {"filings": texts(1, documents, "company"), "wiki": texts(2, documents, "river")}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator([t for part in corpus.values() for t in part], trainer)
    (root / "tokenizer").mkdir(parents=True)
    tokenizer.save(str(root / "tokenizer" / "tokenizer.json"))
    (root / "tokenizer" / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>", "bos_token": "<eos>", "pad_token": "<pad>"}'
    )
    sources = []
    for name, role, weight in (("filings", "domain", 0.51), ("wiki", "general", 0.49)):
        encoded = [tokenizer.encode(t).ids for t in corpus[name]]
        held = max(1, documents // 10)
        parts = {"train": (encoded[held : documents // 2], encoded[documents // 2 :]), "validation": (encoded[:held],)}
        splits = {
            split: [
                write_shard(root, f"shards/{split}/{name}/{i:05d}.ds", part, 0, "uint16")
                for i, part in enumerate(shards)
            ]
            for split, shards in parts.items()
        }
        validation_bytes = sum(len(t.encode()) for t in corpus[name][:held])
        sources.append(
            {
                "name": name,
                "role": role,
                "licence": "CC0-1.0",
                "weight": weight,
                "epochs": 1.0,
                "splits": splits,
                "text_bytes": {"validation": validation_bytes},
            }
        )
    manifest = build_manifest(
        tokenizer={
            "sha256": hashlib.sha256((root / "tokenizer/tokenizer.json").read_bytes()).hexdigest(),
            "vocab_size": tokenizer.get_vocab_size(),
            "padded_vocab_size": 256,
            "eos_id": 0,
            "pad_id": 1,
            "mask_id": 2,
            "cls_id": 3,
            "sep_id": 4,
            "sentinel_first": 5,
            "sentinel_count": 32,
        },
        sources=sources,
        mix={"domain": 0.51, "general": 0.49},
        terms=["three four", "company", "and rests", "no such term"],
    )
    return write_config(root, manifest, config or {})


TINY = {
    "steps": 20,
    "global_batch": 8,
    "micro_batch": 4,
    "model": {"preset": "tiny", "hidden_size": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2,
              "intermediate_size": 128},
    "objective": {"sequence_length": 64},
    "optimizer": {"learning_rate": 5e-3},
    "checkpoint": {"every_steps": 10},
    "evaluate": {"every_steps": 10, "max_samples": 8},
    "report": {"every_steps": 1},
}  # fmt: skip


def write_config(root: Path, manifest: Manifest, config: dict[str, Any]) -> Path:
    """(Re)write manifest.json and train.yaml: TINY with `config` laid over it."""
    merged = {**TINY, **{k: {**TINY.get(k, {}), **v} if isinstance(v, dict) else v for k, v in config.items()}}
    handoff = root / "handoff"
    handoff.mkdir(exist_ok=True)
    (handoff / "manifest.json").write_text(dump_manifest(manifest))
    full = default_train_config(manifest, TrainConfig.model_validate(merged))
    text = dump_train_config(full)
    assert parse_train_config(text) == full
    (handoff / "train.yaml").write_text(text)
    return handoff
