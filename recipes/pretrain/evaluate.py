"""Held-out loss by source, in nats per target and, for causal models, in bits per byte of text.

A new tokenizer makes losses incomparable: bits per byte do not depend on how text is cut into tokens.
"""

import math
from typing import Any

import torch

from pipeline.handoff import EvaluateSettings
from recipes.pretrain.data import Windows, stack
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.model import Trainable
from recipes.pretrain.objectives import Objective, Sample
from recipes.pretrain.parallel import World, all_sum


def bits_per_byte(loss: float, num_tokens: int, text_bytes: int) -> float:
    """Mean nats per token as bits per byte of the text those tokens stand for (eos included in the tokens).

    >>> round(bits_per_byte(2.772588722, 1000, 4000), 6)
    1.0
    """
    return loss / math.log(2) * num_tokens / text_bytes


class Validation:
    """The held-out windows of every source: the same ones at every step and for any number of processes."""

    def __init__(self, handoff: Handoff, objective: Objective, settings: EvaluateSettings) -> None:
        self.objective, self.seed = objective, handoff.config.seed
        self.micro = handoff.config.micro_batch
        self.sets: list[tuple[Windows, list[int], int]] = []
        for i, source in enumerate(handoff.manifest.sources):
            if source.num_tokens("validation"):
                windows = Windows(handoff, i, "validation", objective)
                n = min(settings.max_samples, windows.count)
                picked = [j * windows.count // n for j in range(n)]
                if picked:
                    self.sets.append((windows, picked, source.text_bytes.get("validation", 0)))

    def _batches(self, windows: Windows, picked: list[int], world: World) -> list[Sample]:
        mine = [windows.read(w, -1 - w, self.seed) for w in picked[world.data_rank :: world.data_size]]
        per_process = math.ceil(len(picked) / world.data_size)
        size = min(self.micro, per_process)
        mine += [self.objective.empty()] * (math.ceil(per_process / size) * size - len(mine))
        batches = [stack(mine[i : i + size]) for i in range(0, len(mine), size)]
        return [world.context.cut(batch) for batch in batches] if world.context else batches

    def __call__(self, trainable: Trainable, world: World) -> dict[str, dict[str, Any]]:
        """{source: {loss, bits_per_byte, targets}}; bits_per_byte only where the objective predicts every token."""
        trainable.eval()
        results: dict[str, dict[str, Any]] = {}
        with torch.no_grad():
            for windows, picked, text_bytes in self.sets:
                sums = torch.zeros(3, device=world.device)
                for batch in self._batches(windows, picked, world):
                    sums += trainable(to_device(batch, world.device, trainable.use_varlen)).float()
                _, entropy, targets = all_sum(world, sums).tolist()
                loss = entropy / max(1.0, targets)
                exact = trainable.causal and text_bytes > 0
                results[windows.name] = {
                    "loss": loss,
                    "bits_per_byte": bits_per_byte(loss, windows.stream.num_tokens, text_bytes) if exact else None,
                    "targets": int(targets),
                }
        trainable.train()
        return results


def to_device(batch: Sample, device: torch.device, use_varlen: bool = False) -> dict[str, torch.Tensor]:
    """Arrays as tensors on the device; on CUDA from pinned memory, with the document lengths attention needs there."""
    tensors = {name: torch.from_numpy(values) for name, values in batch.items()}
    if use_varlen:
        ends = tensors["cu_seqlens"] = cumulative_lengths(tensors["docs"])
        # on the CPU, where it can be read without waiting; a power of two, so that compiled blocks see few values
        longest = 1 << (int(ends.diff().max()) - 1).bit_length()
        tensors["longest"] = torch.tensor(min(longest, tensors["docs"].shape[1]))
    if device.type == "cuda":
        return {
            name: t if name == "longest" else t.pin_memory().to(device, non_blocking=True)
            for name, t in tensors.items()
        }
    return tensors


def cumulative_lengths(docs: torch.Tensor) -> torch.Tensor:
    """Where documents start, rows laid end to end, as int32 [power of two + 1], filled up with the end."""
    rows, places = docs.shape
    changes = torch.ones(rows, places, dtype=torch.bool)
    changes[:, 1:] = docs[:, 1:] != docs[:, :-1]
    starts = changes.flatten().nonzero().flatten().to(torch.int32)
    room = max(64, 1 << len(starts).bit_length())
    ends = torch.full((room + 1,), rows * places, dtype=torch.int32)
    ends[: len(starts)] = starts
    return ends
