"""Training speed and memory on one GPU: `python -m bench gpu`, one command of under six minutes that does everything.

The recipe's own training step (loader, attention inside documents, chunked loss, clip, fused AdamW) on random tokens.
Utilisation is 6 N_mm + 12 L H Q T FLOPs per token over the device's dense bf16 peak, recomputation not counted, in two
conventions: attention a full square of the sample, as published, and inside documents, as computed. Best published near
1B: 49-50 % (nanochat). Every row is printed as it ends, so that a run cut short has said what it measured.
`python -m bench gpu --dry` goes through all rows with a tiny shape on the CPU; torch, transformers, numpy and pydantic are
enough for either.
"""

import gc
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SPEED = (
    ("llama-3.2-1b", 4096, 128_256, 8, True),
    ("llama-3.2-1b", 4096, 128_256, 8, False),
    ("tinyllama-1.1b", 2048, 32_000, 16, True),
)
"""(shape, tokens per sample, vocabulary, samples per micro-batch, packed documents or one document a sample)."""
DRY = (("tiny", 64, 512, 2, True), ("tiny", 64, 512, 2, False))
BEST_PUBLISHED = 0.50
"""Utilisation near 1B parameters: nanochat d26 on 8 H100."""
MEMORY = ((1, "none"), (2, "none"), (4, "none"), (1, "full"), (2, "full"), (4, "full"))
"""(samples per micro-batch, activation checkpointing) at which the peak is compared with the estimate."""
STEADY, DROPPED = 30, 10


def trainer_for(root: Path, preset: str, length: int, vocab: int, settings: list[str]) -> Any:
    """The recipe's Trainer on a hand-off of random tokens."""
    from bench.loader import write_handoff
    from recipes.pretrain.inputs import open_handoff
    from recipes.pretrain.loop import Trainer
    from recipes.pretrain.parallel import start_world

    handoff = root / "handoff"
    if not handoff.exists():
        root.mkdir(parents=True, exist_ok=True)
        write_handoff(root, max(4_000_000, 64 * length), vocab, length)
    common = [f"model.preset={preset}", f"objective.sequence_length={length}", "parallel.sharding=none", "steps=1000"]
    opened = open_handoff(str(handoff), [*common, *settings])
    return Trainer(opened, start_world())


def seconds_per_step(trainer: Any, steps: int, dropped: int) -> float:
    """Mean seconds of the steady steps, which follow each other as in a training: the device is waited for at both ends."""
    import torch

    from recipes.pretrain.data import Loader

    reader = Loader(
        trainer.samples, consumed=0, batch=trainer.config.global_batch, micro=trainer.config.micro_batch,
        rank=0, world=1,
    )  # fmt: skip
    wait = torch.cuda.synchronize if trainer.world.device.type == "cuda" else int
    gc.collect()
    gc.disable()
    try:
        begun = 0.0
        for number, batches in zip(range(dropped + steps), reader, strict=False):
            if number == dropped:
                wait()
                begun = time.perf_counter()
            trainer.train_step(batches, 1e-4, 0)
        wait()
        return (time.perf_counter() - begun) / steps
    finally:
        gc.enable()
        reader.close()


def say(row: dict) -> dict:
    """Print a row at once, as one line of JSON on standard error; returns it."""
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def reset() -> None:
    """Free what a row left on the device, and forget its peak."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def speed(
    preset: str, length: int, vocab: int, micro: int, packed: bool, steps: int = STEADY, dropped: int = DROPPED
) -> dict:
    """tokens/s, utilisation in both conventions, peak memory of one shape, compiled block by block, in bf16."""
    import torch

    from pipeline.size.flops import attended, flops_per_token
    from recipes.pretrain.metrics import peak_flops

    reset()
    with tempfile.TemporaryDirectory() as folder:
        on_gpu = torch.cuda.is_available()
        settings = [
            f"micro_batch={micro}",
            f"global_batch={micro}",
            "parallel.precision=bf16",
            f"parallel.compile={on_gpu}",
        ]
        masks = f"objective.document_masks={packed}"
        trainer = trainer_for(Path(folder), preset, length, vocab, [*settings, masks])
        seconds = seconds_per_step(trainer, steps, dropped)
        tokens = micro * length / seconds
        peak = peak_flops(torch.cuda.get_device_name()) if on_gpu else None
        docs = np.concatenate([trainer.samples[k]["docs"][None] for k in range(32)])
        lengths = [len(list(run)) for row in docs.tolist() for _, run in itertools.groupby(row)]
        each = {
            "mfu": flops_per_token(trainer.shape, length),
            "mfu_packed": flops_per_token(trainer.shape, attended(lengths)),
        }
        return {
            "shape": preset,
            "sequence": length,
            "micro_batch": micro,
            "packed": packed,
            "parameters": trainer.parameters,
            "tokens_per_s": tokens,
            "flops_per_token": each["mfu"],
            "flops_per_token_packed": each["mfu_packed"],
            **{name: tokens * flops / peak if peak else None for name, flops in each.items()},
            "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
            "steady_steps": steps,
        }


def memory(preset: str, length: int, vocab: int, cases: tuple = MEMORY) -> list[dict]:
    """Peak memory of three steps beside the planner's estimate, per micro-batch and checkpointing."""
    import torch

    from recipes.pretrain.estimate import estimate

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for micro, checkpointing in cases:
            settings = [f"micro_batch={micro}", f"global_batch={micro}", "parallel.precision=bf16"]
            trainer = trainer_for(
                Path(folder), preset, length, vocab, [*settings, f"parallel.activation_checkpointing={checkpointing}"]
            )
            expected = estimate(trainer.handoff, 1, None, on_gpu=False)["peak_bytes"]
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()  # building the model is not the step
            seconds_per_step(trainer, 2, 1)
            found = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
            row = {
                "micro_batch": micro,
                "checkpointing": checkpointing,
                "estimate_bytes": expected,
                "peak_bytes": found,
                "error": expected / found - 1 if found else None,
            }
            rows.append(say(row))
            del trainer
            reset()
    return rows


def run(dry: bool = False) -> dict:
    """All rows. Exits with a sentence where there is no GPU, unless `dry`: no figure is made up."""
    import torch

    if not dry and not torch.cuda.is_available():
        raise SystemExit("bench gpu needs one NVIDIA GPU and there is none here; nothing was measured")
    from recipes.pretrain.parallel import prefer_flash_attention_3

    flash3 = prefer_flash_attention_3()
    few = {"steps": 2, "dropped": 1} if dry else {}
    rows = [say(speed(*shape, **few)) for shape in (DRY if dry else SPEED)]
    first = rows[0]
    return {
        "name": "gpu",
        "unit": "tokens/s",
        "ours": first["tokens_per_s"],
        "peer": BEST_PUBLISHED * 989.4e12 / first["flops_per_token"] if first["mfu"] else None,
        "ratio": first["mfu"] / BEST_PUBLISHED if first["mfu"] else None,
        "peer_name": "50 % utilisation, nanochat d26 on 8xH100 (published)",
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda or "none"},
        "input": "random tokens; Llama-3.2-1B shape at T = 4096, TinyLlama shape at T = 2048, bf16",
        "rounds": first["steady_steps"],
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "flash_attention_3": flash3,
        "shapes": rows,
        "memory": memory("tiny", 64, 512, MEMORY[:1]) if dry else memory("llama-3.2-1b", 4096, 128_256),
    }
