"""µP (Tensor Programs V, arXiv 2203.03466): a learning rate tuned at a small width serves a large one.

With m = width / base width: matrices of the layers start 1/√m as large and learn at 1/m of the rate (their weight decay,
which the rate multiplies, is multiplied by m), and logits are divided by m. Embeddings, norms and biases are left alone.
Attention is not rescaled: widen by more heads, not by wider ones. The export folds the logits' factor into the last norm.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from pipeline.handoff import TrainConfig, UsageError
from recipes.pretrain.initialise import Part, Values
from recipes.pretrain.model import Trainable


def width_ratio(config: TrainConfig, trainable: Trainable) -> float:
    """m; 1 without µP. UsageError for a training it is not for."""
    if config.optimizer.scaling == "none":
        return 1.0
    if not trainable.causal or config.model.init_from is not None or config.optimizer.name != "adamw":
        raise UsageError("optimizer.scaling: mup is for causal models that start afresh, with adamw")
    return trainable.model.config.hidden_size / config.optimizer.base_width


def last_norm(trainable: Trainable) -> nn.Module:
    """The norm before the head."""
    model = cast(Any, trainable.model)
    return model.transformer.ln_f if trainable.architecture == "gpt2" else model.model.norm


def prepare(trainable: Trainable, values: Values, ratio: float) -> Values:
    """Divide the logits by `ratio` from now on; returns the values that the parameters start from."""
    last_norm(trainable).register_forward_hook(lambda module, inputs, output: cast(Any, output) / ratio)
    matrices = {id(p) for block in trainable.blocks for p in block.parameters() if p.ndim == 2}
    scaled = {name for name, p in trainable.model.named_parameters() if id(p) in matrices}

    def all_values(wanted: dict[str, Part]) -> Iterator[tuple[str, Tensor]]:
        for name, value in values(wanted):
            yield name, value / ratio**0.5 if name in scaled else value

    return all_values


def fold(trainable: Trainable, ratio: float) -> None:
    """Put the logits' factor into the last norm, for the export; the model trains no further."""
    with torch.no_grad():
        for p in last_norm(trainable).parameters():
            (p.to_local() if isinstance(p, DTensor) else p).div_(ratio)
