"""The model a training starts from: fresh or continued, with what the settings add to it, still without memory."""

from typing import NamedTuple

from pipeline.handoff import ParallelSettings, UsageError
from recipes.pretrain import lora, mup
from recipes.pretrain.attention import fits_varlen
from recipes.pretrain.continued import continued
from recipes.pretrain.dimensions import divided
from recipes.pretrain.initialise import Values, empty_model, fresh_values
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.model import Trainable, build_config, check_objective, count, model_class
from recipes.pretrain.objectives import Objective
from recipes.pretrain.parallel import World


class Start(NamedTuple):
    """What `starting_model` returns."""

    trainable: Trainable
    values: Values
    """Of all its parameters, for `initialise.fill`."""
    world: World
    """The processes, with those that share samples."""
    ratio: float
    """µP's width over base width; 1 without."""
    parameters: int
    """Of the model, adapters not counted."""


def starting_model(
    handoff: Handoff, world: World, objective: Objective, parallel: ParallelSettings, device: str
) -> Start:
    """The model of the configuration. Raises UsageError where its parts do not fit together."""
    config, tokenizer = handoff.config, handoff.manifest.tokenizer
    if config.model.init_from is not None:
        folder = handoff.at(config.model.init_from)
        model, values = continued(folder, handoff.read_tokenizer(), tokenizer, config.objective)
    else:
        check_objective(str(config.model.architecture), config.objective)
        built = build_config(config.model, config.objective, tokenizer)
        model, calls = empty_model(model_class(built), built)
        values = fresh_values(model, calls, config.seed, device)
    parameters = count(model)
    if config.lora:
        values = lora.adapt(model, values, config, world)
    world = divided(world, parallel, model.config, objective.length)
    varlen = world.device.type == "cuda" and not world.context and fits_varlen(model, parallel.precision)
    trainable = Trainable(model, config.optimizer.z_loss, varlen, world.context)
    trainable.split = world.device.type == "cpu" and not parallel.compile
    if parallel.fused_loss and not trainable.causal:
        raise UsageError("parallel.fused_loss is for causal models")
    trainable.fused_loss = parallel.fused_loss
    ratio = mup.width_ratio(config, trainable)
    if ratio != 1:
        values = mup.prepare(trainable, values, ratio)
    return Start(trainable, values, world, ratio, parameters)
