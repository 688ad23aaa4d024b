"""Memory of a training step on a CPU: the planner's estimate beside the most that was allocated at once.

Every tensor that the step allocates is counted by torch's MemTracker while the step really runs: the recipe's own
Trainer, fp32, a Llama of 16 million parameters, T = 256. On a GPU `python -m bench gpu` compares at 1B parameters.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

CASES = ((1, "none"), (2, "none"), (4, "none"), (1, "full"), (2, "full"), (4, "full"))
"""(samples per micro-batch, activation checkpointing)."""
LENGTH, VOCAB = 256, 8192


def measure(micro: int, checkpointing: str, layers: int = 4, precision: str = "fp32") -> dict[str, Any]:
    """Estimated and allocated bytes of the second step, when the optimizer has its states."""
    import torch
    from torch.distributed._tools.mem_tracker import MemTracker

    from bench.gpu import trainer_for
    from recipes.pretrain.data import micro_batches
    from recipes.pretrain.estimate import estimate

    shape = ["hidden_size=512", f"num_layers={layers}", "num_heads=8", "num_kv_heads=4", "intermediate_size=1408"]
    settings = [
        *(f"model.{field}" for field in shape),
        *(f"micro_batch={micro}", f"global_batch={micro}", f"parallel.precision={precision}", "evaluate.max_samples=1"),
        f"parallel.activation_checkpointing={checkpointing}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_for(Path(folder), "tiny", LENGTH, VOCAB, settings)
        batches = micro_batches(trainer.samples, list(range(micro)), micro)
        trainer.train_step(batches, 1e-4, 0)
        tracker = MemTracker()
        tracker.track_external(trainer.trainable, *trainer.optimizers.all)
        with tracker:
            trainer.train_step(batches, 1e-4, 0)
        peak = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
        expected = estimate(trainer.handoff, 1, None, on_gpu=False)["peak_bytes"]
        return {
            "micro_batch": micro,
            "checkpointing": checkpointing,
            "parameters": trainer.parameters,
            "estimate_bytes": expected,
            "peak_bytes": int(peak),
            "error": expected / peak - 1,
        }


def run() -> dict:
    """The table; `ours` is the largest deviation, in percent."""
    import torch

    rows = [measure(micro, checkpointing) for micro, checkpointing in CASES]
    return {
        "name": "memory",
        "unit": "% largest deviation",
        "ours": 100 * max(abs(row["error"]) for row in rows),
        "peer": None,
        "ratio": None,
        "peer_name": "allocated bytes",
        "versions": {"torch": torch.__version__},
        "input": f"Llama of {rows[0]['parameters']:,} parameters, fp32, T = {LENGTH}, one process",
        "rounds": 1,
        "mean_error": statistics.mean(row["error"] for row in rows),
        "rows": rows,
    }
