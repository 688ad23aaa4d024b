"""Training speed and memory on one GPU: `python -m bench gpu`, one command of under eight minutes that does everything.

The recipe's own training step (loader, attention inside documents, chunked loss, clip, fused AdamW) on random tokens.
Utilisation is 6 N_mm + 12 L H Q T FLOPs per token over the device's dense bf16 peak, attention a full square,
recomputation not counted, at least 50 steady steps after the first ones. Best published near 1B: 49-50 % (nanochat).
"""

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

SPEED = (("llama-3.2-1b", 4096, 128_256, 8, 0.50), ("tinyllama-1.1b", 2048, 32_000, 16, 0.50))
"""(shape, tokens per sample, vocabulary, samples per micro-batch, best published utilisation near that size)."""
MEMORY = ((1, "none"), (2, "none"), (4, "none"), (1, "full"), (2, "full"), (4, "full"))
"""(samples per micro-batch, activation checkpointing) at which the peak is compared with the estimate."""
STEADY, DROPPED = 50, 10


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
        trainer.samples, consumed=0, batch=trainer.batch, micro=trainer.config.micro_batch,
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


def speed(preset: str, length: int, vocab: int, micro: int, steps: int = STEADY, dropped: int = DROPPED) -> dict:
    """tokens/s, utilisation, peak memory of one shape, compiled block by block, in bf16."""
    import torch

    from recipes.pretrain.metrics import peak_flops

    with tempfile.TemporaryDirectory() as folder:
        settings = [f"micro_batch={micro}", f"global_batch={micro}", "parallel.precision=bf16"]
        compiled = "true" if torch.cuda.is_available() else "false"
        trainer = trainer_for(Path(folder), preset, length, vocab, [*settings, f"parallel.compile={compiled}"])
        seconds = seconds_per_step(trainer, steps, dropped)
        tokens = micro * length / seconds
        on_gpu = trainer.world.device.type == "cuda"
        peak = peak_flops(torch.cuda.get_device_name()) if on_gpu else None
        return {
            "shape": preset,
            "sequence": length,
            "micro_batch": micro,
            "parameters": trainer.parameters,
            "tokens_per_s": tokens,
            "flops_per_token": trainer.flops,
            "mfu": tokens * trainer.flops / peak if peak else None,
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
                torch.cuda.reset_peak_memory_stats()
            seconds_per_step(trainer, 2, 1)
            found = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
            rows.append(
                {
                    "micro_batch": micro,
                    "checkpointing": checkpointing,
                    "estimate_bytes": expected,
                    "peak_bytes": found,
                    "error": expected / found - 1 if found else None,
                }
            )
            del trainer
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return rows


def run() -> dict:
    """Both shapes and the memory table. Exits with a sentence where there is no GPU: no figure is made up."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("bench gpu needs one NVIDIA GPU and there is none here; nothing was measured")
    from recipes.pretrain.parallel import prefer_flash_attention_3

    flash3 = prefer_flash_attention_3()
    rows = []
    for preset, length, vocab, micro, best in SPEED:
        row = speed(preset, length, vocab, micro)
        rows.append({**row, "best_published_mfu": best})
        gc.collect()
        torch.cuda.empty_cache()
    first = rows[0]
    return {
        "name": "gpu",
        "unit": "tokens/s",
        "ours": first["tokens_per_s"],
        "peer": first["best_published_mfu"] * 989.4e12 / first["flops_per_token"] if first["mfu"] else None,
        "ratio": first["mfu"] / first["best_published_mfu"] if first["mfu"] else None,
        "peer_name": "50 % utilisation, nanochat d26 on 8xH100 (published)",
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda or "none"},
        "input": "random tokens; Llama-3.2-1B shape at T = 4096, TinyLlama shape at T = 2048, bf16",
        "rounds": STEADY,
        "device": torch.cuda.get_device_name(),
        "flash_attention_3": flash3,
        "shapes": rows,
        "memory": memory("llama-3.2-1b", 4096, 128_256),
    }
