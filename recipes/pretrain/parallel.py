"""Processes, device and sharding: every strategy is torch's FSDP2 on one mesh of (copies, shards)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore, PrefixStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, OffloadPolicy, fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from pipeline.handoff import ParallelSettings, UsageError
from recipes.pretrain.model import Trainable
from recipes.pretrain.quantize import quantize_matmuls, round_in_forward

SAVED = (
    *("mm", "addmm", "bmm", "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention"),
    *("_scaled_dot_product_cudnn_attention", "_scaled_dot_product_flash_attention_for_cpu"),
)
"""Operators whose results selective activation checkpointing keeps: matrix products and attention."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.bfloat16}


@dataclass
class World:
    """This process and its process groups: `control` (CPU) for flags, `saving` (CPU) for checkpoints in the background."""

    rank: int
    size: int
    local_size: int
    device: torch.device
    control: Any = None
    saving: Any = None
    tensor: int = 1
    context: Any = None
    """Where processes share samples (`dimensions.divided`): how many divide the matrices, and the part of the places."""

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def sharing(self) -> int:
        """Processes that share each sample; neighbouring ranks."""
        return self.tensor * (self.context.size if self.context else 1)

    @property
    def data_rank(self) -> int:
        return self.rank // self.sharing

    @property
    def data_size(self) -> int:
        return self.size // self.sharing


def start_world(wait_minutes: float = 30) -> World:
    """Join the process group torchrun, Slurm or Ray Train announced in the environment; alone without one.

    A process that waits `wait_minutes` for another one raises.
    """
    timeout = timedelta(minutes=wait_minutes)
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    local, local_size = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    cuda = torch.cuda.is_available() and torch.cuda.device_count() > 0
    device = torch.device("cuda", local % torch.cuda.device_count()) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    elif local_size > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // local_size))
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        if size == 1 and "MASTER_ADDR" not in os.environ:
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        else:
            _join(backend, timeout, device if cuda else None, one_node=local_size == size)
    world = World(rank, size, local_size, device)
    world.control = dist.new_group(backend="gloo", timeout=timeout)
    world.saving = dist.new_group(backend="gloo", timeout=timeout)
    return world


def _join(backend: str, timeout: timedelta, device: torch.device | None, *, one_node: bool) -> None:
    """Join by the addresses in the environment; on a GPU its communicators are set up at once.

    torchrun of torch 2.13 keeps one store over its restarts, and in it the addresses of the processes that died; a
    restarted group must not read them. On one node the restart's number sets it apart; agents of several nodes count
    differently, and the launch files switch the sharing off (TORCH_DISABLE_SHARE_RDZV_TCP_STORE).
    """
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    if attempt is None or not one_node:
        dist.init_process_group(backend, timeout=timeout, device_id=device)
        return
    store, rank, size = next(iter(rendezvous("env://", timeout=timeout)))
    store = PrefixStore(f"attempt-{attempt}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout, device_id=device)


def stop_world() -> None:
    """Leave the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def all_max(world: World, value: int) -> int:
    """The largest value of an integer over all processes, over the CPU group: never waits for the device."""
    if world.size == 1:
        return value
    flag = torch.tensor([value], dtype=torch.int64)
    dist.all_reduce(flag, op=dist.ReduceOp.MAX, group=world.control)
    return int(flag)


def all_sum(world: World, value: Tensor) -> Tensor:
    """Sum of a tensor over all processes, on its device, in place; those that hold the same by `tensor` count once."""
    if world.size > 1:
        dist.all_reduce(value)
    return value / world.tensor if world.tensor > 1 else value


def sharding_factor(settings: ParallelSettings, world: World) -> int:
    """Processes that share one copy of the model. Raises UsageError when the processes cannot be divided so."""
    size = world.size // settings.tensor
    if settings.sharding == "none" and size > 1:
        raise UsageError(f"sharding: none is for one process, and {world.size} were started; use ddp, full or hybrid")
    if settings.sharding in ("none", "ddp"):
        return 1
    factor = settings.sharding_factor or (
        world.local_size // settings.tensor if settings.sharding == "hybrid" else size
    )
    if size % max(1, factor):
        raise UsageError(f"sharding_factor {factor} does not divide the {size} processes")
    return factor


def resolve_precision(settings: ParallelSettings, world: World) -> ParallelSettings:
    """The settings with `auto` decided: bf16 on a GPU, fp32 on a CPU."""
    if settings.precision != "auto":
        return settings
    return settings.model_copy(update={"precision": "bf16" if world.device.type == "cuda" else "fp32"})


def build_mesh(settings: ParallelSettings, world: World) -> DeviceMesh:
    """The mesh (copies, shards, tensor) without copies or tensor where they are 1: nothing to wait for."""
    factor = sharding_factor(settings, world)
    sizes = {"replicate": world.size // settings.tensor // factor, "shard": factor, "tensor": settings.tensor}
    sizes = {name: size for name, size in sizes.items() if size > 1 or name == "shard"}
    return init_device_mesh(world.device.type, tuple(sizes.values()), mesh_dim_names=tuple(sizes))


def checkpoint_activations(blocks: list[nn.Module], mode: str) -> None:
    """Recompute activations in backward: whole blocks, or (selective) all but matrix products and attention."""
    extra: dict[str, Any] = {"use_reentrant": False}
    if mode == "selective":
        saved = [getattr(torch.ops.aten, name).default for name in SAVED]
        saved.append(torch.ops.torch_attn._varlen_attn.default)  # registered by recipes.pretrain.attention's import
        extra["context_fn"] = partial(create_selective_checkpoint_contexts, saved)

    def recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
        # a lambda, not a `partial`: torch.compile silently skips a forward that is a partial
        return lambda *args, **kwargs: checkpoint(forward, *args, **extra, **kwargs)

    for block in blocks:
        block.forward = recomputed(block.forward)


def prefer_flash_attention_3() -> bool:
    """Use FlashAttention-3's kernels when their package is installed (Hopper); says whether they are used."""
    import importlib.util

    if not torch.cuda.is_available() or importlib.util.find_spec("flash_attn_interface") is None:
        return False
    from torch.nn.attention import activate_flash_attention_impl

    activate_flash_attention_impl("FA3")
    return True


def apply_parallel(trainable: Trainable, settings: ParallelSettings, world: World, *, qat: bool = False) -> DeviceMesh:
    """Round (fp8, `qat`), checkpoint, compile and shard the model in place, block by block, then what is left. Its
    parameters need no memory yet (`initialise.fill`).

    zero1 and zero2 keep parameters whole between forward and backward (`reshard_after_forward=False`); zero1 also keeps
    whole gradients until the last micro-batch (see `accumulate`). ddp and none have shards of one.
    """
    mesh = build_mesh(settings, world)
    torch.set_float32_matmul_precision(settings.matmul)
    prefer_flash_attention_3()
    blocks = trainable.blocks
    if settings.tensor > 1:
        from recipes.pretrain.dimensions import shard_tensors

        shard_tensors(blocks, mesh["tensor"])
    if settings.precision == "fp8":
        quantize_matmuls(blocks, world.device)
    if qat:
        round_in_forward(blocks)
    if settings.activation_checkpointing != "none":
        checkpoint_activations(blocks, settings.activation_checkpointing)
    if settings.compile:
        for block in blocks:
            block.compile()
    if settings.sharding == "none" and settings.precision == "fp32" and not settings.offload and settings.tensor == 1:
        return mesh
    dtype = DTYPES[settings.precision]
    policy = MixedPrecisionPolicy(param_dtype=None if dtype == torch.float32 else dtype, reduce_dtype=torch.float32)
    offload = CPUOffloadPolicy(pin_memory=world.device.type == "cuda") if settings.offload else OffloadPolicy()
    arguments: dict[str, Any] = {
        "mesh": mesh[tuple(name for name in mesh.mesh_dim_names or () if name != "tensor")],
        "reshard_after_forward": settings.sharding in ("full", "hybrid"),
        "mp_policy": policy,
        "offload_policy": offload,
    }
    for block in blocks:
        fully_shard(block, **arguments)
    fully_shard(trainable, **arguments)
    return mesh


def accumulate(trainable: nn.Module, settings: ParallelSettings, last: bool) -> None:
    """Before each micro-batch: what is communicated now, what waits for the step's last one.

    full, hybrid and zero2 shard the gradients of every micro-batch; copies are summed once. zero1 and ddp communicate
    nothing until the last micro-batch.
    """
    if not isinstance(trainable, FSDPModule):
        return
    module = cast(Any, trainable)
    if settings.sharding in ("none", "ddp", "zero1"):
        module.set_requires_gradient_sync(last)
        module.set_reshard_after_backward(last)
    else:
        module.set_requires_all_reduce(last)


def whole(tensor: Tensor) -> Tensor:
    """A plain tensor from a sharded one."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
