"""int8 by torchao, the extra `quant`: weights rounded after training, or trained with the rounding in the forward pass.

Each output channel of the linear layers has one scale; embedding and head stay as they are. Quantisation-aware training
rounds in the same way, so converting changes nothing that the model has not already learnt with.
"""

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.handoff import UsageError
from recipes.pretrain.evaluate import Validation
from recipes.pretrain.metrics import say
from recipes.pretrain.model import Trainable, load_model
from recipes.pretrain.parallel import World


def need_torchao(setting: str) -> None:
    """Raises UsageError when torchao is not installed."""
    try:
        import torchao  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
    except ImportError:
        raise UsageError(f"{setting} needs torchao; install the extra `quant`") from None


def round_in_forward(blocks: list[nn.Module]) -> None:
    """Quantisation-aware training: the blocks' linear layers compute with int8 weights, gradients pass straight through."""
    need_torchao("export.qat")
    from torchao.quantization import quantize_  # pyright: ignore[reportMissingImports]
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig  # pyright: ignore[reportMissingImports]

    weights = IntxFakeQuantizeConfig(torch.int8, granularity="per_channel")
    for block in blocks:
        quantize_(block, QATConfig(weight_config=weights, step="prepare"))


def quantize_matmuls(blocks: list[nn.Module], device: torch.device) -> None:
    """fp8 matrix products in the blocks. Raises UsageError without torchao, or on a device that has none."""
    need_torchao("precision: fp8")
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        raise UsageError(f"precision: fp8 needs a GPU of compute capability 8.9 or more, and this is a {device.type}")
    from torchao.float8 import convert_to_float8_training  # pyright: ignore[reportMissingImports]

    for block in blocks:
        convert_to_float8_training(block)


def export_int8(folder: Path, validation: Validation) -> dict[str, Any]:
    """Write `<folder>-int8` from the Hugging Face folder; by source, held-out loss of both and the difference.

    `from_pretrained` opens it where torchao is installed. On one process, on the CPU.
    """
    need_torchao("export.int8")
    from torchao.quantization import Int8WeightOnlyConfig  # pyright: ignore[reportMissingImports]
    from transformers import TorchAoConfig

    alone = World(0, 1, 1, torch.device("cpu"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = validation(Trainable(load_model(folder)), alone)
        rounded = Trainable(load_model(folder, quantization_config=TorchAoConfig(Int8WeightOnlyConfig())))
        after = validation(rounded, alone)
        target, partial = Path(f"{folder}-int8"), Path(f"{folder}-int8.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial, ignore=shutil.ignore_patterns("*.safetensors*"))
        rounded.model.save_pretrained(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    found = {
        name: {"loss": was["loss"], "int8_loss": after[name]["loss"], "difference": after[name]["loss"] - was["loss"]}
        for name, was in before.items()
    }
    for name, row in found.items():
        say(f"int8  {name}: loss {row['loss']:.4f} → {row['int8_loss']:.4f} ({row['difference']:+.5f})")
    return found
