"""Low-rank adapters (LoRA, arXiv 2106.09685) through peft, for those who continue a model on one device.

The frozen weights need no gradients and no moments: of a model in fp32 with 1 % of adapters a quarter of the training
memory is left. What is learnt is limited to the adapters' rank. The export holds the product added to the weights, so
nothing needs peft to read it.
"""

import importlib.util
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from pipeline.handoff import TrainConfig, UsageError
from recipes.pretrain.initialise import Part, Values
from recipes.pretrain.parallel import World


def adapt(model: PreTrainedModel, values: Values, config: TrainConfig, world: World) -> Values:
    """Put adapters into a model without memory and freeze the rest; returns the values of all its parameters.

    A starts uniform as peft draws it, from the run's seed, and B at zero: the model begins as it was.
    """
    settings = config.lora
    if settings is None or config.model.init_from is None or world.size > 1 or config.optimizer.name != "adamw":
        raise UsageError("lora is for a model that is continued (model.init_from), on one process, with adamw")
    if importlib.util.find_spec("peft") is None:
        raise UsageError("lora needs peft, which is not installed: pip install -c constraints.txt '.[train,lora]'")
    from peft import LoraConfig, inject_adapter_in_model  # pyright: ignore[reportMissingImports]

    adapters = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=settings.targets)  # pyright: ignore
    try:
        inject_adapter_in_model(adapters, model, low_cpu_mem_usage=True)
    except ValueError as error:
        raise UsageError(f"lora.targets: {str(error).splitlines()[0]}") from None
    if any(hasattr(m, "lora_A") for m in (model.get_input_embeddings(), model.get_output_embeddings())):
        raise UsageError("lora.targets: embedding and head take no adapter; lora.embeddings trains them whole")
    if settings.embeddings:
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            cast(nn.Module, layer).requires_grad_(True)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}

    def all_values(wanted: dict[str, Part]) -> Iterator[tuple[str, Tensor]]:
        names = {name.replace(".base_layer.", "."): name for name in wanted if ".lora_" not in name}
        for name, value in values({plain: wanted[name] for plain, name in names.items()}):
            yield names[name], value
        draw = torch.Generator().manual_seed(config.seed)
        for name in (name for name in wanted if ".lora_" in name):
            value = torch.zeros(shapes[name])
            if ".lora_A." in name:
                nn.init.kaiming_uniform_(value, a=5**0.5, generator=draw)
            yield name, value[wanted[name]]

    return all_values


def merge(model: nn.Module) -> None:
    """Add each adapter to its weights and take it out, in place."""
    from peft.tuners.lora import LoraLayer  # pyright: ignore[reportMissingImports]

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            cast(Any, module).merge()
            owner, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(owner), attribute, cast(Any, module).get_base_layer())
