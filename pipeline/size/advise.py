"""Advice: which objective for a task, and what to be warned of in a plan."""

import math
from typing import NamedTuple

from pipeline.errors import named
from pipeline.size.published import TABLES
from pipeline.size.shape import Objective

LARGE = 20e9
"""Parameters from which sharding alone is not enough."""


class Advice(NamedTuple):
    """What to train for a task: architecture, objective, and why."""

    architecture: str
    objective: Objective
    reason: str


TASKS: dict[str, Advice] = {
    task: Advice(architecture, row["objective"], row["reason"])
    for architecture, row in TABLES["advice"].items()
    for task in row["tasks"]
}
PLAIN_WORDS: dict[str, str] = {
    word: task for row in TABLES["advice"].values() for task, words in row["tasks"].items() for word in words
}
"""What else people call a task."""


def advise(task: str) -> Advice:
    """What to train for a task; a UsageError names the nearest known one."""
    key = " ".join(task.lower().replace("_", " ").replace("-", " ").split())
    return named("task", TASKS, PLAIN_WORDS.get(key, key))


def warnings(params: float, tokens: float, *, unique_tokens: float | None = None, gpus: int = 1) -> list[str]:
    """Sentences a person should read before starting the run."""
    sentences = []
    ratio = tokens / params
    if ratio < 8:
        sentences.append(
            f"{ratio:.1f} tokens per parameter: under-trained by every fit; a smaller model would reach a lower loss "
            "with the same compute"
        )
    if ratio > 100:
        sentences.append(
            f"{ratio:.0f} tokens per parameter: past the compute optimum; right when the model will serve many tokens, "
            "as small released models are (OLMo 3 7B: 847)"
        )
    if unique_tokens and tokens > 4 * unique_tokens:
        epochs = tokens / unique_tokens
        sentences.append(
            f"{epochs:.1f} passes over the same {unique_tokens:.3g} tokens: up to 4 cost little, beyond that repeated "
            "tokens are worth ever less (arXiv 2305.16264)"
        )
    if params >= LARGE:
        sentences.append(
            f"from {LARGE / 1e9:.0f} billion parameters on you also need: tensor parallelism inside a node "
            "(parallel.tensor, not run on a GPU yet, or export the shards to torchtitan or Megatron), 400 Gb/s between nodes "
            f"for each GPU or two, storage for checkpoints of {12 * params / 1e9:,.0f} GB each, spare nodes (Llama 3 405B: "
            "an interruption every three hours on 16,384 GPUs, arXiv 2407.21783), and a rule for loss spikes "
            "(on_divergence: rewind)"
        )
    if gpus > 8:
        sentences.append(
            f"{gpus} GPUs: expect about {1 - scaling_efficiency(gpus):.1%} less of each GPU's TFLOP/s than on 8 "
            "(T5-11B under FSDP lost 7 % from 8 to 512, arXiv 2304.11277)"
        )
    return sentences


def scaling_efficiency(gpus: int) -> float:
    """TFLOP/s of one GPU among `gpus` against one among 8: 1 to 0.93 at 512, straight in log GPUs."""
    return 1 - 0.07 * max(0.0, math.log(gpus / 8) / math.log(512 / 8))
