"""Continued pre-training: start from a local Hugging Face model, with its tokenizer or one that extends it."""

from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from pipeline.handoff import ObjectiveSettings, TokenizerInfo, UsageError
from recipes.pretrain.model import check_objective, load_model


def read_config(folder: str) -> PreTrainedConfig:
    """The configuration of a local Hugging Face model folder. Raises UsageError when there is none."""
    if not (Path(folder) / "config.json").is_file():
        raise UsageError(f"model.init_from: {folder} holds no config.json; expected a local Hugging Face model folder")
    return AutoConfig.from_pretrained(folder, local_files_only=True)


def continued_model(
    folder: str, tokenizer: Tokenizer, info: TokenizerInfo, objective: ObjectiveSettings
) -> PreTrainedModel:
    """The model of `folder` in fp32, its embedding grown to the hand-off's vocabulary.

    A token the old tokenizer does not have starts as the mean of the embeddings of its old pieces, so that the model
    reads old text as before. Raises UsageError when the hand-off's tokenizer is not the old one or an extension of it.
    """
    check_objective(read_config(folder).model_type, objective)
    model = load_model(folder)
    old = Path(folder) / "tokenizer.json"
    if not old.is_file():
        raise UsageError(f"model.init_from: {folder} holds no tokenizer.json to compare the hand-off's with")
    _grow(model, Tokenizer.from_file(str(old)), tokenizer, info, folder)
    model.train()
    return model


def _grow(model: PreTrainedModel, old: Tokenizer, new: Tokenizer, info: TokenizerInfo, folder: str) -> None:
    added = new_tokens(old, new)
    if moved := [
        token for token, at in old.get_vocab().items() if at not in added and new.get_vocab().get(token) != at
    ]:
        raise UsageError(
            f"model.init_from: the hand-off's tokenizer is no extension of {folder}'s: {len(moved)} of its "
            f"{old.get_vocab_size()} tokens have another id or none (such as {min(moved)!r})"
        )
    rows = cast(Any, model.get_input_embeddings()).weight.shape[0]
    if info.padded_vocab_size > rows:
        model.resize_token_embeddings(info.padded_vocab_size, mean_resizing=False)
    layers = [cast(Any, layer) for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer]
    tables: dict[int, torch.Tensor] = {id(layer.weight): layer.weight for layer in layers}
    with torch.no_grad():
        for table in tables.values():
            before = table.clone()  # a new token may take the row of an old one that nothing reached
            for at, pieces in added.items():
                table[at] = (before[pieces] if pieces else before[: old.get_vocab_size()]).mean(0)


def new_tokens(old: Tokenizer, new: Tokenizer) -> dict[int, list[int]]:
    """The ids that mean something else than before, each with the old ids that spelled it.

    Those are ids past the old vocabulary and ids of old tokens that no text could reach, which an extension gives away.
    """
    as_text = {token.content for token in new.get_added_tokens_decoder().values()}
    names = {at: token for token, at in old.get_vocab().items()}
    added: dict[int, list[int]] = {}
    for token, at in sorted(new.get_vocab().items(), key=lambda item: item[1]):
        if names.get(at) == token:
            continue
        if at in names and (names[at] in new.get_vocab() or _reached(old, names[at], at)):
            continue
        if token in as_text:
            added[at] = old.encode(token, add_special_tokens=False).ids
        else:  # in the model's own alphabet: half a character is a token too, and no text
            added[at] = [piece.id for piece in cast(Any, old.model).tokenize(token)]
    return added


def _reached(old: Tokenizer, token: str, at: int) -> bool:
    """Whether text ever holds the old token: an added one as itself, others where merges make them."""
    if token in {added.content for added in old.get_added_tokens_decoder().values()}:
        return True
    return [piece.id for piece in cast(Any, old.model).tokenize(token)] == [at]
