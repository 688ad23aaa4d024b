"""Trains several configurations in one launch: `torchrun … many.py CASES.json`, [{name, handoff, set, stop_after}, …].

Writes `many.json` beside CASES.json: {name: {"losses": [...], "norms": [...], "summary": {...}, "error": …}}.
"""

import gc
import json
import sys
from pathlib import Path

from pipeline.handoff import PipelineError
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.parallel import World, start_world, stop_world


def stop_at(trainer: Trainer, step: int | None) -> None:
    """Make one process behave as if SIGTERM arrived during this step."""
    train_step = trainer.train_step

    def wrapped(*arguments):
        if trainer.step + 2 == step and trainer.world.rank == trainer.world.size - 1:
            trainer.stop_requested = True
        return train_step(*arguments)

    trainer.train_step = wrapped


def train_cases(cases: list[dict], world: World) -> dict:
    """The results on the main process; collective."""
    results = {}
    for case in cases:
        handoff = open_handoff(case["handoff"], case["set"])
        try:
            trainer = Trainer(handoff, world)
            stop_at(trainer, case["stop_after"])
            result = {"summary": trainer.run(), "error": None}
        except PipelineError as error:
            results[case["name"]] = {"error": str(error)}
            continue
        if world.is_main:
            lines = [json.loads(line) for line in (trainer.out / "metrics.jsonl").read_text().splitlines()]
            result["losses"] = [m["loss"] for m in lines if "loss" in m]
            result["norms"] = [m["grad_norm"] for m in lines if "loss" in m]
        results[case["name"]] = result
        del trainer
    return results


def main() -> None:
    world = start_world()
    gc.collect()
    gc.freeze()  # what the imports left, a third of a second in every case's collections
    results = train_cases(json.loads(Path(sys.argv[1]).read_text()), world)
    if world.is_main:
        Path(sys.argv[1]).with_name("many.json").write_text(json.dumps(results))
    stop_world()


if __name__ == "__main__":
    import os

    main()
    sys.stdout.flush()
    os._exit(0)
