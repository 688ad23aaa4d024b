"""Continued pre-training: start from a local Hugging Face model, with its tokenizer or one that extends it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from pipeline.handoff import ObjectiveSettings, TokenizerInfo, UsageError
from recipes.pretrain.initialise import Part, Stored, Values, empty_model
from recipes.pretrain.model import check_objective, load_model, model_class


def read_config(folder: str) -> PreTrainedConfig:
    """The configuration of a local Hugging Face model folder. Raises UsageError when there is none."""
    if not (Path(folder) / "config.json").is_file():
        raise UsageError(f"model.init_from: {folder} holds no config.json; expected a local Hugging Face model folder")
    return AutoConfig.from_pretrained(folder, local_files_only=True)


def continued(
    folder: str, tokenizer: Tokenizer, info: TokenizerInfo, objective: ObjectiveSettings
) -> tuple[PreTrainedModel, Values]:
    """The model of `folder` without memory, its embedding grown to the hand-off's vocabulary, and its values in fp32.

    A token the old tokenizer does not have starts as the mean of the embeddings of its old pieces, so that the model
    reads old text as before. Raises UsageError when the hand-off's tokenizer is not the old one or an extension of it.
    """
    config = read_config(folder)
    check_objective(config.model_type, objective)
    old = Path(folder) / "tokenizer.json"
    if not old.is_file():
        raise UsageError(f"model.init_from: {folder} holds no tokenizer.json to compare the hand-off's with")
    added, known = _added(Tokenizer.from_file(str(old)), tokenizer, folder)
    rows = config.vocab_size
    config.vocab_size = max(rows, info.padded_vocab_size)
    model, _ = empty_model(model_class(config), config)
    stored = Stored(folder, model.base_model_prefix)
    layers = [cast(Any, layer) for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer]
    tables = {id(layer.weight) for layer in layers}
    names = dict(model.named_parameters())
    read: Any = stored.read
    if not all(map(stored.holds, names)):  # an older format: the whole model is read once, on the CPU
        whole = dict(load_model(folder).named_parameters())
        read = lambda name, part=None: whole[name].detach()[part or ()]  # noqa: E731

    def values(wanted: dict[str, Part]) -> Iterator[tuple[str, torch.Tensor]]:
        for name, part in wanted.items():
            if id(names[name]) in tables:
                yield name, _grown(read(name), config.vocab_size, added, known)[part]
            elif rows < config.vocab_size == names[name].shape[0] and names[name].ndim == 1:  # the head's bias
                yield name, F.pad(read(name), (0, config.vocab_size - rows))[part]
            else:
                yield name, read(name, part)

    return model, values


def _grown(table: torch.Tensor, rows: int, added: dict[int, list[int]], known: int) -> torch.Tensor:
    """An embedding of `rows` rows: the old ones, new tokens' means, and the mean of all old tokens where there is none."""
    mean = table[:known].mean(0)
    grown = torch.cat([table, mean.expand(max(0, rows - len(table)), -1)])
    for at, pieces in added.items():  # a new token may take the row of an old one that nothing reached
        grown[at] = table[pieces].mean(0) if pieces else mean
    return grown


def _added(old: Tokenizer, new: Tokenizer, folder: str) -> tuple[dict[int, list[int]], int]:
    """`new_tokens`, and how many tokens the old tokenizer has. UsageError where the new one is no extension of it."""
    added = new_tokens(old, new)
    if moved := [
        token for token, at in old.get_vocab().items() if at not in added and new.get_vocab().get(token) != at
    ]:
        raise UsageError(
            f"model.init_from: the hand-off's tokenizer is no extension of {folder}'s: {len(moved)} of its "
            f"{old.get_vocab_size()} tokens have another id or none (such as {min(moved)!r})"
        )
    return added, old.get_vocab_size()


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
