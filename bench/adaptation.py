"""Does curation and the domain mix pay? Same shape, same FLOPs, three seeds, tiny models, bits per byte on held-out text.

Arms, from one finished run (`RUN=<run folder> OUT=<folder> python -m bench adaptation`):
    curated   kept documents, 51 % domain and 49 % general, a tokenizer trained on that mix
    crawl     everything extracted from the source `crawl`, removed documents included, in its natural shares
    general   kept general documents alone
    equal     curated again, with as many steps more as its general tokens equal those of `general`
Each arm has a tokenizer of the same size trained on its own text, so bits per byte, not loss, is compared. Held-out are
the run's validation documents by role; removed copies of them are in no arm.

The twelve trainings are pieces: each result is kept in OUT, and a call that has used PIECE_S seconds (default 200) stops
behind the piece it is at. Calling again goes on; what is printed is the table of the pieces that are there.
"""

import hashlib
import json
import os
import random
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

VOCAB, LENGTH, BATCH = 4096, 128, 8
SHARE = 0.51
SEEDS = (0, 1, 2)
ROLES = ("domain", "general")
ARMS = ("curated", "crawl", "general", "equal")
MAX_BYTES = 2_400_000
"""Text of a source in an arm, chosen by document: many times what so short a training reads."""
Arm = dict[str, tuple[float, list[str]]]
"""Text by source name, with the source's weight."""


def some(texts: list[str], limit: int = MAX_BYTES) -> list[str]:
    """Texts in a fixed random order, up to `limit` characters."""
    chosen: list[str] = []
    for text in random.Random(0).sample(texts, len(texts)):
        if limit <= 0:
            break
        chosen.append(text)
        limit -= len(text)
    return chosen


def documents(run: Path) -> tuple[dict[str, Arm], dict[str, list[str]]]:
    """({arm: sources}, held-out text by role) from the published corpus of a run."""
    from datasets import load_dataset

    kept: Any = load_dataset(str(run / "corpus"), split="train")
    removed: Any = load_dataset(str(run / "corpus"), "removed", split="train")
    training: dict[str, list[str]] = {"domain": [], "general": []}
    held: dict[str, list[str]] = {"domain": [], "general": []}
    held_ids = set()
    crawl = []
    for row in kept:
        part = held if row["split"] == "validation" else training
        part[row["role"]].append(row["text"])
        if row["split"] == "validation":
            held_ids.add(row["id"])
        elif row["source"] == "crawl":
            crawl.append(row["text"])
    crawl += [
        row["text"]
        for row in removed
        if row["text"] and row["source"] == "crawl" and row["duplicate_of"] not in held_ids
    ]
    domain, general = some(training["domain"]), some(training["general"])
    curated: Arm = {"domain": (SHARE, domain), "general": (1 - SHARE, general)}
    return {
        "curated": curated,
        "crawl": {"crawl": (1.0, some(crawl, 2 * MAX_BYTES))},
        "general": {"general": (1.0, general)},
    }, {role: some(texts, MAX_BYTES // 4) for role, texts in held.items()}


def train_tokenizer(arm: Arm) -> Any:
    """A byte-level BPE of VOCAB tokens on the arm's text, its sources in the arm's shares by bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    sizes = {name: sum(len(t) for t in texts) for name, (_, texts) in arm.items()}
    budget = min(sizes[name] / weight for name, (weight, _) in arm.items())
    sample: list[str] = []
    for _, (weight, texts) in sorted(arm.items()):
        sample += some(texts, int(budget * weight))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        sample,
        trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False),
    )
    return tokenizer


def write_arm(root: Path, arm: Arm, held: dict[str, list[str]], tokenizer: Any = None) -> Path:
    """The arm as a hand-off: its sources for training, the held-out text by role for validation.

    Without a tokenizer it gets one of its own.
    """
    from pipeline.handoff import TrainConfig, build_manifest, default_train_config, dump_manifest, dump_train_config

    tokenizer = tokenizer or train_tokenizer(arm)
    (root / "tokenizer").mkdir(parents=True)
    tokenizer.save(str(root / "tokenizer" / "tokenizer.json"))
    digest = hashlib.sha256((root / "tokenizer" / "tokenizer.json").read_bytes()).hexdigest()

    def shard(split: str, name: str, texts: list[str]) -> dict[str, Any]:
        encoded = [[*one.ids, 0] for one in tokenizer.encode_batch(texts)]
        flat = np.array([t for ids in encoded for t in ids], dtype="<u2")
        path = root / "shards" / split / name / "00000.ds"
        path.parent.mkdir(parents=True)
        path.write_bytes(flat.tobytes())
        Path(f"{path}.index").write_bytes(np.cumsum([len(ids) for ids in encoded]).astype("<u8").tobytes())
        return {
            "path": str(path.relative_to(root)),
            "bytes": 2 * len(flat),
            "num_tokens": len(flat),
            "num_documents": len(texts),
            "max_id": int(flat.max()),
            "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
        }

    sources: list[dict[str, Any]] = [
        {
            "name": name,
            "role": "domain" if name == "domain" else "general",
            "weight": weight,
            "splits": {"train": [shard("train", name, texts)]},
        }
        for name, (weight, texts) in arm.items()
    ]
    for role, texts in held.items():
        text_bytes = {"validation": sum(len(t.encode()) for t in texts)}
        entry = {"validation": [shard("validation", f"held-{role}", texts)]}
        sources.append({"name": f"held-{role}", "role": role, "weight": 0.0, "splits": entry, "text_bytes": text_bytes})
    info = {"sha256": digest, "vocab_size": tokenizer.get_vocab_size(), "padded_vocab_size": VOCAB, "eos_id": 0}
    manifest = build_manifest(tokenizer=info, sources=sources)
    config = {"objective": {"sequence_length": LENGTH}, "global_batch": BATCH, "steps": 1}
    handoff = root / "handoff"
    handoff.mkdir()
    (handoff / "manifest.json").write_text(dump_manifest(manifest))
    text = dump_train_config(default_train_config(manifest, TrainConfig.model_validate(config)))
    (handoff / "train.yaml").write_text(text)
    return handoff


def train_arm(handoff: Path, steps: int, seed: int, world: Any, *more: str) -> dict[str, float]:
    """Bits per byte by held-out role after `steps`; `more` are further settings."""
    from recipes.pretrain.inputs import open_handoff
    from recipes.pretrain.loop import Trainer

    settings = [f"steps={steps}", f"seed={seed}", f"out=train-{seed}-{steps}", "parallel.sharding=none",
                "optimizer.learning_rate=0.003", "schedule.warmup_steps=30", f"evaluate.every_steps={steps}",
                "evaluate.max_samples=256", f"checkpoint.every_steps={steps}", "export.huggingface=false",
                f"report.every_steps={steps}", "micro_batch=8", *more]  # fmt: skip
    summary = Trainer(open_handoff(str(handoff), settings), world).run()
    return {name.removeprefix("held-"): result["bits_per_byte"] for name, result in summary["validation"].items()}


def pieces(source: Path, out: Path, steps: int, seconds: float) -> None:
    """Train what is missing in `out`, seed by seed, until all twelve are there or the time is used."""
    from recipes.pretrain.parallel import start_world, stop_world

    begun = time.monotonic()
    order = [(arm, seed) for arms in (ARMS[:3], ARMS[3:]) for seed in SEEDS for arm in arms]
    missing = [(arm, seed) for arm, seed in order if not (out / f"{arm}-{seed}-{steps}.json").exists()]
    if missing and not (out / "arms.json").exists():
        arms, held = documents(source)
        for name, arm in arms.items():
            shutil.rmtree(out / name, ignore_errors=True)  # what a stopped call left
            write_arm(out / name, arm, held)
        sizes = {name: {part: sum(map(len, texts)) for part, (_, texts) in arm.items()} for name, arm in arms.items()}
        (out / "arms.json").write_text(json.dumps(sizes))
    world = start_world() if missing else None
    for number, (arm, seed) in enumerate(missing):
        if number and time.monotonic() - begun > seconds:
            break
        handoff = out / ("curated" if arm == "equal" else arm) / "handoff"
        bits = train_arm(handoff, round(steps / (1 - SHARE)) if arm == "equal" else steps, seed, world)
        (out / f"{arm}-{seed}-{steps}.json").write_text(json.dumps(bits))
        print(f"{arm} seed {seed}: {bits}", file=sys.stderr, flush=True)
    if world is not None:
        stop_world()


def run(size_mb: int = 0, steps: int = 200) -> dict:
    """Median and spread over the seeds; ratio > 1 means the curated mix needs fewer bits on domain text than the best
    other arm."""
    source, out = os.environ.get("RUN"), Path(os.environ.get("OUT", "runs/bench-adaptation"))
    if not source or not (Path(source) / "corpus").is_dir():
        raise SystemExit("bench adaptation needs RUN=<a finished run folder with corpus/>")
    out.mkdir(parents=True, exist_ok=True)
    pieces(Path(source), out, steps, float(os.environ.get("PIECE_S", "200")))
    table: dict[str, dict[str, list[float]]] = {}
    for arm in ARMS:
        for path in [out / f"{arm}-{seed}-{steps}.json" for seed in SEEDS]:
            for role, bits in (json.loads(path.read_text()) if path.exists() else {}).items():
                table.setdefault(arm, {}).setdefault(role, []).append(bits)
    if not {"curated", "crawl", "general"} <= table.keys():
        raise SystemExit(
            f"bench adaptation: {sum(len(r['domain']) for r in table.values())} of 12 pieces; call it again"
        )
    sizes: dict[str, dict[str, int]] = json.loads((out / "arms.json").read_text())
    domain = {name: statistics.median(roles["domain"]) for name, roles in table.items()}
    best = min(("crawl", "general"), key=lambda name: domain[name])
    return {
        "name": "adaptation",
        "unit": "bits/byte",
        "ours": domain["curated"],
        "peer": domain[best],
        "ratio": domain[best] / domain["curated"],
        "peer_name": f"{best}, same shape and FLOPs",
        "versions": {"numpy": np.__version__},
        "input": ", ".join(f"{name} {sum(parts.values()):,} characters" for name, parts in sizes.items()),
        "rounds": min(len(roles["domain"]) for roles in table.values()),
        "steps": steps,
        "tables": {
            "arms": {
                "head": ["arm", *(f"{role}: median (lowest to highest)" for role in ROLES)],
                "rows": [
                    [
                        name,
                        *(
                            f"{statistics.median(b):.3f} ({min(b):.3f} to {max(b):.3f})"
                            for b in (roles[role] for role in ROLES)
                        ),
                    ]
                    for name, roles in table.items()
                ],
            }
        },
    }
