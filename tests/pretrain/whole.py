"""Models built whole, the plain way: what those that are built in parts must equal."""

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from pipeline.handoff import ModelSettings, ObjectiveSettings, TokenizerInfo
from recipes.pretrain import attention
from recipes.pretrain.continued import continued
from recipes.pretrain.initialise import fill
from recipes.pretrain.model import build_config, check_objective, model_class


def build_model(
    model: ModelSettings, objective: ObjectiveSettings, tokenizer: TokenizerInfo, seed: int, device: str = "cpu"
) -> PreTrainedModel:
    """A model in fp32 with fresh weights drawn from the seed alone: the same ones in every process."""
    attention.register()
    config = build_config(model, objective, tokenizer)
    check_objective(config.model_type, objective)
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    with torch.device(device):
        built = model_class(config)._from_config(config, attn_implementation=attention.NAME, dtype=torch.float32)
    torch.random.set_rng_state(generator_state)
    attention.assign_roles(built)
    built.train()
    return built


def continued_model(
    folder: str, tokenizer: Tokenizer, info: TokenizerInfo, objective: ObjectiveSettings
) -> PreTrainedModel:
    """`continued`, whole and on the CPU."""
    model, values = continued(folder, tokenizer, info, objective)
    fill(model, values, "cpu")
    return model
