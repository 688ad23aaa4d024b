"""The same training under Ray Train: Ray supplies processes, restarts and storage, and never touches the data path."""

import os
from collections.abc import Sequence
from typing import Any


def worker(config: dict[str, Any]) -> None:
    """What each Ray Train worker runs: the recipe's own training; a restarted group resumes from its checkpoint."""
    import ray.train

    from recipes.pretrain.handoff import open_handoff
    from recipes.pretrain.loop import Trainer
    from recipes.pretrain.parallel import start_world

    context = ray.train.get_context()
    os.environ.update(
        RANK=str(context.get_world_rank()),
        WORLD_SIZE=str(context.get_world_size()),
        LOCAL_RANK=str(context.get_local_rank()),
        LOCAL_WORLD_SIZE=str(context.get_local_world_size()),
    )
    handoff = open_handoff(config["handoff"], config["overrides"])
    summary = Trainer(handoff, start_world()).run()
    ray.train.report({k: v for k, v in summary.items() if isinstance(v, (int, float, str, bool))})


def train(
    handoff: str,
    *,
    workers: int,
    use_gpu: bool,
    overrides: Sequence[str] = (),
    max_failures: int = 3,
    storage: str | None = None,
) -> dict[str, Any]:
    """Train on `workers` processes of the Ray cluster; when one dies, all restart from the last checkpoint.

    handoff: a folder all nodes see. overrides: `path=value` settings. storage: where Ray keeps its own state; null:
    beside the checkpoints. Returns the metrics of the end of the run.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    handoff = os.path.abspath(handoff) if "://" not in handoff else handoff
    trainer = TorchTrainer(
        worker,
        train_loop_config={"handoff": handoff, "overrides": list(overrides)},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=use_gpu),
        run_config=RunConfig(
            name="pretrain",
            storage_path=storage or os.path.join(os.path.dirname(handoff), "train", "ray"),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    return dict(trainer.fit().metrics or {})
