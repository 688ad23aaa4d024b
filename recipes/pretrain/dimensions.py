"""Processes that share one sample: tensor parallelism (each has some heads and columns) and context (some of its places).

For models whose layers or samples are too large for a device; each costs communication in every layer, so data parallelism
comes first. Neighbouring ranks share a sample: rank = (group * context + part) * tensor + column. Both give the loss curve
of one process to 1e-5 on CPU processes; on a GPU neither was run. Embedding and head are computed whole by every process
of a tensor group. Context parallelism gathers keys and values of all places in each layer, so a process needs memory for
them and for a mask of T/n times T; causal work is uneven: the last part attends to most.
"""

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import _functional_collectives as collectives
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, SequenceParallel, parallelize_module
from transformers import PreTrainedConfig

from pipeline.handoff import ParallelSettings, UsageError
from recipes.pretrain.objectives import Sample
from recipes.pretrain.parallel import World

COLUMNS = {name: ColwiseParallel for name in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")}
ROWS = {name: RowwiseParallel for name in ("o_proj", "down_proj")}

all_gather: Any = getattr(collectives, "all_gather_single_autograd", None) or collectives.all_gather_tensor_autograd
"""With gradients; torch before 2.13 has it under the second name."""
# layouts of two dimensions are gathered one after the other, and torch says so at every one
logging.getLogger("torch.distributed.tensor._redistribute").setLevel(logging.ERROR)


class Context:
    """One process's part of every sample: places `rank * T/size` to `(rank + 1) * T/size`."""

    def __init__(self, group: Any, rank: int, size: int) -> None:
        self.group, self.rank, self.size = group, rank, size

    def cut(self, batch: Sample) -> Sample:
        """This process's places of each array [B, T], and the documents of all places as `key_docs`."""
        each = batch["docs"].shape[1] // self.size
        mine = slice(self.rank * each, (self.rank + 1) * each)
        return {name: values[:, mine] for name, values in batch.items()} | {"key_docs": batch["docs"]}

    def mask(self, docs: Tensor, key_docs: Tensor) -> Tensor:
        """Boolean [B, 1, T/size, T]: same document, and not later."""
        mask = docs[:, None, :, None] == key_docs[:, None, None, :]
        earlier = torch.ones(mask.shape[-2:], dtype=torch.bool, device=docs.device)
        return mask & earlier.tril(self.rank * docs.shape[1])

    def gather(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, heads, T/size, width] of all places [B, heads, T, width]; gradients are summed back."""
        parts = all_gather(torch.stack([key, value])[None].contiguous(), 0, self.group)
        keys, values = parts.movedim(0, 3).flatten(3, 4).unbind(0)  # from [size, 2, B, heads, T/size, width]
        return keys, values


def divided(world: World, settings: ParallelSettings, config: PreTrainedConfig, length: int) -> World:
    """The world with its groups that share a sample. UsageError where processes, heads or places cannot be divided so."""
    tensor, context = settings.tensor, settings.context
    if tensor * context == 1:
        return world
    kind = config.model_type
    if world.size % (tensor * context):
        raise UsageError(f"parallel: tensor {tensor} times context {context} does not divide {world.size} processes")
    if kind not in ("llama", "qwen3", *(("gpt2",) if tensor == 1 else ())):
        raise UsageError(
            f"parallel: {kind} has no tensor or context parallelism; llama and qwen3 have both, gpt2 context"
        )
    if tensor > 1 and (config.num_key_value_heads % tensor or config.intermediate_size % tensor):
        raise UsageError(
            f"parallel.tensor: {tensor} does not divide {config.num_key_value_heads} key-value heads and "
            f"{config.intermediate_size} columns"
        )
    if length % context:
        raise UsageError(f"parallel.context: {context} does not divide the {length} tokens of a sample")
    sizes = (world.size // tensor // context, context, tensor)
    mesh = init_device_mesh(world.device.type, sizes, mesh_dim_names=("group", "context", "tensor"))
    part = Context(mesh.get_group("context"), mesh.get_local_rank("context"), context) if context > 1 else None
    return replace(world, tensor=tensor, context=part)


def shard_tensors(blocks: list[nn.Module], mesh: DeviceMesh) -> None:
    """Divide the layers' matrices over `mesh` in place: heads and columns, then rows; what follows a row is summed."""
    for block in blocks:
        plan: dict[str, Any] = {}
        for name, _ in block.named_modules():
            last = name.rpartition(".")[2]
            if style := (COLUMNS | ROWS).get(last):
                plan[name] = style()
            elif last in ("q_norm", "k_norm"):  # one weight for all heads: its gradient is summed over their parts
                plan[name] = SequenceParallel(sequence_dim=2, use_local_output=True)
        parallelize_module(block, mesh, plan)
