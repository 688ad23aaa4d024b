"""int8 by torchao, the extra `quant`: weights rounded after training, or trained with the rounding in the forward pass.

Each output channel of the linear layers has one scale; embedding and head stay as they are. Quantisation-aware training
rounds in the same way, so converting changes nothing that the model has not already learnt with.
"""

import torch
from torch import nn

from pipeline.handoff import UsageError


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
