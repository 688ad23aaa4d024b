"""`--estimate`: what one step needs by the plan's formulas beside what the device has; refuses what cannot fit."""

import json
import os
import sys
from typing import Any

import torch

from pipeline.handoff import EXIT_OK, EXIT_USAGE
from pipeline.size.activations import LOSS_CHUNK_BYTES
from pipeline.size.memory import CONTEXT_BYTES, EXPORT_FILE_BYTES, Setup, step_memory
from pipeline.size.shape import Shape
from recipes.pretrain.continued import read_config
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.model import build_config, config_shape


def planned_shape(handoff: Handoff) -> Shape:
    """The planner's shape of the model that would be trained, or of the one that would be continued."""
    config, length = handoff.config, handoff.config.objective.sequence_length or 256
    if config.model.init_from is not None:
        return config_shape(read_config(handoff.at(config.model.init_from)), length)
    return config_shape(build_config(config.model, config.objective, handoff.manifest.tokenizer), length)


def estimate(handoff: Handoff, processes: int, device_bytes: int | None, *, on_gpu: bool) -> dict[str, Any]:
    """Bytes by part on each device, of the start and of the export, what it has, and whether that is enough (null where there
    is no device to compare with)."""
    config = handoff.config
    parallel = config.parallel
    shape = planned_shape(handoff)
    precision = ("bf16" if on_gpu else "fp32") if parallel.precision == "auto" else parallel.precision
    per_process = -(-(config.global_batch or 1) * parallel.tensor * parallel.context // processes)
    setup = Setup(
        precision=precision,
        sharding=parallel.sharding,
        gpus=processes,
        sharding_factor=parallel.sharding_factor,
        micro_batch=min(config.micro_batch, per_process),
        sequence=(config.objective.sequence_length or 256) // parallel.context,
        checkpointing=parallel.activation_checkpointing,
        offload=parallel.offload,
        accumulation=-(-per_process // config.micro_batch),
    )
    memory = step_memory(shape, setup)
    # without a GPU the file that rank 0 is writing lies in the same memory
    file = min(EXPORT_FILE_BYTES, 4 * shape.params)
    needed = memory.most + CONTEXT_BYTES if on_gpu else max(memory.most, memory.export + file)
    return {
        "parameters": shape.params,
        "processes": processes,
        "precision": precision,
        "sharding": parallel.sharding,
        **memory.to_json(),
        "needed_bytes": round(needed),
        "device_bytes": device_bytes,
        "fits": None if device_bytes is None else needed <= device_bytes,
        "loss_chunk_bytes": LOSS_CHUNK_BYTES,
    }


def print_estimate(handoff: Handoff, *, as_json: bool) -> int:
    """Print the estimate for this machine; exit code 2 when the step cannot fit."""
    on_gpu = torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", torch.cuda.device_count() if on_gpu else 1))
    if on_gpu:
        device_bytes = torch.cuda.get_device_properties(0).total_memory
    else:
        device_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    result = estimate(handoff, processes, device_bytes, on_gpu=on_gpu)
    if as_json:
        print(json.dumps(result))
    else:
        print("{parameters:,} parameters, {precision}, sharding {sharding}, {processes} processes".format(**result))
        for part in "weights copies gradients optimizer activations transient peak start export".split():
            print(f"  {part:<12} {result[f'{part}_bytes'] / 1e9:10.3f} GB")
        print(f"  {'needed':<12} {result['needed_bytes'] / 1e9:10.3f} GB")
        print(f"  {'device':<12} {device_bytes / 1e9:10.3f} GB")
    if not result["fits"]:
        needed, has = result["needed_bytes"] / 1e9, device_bytes / 1e9
        print(
            f"error: one step needs {needed:.1f} GB and the device has {has:.1f} GB; use more processes, "
            "parallel.sharding full, a smaller micro_batch or parallel.activation_checkpointing",
            file=sys.stderr,
        )
        return EXIT_USAGE
    return EXIT_OK
