"""Models that never exist whole: built without memory, then each process fills the part of each tensor that lives with it.

Fresh weights are those that transformers would draw for the whole model from the seed: its calls of torch.nn.init are
recorded while the model is built on the meta device, then run one parameter at a time. So every sharding starts from the
same bits. The price is one whole parameter beside the shards (the largest, usually the embedding) and the time to draw
all of them in every process. Weights of a folder are read by slices of its safetensors.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import mock

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.initialization import TORCH_INIT_FUNCTIONS

from recipes.pretrain import attention

Part = tuple[slice, ...]
Values = Callable[[dict[str, Part]], Iterator[tuple[str, Tensor]]]
"""Takes which part of each parameter is wanted, by name; gives each part once, in any order, in fp32."""


@dataclass
class Call:
    """One recorded call of torch.nn.init on a parameter, or on a view of it."""

    function: Callable[..., Any]
    parameter: nn.Parameter
    view: tuple[Any, Any, int]
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def overwrites(self) -> bool:
        return self.view[0] == self.parameter.shape


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Keeps parameters off memory, and notes how they would be initialised."""
    calls: list[Call] = []
    register = nn.Module.register_parameter

    def without_memory(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and not parameter.is_meta:
            parameter = nn.Parameter(parameter.to("meta"), parameter.requires_grad)
        register(module, name, parameter)

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(tensor: Tensor, *arguments: Any, **named: Any) -> Tensor:
            if not tensor.is_meta:
                return function(tensor, *arguments, **named)
            base = tensor if tensor._base is None else tensor._base
            view = (tensor.size(), tensor.stride(), int(tensor.storage_offset()))
            calls.append(Call(function, cast(nn.Parameter, base), view, arguments, named))
            return tensor

        return noted

    functions = {name: noting(function) for name, function in TORCH_INIT_FUNCTIONS.items()}
    with (
        mock.patch.object(nn.Module, "register_parameter", without_memory),
        mock.patch.dict(TORCH_INIT_FUNCTIONS, functions),
        mock.patch.dict(vars(torch.nn.init), functions),
    ):
        yield calls


def empty_model(cls: Any, config: PreTrainedConfig) -> tuple[PreTrainedModel, list[Call]]:
    """A model of transformers whose parameters are on the meta device, its buffers real; and how it is initialised."""
    attention.register()
    with recorded() as calls:
        model = cls._from_config(config, attn_implementation=attention.NAME, dtype=torch.float32)
    attention.assign_roles(model)
    model.train()
    return model, calls


def fresh_values(model: PreTrainedModel, calls: list[Call], seed: int, device: str) -> Values:
    """The weights that the whole model would have if it were built on `device` after torch.manual_seed(seed)."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    if missing := set(names) - {id(call.parameter) for call in calls}:
        raise ValueError(f"{names[missing.pop()]} is not initialised by torch.nn.init")
    # until when a tensor is needed: to the parameter's last call, or to the next that overwrites all of it
    following: dict[int, bool] = {}
    ends, lasts = [False] * len(calls), [False] * len(calls)
    for at in reversed(range(len(calls))):
        key = id(calls[at].parameter)
        lasts[at] = key not in following
        ends[at] = following.get(key, True)
        following[key] = calls[at].overwrites

    def values(wanted: dict[str, Part]) -> Iterator[tuple[str, Tensor]]:
        state, whole = torch.random.get_rng_state(), {}
        torch.manual_seed(seed)
        for call, end, last in zip(calls, ends, lasts, strict=True):
            key = id(call.parameter)
            if key not in whole:
                whole[key] = torch.empty(call.parameter.shape, device=device)
            with torch.no_grad():
                call.function(whole[key].as_strided(*call.view), *call.arguments, **call.named)
            if end:
                tensor = whole.pop(key)
                name = names.get(key)
                if last and name in wanted:
                    yield name, tensor[wanted[name]]
                del tensor
        torch.random.set_rng_state(state)

    return values


class Stored:
    """The tensors of a Hugging Face folder's safetensors, by slices. `holds` says whether every name is there."""

    def __init__(self, folder: str | Path, prefix: str) -> None:
        folder, self.prefix = Path(folder), prefix
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            self.files = {name: folder / file for name, file in json.loads(index.read_text())["weight_map"].items()}
        elif (folder / "model.safetensors").is_file():
            with safe_open(folder / "model.safetensors", "pt") as file:
                self.files = dict.fromkeys(file.keys(), folder / "model.safetensors")
        else:
            self.files = {}

    def _name(self, name: str) -> str | None:
        """What the file calls a parameter: older files leave the base model's prefix out, or say gamma and beta."""
        bare = name.removeprefix(self.prefix + ".")
        older = [n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
                 for n in (name, bare)]  # fmt: skip
        return next((given for given in (name, bare, *older) if given in self.files), None)

    def holds(self, name: str) -> bool:
        return self._name(name) is not None

    def read(self, name: str, part: Part | None = None) -> Tensor:
        given = cast(str, self._name(name))
        with safe_open(self.files[given], "pt") as file:
            return (file.get_tensor(given) if part is None else file.get_slice(given)[part]).float()


def part_of(parameter: Tensor) -> Part:
    """Which part of the whole parameter this process holds."""
    if not isinstance(parameter, DTensor):
        return tuple(slice(0, size) for size in parameter.shape)
    shape, offset = compute_local_shape_and_global_offset(
        parameter.shape, parameter.device_mesh, parameter.placements
    )  # fmt: skip
    return tuple(slice(start, start + size) for start, size in zip(offset, shape, strict=True))


def fill(model: nn.Module, values: Values, device: torch.device | str, prefix: str = "") -> None:
    """Give a model's parameters, sharded or not, memory on `device` and their values. Its buffers stay as they are.

    prefix: what the model's names have before those of `values`.
    """
    buffers = {name: buffer for name, buffer in model.named_buffers(remove_duplicate=False)}
    ties: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        ties.setdefault(id(parameter), []).append(name)
    model.to_empty(device=device)
    for names in ties.values():  # to_empty gives each name of a shared parameter a tensor of its own
        for name in names[1:]:
            _set(model, name, "_parameters", model.get_parameter(names[0]))
    for name, buffer in buffers.items():
        _set(model, name, "_buffers", buffer.to(device))
    targets = {names[0].removeprefix(prefix): model.get_parameter(names[0]) for names in ties.values()}
    wanted = {name: part_of(parameter) for name, parameter in targets.items()}
    with torch.no_grad():
        for name, value in values(wanted):
            parameter = targets.pop(name)
            local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
            local.copy_(value)
    if targets:
        raise ValueError(f"no value for {sorted(targets)}")


def _set(model: nn.Module, name: str, kind: str, value: Any) -> None:
    owner, _, attribute = name.rpartition(".")
    getattr(model.get_submodule(owner), kind)[attribute] = value
