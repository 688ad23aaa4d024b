"""The same training under Ray Train: Ray supplies processes, restarts and storage, and never touches the data path."""

import json
import os
from collections.abc import Sequence
from typing import Any

from pipeline.handoff import InfrastructureError, PipelineError
from recipes.pretrain.harness import after_training
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.storage import is_local, place


def worker(config: dict[str, Any]) -> None:
    """What each Ray Train worker runs: the recipe's own training; a restarted group resumes from its checkpoint."""
    import ray.train

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
    Trainer(handoff, start_world()).run()


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
    beside the checkpoints. Returns the summary of the run, which rank 0 writes beside the checkpoints: Ray
    keeps no metrics without a checkpoint of its own. Raises InfrastructureError when processes died too often, and the
    training's own error when it ended with one.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    handoff = os.path.abspath(handoff) if is_local(handoff) else handoff
    opened = open_handoff(handoff, overrides)
    trainer = TorchTrainer(
        worker,
        train_loop_config={"handoff": handoff, "overrides": list(overrides)},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=use_gpu),
        run_config=RunConfig(
            name="pretrain",
            storage_path=storage or os.path.join(opened.at(opened.config.out), "ray"),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise _reason(error) from error
    summary = json.loads((place(opened.at(opened.config.out)) / "summary.json").read_text("utf-8"))
    return after_training(opened, summary)


def _reason(error: Any) -> PipelineError:
    """The training's own error where a worker raised one, else that processes died too often."""
    for failure in getattr(error, "worker_failures", {}).values():
        cause = getattr(failure, "_base_exc", failure)
        if isinstance(cause, PipelineError):
            return cause
    first = str(error).strip().split("\n")[-1]
    return InfrastructureError(f"Ray Train gave up ({first}); running again resumes from the last checkpoint")
