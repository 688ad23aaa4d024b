"""What sharding costs on a CPU: FSDP on 2 processes against one process, same model, same global batch, one thread each.

Both sides run the recipe's own training step on random tokens. Compared is processor time per step, summed over the
processes, which other jobs on the machine do not change; wall time is printed beside it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STEPS, DROPPED, BATCH, LENGTH, VOCAB = 12, 3, 8, 256, 8192
SHAPE = ["model.hidden_size=256", "model.num_layers=4", "model.num_heads=4", "model.num_kv_heads=2",
         "model.intermediate_size=704"]  # fmt: skip


def child(root: str, sharding: str) -> None:
    """One process of one side: prints {cpu_s, wall_s} per steady step, summed and from the main process."""
    import torch

    from bench.loader import write_handoff
    from recipes.pretrain.data import Loader
    from recipes.pretrain.inputs import open_handoff
    from recipes.pretrain.loop import Trainer
    from recipes.pretrain.parallel import all_sum, start_world

    torch.set_num_threads(1)
    world = start_world()
    folder = Path(root)
    if world.is_main and not (folder / "handoff").exists():
        write_handoff(folder, 1_000_000, VOCAB, LENGTH)
    all_sum(world, torch.zeros(1))  # the others wait for the folder
    settings = [*SHAPE, f"parallel.sharding={sharding}", f"global_batch={BATCH}", f"micro_batch={BATCH // world.size}",
                "parallel.precision=fp32", f"objective.sequence_length={LENGTH}", "steps=1000"]  # fmt: skip
    trainer = Trainer(open_handoff(str(folder / "handoff"), settings), world)
    reader = Loader(
        trainer.samples, consumed=0, batch=BATCH, micro=BATCH // world.size, rank=world.rank,
        world=world.size,
    )  # fmt: skip
    cpu, wall = [], []
    for number, batches in zip(range(STEPS + DROPPED), reader, strict=False):
        begun, used = time.perf_counter(), time.process_time()
        trainer.train_step(batches, 1e-4, 0)
        if number >= DROPPED:
            cpu.append(time.process_time() - used)
            wall.append(time.perf_counter() - begun)
    reader.close()
    total = all_sum(world, torch.tensor([statistics.median(cpu)]))
    if world.is_main:
        print(json.dumps({"cpu_s": float(total), "wall_s": statistics.median(wall), "parameters": trainer.parameters}))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads can abort the interpreter's own exit


def side(root: str, processes: int, sharding: str) -> dict[str, Any]:
    """One launch."""
    code = f"from bench.fsdp_overhead import child; child({root!r}, {sharding!r})"
    script = Path(root, f"{sharding}.py")
    script.write_text(code)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, *launch], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench fsdp_overhead: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def run(rounds: int = 3) -> dict:
    """Tokens per second of processor time on both sides, medians of launches in turns."""
    import torch

    one, two = [], []
    with tempfile.TemporaryDirectory() as root:
        for _ in range(rounds):
            one.append(side(root, 1, "none"))
            two.append(side(root, 2, "full"))
    tokens = BATCH * LENGTH
    cpu_one, cpu_two = (statistics.median(row["cpu_s"] for row in rows) for rows in (one, two))
    return {
        "name": "fsdp_overhead",
        "unit": "tokens per second of processor time",
        "ours": tokens / cpu_two,
        "peer": tokens / cpu_one,
        "ratio": cpu_one / cpu_two,
        "peer_name": "one process, not sharded",
        "versions": {"torch": torch.__version__},
        "input": f"Llama of {one[0]['parameters']:,} parameters, fp32, {BATCH} samples of {LENGTH} tokens per step",
        "rounds": rounds,
        "overhead": cpu_two / cpu_one - 1,
        "wall_s": {
            "one": statistics.median(row["wall_s"] for row in one),
            "two": statistics.median(row["wall_s"] for row in two),
        },
    }
